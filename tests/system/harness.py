"""Runs pycfs, and looks at its processes and its mounts. Every wait has a time
limit."""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

SUSPICIOUS = re.compile(
    r"(Address|Leak|Thread|Undefined\w*)Sanitizer|runtime error:|"
    r"\bassertion|\bassert\(|\bfatal\b|\bBUG\b|stack smashing", re.I)

ON_A_CI = os.environ.get("CI", "") == "true"
DEBIAN_PYTHON = "/usr/bin/python3"
NEWEST = (3, 15)


def program():
    return os.path.abspath(os.environ.get("PYCFS", ""))


def hear_signals():
    """What nohup(1) or a shell's & has us ignore, every program we start would
    ignore as well, and a test that interrupts one would wait for nothing. A
    handler ends at exec(2), and one that does nothing keeps us as we are."""
    for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(sig) == signal.SIG_IGN:
            signal.signal(sig, lambda *_: None)


def wait_for(what, seconds, message, step=0.02):
    """what() until it is true; its value. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s: not within %g s" % (message, seconds))
        time.sleep(step)


# mounts and processes, as the kernel sees them

def mounts():
    """{mount point: file system type} of this mount namespace."""
    out = {}
    with open("/proc/self/mountinfo", "rb") as f:
        for line in f:
            fields, tail = line.split(b" - ")
            point = re.sub(rb"\\([0-7]{3})",
                           lambda m: bytes([int(m.group(1), 8)]),
                           fields.split()[4])
            out[os.fsdecode(point)] = tail.split()[0].decode()
    return out


def is_mounted(path):
    return os.path.realpath(os.path.dirname(str(path))) + "/" + \
        os.path.basename(str(path)) in mounts()


def detach(path):
    how = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
    subprocess.run([*how, str(path)], stderr=subprocess.DEVNULL, timeout=30)


@contextlib.contextmanager
def fuse_for_everybody():
    """/dev/fuse as on any machine that has users."""
    before = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    os.chmod("/dev/fuse", 0o666)
    try:
        yield
    finally:
        os.chmod("/dev/fuse", before)


def copy_program(to):
    """pycfs and its programs in directory `to`, for a user who may not go where
    they were built; the path of pycfs there."""
    built = os.path.dirname(program())
    for name in ("pycfs", "pycfs-compiler", "pycfs-compiler.so",
                 "pycfs-remote"):
        shutil.copy2(os.path.join(built, name), to)
    return os.path.join(to, "pycfs")


def _read(path, mode="rb"):
    try:
        with open(path, mode, errors=None if "b" in mode else "replace") as f:
            return f.read()
    except OSError:
        return None


class Process:
    """One line of /proc."""

    def __init__(self, pid):
        self.pid = pid
        self.args = (_read("/proc/%d/cmdline" % pid) or b"").split(b"\0")
        st = (_read("/proc/%d/stat" % pid) or b"").rpartition(b") ")[2].split()
        self.alive = len(st) > 13 and st[0] not in (b"Z", b"X")
        self.parent = int(st[1]) if len(st) > 13 else 0
        self.state = st[0].decode() if st else "X"
        self.cpu = (int(st[11]) + int(st[12])) / os.sysconf("SC_CLK_TCK") \
            if len(st) > 13 else 0.0
        try:
            self.exe = os.readlink("/proc/%d/exe" % pid)
        except OSError:
            self.exe = ""

    def fds(self):
        try:
            names = os.listdir("/proc/%d/fd" % self.pid)
        except OSError:
            return []
        out = []
        for name in names:
            with contextlib.suppress(OSError):
                out.append(os.readlink("/proc/%d/fd/%s" % (self.pid, name)))
        return out

    def rss_mb(self):
        m = re.search(rb"VmHWM:\s+(\d+)", _read("/proc/%d/status" % self.pid)
                      or b"")
        return int(m.group(1)) / 1024 if m else 0

    def private_mb(self):
        """What is no file's: of a file's pages the kernel has a copy, and
        takes them back when it needs them."""
        m = re.search(rb"RssAnon:\s+(\d+)",
                      _read("/proc/%d/status" % self.pid) or b"")
        return int(m.group(1)) / 1024 if m else 0


def processes():
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            p = Process(int(name))
            if p.alive:
                out.append(p)
    return out


def is_worker(p):
    """Also one in an interpreter's program."""
    return p.args[0] == b"pycfs-compiler"


def daemons(word):
    """Every pycfs process with `word` among its arguments or a parent that
    has; words are paths under a test's own directory, so they are ours."""
    word = os.fsencode(str(word))
    everyone = {p.pid: p for p in processes()}
    names = {os.path.basename(program()), "pycfs"}

    def ours(p, depth=0):
        if p is None or depth > 20:
            return False
        base = os.path.basename(p.exe)
        if base in names and any(word in a for a in p.args):
            return True
        return (base in names or is_worker(p)) and \
            ours(everyone.get(p.parent), depth + 1)

    return [p for p in everyone.values() if ours(p)]


def serving(word):
    """The process that answers the kernel: the one holding /dev/fuse."""
    for p in daemons(word):
        if any(fd == "/dev/fuse" for fd in p.fds()):
            return p
    return None


def workers(word):
    return [p for p in daemons(word) if is_worker(p)]


# running


# The last line of an export or a run.
SUMMARY = re.compile(r"^pycfs: notice: (.+ files? of .+ \(|)\d+ modules? compiled"
                     r".*\n", re.M)


class Pycfs:
    """The program under test."""

    def __init__(self, scratch):
        self.scratch = str(scratch)
        self.cache = os.path.join(self.scratch, "cache")
        self.n = 0

    def env(self, **more):
        env = dict(os.environ)
        for name in list(env):
            if name.startswith(("PYTHON", "PYCFS", "PYTEST")):
                del env[name]
        env["PYCFS_CACHE"] = self.cache
        sanitizer = "log_path=%s/sanitizer" % self.scratch
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            env[name] = ":".join(filter(None, (env.get(name), sanitizer)))
        env.update(more)
        return env

    def command(self, *args):
        return [program()] + [a if isinstance(a, bytes) else str(a)
                              for a in args]

    def run(self, *args, timeout=30, env=None, prefix=(), **how):
        """Runs pycfs to its end; never raises for its exit status."""
        result = subprocess.run(
            [*prefix, *self.command(*args)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
            env=self.env(**(env or {})), **how)
        result.stdout = result.stdout.decode(errors="replace")
        result.stderr = result.stderr.decode(errors="replace")
        self.clean(result.stderr)
        # What it did is said in one line, which most tests do not look at.
        result.said = result.stderr
        if not {"-v", "--verbose"} & set(args):
            result.stderr = SUMMARY.sub("", result.stderr)
        return result

    def ok(self, *args, **how):
        result = self.run(*args, **how)
        assert result.returncode == 0, (args, result.returncode, result.stderr)
        return result

    def export(self, source, dest, *options, python=DEBIAN_PYTHON,
               timeout=120, on_lost="warn", **how):
        """The odd trees have links that lead nowhere, so that the default of
        --on-lost is not what most tests want."""
        return self.run("export", "--python", python, "--on-lost", on_lost,
                        *options, source, dest, timeout=timeout, **how)

    def exported(self, source, dest, *options, **how):
        result = self.export(source, dest, *options, **how)
        assert result.returncode == 0, (options, result.stderr)
        return str(dest)

    @staticmethod
    def clean(text):
        bad = SUSPICIOUS.search(text)
        assert not bad, "suspicious: " + text[max(bad.start() - 300, 0):][:3000]

    def sanitized(self):
        for name in os.listdir(self.scratch):
            if name.startswith("sanitizer"):
                text = _read(os.path.join(self.scratch, name), "r") or ""
                raise AssertionError("%s:\n%s" % (name, text[:5000]))

    def counters(self, mountpoint):
        out = json.loads(self.ok("report", mountpoint, "--json").stdout)
        assert out["version"] == 1, out
        assert os.path.realpath(out["mountpoint"]) == \
            os.path.realpath(str(mountpoint)), out
        return out["counters"]

    @contextlib.contextmanager
    def mount(self, source, *options, python=DEBIAN_PYTHON, cache=None,
              at=None, prefix=(), env=None, umount=True, **how):
        """A mount of `source` for the length of a with block."""
        self.n += 1
        where = at or os.path.join(self.scratch, "mnt%d" % self.n)
        log = os.path.join(self.scratch, "log%d" % self.n)
        os.makedirs(where, exist_ok=True)
        m = Mount(self, str(where), log)
        args = ["mount", "--python", python, "--log-file", log,
                "--cache", cache or self.cache, *options, source, where]
        try:
            result = self.run(*args, prefix=prefix, env=env, **how)
            assert result.returncode == 0, (args, result.stderr)
            assert is_mounted(where), "exit 0, but nothing is mounted"
            m.said = result.stderr
            yield m
            if umount:
                m.umount()
        finally:
            m.end()
        self.clean(m.log())


class Mount:
    def __init__(self, pycfs, path, log):
        self.pycfs = pycfs
        self.path = path
        self.log_path = log
        self.said = ""

    def __fspath__(self):
        return self.path

    __str__ = __fspath__

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def log(self):
        return _read(self.log_path, "r") or ""

    def counters(self):
        return self.pycfs.counters(self.path)

    def count(self, name):
        return self.counters()[name]

    def quiet(self, name, seconds=20):
        """The counter once it has stood still for half a second."""
        last, since = self.count(name), time.monotonic()
        end = since + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            now = self.count(name)
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 0.5:
                return now
        raise AssertionError("%s still moves after %g s" % (name, seconds))

    def serving(self):
        p = serving(self.path)
        assert p, "nobody serves " + self.path
        return p

    def umount(self):
        if is_mounted(self.path):
            result = self.pycfs.run("umount", self.path)
            assert result.returncode == 0, result.stderr
            assert not is_mounted(self.path)
        self.gone()

    def gone(self, seconds=10):
        """Waits until nothing of the daemon is left."""
        wait_for(lambda: not daemons(self.path), seconds,
                 "processes of %s end" % self.path)

    def end(self):
        """Leaves nothing behind, whatever the test did."""
        for _ in range(5):
            if not is_mounted(self.path):
                break
            detach(self.path)
        end = time.monotonic() + 5
        while daemons(self.path) and time.monotonic() < end:
            time.sleep(0.05)
        for p in daemons(self.path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p.pid, signal.SIGCONT)
                os.kill(p.pid, signal.SIGKILL)
        detach(self.path) if is_mounted(self.path) else None


def copy(source, to, timeout=120):
    """cp -a SOURCE/. TO: exactly what a user does."""
    os.makedirs(to, exist_ok=True)
    result = subprocess.run(
        ["cp", "-a", str(source) + "/.", str(to)], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=timeout)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    return str(to)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tree_bytes(root):
    """{path: bytes, link target or None for a directory} of a tree."""
    root = os.fsencode(str(root))
    out = {}
    for top, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(top, name)
            rel = os.path.relpath(path, root)
            if os.path.islink(path):
                out[rel] = os.readlink(path)
            elif os.path.isdir(path):
                out[rel] = None
            else:
                out[rel] = read(path)
    return out


def python(exe, *args, timeout=60, env=None, cwd=None, check=True):
    """Runs a Python that sees nothing but what it is given."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith("PYTHON")}
    clean["PYTHONDONTWRITEBYTECODE"] = "1"
    clean.update(env or {})
    result = subprocess.run([exe, *map(str, args)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=timeout, env=clean, cwd=cwd)
    result.stdout = result.stdout.decode(errors="replace")
    result.stderr = result.stderr.decode(errors="replace")
    if check:
        assert result.returncode == 0, result.stderr[-3000:]
    return result


# the Pythons of this machine

class Python:
    def __init__(self, exe, facts):
        self.exe = exe
        self.version = tuple(facts["version"])
        self.minor = self.version[:2]
        self.stdlib = facts["stdlib"]
        self.prefix = facts["prefix"]
        self.free_threaded = facts["abi"] == "t"
        self.name = "%d.%d.%d" % self.version + facts["abi"]

    def __repr__(self):
        return self.name


_ASK = """
import json, os, sys, sysconfig
lib = os.path.join(sysconfig.get_config_var("LIBDIR") or "",
                   sysconfig.get_config_var("INSTSONAME") or "none")
print(json.dumps({"version": list(sys.version_info[:3]),
                  "abi": getattr(sys, "abiflags", "").replace("d", ""),
                  "prefix": sys.base_prefix,
                  "stdlib": sysconfig.get_path("stdlib"),
                  "shared": lib.endswith((".so", ".so.1.0"))
                            and os.path.exists(lib)}))
"""


def pyenv_root():
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    try:
        out = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=20)
        root = out.stdout.decode().strip() or root
    except OSError:
        pass
    return root if os.path.isdir(os.path.join(root, "versions")) else None


def ask(exe):
    """The Python `exe` is; None if it is none that we can use."""
    try:
        out = subprocess.run([exe, "-I", "-S", "-c", _ASK],
                             stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=20)
        facts = json.loads(out.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if (3, 8) <= tuple(facts["version"][:2]) <= NEWEST and facts["shared"]:
        return Python(exe, facts)
    return None


def find_pythons():
    """Every 3.8 to 3.15 here that has a libpython, one of each build:
    Debian's, pyenv's, of PATH, of /opt/py3.*, and those that
    PYCFS_TEST_PYTHONS names, with colons between."""
    candidates = [DEBIAN_PYTHON]
    candidates += filter(None, os.environ.get("PYCFS_TEST_PYTHONS",
                                              "").split(":"))
    candidates += sorted(glob.glob("/opt/py3.*/bin/python3"))
    root = pyenv_root()
    if root:
        top = os.path.join(root, "versions")
        candidates += [os.path.join(top, v, "bin", "python3")
                       for v in sorted(os.listdir(top))]
    for minor in range(8, NEWEST[1] + 1):
        for d in os.environ.get("PATH", "").split(os.pathsep):
            # pyenv's shims run what is in versions/ anyway
            if not d.endswith("/shims"):
                candidates.append(os.path.join(d, "python3.%d" % minor))
    found = {}
    for exe in candidates:
        if os.access(exe, os.X_OK):
            p = ask(exe)
            if p:
                found.setdefault((p.version, p.name, p.prefix), p)
    return [found[k] for k in sorted(found)]


PYTHONS = find_pythons()


def newest():
    """The Python for tests that want just one that is not Debian's."""
    return PYTHONS[-1] if PYTHONS else None


if __name__ == "__main__":
    for p in PYTHONS:
        print(p, p.exe, p.stdlib, file=sys.stderr)
