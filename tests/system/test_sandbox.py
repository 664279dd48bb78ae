"""What the sandbox keeps workers from doing, and the messages where it cannot.
"""
import ctypes
import os
import platform
import struct
import subprocess
import sys

import pytest

import harness
from harness import read

WORKER = os.path.join(os.path.dirname(harness.program()), "pycfs-compiler")

# <linux/prctl.h>, <linux/seccomp.h>, <linux/filter.h>
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL_EINVAL = 0x7fff0000, 0x00050016
NR_SECCOMP, NR_PRCTL = {"x86_64": (317, 157),
                        "aarch64": (277, 167)}[platform.machine()]


def forbid_seccomp():
    """From now on this process and its children can set no filter: as in a
    container whose kernel has none."""
    program = b"".join(struct.pack("<HBBI", *i) for i in (
        (LOAD, 0, 0, 0),                 # the system call's number
        (EQUAL, 4, 0, NR_SECCOMP),
        (EQUAL, 0, 2, NR_PRCTL),
        (LOAD, 0, 0, 16),                # its first argument
        (EQUAL, 1, 0, PR_SET_SECCOMP),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL_EINVAL)))
    code = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(PR_SET_SECCOMP, MODE_FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def without_seccomp():
    """The prefix of a command; run by this very file."""
    return [sys.executable, os.path.abspath(__file__)]


@pytest.fixture(params=["libpython", "interpreter"])
def worker(request):
    return ["--worker", request.param]


@pytest.fixture
def unsanitized():
    out = subprocess.run([harness.program(), "--version"],
                         stdout=subprocess.PIPE, timeout=30)
    assert out.returncode == 0
    with open(WORKER, "rb") as f:
        if b"__asan_init" in f.read():
            pytest.skip("a sanitizer's runtime needs what is forbidden")


def test_self_test(unsanitized):
    run = subprocess.run([WORKER, "--self-test"], stdout=subprocess.PIPE,
                         timeout=60, text=True)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.splitlines()
    assert len(lines) > 20 and all(l.startswith("ok ") for l in lines)
    for what, how in (("open a file", "is refused"), ("socket", "dies"),
                      ("execve", "dies"), ("ptrace", "dies"),
                      ("write to a file that is open", "dies"),
                      ("be read by others of its user", "is refused"),
                      ("map executable memory", "dies")):
        assert "ok      %s: %s" % (what, how) in lines


def test_self_test_fails_without_seccomp(unsanitized):
    run = subprocess.run([*without_seccomp(), WORKER, "--self-test"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=60, text=True)
    assert run.returncode == 1
    assert "FAILED  socket" in run.stdout


def status_of(process):
    text = read("/proc/%d/status" % process.pid).decode()
    return dict(l.split(":", 1) for l in text.splitlines() if ":" in l)


def limit_of(process, name):
    line = next(l for l in read("/proc/%d/limits" % process.pid)
                .decode().splitlines() if l.startswith(name))
    value = line[len(name):].split()
    assert value[0] == value[1]
    return int(value[0])


def test_workers_are_in_it(mount, small, unsanitized, worker):
    with mount(small, "--timeout", 7, *worker) as m:
        read(m / "a.pyc")
        workers = harness.workers(m.path)
        assert workers
        for w in workers:
            # one that starts is not in it yet
            harness.wait_for(lambda: status_of(w)["Seccomp"].strip() == "2",
                             20, "a worker's filter")
            status = status_of(w)
            assert status["NoNewPrivs"].strip() == "1"
            for name in ("CapEff", "CapPrm", "CapInh"):
                assert int(status[name], 16) == 0, name
            assert limit_of(w, "Max address space") <= 4 << 30
            assert limit_of(w, "Max file size") == 0
            assert limit_of(w, "Max core file size") == 0
            assert limit_of(w, "Max cpu time") == 7 * 20 + 1
            assert read("/proc/%d/oom_score_adj" % w.pid) == b"1000\n"
            # Who cannot be dumped is root's there.
            assert os.stat("/proc/%d/mem" % w.pid).st_uid == 0
            user = 65534 if os.geteuid() == 0 else os.geteuid()
            assert status["Uid"].split() == [str(user)] * 4


def test_a_namespace_of_one_user(pycfs, small, scratch, unsanitized, worker):
    """Where nobody is nobody, root goes on as root, in the same sandbox."""
    alone = ["unshare", "--map-root-user"]
    if subprocess.run([*alone, "true"], timeout=30).returncode:
        pytest.skip("no user namespaces")
    run = subprocess.run([*alone, WORKER, "--self-test"], timeout=60,
                         stdout=subprocess.PIPE, text=True)
    assert run.returncode == 0, run.stdout
    want = pycfs.exported(small, os.path.join(scratch, "want"))
    got = pycfs.exported(small, os.path.join(scratch, "got"), "--no-cache",
                         *worker, prefix=alone)
    assert harness.tree_bytes(got) == harness.tree_bytes(want)


def test_without_seccomp(mount, small, unsanitized, pycfs, worker):
    with mount(small, *worker, prefix=without_seccomp()) as m:
        assert read(m / "a.pyc")
        read(m / "b.pyc")
        said = m.said + m.log()
        assert said.count("no seccomp here") == 1, said
        assert "--require-sandbox" in said


def test_required(pycfs, small, scratch, mount, unsanitized, worker):
    out = os.path.join(scratch, "out")
    r = pycfs.export(small, out, "--require-sandbox", *worker,
                     prefix=without_seccomp())
    assert r.returncode == 1
    assert "sandbox" in r.stderr and len(r.stderr.splitlines()) == 1
    assert not os.path.exists(out)
    at = os.path.join(scratch, "here")
    os.mkdir(at)
    r = pycfs.run("mount", "--require-sandbox", *worker, "--python",
                  harness.DEBIAN_PYTHON, small, at,
                  prefix=without_seccomp())
    assert r.returncode == 1 and "sandbox" in r.stderr
    assert not harness.is_mounted(at)
    with mount(small, "--require-sandbox", *worker) as m:
        assert read(m / "a.pyc")
        assert "seccomp" not in m.said + m.log()


if __name__ == "__main__":
    forbid_seccomp()
    os.execv(sys.argv[1], sys.argv[1:])
