"""pycfs as an ordinary user, without root."""
import errno
import json
import os
import stat
import subprocess

import pytest

import harness
import trees
from harness import is_mounted, wait_for

NOBODY = 65534
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
             "--clear-groups", "--"]

pytestmark = pytest.mark.root


@pytest.fixture
def device():
    with harness.fuse_for_everybody():
        yield


class User:
    def __init__(self, pycfs, scratch):
        # the build may lie where nobody may go
        where = os.path.join(scratch, "bin")
        os.mkdir(where)
        self.exe = harness.copy_program(where)
        self.home = os.path.join(scratch, "home")
        self.at = os.path.join(self.home, "mnt")
        for path in (self.home, self.at):
            os.mkdir(path)
            os.chown(path, NOBODY, NOBODY)
        self.env = pycfs.env(HOME=self.home)
        del self.env["PYCFS_CACHE"]
        self.env.pop("XDG_CACHE_HOME", None)

    def run(self, *command, timeout=30):
        result = subprocess.run(
            [*AS_NOBODY, *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
            env=self.env, cwd=self.home)
        result.stdout = result.stdout.decode()
        result.stderr = harness.SUMMARY.sub("", result.stderr.decode())
        harness.Pycfs.clean(result.stderr)
        return result

    def pycfs(self, *args):
        return self.run(self.exe, *args)

    def ok(self, *args):
        result = self.pycfs(*args)
        assert result.returncode == 0, result.stderr
        return result


@pytest.fixture
def user(device, pycfs, scratch):
    u = User(pycfs, scratch)
    yield u
    harness.detach(u.at) if is_mounted(u.at) else None


def test_mount_copy_import_umount(user, tree):
    os.chmod(os.path.join(tree, "private.py"), 0o644)
    user.ok("mount", "--python", harness.DEBIAN_PYTHON, tree, user.at)
    assert is_mounted(user.at)
    out = os.path.join(user.home, "out")
    cp = user.run("cp", "-a", user.at + "/.", out)
    assert cp.returncode == 0, cp.stderr
    assert trees.listing(out) == trees.shape(trees.expected(tree))
    run = user.run(harness.DEBIAN_PYTHON, "-S", "-c",
                   "import sys; sys.path[:0] = [%r]; import pkg.core; "
                   "print(pkg.core.Base.cached(20))" % out)
    assert run.stdout == "6765\n", run.stderr
    p = harness.serving(user.at)
    assert os.stat("/proc/%d" % p.pid).st_uid in (NOBODY, 0)
    user.ok("umount", user.at)
    assert not is_mounted(user.at)
    wait_for(lambda: not harness.daemons(user.at), 10, "the daemon ends")
    cache = os.path.join(user.home, ".cache", "pycfs")
    st = os.stat(cache)
    assert st.st_uid == NOBODY and stat.S_IMODE(st.st_mode) == 0o700


def test_a_source_that_may_not_be_read(user, scratch):
    closed = os.path.join(scratch, "closed")
    os.mkdir(closed, 0o700)
    result = user.pycfs("mount", "--python", harness.DEBIAN_PYTHON, closed,
                        user.at)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("pycfs: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert closed in result.stderr and "read" in result.stderr
    assert not is_mounted(user.at)


def test_warm_and_run(user, tree):
    os.chmod(os.path.join(tree, "private.py"), 0o644)
    for cold in (True, False):
        out = os.path.join(user.home, "out%d" % cold)
        result = user.ok("run", "--python", harness.DEBIAN_PYTHON, tree,
                         user.at, "--", "sh", "-c",
                         'cp -a "$1/." "$2" && "$3" report "$1" --json',
                         "sh", user.at, out, user.exe)
        compiled = json.loads(result.stdout)["counters"]["compiled"]
        assert (compiled > 15) if cold else (compiled == 0)
        assert not is_mounted(user.at)


def test_busy_and_lazy(user, tree):
    user.ok("mount", "--python", harness.DEBIAN_PYTHON, tree, user.at)
    holder = subprocess.Popen(
        [*AS_NOBODY, "sh", "-c",
         'exec 3<"$1/single.pyc"; echo open; exec sleep 60', "sh", user.at],
        stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"open\n"
        result = user.pycfs("umount", user.at)
        assert result.returncode == 1
        assert result.stderr.startswith("pycfs: ")
        assert result.stderr.count("\n") == 1, result.stderr
        assert "busy" in result.stderr
        user.ok("umount", "--lazy", user.at)
        assert not is_mounted(user.at)
    finally:
        holder.terminate()
        holder.wait(10)
    wait_for(lambda: not harness.daemons(user.at), 10, "the daemon ends")


def test_a_killed_server_leaves_no_dead_mount(user, tree):
    user.ok("mount", "--python", harness.DEBIAN_PYTHON, tree, user.at)
    os.kill(harness.serving(user.at).pid, 9)
    wait_for(lambda: not is_mounted(user.at), 5, "unmounted")


def test_a_module_that_may_not_be_read(user, tree):
    """Listed; reading fails as reading the source would."""
    result = user.ok(
        "run", "--python", harness.DEBIAN_PYTHON, tree, user.at, "--",
        harness.DEBIAN_PYTHON, "-c", """
import os, sys
os.chdir(sys.argv[1])
assert "private.pyc" in os.listdir()
try:
    os.stat("private.pyc"); open("private.pyc", "rb").read()
except OSError as e:
    print(e.errno)
assert len(open("single.pyc", "rb").read()) > 16
""", user.at)
    assert result.stdout.strip() in (str(errno.EACCES), str(errno.EPERM))


def test_without_the_device(pycfs, scratch, tree):
    before = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    os.chmod("/dev/fuse", 0o600)
    try:
        u = User(pycfs, scratch)
        result = u.pycfs("mount", "--python", harness.DEBIAN_PYTHON, tree,
                         u.at)
        assert result.returncode == 1
        assert result.stderr.startswith("pycfs: ")
        assert result.stderr.count("\n") == 1, result.stderr
        assert "/dev/fuse" in result.stderr
        assert not is_mounted(u.at)
    finally:
        os.chmod("/dev/fuse", before)


def test_in_a_user_namespace(pycfs, scratch, tree):
    """Root of a namespace of its own, as rootless builders are."""
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    out = os.path.join(scratch, "out")
    result = subprocess.run(
        ["unshare", "-Urm", *pycfs.command(
            "run", "--python", harness.DEBIAN_PYTHON, tree, at, "--",
            "cp", "-r", at, out)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=pycfs.env(),
        timeout=30)
    assert result.returncode == 0, result.stderr
    assert trees.listing(out) == trees.shape(trees.expected(tree))


# no place for a cache

def is_cold(user, small, *options):
    """One warning, the right bytes, and nothing is left anywhere."""
    user.env["TMPDIR"] = os.path.join(user.home, "tmp")
    os.mkdir(user.env["TMPDIR"])
    os.chown(user.env["TMPDIR"], NOBODY, NOBODY)
    for name in ("one", "two"):
        out = os.path.join(user.home, name)
        result = user.ok("export", "--python", harness.DEBIAN_PYTHON, *options,
                         small, out)
        assert sorted(os.listdir(out)) == ["a.pyc", "b.pyc", "c.pyc",
                                           "data.txt"]
        said = result.stderr.splitlines()
        assert said[0].startswith("pycfs: warning: "), said
        assert "not kept" in said[0] and "--cache DIR" in said[0], said
        assert len(said) == 1, said
        assert os.listdir(user.env["TMPDIR"]) == []
    return said[0]


@pytest.mark.parametrize("verb", ["mount", "run", "export", "report"])
def test_no_home_and_any_verb(user, small, verb):
    user.env["HOME"] = "/"
    args = {"mount": [user.at], "run": [user.at, "--", "true"],
            "export": [os.path.join(user.home, "out")], "report": []}
    result = user.ok(verb, "--python", harness.DEBIAN_PYTHON, small,
                     *args[verb])
    assert result.stderr.count("is not kept") == 1, result.stderr
    assert verb != "mount" or user.ok("umount", user.at)


@pytest.mark.parametrize("home", [None, "", "/", "/nonexistent", "/dev/null",
                                  "/proc/self", "/root"])
def test_no_home(user, small, home):
    """A uid without a home, as `docker run --user 1000` gives one."""
    del user.env["HOME"]
    if home is not None:
        user.env["HOME"] = home
    said = is_cold(user, small)
    if home and home != "/":
        assert home + "/.cache" in said
    elif not home:
        assert "set HOME" in said


@pytest.mark.parametrize("what", ["XDG_CACHE_HOME", "PYCFS_CACHE", "--cache"])
def test_a_cache_that_root_owns(user, small, scratch, what):
    """A cache mount of an image's builder, in a step of another user."""
    theirs = os.path.join(scratch, "theirs")
    os.mkdir(theirs, 0o755)
    if what == "--cache":
        said = is_cold(user, small, what, theirs)
    else:
        user.env[what] = theirs
        said = is_cold(user, small)
    assert theirs in said
    if what != "XDG_CACHE_HOME":
        assert "belongs to root" in said and "uid=%d" % NOBODY in said


def test_a_cache_that_cannot_be_written(user, small, scratch):
    closed = os.path.join(scratch, "closed")
    os.mkdir(closed)
    os.chmod(closed, 0o555)
    os.chown(closed, NOBODY, NOBODY)
    assert closed in is_cold(user, small, "--cache", closed)


@pytest.mark.parametrize("uid, mode", [(0, 0o777), (0, 0o775), (1, 0o755),
                                       (NOBODY, 0o777)])
@pytest.mark.parametrize("said", [True, False])
def test_a_cache_that_others_can_write_is_an_error(user, small, uid, mode,
                                                   said):
    bad = os.path.join(user.home, "bad", "pycfs")
    os.makedirs(bad)
    os.chown(bad, uid, uid)
    os.chmod(bad, mode)
    user.env["XDG_CACHE_HOME"] = os.path.dirname(bad)
    result = user.pycfs("export", "--python", harness.DEBIAN_PYTHON,
                        *(["--cache", bad] if said else []), small,
                        os.path.join(user.home, "out"))
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert bad in result.stderr and "code in your image" in result.stderr


def test_one_user_in_a_namespace(user, small, scratch):
    """As some builders without root have it: a cache of one's own is warm, and
    whose files cannot be made there must be said."""
    one = ["unshare", "-Ur"]
    cache = ["--cache", os.path.join(user.home, "cache")]

    def export(to, *options):
        return user.run(*one, user.exe, "export", "--python",
                        harness.DEBIAN_PYTHON, *options, small,
                        os.path.join(user.home, to))
    for to in ("cold.tar", "warm.tar"):
        result = export(to, *cache)
        assert result.returncode == 0 and result.stderr == ""
    result = export("dir", *cache)  # they are root's, who is not there
    assert result.returncode == 1 and "--owner 0:0" in result.stderr
    assert export("dir", *cache, "--owner", "0:0").returncode == 0
    result = export("usual.tar")
    assert result.returncode == 0 and "is not kept" in result.stderr


# what fusermount3 says is passed on

def test_umount_of_what_root_mounted(user, pycfs, tree, scratch):
    with pycfs.mount(tree, "-o", "allow_other") as m:
        result = user.pycfs("umount", m.path)
        assert result.returncode == 1 and is_mounted(m.path)
        assert result.stderr.count("\n") == 1
        assert "cannot unmount" in result.stderr
        assert "busy" not in result.stderr


NO_MTAB = """
upper=$(mktemp -d -p "$1")
mkdir "$upper/upper" "$upper/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$upper/upper,workdir=$upper/work" \
	overlay /etc
rm /etc/mtab
shift
exec "$@"
"""


def test_what_cannot_be_unmounted_is_said(user, tree, scratch):
    """fusermount3 unmounts nothing where there is no /etc/mtab, as in a system
    that was made and never started."""
    result = subprocess.run(
        ["unshare", "-m", "sh", "-euc", NO_MTAB, "sh", scratch, *AS_NOBODY,
         user.exe, "run", "--python", harness.DEBIAN_PYTHON, tree, user.at,
         "--", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, env=user.env, cwd=user.home)
    said = result.stderr.decode()
    assert result.returncode == 1, said
    assert "pycfs: error: cannot unmount %s: " % user.at in said
    assert "/etc/mtab" in said.split("cannot unmount")[1]
