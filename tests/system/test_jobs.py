"""The number of workers if --jobs is not given."""
import contextlib
import os
import subprocess
import time

import pytest

import harness
import trees


@contextlib.contextmanager
def quota(cpus):
    """A cgroup that has the time of so many CPUs, of either version; where
    none can be made, there is nothing to see."""
    name, made = "pycfs-test-%d" % os.getpid(), None
    for top, files in (
            ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": 100000,
                                    "cpu.cfs_quota_us": cpus * 100000}),
            ("/sys/fs/cgroup", {"cpu.max": "%d 100000" % (cpus * 100000)})):
        at = os.path.join(top, name)
        try:
            os.mkdir(at)
        except OSError:
            continue
        try:
            for file, value in files.items():
                with open(os.path.join(at, file), "r+") as f:
                    f.write(str(value))
            made = at
            break
        except OSError:
            os.rmdir(at)
    if not made:
        pytest.skip("no cgroup of CPU time can be made here")
    try:
        yield os.path.join(made, "cgroup.procs")
    finally:
        harness.wait_for(lambda: not open(
            os.path.join(made, "cgroup.procs")).read(), 10, "it is empty")
        os.rmdir(made)


def workers_of_an_export(pycfs, root, dest, procs=None):
    """How many there are at a time, at most."""
    def enter():
        if procs:
            with open(procs, "w") as f:
                f.write("0")
    p = subprocess.Popen(pycfs.command(
        "export", "--python", harness.DEBIAN_PYTHON, "--no-cache", root, dest),
        env=pycfs.env(), preexec_fn=enter)
    most, end = 0, time.monotonic() + 60
    while p.poll() is None and time.monotonic() < end:
        most = max(most, len(harness.workers(dest)))
        time.sleep(0.01)
    assert p.wait(10) == 0
    return most


def test_no_more_than_a_cgroup_has_time_for(pycfs, scratch):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("only one CPU")
    root = os.path.join(scratch, "site")
    for i in range(6):
        trees.write(os.path.join(root, "slow%d.py" % i), trees.slow(2000 + i))
    with quota(1) as procs:
        assert workers_of_an_export(
            pycfs, root, os.path.join(scratch, "out"), procs) == 1
    assert workers_of_an_export(
        pycfs, root, os.path.join(scratch, "free")) > 1
