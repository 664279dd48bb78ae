"""Mounts whose daemon does not answer, mounts of other programs, and mounts
that show each other; readers that are stopped or die; requests to a daemon by
other users, and descriptors that it inherits.
"""
import fcntl
import os
import shutil
import signal
import subprocess
import time

import pytest

import rig as faults
from rig import HANG, Reader, harness, kill, look, wait_until

# The deadline of `pycfs umount` for a daemon that does not answer is 8 s.
SECONDS = 16


@pytest.fixture(scope="session")
def interrupt_shim(base):
    return faults.build_shim(base, "interrupt_shim")


def ended(a, popen, what):
    """Whether it ended in time; kills it otherwise."""
    try:
        popen.wait(HANG)
        return True
    except subprocess.TimeoutExpired:
        a.hang(what)
        kill(popen.pid)
        return False


def test_a_daemon_that_does_not_answer(rig):
    """Stopped for good: umount ends in time, and nothing is left of it."""
    for a in rig.tries("umount of a daemon that does not answer", ci=3,
                       full=30):
        with a:
            run = a.mount()
            if a.n % 3 == 1:
                look(run.path)
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 2)
            kill(run.daemon, signal.SIGSTOP)
            if a.n % 3 == 2:
                r = a.call("umount", "--lazy", run.path, seconds=SECONDS)
                a.expect(r and r.returncode == 0, "umount --lazy: %s" % r)
                a.expect(not run.mounted(), "still mounted")
                kill(run.daemon, signal.SIGCONT)
                a.saw(reader.result())
            else:
                r = a.call("umount", run.path, seconds=SECONDS)
                a.expect(r and r.returncode == 0 and
                         b"does not answer" in r.stderr, "umount: %s" % r)
                a.expect(not run.mounted(), "still mounted")
                a.saw(reader.result())  # though nobody answers it
                kill(run.daemon, signal.SIGCONT)
            run.status()
            a.after()


def test_a_daemon_that_does_not_end(rig):
    """Its guard, asked to end it, does so all the same."""
    for a in rig.tries("SIGTERM for the guard of a stuck daemon", ci=1,
                       full=10):
        with a:
            run = a.mount()
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 2)
            kill(run.daemon, signal.SIGSTOP)
            kill(run.guard, signal.SIGTERM)
            a.expect(run.status() == 1, "exit status")
            a.expect(not run.mounted(), "still mounted")
            a.saw(reader.result())
            a.after()


def test_only_its_own_mount(rig):
    """A was detached, B is mounted in its place, A's daemon is killed: B
    stays. The same if B lies over A."""
    for a in rig.tries("another mount in the same place", ci=2, full=20):
        with a:
            first = a.mount()
            with open(os.path.join(first.path, "large", "d3.bin"), "rb"):
                if a.n % 2 == 0:
                    first.umount("--lazy")
                second = faults.Run(
                    a, "mount", "--python", faults.PYTHON, "-f", "-o",
                    "nonempty", "--cache", a.new("cache"), rig.source,
                    first.path, at=first.path)
                a.expect(wait_until(lambda: faults.family(second.guard) and
                                    len(mounts_on(first.path)) == 2 - (
                                        a.n % 2 == 0), HANG), "no second")
                kill(first.daemon)
                a.expect(first.status() == 1, "exit status")
                a.expect(second.popen.poll() is None and second.mounted(),
                         "the second mount is gone")
                a.saw(look(second.path), complete=True)
                second.finish()
            if a.n % 2:
                a.expect("dead mount is left" in first.said(), first.said())
                first.umount()
            a.after()


def mounts_on(path):
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if line.split()[4] == path]


@pytest.mark.root
def test_mounts_that_show_each_other(rig):
    for a in rig.tries("two mounts that show each other", ci=1, full=10):
        with a:
            x, y = rig.copy_source(a), rig.copy_source(a)
            os.mkdir(os.path.join(x, "x"))
            os.mkdir(os.path.join(y, "y"))
            runs = [place(a, x, os.path.join(y, "y")),
                    place(a, y, os.path.join(x, "x"))]
            for run in runs:
                a.expect(run.come_up(), "no mount")
            walk = subprocess.Popen(["ls", "-laR", x, y],
                                    stdout=subprocess.DEVNULL)
            ended(a, walk, "ls")
            for run in runs:
                # What is mounted below SOURCE is left out.
                a.expect(look(run.path).values == rig.reference.values,
                         "not the same")
                a.expect("a mount of pycfs" in run.said(), run.said())
            # A view of x, to be mounted in x: it would contain itself.
            os.mkdir(os.path.join(x, "z"))
            r = a.call("mount", "--cache", a.new("cache"), runs[0].path,
                       os.path.join(x, "z"))
            a.expect(r and r.returncode == 1 and
                     b"contain itself" in r.stderr, str(r))
            for run in reversed(runs):
                run.finish()
            a.after()


def place(a, source, at):
    """A mount at a place that is there already."""
    return faults.Run(a, "mount", "--python", faults.PYTHON, "-f", "--cache",
                      a.new("cache"), source, at, at=at)


@pytest.mark.root
def test_a_mount_that_waits_for_itself(rig):
    """By way of a file system that is none of ours, which no look at the list
    of mounts finds: the deadline ends it."""
    if not shutil.which("bindfs"):
        pytest.fail("bindfs is not installed")
    for a in rig.tries("a mount that waits for itself", ci=1, full=6):
        with a:
            x, y = a.new("x"), rig.copy_source(a)
            os.makedirs(os.path.join(x, "x"))
            os.mkdir(os.path.join(y, "y"))
            subprocess.run(["bindfs", x, os.path.join(y, "y")], check=True,
                           timeout=HANG)
            try:
                run = place(a, y, os.path.join(x, "x"))
                a.expect(run.come_up(), "no mount")
                walk = subprocess.Popen(
                    ["ls", "-R", x], stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
                time.sleep(1)
                a.expect(walk.poll() is None, "it did not come to it")
                r = a.call("umount", run.path, seconds=SECONDS)
                a.expect(r and r.returncode == 0, "umount: %s" % r)
                ended(a, walk, "ls")
                run.status()
            finally:
                harness.detach(os.path.join(y, "y"))
            a.after()


def test_readers_that_are_stopped(rig):
    """Ctrl-Z and fg during a cold copy: it goes on."""
    for a in rig.tries("readers stopped by SIGTSTP", ci=2, full=20):
        with a:
            run = a.mount()
            to = a.new("copy")
            copy = subprocess.Popen(["cp", "-a", run.path, to],
                                    stderr=subprocess.PIPE,
                                    start_new_session=True)
            while copy.poll() is None:
                # A shell stops whom it gave the terminal: with a default
                # action, as in a job of its own.
                for sig in (signal.SIGSTOP, signal.SIGCONT):
                    kill(copy.pid, sig)
                    time.sleep(0.01)
            a.expect(copy.returncode == 0, copy.stderr.read().decode())
            copy.stderr.close()
            a.saw(look(to), complete=True)
            run.finish()
            a.after()


def test_readers_that_are_dead_already(rig, interrupt_shim):
    """A reader dies before its request is parked."""
    for a in rig.tries("readers dead before they wait", ci=1, full=10):
        with a:
            run = a.mount("--no-ahead",
                          env={"LD_PRELOAD": interrupt_shim})
            daemon = run.daemon
            for i in range(3):
                cat = subprocess.Popen(
                    ["cat", os.path.join(run.path, "large",
                                         "slow%d.pyc" % i)],
                    stdout=subprocess.DEVNULL)
                time.sleep(0.1)
                kill(cat.pid)
                ended(a, cat, "a reader that was killed")
            a.expect(run.daemon == daemon and daemon, "it died: " + run.said())
            a.saw(look(run.path), complete=True)
            run.finish()
            a.after()


@pytest.mark.root
def test_options_that_take_protection_away(rig):
    """suid and dev are refused; a mount has neither, whatever is said."""
    for a in rig.tries("-o suid, -o dev", ci=2, full=4):
        with a:
            run = a.start("-o", ("suid", "dev")[a.n % 2])
            a.expect(not run.come_up() and run.status() == 2, run.said())
            run = a.mount("-o", "exec")
            options = mounts_on(run.path)[0].split()[5].split(",")
            a.expect({"nosuid", "nodev", "ro"} <= set(options), str(options))
            run.finish()
            a.after()


def test_what_the_caller_has_open(rig):
    """A lock of the caller's is free as soon as he is gone."""
    for a in rig.tries("descriptors of the caller", ci=1, full=4):
        with a:
            lock = a.new("lock")
            fd = os.open(lock, os.O_RDWR | os.O_CREAT)
            fcntl.flock(fd, fcntl.LOCK_EX)
            at = a.new("mnt")
            os.mkdir(at)
            subprocess.run(
                [harness.program(), "mount", "--python", faults.PYTHON,
                 "--cache", a.cache, rig.source, at], env=a.env(),
                pass_fds=[fd], check=True, timeout=HANG)
            os.close(fd)
            try:
                look(at)  # there are workers
                fd = os.open(lock, os.O_RDWR)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    a.bad("the lock is held by the mount")
                os.close(fd)
            finally:
                a.call("umount", at)
            a.after()


@pytest.mark.root
def test_who_may_ask_for_a_flush(rig):
    """Only root and who mounted; and it holds up no reader."""
    for a in rig.tries("flushes asked by others", ci=1, full=6):
        with a:
            os.chmod(a.dir, 0o755)
            run = a.mount("-o", "allow_other")
            code = ("import fcntl, os, sys\n"
                    "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
                    "try: fcntl.ioctl(fd, ord('P') << 8 | 2)\n"
                    "except PermissionError: sys.exit(7)\n")
            for user, wanted in ((65534, 7), (0, 0)):
                r = subprocess.run(
                    [faults.PYTHON, "-c", code, run.path], timeout=HANG,
                    user=user, group=user, extra_groups=[])
                a.expect(r.returncode == wanted, "uid %d: %d" % (
                    user, r.returncode))
            run.finish()
            a.after()
