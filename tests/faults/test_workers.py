"""Worker processes: how they are started, what they are sent, and evil
answers."""
import ctypes
import os
import shutil
import struct

import pytest

import rig as faults
from rig import harness, kill, look, Reader, trees, wait_until

IN_OPEN = 0x20  # linux/inotify.h

# It says that it was let in, and starts no Python.
EVIL = "__import__('posix').mkdir(%r)\nraise SystemExit(9)\n"


class Watch:
    """Tells which files of a directory were opened."""

    def __init__(self, top):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.where = {}
        for path in [path for path, _, _ in os.walk(top)]:
            wd = libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN)
            assert wd > 0, os.strerror(ctypes.get_errno())
            self.where[wd] = path

    def opened(self):
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            data = b""
        names, at = set(), 0
        while at < len(data):
            wd, _, _, n = struct.unpack_from("iIII", data, at)
            name = data[at + 16:at + 16 + n].rstrip(b"\0")
            names.add(os.path.join(self.where[wd], os.fsdecode(name)))
            at += 16 + n
        return names

    def close(self):
        os.close(self.fd)


def hostile(a, fifo):
    """A directory of somebody who wants Python to begin with his library."""
    top = a.new("hostile")
    evil = EVIL % os.path.join(top, "let-in")
    for minor in range(8, 16):
        for lib in ("evil/lib/python3.%d" % minor, "lib/python3.%d" % minor):
            trees.write(os.path.join(top, lib, "encodings", "__init__.py"),
                        evil)
            trees.write(os.path.join(top, lib, "os.py"), "")
    trees.write(os.path.join(top, "encodings", "__init__.py"), evil)
    trees.write(os.path.join(top, "pybuilddir.txt"), "lib")
    if fifo:
        os.mkfifo(os.path.join(top, "pyvenv.cfg"))
    else:
        trees.write(os.path.join(top, "pyvenv.cfg"), "home = evil/bin\n")
    return top


def test_a_hostile_current_directory(rig, monkeypatch):
    """With every Python, and where PATH has none, is missing, or has an empty
    part: nothing of the current directory is opened."""
    ways = [(path, None) for path in (None, "/nonexistent", "/bin:/usr/bin")]
    ways += [(os.environ["PATH"], p.exe) for p in harness.PYTHONS]
    for a in rig.tries("a hostile current directory", ci=2 * len(ways),
                       full=4 * len(ways)):
        with a:
            path, python = ways[a.n // 2 % len(ways)]
            how = ["--python", python] if python else []
            site, want, got = a.new("source"), a.new("tar"), a.new("tar")
            for i in range(3):
                trees.write(os.path.join(site, "m%d.py" % i), "x = %d\n" % i)
            # A relative one would not be found any more.
            monkeypatch.setenv("PYCFS", harness.program())
            monkeypatch.chdir("/")
            a.call("export", "--no-cache", *how, site, want + ".tar")
            top = hostile(a, fifo=a.n % 2)
            watch = Watch(top)
            monkeypatch.chdir(top)
            monkeypatch.setenv("PYTHONPATH", ":/nonexistent")
            if path is None:
                monkeypatch.delenv("PATH")
            else:
                monkeypatch.setenv("PATH", path)
            r = a.call("export", "--no-cache", *how, site, got + ".tar",
                       env={"PYTHONPATH": ":/nonexistent"})
            monkeypatch.undo()
            opened = watch.opened()
            watch.close()
            a.expect(not opened, "opened: %s" % sorted(opened))
            if os.path.exists(os.path.join(top, "let-in")):
                a.add("wrong", "its code ran")
            a.expect(r and r.returncode == 0, "failed: %s" % r)
            if path == os.environ["PATH"] and r and r.returncode == 0:
                with open(want + ".tar", "rb") as f, \
                        open(got + ".tar", "rb") as g:
                    a.expect(f.read() == g.read(), "not the same")


def test_what_the_caller_left_open(rig):
    for a in rig.tries("descriptors of the caller", ci=1, full=10):
        with a:
            path = a.new("open")
            fds = [os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(9)]
            try:
                run = a.mount("--jobs", 2, fds=fds)
            finally:
                for fd in fds:
                    os.close(fd)
            a.saw(look(run.path, seed=a.n), complete=True)
            workers = [harness.Process(pid) for pid in run.workers()]
            a.expect(workers, "no workers")
            for w in workers:
                a.expect(w.fds() and path not in w.fds(),
                         "a worker has it: %s" % w.fds())
            run.finish()
            a.after()


# Workers that are not ours any more. Python starts slower than a worker does,
# which is no matter here.

HELLO = b"""#!/usr/bin/python3 -IS
import os, struct, sys, time
from importlib.util import MAGIC_NUMBER
def frame(kind, payload, size=None):
    return struct.pack("<II", kind, size or len(payload)) + payload
hello = frame(1, struct.pack("<I4sIII", 2, MAGIC_NUMBER, sys.hexversion, 1, 4)
              + b"evil")
def take():
    head = os.read(3, 8)
    if len(head) < 8:
        sys.exit()
    left = struct.unpack("<II", head)[1]
    while left:
        left -= len(os.read(3, left))
"""
EVIL_WORKERS = {
    "hello, hello": HELLO + b"""
os.write(3, hello + hello)
time.sleep(1000)
""",
    "hello, result": HELLO + b"""
os.write(3, hello + frame(3, struct.pack("<QIIII", 1, 0, 0, 0, 0)))
time.sleep(1000)
""",
    "long hello": HELLO + b"""
os.write(3, frame(1, b"x" * 5000, 1 << 30))
time.sleep(1000)
""",
    "long result": HELLO + b"""
os.write(3, hello)
take()
os.write(3, frame(3, b"", 1 << 30))
while True:
    os.write(3, bytes(1 << 20))
""",
}


class Own:
    """A pycfs of the attempt's own, whose compiler can be exchanged."""

    def __init__(self, a, monkeypatch):
        top = a.new("own")
        os.mkdir(top)
        built = harness.program()
        self.compiler = os.path.join(top, "pycfs-compiler")
        # With its name, by which a worker is known.
        self.away = os.path.join(top, "away", "pycfs-compiler")
        os.mkdir(os.path.dirname(self.away))
        shutil.copy(built, os.path.join(top, "pycfs"))
        shutil.copy(os.path.join(os.path.dirname(built), "pycfs-compiler"),
                    self.compiler)
        monkeypatch.setenv("PYCFS", os.path.join(top, "pycfs"))

    def lose(self):
        os.rename(self.compiler, self.away)

    def be_evil(self, text):
        self.lose()
        new = self.away + ".evil"
        trees.write(new, text)
        os.chmod(new, 0o755)
        os.rename(new, self.compiler)

    def heal(self):
        os.rename(self.away, self.compiler)


def test_some_workers_cannot_be_started(rig, monkeypatch):
    """Those that run do it all."""
    for a in rig.tries("workers that cannot be started", ci=2, full=20):
        with a:
            own = Own(a, monkeypatch)
            run = a.mount("--jobs", 3)
            wait_until(run.workers, faults.HANG)
            own.lose()
            readers = [Reader(run.path, seed=a.n + i) for i in range(3)]
            for r in readers:
                a.saw(r.result(), complete=True)
            a.expect(len(run.workers()) == 1, "workers: %s" % run.workers())
            own.heal()
            run.finish()
            a.after()
        monkeypatch.undo()


@pytest.mark.parametrize("how", sorted(EVIL_WORKERS))
def test_evil_workers(how, rig, monkeypatch):
    """All of them, from a moment on: reads fail, and are right again when
    they are ours again. Nothing waits, and memory does not follow them."""
    for a in rig.tries("evil workers: " + how, ci=1, full=10):
        with a:
            own = Own(a, monkeypatch)
            run = a.mount("--jobs", 2)
            wait_until(run.workers, faults.HANG)
            before = harness.Process(run.daemon).rss_mb()
            own.be_evil(EVIL_WORKERS[how])
            for pid in run.workers():
                kill(pid)
            path = os.path.join(run.path, "large")
            a.saw(look(path, seed=a.n), reference=below(rig, "large"))
            used = harness.Process(run.daemon).rss_mb() - before
            a.expect(used < 150, "%d MB more" % used)
            n = run.counters().get("spawned", 0)
            a.expect(n < 200, "%d workers were started" % n)
            own.heal()
            # A module that two workers died of has failed for this mount.
            if how != "long result":
                a.expect(wait_until(lambda: not [
                    v for vs in look(path).values.values() for v in vs
                    if isinstance(v, int)], faults.HANG, 0.5),
                    "does not heal")
                a.saw(look(run.path), complete=True)
            run.finish()
            a.after()
        monkeypatch.undo()


def below(rig, top):
    """What an undisturbed mount shows below a directory."""
    seen = faults.Seen()
    for path, values in rig.reference.values.items():
        if path == top or path.startswith(top + "/"):
            seen.values[path[len(top) + 1:]] = values
    for path, names in rig.reference.names.items():
        if path == top or path.startswith(top + "/"):
            seen.names[path[len(top) + 1:]] = names
    return seen
