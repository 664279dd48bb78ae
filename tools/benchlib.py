# SPDX-License-Identifier: MIT
"""Common parts of tools/bench and tools/coldstart: running and timing
commands, mounts that are removed however the program ends, the target Python,
and facts about the machine."""
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
sys.dont_write_bytecode = True

import harness  # noqa: E402

TIMEOUT = 3600
DROP = "/proc/sys/vm/drop_caches"
# The cache does not index a file that was changed less than some 2 s before it
# was read, because a later change might leave its times as they are. Seconds.
SETTLE = 2.2


class Trouble(Exception):
    """Why something could not be measured."""


def program():
    """The pycfs to measure."""
    if os.environ.get("PYCFS"):
        return os.path.abspath(os.environ["PYCFS"])
    for d in ("build", "build-test"):
        path = os.path.join(TOP, d, "pycfs")
        if os.access(path, os.X_OK):
            return path
    path = shutil.which("pycfs")
    if not path:
        raise Trouble("no pycfs: build it, or name it in PYCFS")
    return path


def clean_env(**more):
    """The environment without variables that change how a Python or pycfs
    behaves, and with the variables `more`."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("PYTHON", "PYCFS"))
           and k != "SOURCE_DATE_EPOCH"}
    env.update(LC_ALL="C.UTF-8", **more)
    return env


# the target

ASK = """
import json, platform, sys, sysconfig
print(json.dumps({"exe": sys.executable, "stdlib":
                  sysconfig.get_path("stdlib"),
                  "version": list(sys.version_info[:3])}))
"""


class Target:
    """The Python to compile for. `exe` is the interpreter itself, also if
    `word` names a script that starts it."""

    def __init__(self, word):
        path = word if "/" in word else shutil.which(word)
        if not path and word[:1].isdigit():
            path = next((p.exe for p in reversed(harness.PYTHONS)
                         if (p.name + ".").startswith(word + ".")), None)
        try:
            out = subprocess.run([path or word, "-I", "-S", "-c", ASK],
                                 stdout=subprocess.PIPE, timeout=20,
                                 stderr=subprocess.DEVNULL, env=clean_env())
            facts = json.loads(out.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            raise Trouble("no such Python: %s" % word) from None
        self.exe = facts["exe"]
        self.stdlib = os.path.realpath(facts["stdlib"])
        self.version = tuple(facts["version"])
        self.name = "%d.%d.%d" % self.version
        if not (3, 8) <= self.version[:2] <= (3, 15):
            raise Trouble("%s is %s, not 3.8 to 3.15" % (word, self.name))

    def compileall(self, directory, jobs=0):
        """Returns the command with which the recipe compiles a tree."""
        level = ["-o", "2"] if self.version >= (3, 9) else []
        return [self.exe, *([] if level else ["-OO"]), "-W", "ignore", "-m",
                "compileall", "-q", "-j", str(jobs), *level, "-b", directory]


# the machine

def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def file_system(path):
    """The type of the file system that `path` is on."""
    path = os.path.realpath(path)
    mounts = harness.mounts()
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return mounts.get(path, "unknown")


def machine():
    memory = read("/proc/meminfo").split()
    return {"cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "arch": platform.machine(),
            "memory_mib": int(memory[1]) // 1024 if len(memory) > 1 else None,
            "load": list(os.getloadavg()), "bench_python":
            platform.python_version()}


def machine_line(m):
    return "%d cores, %s MiB, Linux %s %s, load %.2f %.2f %.2f at start%s" % (
        m["cores"], m["memory_mib"], m["kernel"], m["arch"], *m["load"],
        ": busy, believe ratios alone" if m["load"][0] > 0.3 * m["cores"]
        else "")


def can_drop():
    return os.geteuid() == 0 and os.access(DROP, os.W_OK)


def drop_caches():
    os.sync()
    with open(DROP, "w") as f:
        f.write("3\n")


# running

class Spent:
    """The time that a command took, and the CPU time that it and the processes
    it waited for used, in seconds; and its output, if that was asked for."""

    def __init__(self, wall, cpu, out=b""):
        self.wall, self.cpu, self.out = wall, cpu, out


def cpu_of_children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def spawn(args, env=None, cwd=None, **how):
    """Starts a command in a session of its own, so that Ctrl-C reaches only
    this program, which then ends the command itself."""
    return subprocess.Popen([str(a) for a in args], cwd=cwd or "/",
                            stdin=subprocess.DEVNULL, env=env or clean_env(),
                            start_new_session=True, **how)


def stop(p):
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        if p.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.communicate(timeout=seconds)


def run(args, env=None, cwd=None, ok=(0,), keep=False):
    """Runs a command to its end and times it; Trouble if it fails."""
    cpu = cpu_of_children()
    start = time.perf_counter()
    p = spawn(args, env, cwd, stdout=subprocess.PIPE if keep
              else subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        out, said = p.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Trouble("%s: no end after %d s" % (args[0], TIMEOUT)) from None
    finally:
        stop(p)
    wall = time.perf_counter() - start
    if p.returncode not in ok:
        raise Trouble("'%s': status %d: %s" % (
            " ".join(map(str, args))[:200], p.returncode,
            said.decode(errors="replace").strip()[-400:] or "it said nothing"))
    return Spent(wall, cpu_of_children() - cpu, out or b"")


def shell(text, *args, **how):
    """Runs a command line of bash, in which "$1" and so on are `args`."""
    return run(["bash", "-e", "-o", "pipefail", "-c", text, "bench", *args],
               **how)


# a directory to work in, and what is mounted there

class Lab:
    """A directory to work in, which is removed at the end. However the program
    ends, nothing stays mounted in it."""

    def __init__(self, directory, name):
        self.name = name
        self.dir = tempfile.mkdtemp(
            prefix="pycfs-%s-%d-" % (name, os.getpid()), dir=directory)
        self.n = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # A second Ctrl-C must not interrupt the clean-up.
        old = {n: signal.signal(n, signal.SIG_IGN) for n in (
            signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self.unmount()
        if not self.mounted():
            shutil.rmtree(self.dir, ignore_errors=True)
        for number, handler in old.items():
            signal.signal(number, handler)

    def mounted(self):
        return sorted((m for m in harness.mounts()
                       if m.startswith(os.path.realpath(self.dir) + "/")),
                      reverse=True)

    def unmount(self):
        for _ in range(3):
            for point in self.mounted():
                harness.detach(point)
        end = time.monotonic() + 20
        while harness.daemons(self.dir) and time.monotonic() < end:
            time.sleep(0.02)
        for p in harness.daemons(self.dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p.pid, signal.SIGKILL)

    def path(self, word):
        """Returns a path in the directory that does not exist yet."""
        self.n += 1
        return os.path.join(self.dir, "%s%d" % (word, self.n))

    def directory(self, word):
        path = self.path(word)
        os.mkdir(path)
        return path

    @contextlib.contextmanager
    def room(self, word):
        """A new directory, which is removed afterwards."""
        path = self.directory(word)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def point(self):
        """A new mount point. A mount that a failure has left there is
        removed, too."""
        path = self.directory("mnt")
        try:
            yield path
        finally:
            while harness.is_mounted(path):
                harness.detach(path)
            os.rmdir(path)

    @contextlib.contextmanager
    def mount(self, options, source):
        """pycfs mount; yields a Mounted."""
        with self.point() as point:
            spent = run([program(), "mount", "--profile", "strict",
                         "--log-file", os.path.join(self.dir, "log"),
                         *options, source, point])
            try:
                yield Mounted(point, spent)
                run([program(), "umount", point])
            finally:
                if harness.is_mounted(point):
                    harness.detach(point)
                self.gone(point)

    def gone(self, point):
        """Waits until the daemon has ended, because the next one needs its
        cache, and should have the CPU for itself."""
        end = time.monotonic() + 20
        while harness.daemons(point) and time.monotonic() < end:
            time.sleep(0.005)

    def log(self):
        return read(os.path.join(self.dir, "log"))


class Mounted:
    """A mount point in use, and the time that mounting took (a Spent)."""

    def __init__(self, point, ready):
        self.point = point
        self.ready = ready

    def __str__(self):
        return self.point

    def counters(self):
        out = run([program(), "report", self.point, "--json"], keep=True).out
        return json.loads(out)["counters"]


class Watch:
    """Measures, while a block runs, the peak memory (MiB; resident, and private
    to the process) and the CPU time (seconds) of the daemon of a mount and of
    its workers."""

    def __init__(self, point, step=0.05):
        self.point, self.step = point, step
        self.daemon = None
        self.memory, self.private, self.cpu = {}, {}, {}
        self.workers = set()
        self.known = {}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def __enter__(self):
        p = harness.serving(self.point)
        if not p:
            raise Trouble("nobody serves " + self.point)
        self.daemon = p.pid
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()
        self.look()

    def loop(self):
        while not self.done.wait(self.step):
            self.look()

    def look(self):
        for pid in [self.daemon, *self.children()]:
            p = harness.Process(pid)
            # A process is known by its arguments, because /proc/PID/exe of a
            # sandboxed worker can be read by root only.
            if p.alive and b"pycfs" in os.path.basename(p.args[0]):
                self.memory[pid] = max(self.memory.get(pid, 0), p.rss_mb())
                self.private[pid] = max(self.private.get(pid, 0),
                                        p.private_mb())
                self.cpu[pid] = p.cpu
                if pid != self.daemon:
                    self.workers.add(pid)

    def children(self):
        if not os.path.exists("/proc/self/task/%d/children" % os.getpid()):
            return [p.pid for p in harness.workers(self.point)]
        found = []
        with contextlib.suppress(OSError):
            for task in os.listdir("/proc/%d/task" % self.daemon):
                found += map(int, read("/proc/%d/task/%s/children" % (
                    self.daemon, task)).split())
        return found

    def facts(self):
        return {"daemon_rss_mib": round(self.memory.get(self.daemon, 0), 1),
                "daemon_private_mib": round(self.private.get(self.daemon, 0),
                                            1),
                "daemon_cpu_s": round(self.cpu.get(self.daemon, 0), 2),
                "worker_rss_mib": sorted(round(self.memory[w], 1)
                                         for w in self.workers),
                "worker_cpu_s": round(sum(self.cpu[w]
                                          for w in self.workers), 2)}


# figures

def median(values):
    return statistics.median(values) if values else None


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    q = statistics.quantiles(values, n=4, method="inclusive")
    return q[0], q[2]


def percentile(values, part):
    """The value below which `part`, from 0 to 1, of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def table(rows, left=(0,)):
    """Formats rows as columns, of which those in `left` are aligned to the
    left and the others to the right."""
    rows = [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        c.ljust(w) if i in left else c.rjust(w)
        for i, (c, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def end_on_signals():
    """Makes SIGTERM and SIGHUP end this program as Ctrl-C does."""
    def end(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
