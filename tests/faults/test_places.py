"""Mounts that are not made in root's shell: in a cgroup with little memory or
few processes, in a user namespace of an ordinary user, from an fstab.
"""
import contextlib
import os
import re
import subprocess

import pytest

import rig as faults
from rig import HANG, Reader, harness, kill, look, trees, wait_until

MB = 1 << 20
NOBODY = 65534
ROOT = "/sys/fs/cgroup"

# Files of a cgroup's limits: in its own hierarchy (version 1), or in the one
# for all (version 2; Documentation/admin-guide/cgroup-v{1,2}).
LIMITS = {"memory": ("memory/%s/memory.limit_in_bytes", "%s/memory.max"),
          "pids": ("pids/%s/pids.max", "%s/pids.max")}


class Cgroup:
    """A cgroup of its own that gives so much of `what`."""
    made = 0

    def __init__(self, what, limit):
        Cgroup.made += 1
        name = "pycfs-faults-%d-%d" % (os.getpid(), Cgroup.made)
        old, new = LIMITS[what]
        limit_file = os.path.join(
            ROOT, (old if os.path.isdir(os.path.join(ROOT, what)) else new)
            % name)
        self.path = os.path.dirname(limit_file)
        os.mkdir(self.path)
        with open(limit_file, "w") as f:
            f.write(str(limit))

    def add(self, pid):
        with contextlib.suppress(ProcessLookupError):
            with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
                f.write(str(pid))

    def failures(self):
        """How often there was not enough memory."""
        for name, key in (("memory.failcnt", ""), ("memory.events", "max ")):
            with contextlib.suppress(OSError):
                with open(os.path.join(self.path, name)) as f:
                    return int(re.search(key + r"(\d+)", f.read()).group(1))
        return 0

    def remove(self):
        def gone():
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
            return not os.path.isdir(self.path)
        return wait_until(gone, 10)


@pytest.mark.root
def test_a_cgroup_without_memory(rig):
    """The kernel kills workers, and not the daemon; what they compiled then
    fails and is tried again, and the rest is right.

    The daemon and one worker need 9 MB. With less, every worker is killed, and
    there are moments in which the kernel still counts the memory of one that
    is ending, but not the worker (exit_mmap, Linux 6.18): then only the daemon
    is left to choose."""
    for a in rig.tries("memory limit of a cgroup", ci=2, full=30):
        with a:
            group = Cgroup("memory", (12, 10, 11, 14)[a.n % 4] * MB)
            run = a.mount("--jobs", 2)
            daemon = run.daemon
            for pid in (daemon, *run.workers()):
                group.add(pid)
            reader = Reader(run.path, seed=a.n)
            a.saw(reader.result())
            a.expect(group.failures() > 0 or a.n % 4 > 1, "enough memory")
            a.expect(run.daemon == daemon, "the daemon died: " + run.said())
            run.finish()
            a.expect(group.remove(), "a process is left in the cgroup")
            a.after()


@pytest.mark.root
def test_a_cgroup_without_processes(rig):
    """No worker can be started, or one of two: what runs goes on."""
    for a in rig.tries("pids limit of a cgroup", ci=2, full=20):
        with a:
            run = a.mount("--jobs", 2)
            wait_until(lambda: len(run.workers()) == 2, 5)
            daemon, workers = run.daemon, run.workers()
            # Threads count: as many as there are, and a few more.
            have = sum(len(os.listdir("/proc/%d/task" % p))
                       for p in (daemon, *workers))
            group = Cgroup("pids", have + a.n % 3)
            for pid in (daemon, *workers):
                group.add(pid)
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold / 3)
            for pid in workers[:1 + a.n % 2]:
                kill(pid)
            a.saw(reader.result())
            a.expect(run.daemon == daemon, "the daemon died: " + run.said())
            run.finish()
            a.expect(group.remove(), "a process is left in the cgroup")
            a.after()


def in_a_user_namespace(a, script, *args):
    """As nobody, who is root there. stderr if it went well, else None."""
    r = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c",
         script, "sh", *args], env=a.env({"HOME": a.dir}),
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=4 * HANG,
        user=NOBODY, group=NOBODY, extra_groups=[])
    if r.returncode != 0:
        a.bad("%d: %s" % (r.returncode, r.stderr.decode()[-800:]))
    return r.stderr.decode()


NAMESPACE_SCRIPT = """
set -u
pycfs=$1 python=$2 source=$3 at=$4 to=$5 kill=$6
"$pycfs" mount --python "$python" "$source" "$at" || exit 9
if [ "$kill" = yes ]; then
	(sleep 0.2; pkill -9 -n -x pycfs --nslist user --ns $$) &
fi
cp -a "$at/." "$to"; echo $? >"$to.status"
wait
# The guard of a daemon that was killed may be about to do it.
grep -q "$at" /proc/self/mounts && "$pycfs" umount "$at"
i=0
while grep -q "$at" /proc/self/mounts; do
	i=$((i + 1))
	[ $i -lt 100 ] || exit 7
	sleep 0.1
done
exit 0
"""


@pytest.fixture
def everybodys_fuse():
    with harness.fuse_for_everybody():
        yield


@pytest.mark.root
def test_a_user_namespace(rig, everybodys_fuse):
    """One user, who is root there and nobody outside; and his daemon killed."""
    for a in rig.tries("user namespace of one user", ci=2, full=20):
        with a:
            os.makedirs(a.cache, mode=0o700)
            site, at, to = rig.copy_source(a), a.new("mnt"), a.new("copy")
            os.mkdir(at)
            os.mkdir(to)
            subprocess.run(["chown", "-hR", "%d:%d" % (NOBODY, NOBODY), site],
                           check=True)
            for path in (a.dir, a.cache, at, to, os.path.join(a.dir, "tmp")):
                os.chown(path, NOBODY, NOBODY)
            in_a_user_namespace(a, NAMESPACE_SCRIPT,
                                harness.copy_program(a.dir),
                                faults.PYTHON, site, at, to,
                                "yes" if a.n % 2 else "no")
            with open(to + ".status") as f:
                status = int(f.read())
            a.expect(a.n % 2 or status == 0, "cp ended with %d" % status)
            if a.n % 2 == 0:  # cp is cut off in the middle of a file
                a.saw(look(to), complete=True)
            for path in (a.dir, a.cache):  # what comes after is root's
                os.chown(path, 0, 0)
            subprocess.run(["chown", "-R", "0:0", a.cache], check=True)
            a.after()


FSTAB_SCRIPT = """
set -eu
mount -t overlay -o "lowerdir=$1:/usr/sbin" overlay /usr/sbin
mount -T "$2" "$3"
cp -a "$3/." "$4"
umount "$3"
"""


@pytest.mark.root
def test_an_fstab(rig):
    """mount(8) of a line of fstab, and umount(8)."""
    for a in rig.tries("a line of fstab", ci=1, full=10):
        with a:
            sbin, at, to = a.new("sbin"), a.new("mnt"), a.new("copy")
            for path in (sbin, at, to):
                os.mkdir(path)
            os.symlink(harness.program(),
                       os.path.join(sbin, "mount.fuse.pycfs"))
            fstab = a.new("fstab")
            trees.write(fstab, "%s %s fuse.pycfs defaults,nofail,python=%s,"
                        "cache=%s 0 0\n" % (rig.source, at, faults.PYTHON,
                                            a.cache))
            r = subprocess.run(
                ["unshare", "-m", "sh", "-c", FSTAB_SCRIPT, "sh", sbin, fstab,
                 at, to], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=a.env(), timeout=2 * HANG)
            a.expect(r.returncode == 0, r.stderr.decode())
            a.saw(look(to), complete=True)
            a.after()
