"""Compiled modules that machines share: a machine is a cache directory here."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import harness
import trees
from harness import copy, read, tree_bytes

N = 200


class Fleet:
    """A store, a key that signs, and machines that have neither seen the other
    nor compiled anything."""

    def __init__(self, pycfs, scratch):
        self.pycfs, self.scratch = pycfs, scratch
        self.dir = os.path.join(scratch, "store")
        self.url = "file://" + self.dir
        self.key, self.public = self.new_key("ci")
        self.n = 0

    def new_key(self, name):
        path = os.path.join(self.scratch, "key-" + name)
        public = self.pycfs.ok("cache", "keygen", name, path).stdout.strip()
        return path, public

    def push(self, source, *options, key=None, status=0):
        r = self.pycfs.run("cache", "push", "--json", "--python",
                           harness.DEBIAN_PYTHON, "--remote", self.url,
                           "--remote-sign", key or self.key, *options, source,
                           timeout=120)
        assert r.returncode == status, r.stderr
        return json.loads(r.stdout)

    def machine(self):
        """A fresh cache."""
        self.n += 1
        return os.path.join(self.scratch, "machine%d" % self.n)

    def reads(self, public=None):
        return "--remote", self.url, "--remote-trust", public or self.public

    def export(self, source, *options, cache=None, remote=True):
        """A tree, the line at the end, how many were compiled."""
        dest = os.path.join(self.scratch, "out%d" % self.n)
        shutil.rmtree(dest, ignore_errors=True)
        r = self.pycfs.export(source, dest, "--cache", cache or self.machine(),
                              *(self.reads() if remote is True else remote),
                              *options)
        assert r.returncode == 0, r.stderr
        return Exported(dest, r)

    def objects(self):
        return sorted(glob.glob(self.dir + "/pycfs1/*/*/*"))


class Exported:
    def __init__(self, dest, result):
        self.bytes = tree_bytes(dest)
        self.said = result.said
        self.stderr = result.stderr
        self.compiled = int(re.search(r"\((\d+) modules? compiled",
                                      self.said).group(1))
        m = re.search(r"store had (\d+) of (\d+) chunks? \((\d+) modules?",
                      self.said)
        self.hits, self.asked, self.modules = map(int, m.groups()) if m \
            else (0, 0, 0)


@pytest.fixture
def fleet(pycfs, scratch):
    return Fleet(pycfs, scratch)


@pytest.fixture(scope="module")
def site():
    """N modules in three packages and at the top; nobody changes them."""
    top = tempfile.mkdtemp(prefix="pycfs-many-")
    root = os.path.join(top, "many")
    for i in range(N):
        where = "solo%d.py" % i if i % 50 == 0 else \
            "pkg%d/sub%d/m%d.py" % (i % 3, i % 7, i)
        trees.write(os.path.join(root, where),
                    "x = %d\ndef f(a):\n    return a + x\n" % i)
    trees.age(root)
    yield root
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="module")
def first(site):
    """A fleet whose store is full, and what an export without it is."""
    top = tempfile.mkdtemp(prefix="pycfs-first-")
    fleet = Fleet(harness.Pycfs(top), top)
    fleet.push(site)
    fleet.plain = fleet.export(site, remote=())
    yield fleet
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def filled(fleet, first):
    """The test's own fleet, with such a store and its keys."""
    shutil.copytree(first.dir, fleet.dir)
    fleet.key, fleet.public = first.key, first.public
    return fleet


@pytest.fixture
def own(site, scratch):
    """The test's own copy of that."""
    return shutil.copytree(site, os.path.join(scratch, "own"))


def test_a_second_machine_compiles_nothing(fleet, site):
    pushed = fleet.push(site)
    assert pushed["compiled"] == N and pushed["unpushed"] == 0
    assert pushed["pushed"] == len(fleet.objects()) >= 9
    plain = fleet.export(site, remote=())
    assert plain.compiled == N
    second = fleet.export(site)
    assert second.compiled == 0, second.said
    assert second.hits == second.asked == pushed["pushed"]
    assert second.modules == N
    assert second.bytes == plain.bytes


def test_every_kind_of_module(fleet, tree):
    """Some do not compile, one has no form without its name, some are kept."""
    options = ("--keep-source", "pkg/*.py", "--on-error", "source")
    fleet.push(tree, *options)
    plain = fleet.export(tree, *options, remote=())
    second = fleet.export(tree, *options)
    assert second.bytes == plain.bytes
    # What depends on its path is compiled where it is used.
    assert second.compiled < plain.compiled / 4, second.said


def test_what_one_python_compiled_is_of_no_use_to_another(fleet, site):
    first, other = harness.PYTHONS[0], harness.PYTHONS[-1]
    assert first.exe != other.exe
    fleet.push(site, "--python", first.exe)
    got = fleet.export(site, "--python", other.exe)
    assert got.hits == 0 and got.compiled == N
    got = fleet.export(site, "--python", first.exe)
    assert got.compiled == 0


def test_a_warm_machine_asks_nothing(filled, site):
    fleet = filled
    cache = fleet.machine()
    assert fleet.export(site, cache=cache).asked > 0
    again = fleet.export(site, cache=cache)
    assert again.asked == 0 and again.compiled == 0


def test_one_edit_compiles_one_chunk_at_most(fleet, own):
    fleet.push(own)
    edited = os.path.join(own, "pkg1/sub1/m1.py")
    assert os.path.exists(edited)
    trees.write(edited, "x = 'edited'\n")
    got = fleet.export(own)
    assert got.asked - got.hits == 1
    assert 1 <= got.compiled <= 128
    pushed = fleet.push(own)
    assert pushed["pushed"] == 1 and pushed["compiled"] == got.compiled
    assert fleet.export(own).compiled == 0


def test_another_project_with_the_same_packages(filled, site, scratch):
    fleet = filled
    other = os.path.join(scratch, "other")
    shutil.copytree(os.path.join(site, "pkg1"), os.path.join(other, "pkg1"))
    trees.write(os.path.join(other, "mine.py"), "x = 1\n")
    got = fleet.export(other)
    assert got.compiled == 1


def test_an_export_signs_and_a_second_one_reads(fleet, site):
    signs = ("--remote", fleet.url, "--remote-sign", fleet.key)
    first = fleet.export(site, remote=signs)
    assert first.compiled == N
    assert "%d were stored there and 0 not" % first.asked in first.said
    assert fleet.export(site).compiled == 0
    # Whoever signs takes what is trusted, and stores what is missing.
    again = fleet.export(site, remote=signs)
    assert again.compiled == 0 and "; " in again.said


def test_a_mount_reads_and_signs(fleet, site, mount, scratch):
    signs = ("--remote", fleet.url, "--remote-sign", fleet.key, "--immutable")
    with mount(site, *signs, cache=fleet.machine()) as m:
        first = tree_bytes(copy(m, os.path.join(scratch, "first")))
        assert m.quiet("compiled") == N
    assert fleet.objects()
    with mount(site, *fleet.reads(), "--immutable",
               cache=fleet.machine()) as m:
        second = tree_bytes(copy(m, os.path.join(scratch, "second")))
        assert m.count("compiled") == 0, m.counters()
        assert m.count("remote_hits") == m.count("remote_asked") > 0
    assert first == second


def test_a_live_mount_asks_for_what_is_read(filled, site, mount):
    fleet = filled
    with mount(site, *fleet.reads(), "--no-ahead",
               cache=fleet.machine()) as m:
        read(m / "solo0.pyc")
        assert m.count("remote_modules") == 1
        read(m / "pkg1/sub1/m1.pyc")
        assert m.quiet("remote_modules") == 1 + sum(
            len(f) for _, _, f in os.walk(os.path.join(site, "pkg1")))
        assert m.count("compiled") == 0


def test_pull_fills_the_cache(filled, site, pycfs):
    fleet = filled
    cache = fleet.machine()
    r = pycfs.ok("cache", "pull", "--json", "--python", harness.DEBIAN_PYTHON,
                 "--cache", cache, *fleet.reads(), site)
    got = json.loads(r.stdout)
    assert got["modules"] == N and got["compiled"] == 0
    assert fleet.export(site, cache=cache, remote=()).compiled == 0


# what is not to be believed

def test_the_cache_names_the_signer_and_forgets_what_it_signed(
        fleet, own, pycfs):
    fleet.push(own)
    cache = fleet.machine()
    trees.write(os.path.join(own, "own.py"), "x = 1\n")
    assert fleet.export(own, cache=cache).compiled == 1
    stat = pycfs.ok("cache", "stat", "--cache", cache).stdout
    assert re.search(r"%d modules .*, signed by ci$" % N, stat, re.M), stat
    r = pycfs.ok("cache", "clear", "--by", "nobody", "--cache", cache)
    assert r.stdout.startswith("0 modules")
    r = pycfs.ok("cache", "clear", "--by", "ci", "--cache", cache)
    assert r.stdout.startswith("%d modules signed by ci removed" % N)
    stat = pycfs.ok("cache", "stat", "--cache", cache).stdout
    assert "signed by" not in stat and stat.splitlines()[1].startswith("1 mod")
    assert fleet.export(own, cache=cache, remote=()).compiled == N


def test_nobody_else_is_trusted(fleet, site):
    """Another key, under the same name."""
    os.mkdir(os.path.join(fleet.scratch, "other"))
    path = os.path.join(fleet.scratch, "other", "key")
    public = fleet.pycfs.ok("cache", "keygen", "ci", path).stdout.strip()
    fleet.push(site, key=path)
    got = fleet.export(site)
    assert got.hits == 0 and got.compiled == N
    both = ("--remote", fleet.url, "--remote-trust", fleet.public,
            "--remote-trust", public)
    assert fleet.export(site, remote=both).compiled == 0
    # What lies in the folder of a key that is trusted is not signed by it.
    mine, others = [os.path.join(fleet.dir, "pycfs1", n) for n in ("", "")]
    theirs = os.listdir(mine)[0]
    fleet.push(os.path.join(site, "pkg1"))
    ours = next(n for n in os.listdir(others) if n != theirs)
    shutil.rmtree(os.path.join(mine, ours))
    shutil.copytree(os.path.join(mine, theirs), os.path.join(mine, ours))
    got = fleet.export(site)
    assert got.hits == 0 and got.compiled == N
    assert "not what its signer made" in got.stderr
    assert got.stderr.count("going on without it") == 1


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x40]))


def exchange(fleet):
    a, b = fleet.objects()[:2]
    os.rename(a, a + ".x")
    os.rename(b, a)
    os.rename(a + ".x", b)


def each(what):
    def damage(fleet):
        for path in fleet.objects():
            what(path)
    return damage


def replace(how):
    def damage(path):
        os.unlink(path)
        how(path)
    return damage


DAMAGE = {
    "bit": each(lambda p: flip(p, os.path.getsize(p) - 5)),
    "signature": each(lambda p: flip(p, 40)),
    "header": each(lambda p: flip(p, 2)),
    "truncated": each(lambda p: os.truncate(p, os.path.getsize(p) // 2)),
    "empty": each(lambda p: os.truncate(p, 0)),
    "longer": each(lambda p: os.truncate(p, os.path.getsize(p) + 1)),
    "huge": each(lambda p: os.truncate(p, 1 << 40)),
    "exchanged": exchange,
    "fifo": each(replace(os.mkfifo)),
    "directory": each(replace(os.mkdir)),
    "link": each(replace(lambda p: os.symlink("/dev/zero", p))),
    "gone": each(os.unlink),
    "nothing": lambda fleet: shutil.rmtree(fleet.dir),
    "file": lambda fleet: (shutil.rmtree(fleet.dir),
                           trees.write(fleet.dir, "no directory")),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_store_that_is_wrong_costs_nothing_but_time(
        how, filled, first, site):
    """The bytes are right, the exit status is 0, and it is said once."""
    fleet = filled
    DAMAGE[how](fleet)
    got = fleet.export(site)
    assert got.bytes == first.plain.bytes
    assert got.compiled > 0
    assert got.stderr.count("going on without it") == (how != "gone")
    if how not in ("file", "directory"):
        # A signer makes it whole again.
        fleet.push(site)
        assert fleet.export(site).compiled == 0


def test_a_store_that_does_not_answer(filled, first, site, mount, scratch):
    """It is on a file system whose server has stopped."""
    fleet, plain = filled, first.plain
    with mount(fleet.dir, "--profile", "strict") as m:
        slow = ("--remote", "file://" + m.path, "--remote-trust", fleet.public)
        assert fleet.export(site, remote=slow).compiled == 0
        server = m.serving()
        # The names that were looked up are known to the kernel; not these.
        other = os.path.join(scratch, "other")
        shutil.copytree(site, other)
        for i in range(N):
            trees.write(os.path.join(other, "more", "m%d.py" % i),
                        "y = %d\n" % i)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            got = fleet.export(other, remote=slow)
            took = time.monotonic() - began
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert got.compiled == 2 * N
    assert {k: v for k, v in got.bytes.items()
            if not k.startswith(b"more")} == plain.bytes
    # That it hangs is what this would show; how much it costs, a benchmark.
    assert took < 60


# A worker that compiles something else than it is sent: what it makes is
# stored under the key of what it was sent, as if somebody who may write the
# cache had planted it.
LIAR = """#!%s
import os, socket, struct, subprocess, sys, threading
ours, theirs = socket.socketpair()
real = subprocess.Popen(
    [%r, *sys.argv[1:]], pass_fds=[theirs.fileno()] + [3],
    preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
theirs.close()
pycfs = socket.socket(fileno=3)

def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            os._exit(0)
        data += more
    return data

def pump(a, b, lies):
    while True:
        head = exactly(a, 8)
        data = exactly(a, struct.unpack("<I", head[4:])[0])
        b.sendall(head + (data.replace(b"a + x", b"a - x") if lies else data))

threading.Thread(target=pump, args=(ours, pycfs, False), daemon=True).start()
pump(pycfs, ours, True)
"""


def test_what_lies_in_the_cache_is_never_signed(fleet, site, pycfs, scratch):
    """Somebody has planted other bytecode in the cache of who signs."""
    bad = os.path.join(scratch, "bad")
    os.mkdir(bad)
    liar = harness.copy_program(bad)
    worker = os.path.join(bad, "pycfs-compiler")
    os.rename(worker, worker + ".real")
    trees.write(worker, LIAR % (harness.DEBIAN_PYTHON, worker + ".real"))
    os.chmod(worker, 0o755)
    clean = fleet.export(site, remote=()).bytes
    cache = fleet.machine()
    subprocess.run([liar, "export", "-q", "--python", harness.DEBIAN_PYTHON,
                    "--cache", cache, site, os.path.join(scratch, "lies")],
                   check=True, env=pycfs.env(), timeout=60)
    assert fleet.export(site, cache=cache, remote=()).bytes != clean
    signs = ("--remote", fleet.url, "--remote-sign", fleet.key)
    assert fleet.export(site, cache=cache, remote=signs).bytes == clean
    assert fleet.push(site, "--cache", cache)["compiled"] == 0
    got = fleet.export(site)
    assert got.compiled == 0 and got.bytes == clean


def test_private_modules_are_local(fleet, site):
    rule = ("--rules", os.path.join(fleet.scratch, "rules"))
    trees.write(rule[1], "local /pkg1/\nlocal !/pkg1/sub1/\n")
    pushed = fleet.push(site, *rule)
    n_local = sum(len(f) for top, _, f in os.walk(os.path.join(site, "pkg1"))
                  if "sub1" not in top)
    assert pushed["compiled"] == N - n_local
    got = fleet.export(site, *rule)
    assert got.compiled == n_local and got.hits == got.asked
    assert got.bytes == fleet.export(site, *rule, remote=()).bytes


# wrong command lines

def test_wrong_command_lines(fleet, site, pycfs, scratch):
    dest = os.path.join(scratch, "never")
    nowhere = os.path.join(scratch, "nowhere")
    unsafe = os.path.join(scratch, "unsafe")
    shutil.copy(fleet.key, unsafe)
    os.chmod(unsafe, 0o622)
    url, trust = ("--remote", fleet.url), ("--remote-trust", fleet.public)
    for options, said in (
            (url, "--remote-trust"),
            ((*url, "--remote-trust", "nonsense"), "NAME:KEY"),
            ((*url, "--remote-trust", "@" + nowhere), nowhere),
            (("--remote", "file://relative", *trust), "absolute"),
            (("--remote", "ftp://h/p", *trust), "file:///DIR"),
            ((*url, "--remote-sign", nowhere), nowhere),
            ((*url, "--remote-sign", unsafe), "chmod 600"),
            ((*url, "--remote-sign", "/etc/passwd"), "no key that signs"),
            (("--remote-sign", fleet.key), "--remote URL"),
            ((*url, "--remote-sign", fleet.key, "--cache-from", scratch),
             "--cache-from"),
            ((*url, *trust, "--remote-wait", "x"), "remote-wait"),
            (("--rules", "/dev/null", "--remote", "", *trust), "")):
        r = pycfs.run("export", *options, site, dest)
        assert r.returncode == 2, (options, r.stderr)
        assert said in r.stderr, (options, r.stderr)
        assert not os.path.exists(dest)
    assert pycfs.run("cache", "stat", "--cache", fleet.machine(),
                     env={"PYCFS_REMOTE": fleet.url}).returncode == 1
    for words in (("push", site), ("push", *url, *trust, site),
                  ("pull", site), ("pull", *url, *trust), ("keygen",),
                  ("keygen", "a"), ("keygen", "a b", nowhere),
                  ("keygen", "a", "b", "c"), ("stat", "x")):
        r = pycfs.run("cache", *words)
        assert r.returncode == 2, (words, r.stderr)
    assert not os.path.exists(nowhere)


def test_without_its_helper_it_says_so(fleet, site, pycfs, scratch):
    bad = os.path.join(scratch, "bad")
    os.mkdir(bad)
    lonely = harness.copy_program(bad)
    os.remove(os.path.join(bad, "pycfs-remote"))
    r = subprocess.run(
        [lonely, "export", "--python", harness.DEBIAN_PYTHON, "--cache",
         fleet.machine(), "--remote", "http://localhost:1/x",
         "--remote-trust", fleet.public, site, os.path.join(scratch, "out")],
        env=pycfs.env(), stderr=subprocess.PIPE, text=True, timeout=60)
    assert r.returncode == 0
    assert r.stderr.count("pycfs-remote is missing") == 1, r.stderr


def test_a_key_is_never_written_over(fleet, pycfs):
    before = read(fleet.key)
    assert os.stat(fleet.key).st_mode & 0o777 == 0o600
    r = pycfs.run("cache", "keygen", "ci", fleet.key)
    assert r.returncode == 1 and "never written over" in r.stderr
    assert read(fleet.key) == before


def test_what_cannot_be_printed_is_an_error(fleet, pycfs, scratch):
    key = os.path.join(scratch, "unknown")
    with open("/dev/full", "w") as full:
        for words in (["keygen", "ci", key],
                      ["remote", "--remote", fleet.url, "--remote-sign",
                       fleet.key]):
            r = subprocess.run(pycfs.command("cache", *words), stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=60,
                               env=pycfs.env())
            assert r.returncode == 1 and "stdout" in r.stderr, words
    assert not os.path.exists(key)


def test_who_only_looks_does_not_sign(fleet, site, pycfs):
    for verb in "report", "check":
        r = pycfs.run(verb, "--remote", fleet.url, "--remote-sign", fleet.key,
                      site)
        assert r.returncode == 2 and "remote-sign" in r.stderr


def test_the_environment(filled, site, pycfs, scratch):
    fleet = filled
    keys = os.path.join(scratch, "keys")
    trees.write(keys, "# who may\n%s\n\n" % fleet.public)
    r = pycfs.run("export", "--python", harness.DEBIAN_PYTHON,
                  "--cache", fleet.machine(), site,
                  os.path.join(scratch, "out"),
                  env={"PYCFS_REMOTE": fleet.url,
                       "PYCFS_REMOTE_TRUST": "@" + keys})
    assert r.returncode == 0, r.stderr
    assert "(0 modules compiled" in r.said
    assert "PYCFS_REMOTE, PYCFS_REMOTE_TRUST" in r.said


def test_no_secret_is_shown(fleet, site, mount):
    with open(fleet.key) as f:
        secret = f.read().split()[-1]
    with mount(site, "--remote", fleet.url, "--remote-sign", fleet.key, "-v",
               cache=fleet.machine()) as m:
        read(m / "solo0.pyc")
        lines = [b" ".join(p.args) for p in harness.daemons(m.path)]
        lines += [read("/proc/%d/environ" % p.pid)
                  for p in harness.daemons(m.path)]
        lines.append(read("/proc/self/mountinfo"))
        log = m.log
    lines.append(log().encode())
    assert len(lines) > 4
    assert not [line for line in lines if secret.encode() in line]


def test_a_full_store_is_said_and_costs_nothing(fleet, site, scratch):
    """Too small a file system: what does not fit is not there."""
    os.mkdir(fleet.dir)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none",
                    fleet.dir], check=True)
    try:
        pushed = fleet.push(site, status=1)
        assert pushed["unpushed"] > 0
        assert not glob.glob(fleet.dir + "/pycfs1/*/*/*.tmp")
        got = fleet.export(site, remote=("--remote", fleet.url,
                                         "--remote-sign", fleet.key))
        assert "cannot store there: No space left" in got.stderr
        assert fleet.export(site).bytes == got.bytes
    finally:
        subprocess.run(["umount", fleet.dir], check=True)


def test_the_tool_that_measures(site):
    tool = os.path.join(os.path.dirname(__file__), "..", "..", "tools",
                        "fleet")
    out = harness.python(harness.DEBIAN_PYTHON, tool, "--rounds", "1",
                         "--python", harness.DEBIAN_PYTHON, "--json", site,
                         timeout=120, env={"PYCFS": harness.program()}).stdout
    got = json.loads(out)
    assert got["push"]["pushed"] > 0 and 1 <= got["edited"] <= 128
    assert all(t[0] > 0 for t in got["times"].values())
    assert len(got["ratios"]) == 5


def test_whether_a_store_can_be_used(fleet, pycfs, scratch):
    other = fleet.new_key("other")[1]
    reads = ("--remote", fleet.url, "--remote-trust", fleet.public,
             "--remote-trust", other)
    r = pycfs.run("cache", "remote", *reads)
    assert r.returncode == 1 and r.stdout.count("does not answer") == 2
    assert "no such directory" in r.stderr
    r = pycfs.ok("cache", "remote", "--remote", fleet.url, "--remote-sign",
                 fleet.key)
    assert r.stdout == "ci: can store, and what it stored is there\n"
    r = pycfs.ok("cache", "remote", *reads)
    assert r.stdout == "ci: has stored here\n" \
        "other: nothing shows that it has stored here\n"
    r = json.loads(pycfs.ok("cache", "remote", "--json", *reads).stdout)
    assert r["signers"][0] == {"signer": "ci", "answers": True,
                               "has_stored": True, "can_store": False}
    trees.write(os.path.join(scratch, "file"), "")
    r = pycfs.run("cache", "remote", "--remote",
                  "file://" + os.path.join(scratch, "file"), "--remote-sign",
                  fleet.key)
    assert r.returncode == 1 and "cannot store there" in r.stderr
    assert pycfs.run("cache", "remote").returncode == 2


def test_two_pushers_at_once(fleet, site):
    words = [harness.program(), "cache", "push", "--json", "--python",
             harness.DEBIAN_PYTHON, "--remote", fleet.url, "--remote-sign",
             fleet.key, site]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE,
                             env=fleet.pycfs.env()) for _ in range(2)]
    for p in both:
        out, _ = p.communicate(timeout=120)
        assert p.returncode == 0
        assert json.loads(out)["unpushed"] == 0
    assert fleet.export(site).compiled == 0
