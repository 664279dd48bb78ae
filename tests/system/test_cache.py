"""A module is compiled only once, whoever asks for it, and from whichever
path."""
import contextlib
import json
import marshal
import os
import re
import signal
import stat
import subprocess
import time

import pytest

import harness
import trees
from harness import copy, read, tree_bytes, wait_for


def test_a_warm_second_mount_compiles_nothing(mount, tree, scratch):
    with mount(tree) as m:
        cold = tree_bytes(copy(m, os.path.join(scratch, "cold")))
        assert m.count("compiled") > 15
    with mount(tree) as m:
        warm = tree_bytes(copy(m, os.path.join(scratch, "warm")))
        assert m.count("compiled") == 0
    assert warm == cold


def test_a_warm_stat_reads_no_source(mount, small):
    time.sleep(2.2)  # younger files are not trusted by their fingerprint
    with mount(small) as m:
        sizes = [os.stat(m / (n + ".pyc")).st_size for n in "abc"]
        assert m.quiet("compiled") == 3
        assert m.count("source_reads") == 3
    with mount(small) as m:
        assert [os.stat(m / (n + ".pyc")).st_size for n in "abc"] == sizes
        counters = m.counters()
        assert counters["source_reads"] == 0 and counters["compiled"] == 0
        assert counters["stat_hits"] >= 3
        assert [len(read(m / (n + ".pyc"))) for n in "abc"] == sizes
        assert m.count("source_reads") == 0


def test_an_equal_tree_elsewhere_compiles_nothing(mount, tree, scratch):
    with mount(tree) as m:
        cold = tree_bytes(copy(m, os.path.join(scratch, "cold")))
    other = os.path.join(scratch, "a", "fresh", "checkout")
    os.makedirs(os.path.dirname(other))
    subprocess.run(["cp", "-r", "-P", tree, other], check=True, timeout=60)
    with mount(other) as m:
        got = tree_bytes(copy(m, os.path.join(scratch, "got")))
        assert m.count("compiled") == 0 and m.count("blob_hits") > 15
    assert got == cold


@pytest.mark.parametrize("change", [
    ("-O", "1"), ("-O", "0"), ("--debug-ranges",),
    ("--invalidation-mode", "checked-hash"),
    ("--invalidation-mode", "timestamp")], ids=" ".join)
def test_another_profile_is_another_blob(change, mount, small):
    with mount(small) as m:
        plain = read(m / "a.pyc")
    with mount(small, *change) as m:
        other = read(m / "a.pyc")
        assert m.quiet("compiled") == 3
    assert other != plain
    with mount(small) as m:
        assert read(m / "a.pyc") == plain
        assert m.quiet("compiled") == 0


def test_equal_sources_are_compiled_once(pycfs, mount, scratch):
    """Copies of a module, at any path and with any --prefix, are one blob;
    each is served with its own name."""
    site = os.path.join(scratch, "site")
    long = "n" * 200
    paths = ["a.py", "pkg/a.py", "pkg/\u00e9.py", "pkg/%s/%s.py" % (long, long)]
    for path in paths:
        trees.write(os.path.join(site, path),
                    "def f():\n    return lambda: (__file__, %r)\n" % paths[0])
    trees.write(os.path.join(site, "pkg/b.py"), "X = 1\n")
    os.link(os.path.join(site, "a.py"), os.path.join(site, "linked.py"))
    paths.append("linked.py")
    time.sleep(2.2)  # younger files are not trusted by their fingerprint
    for n, (options, prefix) in enumerate((
            ([], "/site-packages/"), (["--prefix", "/opt/x"], "/opt/x/"),
            (["--prefix", ""], ""))):
        with mount(site, *options) as m:
            out = copy(m, os.path.join(scratch, "out%d" % n))
            for path in paths:
                there = os.path.join(out, path + "c")
                # The size was said before the bytes were read.
                assert os.stat(there).st_size == \
                    os.stat(m / (path + "c")).st_size
                code = marshal.loads(read(there)[16:])
                assert code.co_filename == prefix + path
                assert code.co_consts[0].co_filename == prefix + path
            assert m.quiet("compiled") == (2 if n == 0 else 0)
            if n > 0:
                assert m.count("source_reads") == 0
        fresh = pycfs.exported(site, os.path.join(scratch, "fresh%d" % n),
                               *options, "--no-cache")
        assert tree_bytes(fresh) == tree_bytes(out)


def test_cpythons_own_bytes_have_a_name_of_their_own(mount, scratch):
    """Without the canonical form equal sources are not the same."""
    site = os.path.join(scratch, "site")
    for path in "a.py", "b.py":
        trees.write(os.path.join(site, path), "X = 1\n")
    with mount(site, "--marshal", "cpython") as m:
        for name in "ab":
            code = marshal.loads(read(m / (name + ".pyc"))[16:])
            assert code.co_filename == "/site-packages/%s.py" % name
        assert m.quiet("compiled") == 2
    with mount(site, "--marshal", "cpython", "--prefix", "/x") as m:
        code = marshal.loads(read(m / "a.pyc")[16:])
        assert code.co_filename == "/x/a.py"
        assert m.quiet("compiled") == 2


def test_another_python_is_another_blob(mount, small):
    if len(harness.PYTHONS) < 2:
        pytest.skip("one Python here")
    blobs = {}
    for again in (False, True):
        for p in harness.PYTHONS:
            with mount(small, python=p.exe) as m:
                got = read(m / "a.pyc")
                assert blobs.setdefault(p.name, got) == got
                assert m.quiet("compiled") == (0 if again else 3), p
    by_magic = {b[:4] for b in blobs.values()}
    assert len(by_magic) == len({p.minor for p in harness.PYTHONS})


def test_two_daemons_share_one_cache(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 200)
    with mount(root) as one, mount(root) as two:
        copies = [subprocess.Popen(
            ["cp", "-a", m.path, os.path.join(scratch, "out%d" % i)])
            for i, m in enumerate((one, two))]
        assert [c.wait(60) for c in copies] == [0, 0]
        a, b = one.counters(), two.counters()
        assert a["cache_errors"] == b["cache_errors"] == 0
        assert a["compiled"] + b["compiled"] >= 200
    outs = [tree_bytes(os.path.join(scratch, "out%d" % i)) for i in (0, 1)]
    assert outs[0] == outs[1] and len(outs[0]) > 200
    with mount(root) as m:
        assert tree_bytes(copy(m, os.path.join(scratch, "out3"))) == outs[0]
        assert m.count("compiled") == 0


COPIER = """
import json, os, subprocess, sys, time
mnt, out, pycfs, mine, other = sys.argv[1:]
open(mine, "w").close()                    # both are mounted before either
end = time.monotonic() + 20                # copies
while not os.path.exists(other):
    assert time.monotonic() < end, "the other build did not come up"
    time.sleep(0.02)
subprocess.run(["cp", "-a", mnt + "/.", out], check=True, timeout=60)
report = subprocess.run([pycfs, "report", mnt, "--json"], check=True,
                        stdout=subprocess.PIPE, timeout=30).stdout
counters = json.loads(report)["counters"]
pids = sorted(int(p) for p in os.listdir("/proc") if p.isdigit())
def cmd(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().split(b"\\0")[0].decode()
    except OSError:
        return ""
print(json.dumps({"counters": counters,
                  "pids": [p for p in pids if cmd(p).endswith("pycfs")]}))
"""


@pytest.mark.root
def test_builds_in_pid_namespaces_share_one_cache(pycfs, scratch):
    """Every RUN step of an image build has small PIDs, the same ones; LMDB
    takes a reader for dead or alive by its PID."""
    root = trees.many(os.path.join(scratch, "site"), 150)
    script = os.path.join(scratch, "copier.py")
    trees.write(script, COPIER)
    cache = os.path.join(scratch, "shared-cache")

    def build(round_, me, other):
        mnt = os.path.join(scratch, "mnt-%s-%s" % (round_, me))
        out = os.path.join(scratch, "out-%s-%s" % (round_, me))
        os.makedirs(mnt)
        os.makedirs(out)
        ready = os.path.join(scratch, "ready-%s-" % round_)
        return out, subprocess.Popen(
            ["unshare", "-m", "-pf", "--mount-proc", "--kill-child",
             *pycfs.command("run", "--python", harness.DEBIAN_PYTHON,
                            "--cache", cache, root, mnt, "--",
                            harness.DEBIAN_PYTHON, script, mnt, out,
                            harness.program(), ready + me, ready + other)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=pycfs.env(PYTHONDONTWRITEBYTECODE="1"))

    def finish(builds):
        results = []
        for _, p in builds:
            out, err = p.communicate(timeout=90)
            assert p.returncode == 0, err.decode()
            results.append(json.loads(out))
        return results

    # alone: which PIDs such a build has, for the others to collide with
    alone = finish([build("alone", "a", "a")])[0]
    assert alone["counters"]["compiled"] == 150
    subprocess.run(["rm", "-r", cache], check=True)

    first = [build("1", "a", "b"), build("1", "b", "a")]
    results = finish(first)
    for r in results:
        assert set(alone["pids"]) <= set(range(1, 40)), alone
        assert set(alone["pids"]) & set(r["pids"]), (alone, r)
        assert r["counters"]["cache_errors"] == 0
    second = [build("2", "a", "b"), build("2", "b", "a")]
    for r in finish(second):
        assert r["counters"]["compiled"] == 0, r
        assert r["counters"]["cache_errors"] == 0, r
    outs = [tree_bytes(out) for out, _ in first + second]
    assert len(outs[0]) > 150
    assert all(o == outs[0] for o in outs)


def database(cache, lock=False):
    """LMDB's file of data, or of locks."""
    return next(os.path.join(top, f) for top, _, files in os.walk(cache)
                for f in sorted(files)
                if "mdb" in f and ("lock" in f) == lock)


# A writer that stops in the middle of a write transaction, holding LMDB's lock.
HOLDER = """
import ctypes, sys, time
lmdb = ctypes.CDLL("liblmdb.so.0")
env, txn = ctypes.c_void_p(), ctypes.c_void_p()
def check(rc):
    if rc:
        raise SystemExit("lmdb: %d" % rc)
check(lmdb.mdb_env_create(ctypes.byref(env)))
lmdb.mdb_env_set_mapsize.argtypes = ctypes.c_void_p, ctypes.c_size_t
check(lmdb.mdb_env_set_mapsize(env, 1 << 30))
check(lmdb.mdb_env_set_maxdbs(env, 16))
check(lmdb.mdb_env_open(env, sys.argv[1].encode(), int(sys.argv[2], 0), 0o600))
check(lmdb.mdb_txn_begin(env, None, 0, ctypes.byref(txn)))
print("held", flush=True)
time.sleep(120)
"""


@contextlib.contextmanager
def held(cache, scratch):
    """The cache's write lock, held by a process that is stopped."""
    data = database(cache)
    if os.path.basename(data) == "data.mdb":
        args = [os.path.dirname(data), "0"]
    else:
        args = [data, "0x4000"]  # MDB_NOSUBDIR
    script = os.path.join(scratch, "holder.py")
    trees.write(script, HOLDER)
    p = subprocess.Popen([harness.DEBIAN_PYTHON, script, *args],
                         stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == b"held\n"
        os.kill(p.pid, signal.SIGSTOP)
        yield
        assert p.poll() is None
    finally:
        p.kill()
        p.wait(10)


def test_a_stopped_writer_hangs_nobody(pycfs, mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 60)
    with mount(root) as m:
        wanted = tree_bytes(copy(m, os.path.join(scratch, "wanted")))
    trees.write(os.path.join(root, "new.py"), "NEW = 1\n")
    with held(pycfs.cache, scratch):
        start = time.monotonic()
        with mount(root) as m:
            assert time.monotonic() - start < 10, "mounting took too long"
            out = copy(m, os.path.join(scratch, "out"), timeout=20)
            assert m.count("compiled") == 1
            before = time.monotonic()
            m.umount()
            assert time.monotonic() - before < 12, "unmounting took too long"
    got = tree_bytes(out)
    assert len(got.pop(b"new.pyc")) > 16
    assert got == wanted


def test_a_stopped_daemon_hangs_nobody(mount, scratch):
    """Stopped at any moment of its writing."""
    root = trees.many(os.path.join(scratch, "site"), 150)
    for i in range(3):
        cache = os.path.join(scratch, "cache%d" % i)
        with mount(root, cache=cache) as one:
            cp = subprocess.Popen(["cp", "-a", one.path,
                                   os.path.join(scratch, "one%d" % i)])
            time.sleep(0.05 + 0.15 * i)
            pid = one.serving().pid
            os.kill(pid, signal.SIGSTOP)
            try:
                start = time.monotonic()
                with mount(root, cache=cache) as two:
                    copy(two, os.path.join(scratch, "two%d" % i), timeout=30)
                assert time.monotonic() - start < 40
            finally:
                os.kill(pid, signal.SIGCONT)
            assert cp.wait(60) == 0
        assert tree_bytes(os.path.join(scratch, "one%d" % i)) == \
            tree_bytes(os.path.join(scratch, "two%d" % i))


def test_killed_daemons_leave_a_good_cache(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 150)
    with mount(root, cache=os.path.join(scratch, "other")) as m:
        wanted = tree_bytes(copy(m, os.path.join(scratch, "wanted")))
    for i in range(4):
        with mount(root, umount=False) as m:
            cp = subprocess.Popen(["cp", "-a", m.path,
                                   os.path.join(scratch, "killed%d" % i)],
                                  stderr=subprocess.DEVNULL)
            time.sleep(0.1 + 0.1 * i)
            for p in harness.daemons(m.path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(p.pid, signal.SIGKILL)
            harness.detach(m.path)
            cp.wait(30)
    with mount(root) as m:
        assert tree_bytes(copy(m, os.path.join(scratch, "out"))) == wanted
        assert m.count("cache_errors") == 0
    with mount(root) as m:
        copy(m, os.path.join(scratch, "again"))
        assert m.count("compiled") == 0


# A constant of pkg/core.py.
IN_A_BLOB = b"identifier"


@pytest.mark.parametrize("harm", ["truncate", "empty", "garbage", "flip",
                                  "flip everywhere", "lock garbage",
                                  "lock empty", "gone", "lock gone"])
def test_a_damaged_cache_is_no_error(harm, pycfs, mount, tree, scratch):
    with mount(tree) as m:
        wanted = tree_bytes(copy(m, os.path.join(scratch, "wanted")))
    path = database(pycfs.cache, harm.startswith("lock"))
    data = bytearray(read(path))
    assert len(data) > 10000
    how = harm.split()[-1]
    if how == "truncate":
        del data[len(data) // 2:]
    elif how == "empty":
        data.clear()
    elif how == "garbage":
        data[:] = bytes(range(256)) * (len(data) // 256)
    elif how == "flip":
        at = data.index(IN_A_BLOB)
        data[at] ^= 1
    elif how == "everywhere":
        for at in range(9000, len(data), 211):
            data[at] ^= 0x40
    with open(path, "r+b") as f:  # not a new file: same inode, same rights
        f.write(data)
        f.truncate()
    if how == "gone":
        os.unlink(path)
    for again in (False, True):
        out = os.path.join(scratch, "out%d" % again)
        with mount(tree) as m:
            assert tree_bytes(copy(m, out)) == wanted
            if harm == "flip" and not again:
                assert m.count("cache_damaged") == 1
                assert m.count("compiled") == 1
            if again and harm != "flip everywhere":
                assert m.count("compiled") == 0


def test_a_damaged_blob_is_exported_right(pycfs, tree, scratch):
    time.sleep(2.2)  # or the cache would not trust the sources' times
    wanted = tree_bytes(pycfs.exported(tree, os.path.join(scratch, "wanted")))
    path = database(pycfs.cache)
    data = bytearray(read(path))
    data[data.index(IN_A_BLOB)] ^= 1
    with open(path, "r+b") as f:
        f.write(data)
    for name in ("first", "second"):
        out = pycfs.exported(tree, os.path.join(scratch, name))
        assert tree_bytes(out) == wanted


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_only_the_owner_can_write_the_cache(pycfs, mount, small):
    old = os.umask(0)
    try:
        with mount(small) as m:
            assert len(read(m / "a.pyc")) > 16
    finally:
        os.umask(old)
    seen = 0
    for top, dirs, files in os.walk(pycfs.cache):
        assert mode_of(top) == 0o700
        for f in files:
            assert mode_of(os.path.join(top, f)) == 0o600, f
            seen += 1
    assert seen > 0


def test_no_cache(pycfs, mount, small):
    for _ in range(2):
        with mount(small, "--no-cache") as m:
            assert len(read(m / "a.pyc")) > 16
            assert m.quiet("compiled") == 3
            assert len(read(m / "a.pyc")) > 16
            assert m.quiet("compiled") == 3
    assert not os.path.exists(pycfs.cache)


def test_the_default_cache(pycfs, small, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    chosen = os.path.join(scratch, "chosen")
    pycfs.ok("run", "--python", harness.DEBIAN_PYTHON, small, at, "--",
             "cat", os.path.join(at, "a.pyc"), env={"PYCFS_CACHE": chosen})
    assert os.path.isdir(chosen) and mode_of(chosen) == 0o700


def test_a_bound_is_kept(pycfs, mount, scratch):
    """Far smaller than the tree: reads never fail, the cache stays small."""
    root = os.path.join(scratch, "site")
    for i in range(60):
        trees.write(os.path.join(root, "m%d.py" % i),
                    "x = %r\n" % ("%03d" % i * 20000))
    trees.age(root)
    with mount(root, "--no-cache") as m:
        wanted = tree_bytes(copy(m, os.path.join(scratch, "wanted")))
    assert sum(map(len, wanted.values())) > 60 * 60000
    for i in range(3):
        with mount(root, "--cache-size", "1M") as m:
            got = tree_bytes(copy(m, os.path.join(scratch, "out%d" % i)))
            assert got == wanted
            m.umount()
        info = json.loads(pycfs.ok("cache", "stat", "--json").stdout)
        assert info["bytes"] <= 1 << 20, info
        used = sum(os.lstat(os.path.join(top, f)).st_blocks * 512
                   for top, _, files in os.walk(pycfs.cache) for f in files)
        assert used < 8 << 20, used


def test_a_full_disk_is_no_error(pycfs, mount, scratch):
    root = os.path.join(scratch, "site")
    for i in range(60):
        trees.write(os.path.join(root, "m%d.py" % i),
                    "x = %r\n" % ("%03d" % i * 20000))
    disk = os.path.join(scratch, "disk")
    os.mkdir(disk)
    if os.geteuid() != 0:
        pytest.skip("not root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", disk],
                   check=True)
    try:
        for i in range(2):
            with mount(root, cache=os.path.join(disk, "cache")) as m:
                out = copy(m, os.path.join(scratch, "out%d" % i))
        assert len(os.listdir(out)) == 60
        assert all(len(b) > 60000 for b in tree_bytes(out).values())
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_stat_and_clear(pycfs, mount, tree, scratch):
    trees.add_broken(tree)
    with mount(tree, "--on-error", "omit") as m:
        out = copy(m, os.path.join(scratch, "out"))
        compiled = m.count("compiled")
        # a live cache can be asked
        pycfs.ok("cache", "stat")
    modules = trees.modules(tree, rejected=trees.BROKEN, on_error="omit")
    # Of equal sources there is one.
    blobs = {read(os.path.join(os.fsencode(tree), source)):
             read(os.path.join(os.fsencode(out), path))
             for path, source in modules.items()}
    info = json.loads(pycfs.ok("cache", "stat", "--json").stdout)
    assert info["rejected"] == len(trees.BROKEN)
    assert len(modules) > info["modules"] >= len(blobs) > 15
    assert info["modules"] + info["rejected"] == compiled
    # Each has a header of 36 bytes, and not its name.
    assert info["bytes"] >= sum(map(len, blobs.values())) - 300 * len(blobs)
    assert info["disk_bytes"] > 0
    text = pycfs.ok("cache", "stat").stdout
    assert re.search(r"\b%d\b" % info["modules"], text), text
    assert pycfs.ok("cache", "stat", "--cache", pycfs.cache).stdout == text

    pycfs.ok("cache", "clear")
    info = json.loads(pycfs.ok("cache", "stat", "--json").stdout)
    assert info["modules"] == info["rejected"] == info["bytes"] == 0
    with mount(tree, "--on-error", "omit") as m:
        copy(m, os.path.join(scratch, "again"))
        assert m.count("compiled") == compiled
    assert tree_bytes(os.path.join(scratch, "again")) == tree_bytes(out)


def test_clear_under_a_live_mount(pycfs, mount, tree, scratch):
    with mount(tree) as m:
        one = tree_bytes(copy(m, os.path.join(scratch, "one")))
        pycfs.ok("cache", "clear")
        two = tree_bytes(copy(m, os.path.join(scratch, "two")))
        trees.write(os.path.join(tree, "fresh.py"), "FRESH = 1\n")
        wait_for(lambda: os.path.exists(m / "fresh.pyc"), 3, "fresh")
        assert b"FRESH" in read(m / "fresh.pyc")
    assert one == two


def test_no_cache_is_made_by_looking_for_one(pycfs, scratch):
    where = os.path.join(scratch, "nothing-here")
    for verb in ("stat", "clear"):
        result = pycfs.run("cache", verb, "--cache", where)
        assert result.returncode == 1 and result.stdout == ""
        assert where in result.stderr and result.stderr.count("\n") == 1
    assert not os.path.exists(where)
