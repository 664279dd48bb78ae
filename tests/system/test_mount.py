"""Mounting, unmounting, and what a mount looks like in between."""
import errno
import os
import resource
import signal
import subprocess
import time

import pytest

import harness
import trees
from harness import copy, is_mounted, read, wait_for


def code_of(call, *args, **how):
    try:
        call(*args, **how)
    except OSError as e:
        return e.errno
    return 0


def one_line(text):
    assert text.startswith("pycfs: ") and text.endswith("\n"), repr(text)
    assert text.count("\n") == 1, text
    return text


def test_mount_and_umount(mount, tree):
    with mount(tree) as m:
        assert harness.mounts()[os.path.realpath(m.path)] == "fuse.pycfs"
        assert os.path.exists(m / "single.pyc")
        m.umount()
        assert os.listdir(m.path) == []


def test_ready_at_once_whatever_the_size(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 3000, per_dir=100)
    start = time.monotonic()
    with mount(root) as m:
        assert time.monotonic() - start < 3
        assert m.count("source_reads") == 0


def test_the_daemon_lets_go_of_its_callers_pipes(pycfs, tree, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    # run() reads both pipes to their ends: a daemon holding one would hang it
    pycfs.ok("mount", "--python", harness.DEBIAN_PYTHON, tree, at, timeout=20)
    try:
        p = harness.serving(at)
        assert p and os.readlink("/proc/%d/cwd" % p.pid) == "/"
        assert os.getsid(p.pid) != os.getsid(0)
    finally:
        pycfs.ok("umount", at)
    wait_for(lambda: not harness.daemons(at), 10, "the daemon ends")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_foreground(sig, pycfs, tree, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    p = subprocess.Popen(
        pycfs.command("mount", "-f", "--python", harness.DEBIAN_PYTHON, tree,
                      at), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=pycfs.env())
    try:
        wait_for(lambda: is_mounted(at), 10, "mounted")
        assert len(read(os.path.join(at, "single.pyc"))) > 16
        assert p.poll() is None
        p.send_signal(sig)
        out, err = p.communicate(timeout=10)
    finally:
        p.kill()
        harness.detach(at)
    assert p.returncode == 0, err
    assert not is_mounted(at)
    assert out == b""
    pycfs.clean(err.decode())


def test_foreground_ends_with_umount(pycfs, tree, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    p = subprocess.Popen(
        pycfs.command("mount", "--foreground", "--python",
                      harness.DEBIAN_PYTHON, tree, at), env=pycfs.env(),
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_mounted(at), 10, "mounted")
        pycfs.ok("umount", at)
        assert p.wait(10) == 0
    finally:
        p.kill()


def test_sigterm_ends_the_daemon(mount, tree):
    with mount(tree) as m:
        copy(m, m.path + ".out")
        os.kill(m.serving().pid, signal.SIGTERM)
        wait_for(lambda: not is_mounted(m.path), 10, "unmounted")
        m.gone()
    with mount(tree) as m:  # what it had compiled is in the cache
        copy(m, m.path + ".out")
        assert m.count("compiled") == 0


def test_sigterm_while_busy(mount, tree):
    with mount(tree) as m:
        fd = os.open(m / "single.pyc", os.O_RDONLY)
        try:
            os.kill(m.serving().pid, signal.SIGTERM)
            wait_for(lambda: not is_mounted(m.path), 10, "unmounted")
            m.gone()
        finally:
            code_of(os.close, fd)  # ENOTCONN is fine


def test_sigterm_during_a_compile(mount, scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(60000))
    with mount(root) as m:
        reader = subprocess.Popen(["cat", m / "slow.pyc"],
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        wait_for(lambda: any(w.cpu > 0.3 for w in harness.workers(m.path)),
                 20, "a worker is busy")
        os.kill(m.serving().pid, signal.SIGTERM)
        assert reader.wait(10) != 0
        wait_for(lambda: not is_mounted(m.path), 10, "unmounted")
        m.gone()


def test_umount_while_busy(pycfs, mount, tree):
    with mount(tree) as m:
        with open(m / "pkg/data.json", "rb") as f:
            result = pycfs.run("umount", m.path)
            assert result.returncode == 1 and result.stdout == ""
            assert "busy" in one_line(result.stderr)
            assert "--lazy" in result.stderr
            assert is_mounted(m.path)
            assert f.read() == b'{"key": "value"}\n'
            assert len(read(m / "single.pyc")) > 16
        with open(m / "pkg/data.json", "rb") as f:
            pycfs.ok("umount", "--lazy", m.path)
            assert not is_mounted(m.path)
            assert f.read() == b'{"key": "value"}\n'  # still served
        m.gone()


def test_umount_with_a_working_directory_inside(pycfs, mount, tree):
    with mount(tree) as m:
        p = subprocess.Popen(["sleep", "60"], cwd=m / "pkg")
        try:
            result = pycfs.run("umount", m.path)
            assert result.returncode == 1
            assert "busy" in one_line(result.stderr)
        finally:
            p.kill()
            p.wait(10)
        pycfs.ok("umount", m.path)


def test_umount_of_what_is_no_mount(pycfs, scratch, tree):
    for path in (tree, os.path.join(scratch, "missing"), "/proc"):
        result = pycfs.run("umount", path)
        assert result.returncode == 1, path
        one_line(result.stderr)
    assert "/proc" in harness.mounts()


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_server_leaves_no_dead_mount(sig, mount, tree):
    with mount(tree) as m:
        assert len(read(m / "single.pyc")) > 16
        os.kill(m.serving().pid, sig)
        wait_for(lambda: not is_mounted(m.path), 5, "unmounted")
        assert os.listdir(m.path) == []  # not ENOTCONN
        m.gone()


def test_a_killed_server_in_the_foreground(pycfs, tree, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    p = subprocess.Popen(
        pycfs.command("mount", "-f", "--python", harness.DEBIAN_PYTHON, tree,
                      at), env=pycfs.env(), stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_mounted(at) and harness.serving(at), 10, "mounted")
        os.kill(harness.serving(at).pid, signal.SIGKILL)
        wait_for(lambda: not is_mounted(at), 5, "unmounted")
        assert p.wait(5) != 0
    finally:
        p.kill()
        harness.detach(at)


def test_workers_do_not_outlive_the_daemon(mount, scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(100000))
    with mount(root, "--timeout", "100") as m:
        reader = subprocess.Popen(["cat", m / "slow.pyc"],
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        wait_for(lambda: any(w.cpu > 0.3 for w in harness.workers(m.path)),
                 20, "a worker is busy")
        pids = [w.pid for w in harness.workers(m.path)]
        os.kill(m.serving().pid, signal.SIGKILL)
        reader.wait(10)
        wait_for(lambda: not any(harness.Process(p).alive for p in pids), 5,
                 "workers end")


def test_nothing_can_be_written(mount, tree):
    with mount(tree) as m:
        file, directory = m / "single.pyc", m / "pkg"
        for how in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
            assert code_of(os.open, file, how) == errno.EROFS
        new = m / "new"
        calls = [
            (os.open, new, os.O_WRONLY | os.O_CREAT, 0o600),
            (os.mkdir, new), (os.rmdir, m / "emptydir"), (os.unlink, file),
            (os.rename, file, new), (os.link, file, new),
            (os.symlink, "x", new), (os.truncate, file, 0),
            (os.chmod, file, 0o777), (os.chmod, directory, 0o777),
            (os.utime, file), (os.mkfifo, new),
            (os.chown, file, os.getuid(), os.getgid()),
            (os.setxattr, file, "user.x", b"x"),
        ]
        for call, *args in calls:
            assert code_of(call, *args) == errno.EROFS, call.__name__
        assert os.statvfs(m.path).f_flag & os.ST_RDONLY
        assert len(read(file)) > 16


def test_extended_attributes_are_not_carried_along(mount, tree):
    try:
        os.setxattr(os.path.join(tree, "pkg/data.json"), "user.x", b"1")
    except OSError:
        pass
    def names(path):
        try:
            return os.listxattr(path)
        except OSError as e:
            assert e.errno == errno.EOPNOTSUPP
            return []

    with mount(tree) as m:
        assert names(m / "single.pyc") == []
        assert names(m / "pkg/data.json") == []


def test_few_descriptors_however_many_files(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 600)
    for i in range(1000):
        trees.write(os.path.join(root, "data", "f%d" % i), "data %d" % i)
    with mount(root) as m:
        read(m / "many/p0/m0.pyc")
        read(m / "data/f0")
        m.quiet("compiled")
        few = len(m.serving().fds())
        copy(m, os.path.join(scratch, "out"))
        m.quiet("compiled")
        assert len(m.serving().fds()) <= few + 4
        # held open by a reader, and by the daemon only the first
        held = [open(m / ("data/f%d" % i), "rb") for i in range(800)]
        held += [open(m / ("many/p1/m%d.pyc" % i), "rb")
                 for i in range(50, 100)]
        try:
            assert len(m.serving().fds()) <= few + 4 + 256
            for i, f in enumerate(held[:800]):
                assert f.read() == b"data %d" % i
            assert all(len(f.read()) > 16 for f in held[800:])
        finally:
            for f in held:
                f.close()
        harness.wait_for(lambda: len(m.serving().fds()) <= few + 4, 5,
                         "closed files are let go")


def limit(n):
    def set_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    return set_limit


def test_under_a_low_limit_of_descriptors(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 400)
    for i in range(200):
        trees.write(os.path.join(root, "data", "f%d" % i), "data %d" % i)
    with mount(root, preexec_fn=limit(64)) as m:
        out = copy(m, os.path.join(scratch, "out"))
        held = [open(m / ("data/f%d" % i), "rb") for i in range(200)]
        try:
            assert [f.read() for f in held] == \
                [b"data %d" % i for i in range(200)]
        finally:
            for f in held:
                f.close()
        assert m.count("compiled") == 400
    assert len(trees.listing(out)) == 400 + 200 + 8 + 2


def test_a_deep_tree(mount, scratch):
    deep = "/".join("d%03d" % i for i in range(150))
    trees.write(os.path.join(scratch, "site", deep, "m.py"), "VALUE = 1\n")
    with mount(os.path.join(scratch, "site")) as m:
        assert b"m.py" in read(os.path.join(m.path, deep, "m.pyc"))


def test_a_large_directory(mount, scratch):
    root = os.path.join(scratch, "site")
    os.mkdir(root)
    for i in range(5000):
        trees.write(os.path.join(root, "%05d-%s" % (i, "x" * 80)), "")
    with mount(root) as m:
        assert len(os.listdir(m.path)) == 5000
        assert len(set(os.listdir(m.path))) == 5000


def test_paths_are_taken_as_they_are(pycfs, mount, scratch):
    """Relative paths, spaces, commas and symlinks to either directory."""
    root = os.path.join(scratch, "my site, packages")
    trees.write(os.path.join(root, "m.py"), "VALUE = 1\n")
    at = os.path.join(scratch, "mnt, with=odd name\\")
    os.mkdir(at)
    pycfs.ok("mount", "--python", harness.DEBIAN_PYTHON,
             os.path.basename(root), os.path.basename(at), cwd=scratch)
    try:
        assert is_mounted(at)
        assert os.listdir(at) == ["m.pyc"]
        assert len(read(os.path.join(at, "m.pyc"))) > 16
    finally:
        pycfs.ok("umount", os.path.basename(at), cwd=scratch)
    os.symlink(root, os.path.join(scratch, "source-link"))
    os.mkdir(os.path.join(scratch, "real"))
    link = os.path.join(scratch, "mnt-link")
    os.symlink("real", link)
    pycfs.ok("mount", "--python", harness.DEBIAN_PYTHON,
             os.path.join(scratch, "source-link"), link)
    try:
        assert os.listdir(link) == ["m.pyc"]
        assert pycfs.counters(link)["readdirs"] > 0
    finally:
        pycfs.ok("umount", link)
    assert not is_mounted(os.path.join(scratch, "real"))
    wait_for(lambda: not harness.daemons(scratch), 10, "daemons end")


def test_a_relative_source_survives_daemonizing(pycfs, scratch, tree):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    pycfs.ok("mount", "--python", harness.DEBIAN_PYTHON, "site", "mnt",
             "--cache", "some/cache", "--log-file", "log", cwd=scratch)
    try:
        assert len(read(os.path.join(at, "single.pyc"))) > 16
    finally:
        pycfs.ok("umount", at)
    assert os.path.isdir(os.path.join(scratch, "some/cache"))


# options

def test_options_by_o(mount, tree):
    with mount(tree, "-o", "optimize=0,prefix=/opt,no-ahead",
               "-o", "jobs=1") as m:
        core = read(m / "pkg/core.pyc")
        assert b"Docstring of member" in core and b"/opt/pkg/core.py" in core
        assert m.quiet("compiled") == 1
    with mount(tree, "-oro,nosuid,nodev,noatime,optimize=1") as m:
        assert b"Docstring of member" in read(m / "pkg/core.pyc")


@pytest.mark.root
def test_allow_other(mount, tree):
    def other(path):
        return subprocess.run(["runuser", "-u", "nobody", "--", "cat", path],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=20)
    with mount(tree) as m:
        assert other(m / "single.pyc").returncode != 0
    with mount(tree, "-o", "allow_other") as m:
        assert other(m / "single.pyc").stdout == read(m / "single.pyc")
        # the rights of the source hold
        assert other(m / "private.pyc").returncode != 0
        assert len(read(m / "private.pyc")) > 16


def test_verbose_says_what_is_mounted(mount, tree):
    with mount(tree, "--verbose") as m:
        text = m.said + m.log()
        assert tree in text and m.path in text and "3.11" in text


def test_as_a_mount_helper(pycfs, tree, scratch):
    """mount(8) calls it as mount.fuse.pycfs SOURCE MOUNTPOINT -o OPTIONS."""
    helper = os.path.join(scratch, "mount.fuse.pycfs")
    os.symlink(harness.program(), helper)
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    # The environment is not for it: who lets a user mount does so as root.
    result = subprocess.run(
        [helper, tree, at, "-o", "rw,optimize=0,cache=%s/c,python=%s"
         % (scratch, harness.DEBIAN_PYTHON)], stderr=subprocess.PIPE,
        env={**pycfs.env(), "PYCFS_JOBS": "nonsense"},
        stdin=subprocess.DEVNULL, timeout=20)
    assert result.returncode == 0, result.stderr
    try:
        assert b"Docstring of member" in read(os.path.join(at, "pkg/core.pyc"))
    finally:
        pycfs.ok("umount", at)
    assert os.path.isdir(os.path.join(scratch, "c"))
    assert not os.path.exists(pycfs.env()["PYCFS_CACHE"])


@pytest.mark.root
def test_mount_t_fuse_pycfs(pycfs, tree, scratch):
    """Through mount(8) itself and an fstab, in a private mount namespace with
    the helper laid over /usr/sbin."""
    sbin = os.path.join(scratch, "sbin")
    os.mkdir(sbin)
    os.symlink(harness.program(), os.path.join(sbin, "mount.fuse.pycfs"))
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    out = os.path.join(scratch, "out")
    fstab = os.path.join(scratch, "fstab")
    trees.write(fstab, "%s %s fuse.pycfs python=%s,optimize=1,no-cache "
                "0 0\n" % (tree, at, harness.DEBIAN_PYTHON))
    script = """
set -eu
mount -t overlay -o lowerdir=%(sbin)s:/usr/sbin overlay /usr/sbin
mount -t fuse.pycfs %(tree)s %(at)s -o no-cache,optimize=0,python=%(python)s
cp %(at)s/pkg/core.pyc %(out)s.0
umount %(at)s
mount -T %(fstab)s %(at)s
cp %(at)s/pkg/core.pyc %(out)s.1
umount %(at)s
if mount -t fuse.pycfs %(tree)s %(at)s -o nonsense=1 2>%(out)s.err; then
	exit 9
fi
""" % {"sbin": sbin, "tree": tree, "at": at, "out": out, "fstab": fstab,
       "python": harness.DEBIAN_PYTHON}
    result = subprocess.run(["unshare", "-m", "sh", "-c", script],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env=pycfs.env(), timeout=60)
    assert result.returncode == 0, result.stderr.decode()
    assert b"Docstring of member" in read(out + ".0")
    assert b"asserts go" in read(out + ".0")
    assert b"Docstring of member" in read(out + ".1")
    assert b"asserts go" not in read(out + ".1")
    assert b"nonsense" in read(out + ".err")


# pycfs run

def run(pycfs, tree, at, *command, **how):
    return pycfs.run("run", "--python", harness.DEBIAN_PYTHON, tree, at, "--",
                     *command, **how)


@pytest.fixture
def at(scratch):
    path = os.path.join(scratch, "mnt")
    os.mkdir(path)
    return path


@pytest.mark.parametrize("script,status", [
    ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137),
    ("kill -15 $$", 143), ("kill -SEGV $$", 139)])
def test_run_exits_as_the_command_did(script, status, pycfs, tree, at):
    result = run(pycfs, tree, at, "sh", "-c", script)
    assert result.returncode == status
    assert result.stderr == "" and result.stdout == ""
    assert not is_mounted(at)
    wait_for(lambda: not harness.daemons(at), 5, "processes end")


def test_run_of_a_command_that_ends_at_once(pycfs, small, at):
    """The daemon is told to end when it has hardly begun."""
    for _ in range(25):
        result = run(pycfs, small, at, "true")
        assert (result.returncode, result.stderr) == (0, "")
        assert not is_mounted(at)


def test_run_gives_the_command_the_mount(pycfs, tree, at, scratch):
    out = os.path.join(scratch, "out")
    result = run(pycfs, tree, at, "sh", "-c",
                 'cp -a "$1/." "$2" && echo done; pwd', "sh", at, out,
                 cwd=scratch)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n%s\n" % scratch
    assert trees.listing(out) == trees.shape(trees.expected(tree))


def test_run_passes_input_and_environment_on(pycfs, tree, at):
    p = subprocess.run(
        pycfs.command("run", "--python", harness.DEBIAN_PYTHON, tree, at,
                      "--", "sh", "-c", 'cat; echo "$WORD"; ls /proc/self/fd'),
        input=b"through\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=pycfs.env(WORD="kept"), timeout=30)
    lines = p.stdout.decode().split()
    assert lines[:2] == ["through", "kept"], p
    assert len(lines) - 2 <= 4, "descriptors leak: %s" % lines


@pytest.mark.parametrize("command,status", [
    ("no-such-command-here", 127), ("/no/such/file", 127), ("/etc", 126)])
def test_run_of_what_cannot_be_run(command, status, pycfs, tree, at):
    result = run(pycfs, tree, at, command)
    assert result.returncode == status
    assert command in one_line(result.stderr)
    assert not is_mounted(at)


def test_run_that_cannot_mount(pycfs, tree, at, scratch):
    marker = os.path.join(scratch, "was-run")
    result = run(pycfs, tree, os.path.join(scratch, "missing"), "touch",
                 marker)
    assert result.returncode == 1
    one_line(result.stderr)
    assert not os.path.exists(marker)
    result = pycfs.run("run", tree, at)
    assert result.returncode == 2
    assert not is_mounted(at)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_when_told_to(sig, pycfs, tree, at):
    p = subprocess.Popen(
        pycfs.command("run", "--python", harness.DEBIAN_PYTHON, tree, at,
                      "--", "sleep", "100"), env=pycfs.env(),
        stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: is_mounted(at), 10, "mounted")
        time.sleep(0.3)
        p.send_signal(sig)
        assert p.wait(10) == 128 + sig
        assert not is_mounted(at)
    finally:
        p.kill()


def test_run_unmounts_under_what_the_command_left(pycfs, tree, at):
    result = run(pycfs, tree, at, "sh", "-c",
                 'cd "$1"; sleep 20 >/dev/null 2>&1 & exit 5', "sh", at)
    assert result.returncode == 5
    assert not is_mounted(at)


@pytest.mark.root
def test_run_as_the_first_process(pycfs, tree, at, scratch):
    """PID 1 of a container: orphans are reaped, the exit status is right."""
    result = subprocess.run(
        ["unshare", "-m", "-pf", "--mount-proc", "--kill-child",
         *pycfs.command("run", "--python", harness.DEBIAN_PYTHON, tree, at,
                        "--", "sh", "-c",
                        '(sleep 0.2; exit 3) & sleep 0.5; '
                        'test -e "$1/single.pyc" && exit 6', "sh", at)],
        env=pycfs.env(), timeout=30, stdin=subprocess.DEVNULL)
    assert result.returncode == 6
