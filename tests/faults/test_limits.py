"""Limits of descriptors and memory, many signals, and a full disk for the
log."""
import os
import re
import resource
import signal
import subprocess
import time

import pytest

import rig as faults
from rig import kill, look, Reader, trees, wait_until

MB = 1 << 20


def prlimit(pid, what, soft):
    """Lowers a limit of a running process; it can be raised again."""
    try:
        hard = resource.prlimit(pid, what)[1]
        resource.prlimit(pid, what, (soft, hard))
    except ProcessLookupError:
        pass


def limit_memory(pid, n):
    """Of a worker. One that root started is nobody's, who may; root without
    CAP_SYS_RESOURCE may not."""
    try:
        with open("/proc/%d/status" % pid) as f:
            uid = int(re.search(r"Uid:\s+(\d+)", f.read()).group(1))
    except OSError:
        return
    who = {} if uid == os.geteuid() else {"user": uid, "group": uid,
                                          "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(pid), "--as=%d:" % n],
                   stderr=subprocess.DEVNULL, timeout=30, **who)


def vm_bytes(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[0]) * resource.getpagesize()


def test_few_descriptors(rig):
    for a in rig.tries("RLIMIT_NOFILE from the start", ci=3, full=12):
        with a:
            n = (64, 256, 40)[a.n % 3]
            run = a.mount(limits=[(resource.RLIMIT_NOFILE, n)])
            readers = [Reader(run.path, seed=i) for i in range(3)]
            for r in readers:
                a.saw(r.result(), complete=True)
            run.finish()
            a.after()


def test_descriptors_run_out(rig):
    """While it runs; and it goes on when there are some again."""
    for a in rig.tries("RLIMIT_NOFILE under a mount", ci=3, full=30):
        with a:
            run = a.mount()
            daemon = run.daemon
            before = faults.descriptors(daemon)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            prlimit(daemon, resource.RLIMIT_NOFILE,
                    a.random.randrange(before + 6))
            if a.n % 2:  # new ones cannot be started
                for pid in run.workers():
                    kill(pid)
            a.saw(reader.result())
            prlimit(daemon, resource.RLIMIT_NOFILE, 1024)
            a.expect(run.daemon == daemon, "it died: " + run.said())
            # Where no worker could be started, it is tried again after 1 s.
            wait_until(lambda: not any(isinstance(v, int) for vs in look(
                run.path).values.values() for v in vs), 5, 0.3)
            a.saw(look(run.path), complete=True)
            wait_until(lambda: faults.descriptors(daemon) <= before + 4, 3)
            if faults.descriptors(daemon) > before + 4:
                a.add("leaks", "descriptors")
            run.finish()
            a.after()


def test_little_memory(rig):
    """From the start, the workers' too. Not mounted, with a sentence, or
    right as far as it can be read."""
    for a in rig.tries("RLIMIT_AS from the start", ci=4, full=40):
        with a:
            n = a.random.choice((20, 40, 60, 80, 120, 160, 250, 400, 700))
            run = a.start(limits=[(resource.RLIMIT_AS, n * MB)])
            if run.come_up():
                a.saw(look(run.path, seed=a.n))
                if run.mounted():
                    run.umount()
            status = run.status()
            a.expect(status == 0 or "pycfs:" in run.said() or
                     "shared libraries" in run.said(),
                     "%r, and said only %r" % (status, run.said()))
            a.expect(not a.crashes, run.said())
            a.after()


def test_memory_runs_out(rig):
    for a in rig.tries("RLIMIT_AS under a mount", ci=3, full=40):
        with a:
            run = a.mount()
            daemon = run.daemon
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            prlimit(daemon, resource.RLIMIT_AS,
                    vm_bytes(daemon) + a.random.randrange(2 * MB))
            a.saw(reader.result())
            prlimit(daemon, resource.RLIMIT_AS, resource.RLIM_INFINITY)
            a.expect(run.daemon == daemon, "it died: " + run.said())
            a.saw(look(run.path), complete=True)
            run.finish()
            a.after()


def test_memory_of_workers_runs_out(rig):
    """What did not compile for want of memory is not remembered so."""
    for a in rig.tries("RLIMIT_AS, workers", ci=4, full=40):
        with a:
            run = a.mount("--jobs", 2)
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 3)
            for pid in run.workers():
                limit_memory(pid, vm_bytes(pid) + a.random.randrange(MB))
            a.saw(reader.result())
            run.finish()
            a.after()


SIGNALS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
           signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGCONT,
           signal.SIGWINCH, signal.SIGTERM]


@pytest.mark.parametrize("whom", ["daemon", "guard", "workers"])
def test_signal_storms(whom, rig):
    for a in rig.tries("signals, " + whom, ci=5, full=30):
        with a:
            sig = SIGNALS[a.n % len(SIGNALS)]
            run = a.mount()
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 2)
            for _ in range(100):
                for pid in {"daemon": lambda: [run.daemon],
                            "guard": lambda: [run.guard],
                            "workers": run.workers}[whom]():
                    if run.popen.poll() is None:
                        kill(pid, sig)
                time.sleep(a.random.choice((0, 0, 0.002)))
            a.saw(reader.result())
            if run.popen.poll() is None and run.mounted():
                run.umount()
            run.status()
            a.after()


def test_stopped_for_a_while(rig):
    """SIGSTOP and SIGCONT: reads wait, and are right."""
    for a in rig.tries("SIGSTOP, SIGCONT", ci=3, full=40):
        with a:
            run = a.mount()
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 2)
            for _ in range(4):
                pids = ([run.daemon], [run.guard], run.workers())[a.n % 3]
                for pid in pids:
                    kill(pid, signal.SIGSTOP)
                a.doze(0.4)
                for pid in pids:
                    kill(pid, signal.SIGCONT)
                a.doze(0.1)
            a.saw(reader.result(), complete=True)
            run.finish()
            a.after()


def test_workers_that_stay_stopped(rig):
    """The deadline ends them; the next mount tries again."""
    for a in rig.tries("workers stopped for ever", ci=1, full=10):
        with a:
            run = a.mount("--timeout", 2, "--jobs", 2)
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 2)
            for pid in run.workers():
                kill(pid, signal.SIGSTOP)
            a.saw(reader.result())
            run.finish()
            a.after()


def test_a_daemon_killed_while_its_guard_is_stopped(rig):
    """The mount is dead until the guard goes on, and no longer."""
    for a in rig.tries("kill -9, daemon of a stopped guard", ci=1, full=10):
        with a:
            run = a.mount()
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold)
            kill(run.guard, signal.SIGSTOP)
            kill(run.daemon)
            a.saw(reader.result())
            kill(run.guard, signal.SIGCONT)
            a.expect(run.status() == 1, "exit status")
            a.after()


def test_unmounted_while_busy(rig):
    """Plain: refused, and nothing is lost. Lazy: those who have files open
    read on."""
    for a in rig.tries("unmount while busy", ci=4, full=40):
        with a:
            run = a.mount()
            reader = Reader(run.path, seed=a.n)
            path = os.path.join(run.path, "large", "d%d.bin" % (a.n % 14))
            held = open(path, "rb", buffering=0)
            cwd = os.open(os.path.join(run.path, "large"), os.O_RDONLY)
            try:
                a.doze(rig.cold)
                r = run.umount()
                a.expect(r and r.returncode == 1 and b"busy" in r.stderr,
                         "umount of what is busy: %s" % r)
                if a.n % 2:
                    a.saw(reader.result(), complete=True)
                    run.umount("--lazy")
                else:
                    run.umount("--lazy")
                    a.saw(reader.result(), complete=True)
                a.expect(not run.mounted(), "still mounted")
                want = os.path.getsize(os.path.join(rig.source, "large",
                                                    os.path.basename(path)))
                a.expect(len(held.readall()) == want, "an open file")
                a.expect("m1.pyc" in os.listdir(cwd), "an open directory")
            finally:
                held.close()
                os.close(cwd)
            a.expect(run.status() == 0, "exit status")
            a.after()


@pytest.mark.root
def test_a_log_that_cannot_be_written(rig, disk):
    for a in rig.tries("log file's disk is full", ci=3, full=9):
        with a:
            site = rig.copy_source(a)
            for i in range(60):
                trees.write(os.path.join(site, "bad", "b%d.py" % i),
                            "def %s(:\n" % ("x" * 200))
            wanted = rig.undisturbed(a, site)
            at = disk(a, "size=4k,nr_inodes=%d" % (3 if a.n % 3 else 1))
            log = "/dev/full" if a.n % 3 == 2 else os.path.join(at, "log")
            run = a.mount("--log-file", log, "--verbose", source=site)
            seen = look(run.path)
            a.saw(seen, reference=wanted)
            a.expect(seen.values == wanted.values, "not the same")
            run.finish()
            a.after()
