"""The rig of the fault tests: a tree, what a mount of it must show, and
attempts.

An attempt does one fault to a pycfs (or two) and checks four things:

  wrong   every byte that was read is that of an undisturbed mount, or the read
          failed with an errno; no name is missing from a listing
  hangs   nothing took longer than HANG seconds
  dead    no mount is left, above all none without a daemon
  leaks   no process, descriptor or temporary file is left

and also that a new mount on the same cache is right and complete afterwards.
For each attempt a line of JSON with the results is appended to the file
$PYCFS_FAULTS_OUT, from which tools/faults makes its table.
"""
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import pickle
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
import harness  # noqa: E402
import layers  # noqa: E402
import trees  # noqa: E402

HANG = 30  # seconds; machines are shared
SEED = int(os.environ.get("PYCFS_FAULTS_SEED", "1"))
ONLY = os.environ.get("PYCFS_FAULTS_ONLY")
TIMES = float(os.environ.get("PYCFS_FAULTS_TIMES", "1"))
FULL = os.environ.get("PYCFS_FAULTS") == "full"
PYTHON = harness.DEBIAN_PYTHON
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
CLONE_NEWNS = 0x20000  # linux/sched.h
MS_PRIVATE_REC = 1 << 18 | 1 << 14  # linux/mount.h


def _libc(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        raise OSError(ctypes.get_errno(), name)


def adopt_orphans():
    """Whatever our children leave behind becomes ours, so none is missed."""
    _libc("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def leave_the_others():
    """Into a mount namespace of our own, if we may. Who else here begins one
    would take copies of our mounts with him, and a daemon does not end before
    the last copy is gone. For the same reason we keep none of his."""
    if os.geteuid() != 0:
        return
    _libc("unshare", CLONE_NEWNS)
    _libc("mount", b"none", b"/", None, MS_PRIVATE_REC, None)
    for point, kind in sorted(harness.mounts().items(), reverse=True):
        if kind.startswith("fuse."):
            harness.detach(point)


# processes

def _stat(pid):
    """(state, parent) of a process, or None."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            fields = f.read().rpartition(b") ")[2].split()
        return fields[0].decode(), int(fields[1])
    except (OSError, IndexError):
        return None


def family(top):
    """Every living descendant of `top`; reaps orphans that ended."""
    parents, dead = {}, []
    for name in os.listdir("/proc"):
        st = _stat(int(name)) if name.isdigit() else None
        if st and st[0] in "ZX":
            dead.append((int(name), st[1]))
        elif st:
            parents[int(name)] = st[1]
    for pid, parent in dead:
        if parent == os.getpid() and pid not in Run.started:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    found, grew = {top}, True
    while grew:
        more = {p for p, parent in parents.items() if parent in found} - found
        grew = bool(more)
        found |= more
    return sorted(found - {top})


def program_of(pid):
    try:
        return os.path.basename(os.readlink("/proc/%d/exe" % pid))
    except OSError:
        return ""


def kill(pid, sig=signal.SIGKILL):
    """No harm if it has ended; 0 says that it had when we looked."""
    if pid > 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def wchan(pid):
    """Where it sleeps in the kernel."""
    try:
        with open("/proc/%d/wchan" % pid) as f:
            return f.read()
    except OSError:
        return ""


def wait_until(what, seconds, step=0.005):
    """Whether what() became true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def build_shim(base, name):
    """The library made of NAME.c beside this file, to be preloaded."""
    here = os.path.dirname(os.path.abspath(__file__))
    to = os.path.join(base.scratch, name + ".so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1",
                    "-o", to, os.path.join(here, name + ".c"), "-ldl"],
                   check=True, timeout=60)
    return to


# what a directory tree shows

class Seen:
    """values: {path: {("dir",) | ("link", target) | (digest, st_size) |
    errno}}; names: {path of a directory: the names in each of its listings}"""

    def __init__(self):
        self.values = {}
        self.names = {}
        self.hung = False

    def note(self, path, value):
        self.values.setdefault(path, set()).add(value)


def _file(name, fd, size):
    f = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
    try:
        h = hashlib.blake2b(digest_size=16)
        while True:
            piece = os.read(f, 1 << 17)
            if not piece:
                return h.digest(), size
            h.update(piece)
    finally:
        os.close(f)


def _scan(seen, fd, rel, order):
    """By descriptors, not paths: what is unmounted is an error, not empty."""
    try:
        names = os.listdir(fd)
    except OSError as e:
        seen.note(rel, e.errno)
        return
    seen.note(rel, ("dir",))
    seen.names[rel] = seen.names.get(rel, set(names)) & set(names)
    order.shuffle(names)
    for name in names:
        path = rel + "/" + name if rel else name
        try:
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            kind = st.st_mode & 0o170000
            if kind == 0o120000:
                seen.note(path, ("link", os.readlink(name, dir_fd=fd)))
            elif kind == 0o040000:
                sub = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
                try:
                    _scan(seen, sub, path, order)
                finally:
                    os.close(sub)
            else:
                seen.note(path, _file(name, fd, st.st_size))
        except OSError as e:
            seen.note(path, e.errno)


class Reader:
    """A process that reads all of a tree, `rounds` times, in any order."""

    def __init__(self, root, seed=0, rounds=1, pause=0.0):
        self.fd, out = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(out)
            Run.started.add(self.pid)
            return
        try:
            seen, order = Seen(), random.Random(seed)
            try:
                fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
                for n in range(rounds):
                    time.sleep(pause if n else 0)
                    _scan(seen, fd, "", order)
            except OSError as e:
                seen.note("", e.errno)
            with os.fdopen(out, "wb") as f:
                pickle.dump(seen, f)
        finally:
            os._exit(0)

    def running(self):
        return not select.select([self.fd], [], [], 0)[0]

    def result(self, seconds=HANG):
        end, data = time.monotonic() + seconds, b""
        while True:
            left = max(end - time.monotonic(), 0)
            if not select.select([self.fd], [], [], left)[0]:
                seen = Seen()
                seen.hung = True
                break
            piece = os.read(self.fd, 1 << 20)
            data += piece
            if not piece:
                seen = pickle.loads(data)
                break
        kill(self.pid)
        os.close(self.fd)
        wait_until(lambda: os.waitpid(self.pid, os.WNOHANG)[0], 2)
        Run.started.discard(self.pid)
        return seen


def look(root, **how):
    return Reader(root, **how).result()


# running pycfs

class Run:
    """A pycfs in a session of its own; `mount` stays in front."""
    started = set()  # whom somebody waits for by himself

    def __init__(self, attempt, verb, *args, at=None, limits=(), env=None,
                 fds=()):
        self.attempt = attempt
        self.path = at
        self.log = attempt.new("log")

        def limited():
            for what, n in limits:
                resource.setrlimit(what, (n, n))
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                [harness.program(), verb, *map(str, args)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=limited, pass_fds=fds,
                env=attempt.env(env))
        self.guard = self.popen.pid
        Run.started.add(self.guard)
        attempt.runs.append(self)

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def mounted(self):
        return harness.is_mounted(self.path)

    def come_up(self):
        """Waits until it is mounted; whether it is."""
        wait_until(lambda: self.popen.poll() is not None or self.mounted(),
                   HANG)
        if self.popen.poll() is None and self.mounted():
            return True
        if self.popen.poll() is None:
            self.attempt.hang("mounting")
        return False

    def find(self, name):
        return [p for p in family(self.guard) if program_of(p) == name]

    @property
    def daemon(self):
        """Who serves: the guard's child."""
        name = os.path.basename(harness.program())
        found = self.find(name)
        return found[0] if found else 0

    def workers(self):
        return self.find("pycfs-compiler")

    def status(self, seconds=HANG):
        """How it ended, or None after telling that it hangs."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.attempt.hang("waiting for its end")
            return None
        Run.started.discard(self.guard)
        self.attempt.crashes += "killed by signal" in self.said()
        return status

    def counters(self):
        r = self.attempt.call("report", self.path, "--json")
        return json.loads(r.stdout)["counters"] if r else {}

    def umount(self, *how):
        return self.attempt.call("umount", *how, self.path)

    def finish(self):
        """Unmounts it and waits for its end, which has to be a good one."""
        if self.mounted():
            r = self.umount()
            if r and r.returncode != 0:
                self.attempt.bad("umount: " + r.stderr.decode())
        status = self.status()
        if status not in (0, None):
            self.attempt.bad("ended with %d: %s" % (status, self.said()[-800:]))


class Attempt:
    def __init__(self, rig, fault, n):
        self.rig, self.fault, self.n = rig, fault, n
        self.random = random.Random("%d %s %d" % (SEED, fault, n))
        self.dir = os.path.join(rig.scratch, "a%d" % n)
        self.cache = os.path.join(self.dir, "cache")
        self.runs, self.problems = [], []
        self.count = dict.fromkeys(("wrong", "hangs", "dead", "leaks"), 0)
        self.names = self.crashes = 0

    # what is found

    def bad(self, text):
        self.problems.append(text)

    def add(self, what, text):
        self.count[what] += 1
        self.bad("%s: %s" % (what, text))

    def hang(self, text):
        self.add("hangs", "%s; %s" % (text, [
            (program_of(p), _stat(p), wchan(p)) for p in family(os.getpid())]))

    def expect(self, fact, text):
        if not fact:
            self.bad(text)

    def saw(self, seen, complete=False, reference=None, allowed=None):
        """Judges what was read. `complete`: no read may have failed.
        allowed: {path: digests that are right as well}; such a path may
        also be missing."""
        reference = self.rig.reference if reference is None else reference
        if seen.hung:
            self.hang("reading")
            return
        for path, values in sorted(seen.values.items()):
            for v in values:
                if v == one(reference, path):
                    continue
                if isinstance(v, int):
                    if complete:
                        self.bad("%s: %s" % (path, os.strerror(v)))
                elif not allowed or v[0] not in allowed.get(path, ()):
                    self.add("wrong", "%s: %r, not %r" % (
                        path, v, one(reference, path)))
        for path, names in seen.names.items():
            missing = reference.names.get(path, set()) - names
            for name in sorted(missing):
                if (path + "/" + name).lstrip("/") not in (allowed or ()):
                    self.add("wrong", "%s is not in %s" % (name, path or "."))
        if complete and "" not in seen.names:
            self.bad("its top could not be listed")

    def saw_export(self, dest, complete=True, **how):
        """An export that is there is whole."""
        if not os.path.isdir(dest):
            to = self.new("unpacked")
            layers.unpack(dest, to)
            dest = to
        self.saw(look(dest), complete=complete, **how)

    # what is done

    def new(self, name):
        """A fresh path of that kind."""
        self.names += 1
        return os.path.join(self.dir, "%s%d" % (name, self.names))

    def env(self, more=None):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("PYTHON", "PYCFS", "PYTEST"))}
        env.update({"TMPDIR": os.path.join(self.dir, "tmp"),
                    "PYCFS_CACHE": self.cache}, **(more or {}))
        return env

    def call(self, *args, seconds=HANG, env=None):
        """Runs pycfs to its end; None if it has none."""
        try:
            return subprocess.run(
                [harness.program(), *map(str, args)], env=self.env(env),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=seconds)
        except subprocess.TimeoutExpired:
            self.hang("pycfs " + args[0])
            return None

    def start(self, *options, source=None, cache=None, verb="mount",
              command=(), **how):
        """A mount that may not come up; `command`: of pycfs run."""
        at = self.new("mnt")
        os.mkdir(at)
        front = ["-f"] if verb == "mount" else []
        how["env"] = dict(how.get("env") or {}, AT=at)
        return Run(self, verb, "--python", PYTHON, *front, "--cache",
                   cache or self.cache, *options, source or self.rig.source,
                   at, *(["--", *command] if command else []), at=at, **how)

    def mount(self, *options, **how):
        run = self.start(*options, **how)
        if not run.come_up():
            raise AssertionError("no mount: " + run.said()[-800:])
        return run

    def after(self, source=None, reference=None, options=(), **how):
        """A fresh mount on the same cache is right and complete."""
        run = self.mount(*options, source=source, **how)
        self.saw(look(run.path), complete=True, reference=reference)
        run.finish()

    def doze(self, most):
        """Any moment."""
        time.sleep(self.random.uniform(0, most))

    # its end

    def __enter__(self):
        os.makedirs(os.path.join(self.dir, "tmp"))
        return self

    def __exit__(self, kind, e, trace):
        if kind and not issubclass(kind, Exception):  # Ctrl-C
            self.clean()
            return False
        if e is not None:  # the first frame is the test's
            self.bad("%s: %s (line %d)" % (kind.__name__, e, trace.tb_lineno))
        self.settle()
        self.clean()
        self.rig.record(self)
        return True

    def points(self):
        return [p for p in sorted(harness.mounts(), reverse=True)
                if p.startswith(self.dir + "/")]

    def settle(self):
        """Nothing may be left; what is ending gets a moment to."""
        def ours():
            return [p for p in self.points()
                    if harness.mounts().get(p) == "fuse.pycfs"]
        wait_until(lambda: not family(os.getpid()) and not ours(), 8, 0.02)
        for point in ours():
            try:
                os.stat(point)
                state = "served"
            except OSError as e:
                state = errno.errorcode.get(e.errno)
            self.add("dead", "%s is left, %s" % (point, state))
        for pid in family(os.getpid()):
            self.add("leaks", "process %d, %s" % (pid, program_of(pid)))
        left = os.listdir(os.path.join(self.dir, "tmp"))
        if left:
            self.add("leaks", "temporary files: %s" % left)

    def clean(self):
        for pid in family(os.getpid()):
            kill(pid, signal.SIGCONT)
            kill(pid)
        for point in self.points():
            harness.detach(point)
        for run in self.runs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.popen.wait(5)
            Run.started.discard(run.guard)
        family(os.getpid())
        shutil.rmtree(self.dir, ignore_errors=True)


def one(seen, path):
    values = seen.values.get(path, ())
    return next(iter(values)) if len(values) == 1 else None


class Rig:
    """What the attempts of one test share."""

    def __init__(self, base, scratch):
        self.source, self.reference = base.source, base.reference
        self.golden, self.cold = base.golden, base.cold
        self.scratch = scratch
        self.results = []

    def tries(self, fault, ci, full):
        """Attempts, as many as the strength asks for; fails at the end if
        one of them did."""
        for i in range(max(1, round((full if FULL else ci) * TIMES))):
            if ONLY is None or int(ONLY) == i:
                yield Attempt(self, fault, i)
        failed = [r for r in self.results if r["problems"]]
        text = "".join("\n%s, attempt %d (PYCFS_FAULTS_SEED=%d): %s" % (
            r["fault"], r["n"], SEED, "; ".join(r["problems"][:5])[:1500])
            for r in failed[:5])
        assert not failed, "%d of %d attempts did not survive%s" % (
            len(failed), len(self.results), text)

    def record(self, a):
        result = {"fault": a.fault, "n": a.n, "problems": a.problems,
                  "crashes": a.crashes, **a.count}
        self.results.append(result)
        out = os.environ.get("PYCFS_FAULTS_OUT")
        if out:
            with open(out, "a") as f:
                f.write(json.dumps(result) + "\n")

    def warm(self, attempt):
        """Gives the attempt a cache that knows the whole tree."""
        shutil.copytree(self.golden, attempt.cache)

    @staticmethod
    def undisturbed(attempt, source, *options):
        """What a mount of `source` shows that no fault is done to."""
        run = attempt.mount("--no-cache", *options, source=source)
        seen = look(run.path)
        run.finish()
        return seen

    def copy_source(self, attempt):
        to = attempt.new("site")
        subprocess.run(["cp", "-a", self.source, to], check=True, timeout=60)
        return to
