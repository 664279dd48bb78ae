"""Many things at once: readers, changes of the source, daemons that share one
cache, mounts one after the other.

Environment variables: PYCFS_TEST_SECONDS is how many seconds each kind of
stress lasts (default 4), PYCFS_TEST_SEED the seed of the random numbers, and
PYCFS_TEST_MOUNTS how many mounts follow one another (default 25).
"""
import contextlib
import json
import os
import random
import subprocess
import sys
import time

import pytest

import harness
import stress
from harness import tree_bytes, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = float(os.environ.get("PYCFS_TEST_SECONDS", "4"))
SEED = int(os.environ.get("PYCFS_TEST_SEED", "0")) or random.randrange(1, 9999)
MOUNTS = int(os.environ.get("PYCFS_TEST_MOUNTS", "25"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """{version: tree} of sources, and what each is exported as."""
    top = tmp_path_factory.mktemp("stress")
    scratch = str(top / "scratch")
    os.mkdir(scratch)
    pycfs = harness.Pycfs(scratch)
    os.mkdir(top / "reference")
    for v in range(stress.VERSIONS):
        source = str(top / ("site%d" % v))
        stress.make(source, v)
        pycfs.exported(source, str(top / "reference" / str(v)), "--no-cache")
    return str(top)


@contextlib.contextmanager
def changing(root, pause=0.02):
    names = [os.path.relpath(os.path.join(d, f), root)
             for d, _, files in os.walk(root) for f in sorted(files)
             if not os.path.islink(os.path.join(d, f))]
    changer = stress.Changer(root, names, SEED, pause)
    changer.start()
    try:
        yield changer
    finally:
        changer.over.set()
        changer.join(10)


def site(made, scratch):
    root = os.path.join(scratch, "site")
    subprocess.run(["cp", "-a", os.path.join(made, "site0"), root], check=True)
    return root


def check_counts(counts):
    """Something of everything was done, and hardly ever in vain."""
    print("seed", SEED, counts)
    assert all(counts.get(k, 0) > 3 for k in (
        "read", "pieces", "mmap", "stat", "list", "walk", "guest", "other",
        "refused")), counts
    assert counts.get("ESTALE", 0) * 20 < sum(counts.values()), counts


@pytest.mark.parametrize("options", [
    (), ("--no-cache", "--jobs", "1"), ("--on-error", "omit"),
], ids=["live", "no-cache", "omit"])
def test_readers_of_a_changing_source(options, made, mount, pycfs, scratch):
    root = site(made, scratch)
    with mount(root, *options) as m:
        with changing(root) as changer:
            check_counts(stress.read_all(m, os.path.join(made, "reference"),
                                         SECONDS, SEED))
        assert changer.changes > 20
        # when all is quiet, all is new
        wanted = tree_bytes(pycfs.exported(root, os.path.join(scratch, "x")))
        wait_for(lambda: tree_bytes(m) == wanted, 10, "the last versions")
        assert m.count("cache_errors") == 0
        assert m.count("crashes") == 0


def test_readers_of_what_does_not_change(made, mount, scratch):
    with mount(site(made, scratch), "--immutable") as m:
        check_counts(stress.read_all(m, os.path.join(made, "reference"),
                                     SECONDS, SEED, still=True))


@pytest.mark.root
def test_daemons_of_one_cache(made, mount, pycfs, scratch):
    """Four, two of them in PID namespaces where they have the same PID, while
    the cache is cleared, trimmed and verified."""
    root = site(made, scratch)
    reference = os.path.join(made, "reference")
    stressed = [sys.executable, os.path.join(HERE, "stress.py")]
    jobs, said = [], []
    with contextlib.ExitStack() as stack:
        mounts = [stack.enter_context(mount(root)) for _ in range(2)]
        changer = stack.enter_context(changing(root, 0.05))
        for i, m in enumerate(mounts):
            jobs.append(subprocess.Popen(
                [*stressed, str(m), reference, str(SECONDS), str(SEED + i)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        for i in range(2):
            at = os.path.join(scratch, "ns%d" % i)
            os.mkdir(at)
            jobs.append(subprocess.Popen(
                ["unshare", "-m", "-pf", "--mount-proc", "--kill-child",
                 *pycfs.command("run", "--python", harness.DEBIAN_PYTHON, root,
                                at, "--", *stressed, at, reference,
                                str(SECONDS), str(SEED + 5 + i))],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=pycfs.env()))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for verb in (("stat",), ("verify",), ("gc", "--max-size", "100K"),
                         ("clear",)):
                said.append(pycfs.run("cache", *verb, timeout=60))
        for job in jobs:
            out, err = job.communicate(timeout=SECONDS + 60)
            assert job.returncode == 0, err.decode()[-3000:]
            assert sum(json.loads(out).values()) > 20
        assert changer.changes > 5
        for m in mounts:
            assert m.count("cache_errors") == 0, m.log()
    assert len(said) >= 4
    for result in said:
        assert result.returncode == 0, (result.args, result.stderr)
    result = pycfs.ok("cache", "verify")


def belongings(scratch):
    """Everything of a process that outlives what it did: its files, mounts,
    processes and descriptors, System V and POSIX memory."""
    return {
        "files": sorted(os.path.join(d, n)
                        for d, dirs, files in os.walk(scratch)
                        for n in dirs + files),
        "mounts": sorted(p for p in harness.mounts() if scratch in p),
        "processes": [p.args for p in harness.daemons(scratch)],
        "fds": len(os.listdir("/proc/self/fd")),
        "shm": sorted(n for n in os.listdir("/dev/shm") if "pycfs" in n),
    }


def test_mounts_in_a_row_leave_nothing(made, pycfs, scratch):
    root = site(made, scratch)
    at = os.path.join(scratch, "mnt")
    tmp = os.path.join(scratch, "tmp")
    os.mkdir(at)
    os.mkdir(tmp)
    env = {"TMPDIR": tmp}
    log = os.path.join(scratch, "log")

    def cycle(i):
        pycfs.ok("mount", "--python", harness.DEBIAN_PYTHON, "--log-file", log,
                 root, at, *(("--immutable",) if i % 3 == 0 else ()), env=env)
        if i % 2:
            stress.Reader(at, os.path.join(made, "reference"), i,
                          True).do_walk()
        pycfs.ok("umount", at, *(("--lazy",) if i % 5 == 0 else ()), env=env)
        wait_for(lambda: not harness.daemons(scratch), 20, "processes end")

    for i in range(2):
        cycle(i)
    before = belongings(scratch)
    size = sum(os.path.getsize(os.path.join(d, f))
               for d, _, files in os.walk(pycfs.cache) for f in files)
    for i in range(MOUNTS):
        cycle(i)
    assert belongings(scratch) == before
    # a database grows by pages, and by what the first mount found too young
    assert size + (256 << 10) >= sum(os.path.getsize(os.path.join(d, f))
                       for d, _, files in os.walk(pycfs.cache) for f in files)
    assert harness.Pycfs.clean(open(log).read()) is None


def test_a_daemon_does_not_grow(made, mount, scratch):
    """The same requests again need no more memory, nor descriptors."""
    root = site(made, scratch)
    # what ASan keeps of what was freed is no growth
    env = {"ASAN_OPTIONS": ":".join(filter(None, (
        os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1",
        "log_path=%s/sanitizer" % scratch)))}
    with mount(root, env=env) as m:
        def now():
            p = m.serving()
            with open("/proc/%d/statm" % p.pid) as f:
                return int(f.read().split()[1]) * 4, len(p.fds())

        def stressed():
            stress.read_all(m, os.path.join(made, "reference"),
                            max(SECONDS / 4, 1), SEED)

        with changing(root, 0.01):
            stressed()
            rss, fds = now()
            for _ in range(3):
                stressed()
            later, fds_later = now()
    print("seed", SEED, rss, later)
    assert later < rss + 20000, "kB: %d, then %d" % (rss, later)
    assert fds_later <= fds + 8
