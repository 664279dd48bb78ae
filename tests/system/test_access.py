"""Who can see which files, and who could exchange a file or directory that
pycfs uses."""
import ctypes
import errno
import os
import shutil
import stat
import subprocess
import threading
import time

import pytest

import harness
import trees
from harness import is_mounted, read
from test_user import NOBODY, User, device  # noqa: F401 (a fixture)

SECRET = b"a secret that lies outside of SOURCE"
SECONDS = float(os.environ.get("PYCFS_TEST_SECONDS", "2"))
RENAME_EXCHANGE = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def exchange(a, b):
    if LIBC.renameat2(-100, os.fsencode(a), -100, os.fsencode(b),
                      RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# what is shown

def test_special_bits_are_dropped(mount, scratch):
    root = os.path.join(scratch, "site")
    for name in ("tool", "mod.py", "data.txt"):
        trees.write(os.path.join(root, name), "x = 1\n", 0o6755)
    os.mkdir(os.path.join(root, "open"))
    os.chmod(os.path.join(root, "open"), 0o7777)
    trees.write(os.path.join(root, "open/a.py"), "a = 1\n", 0o1666)
    assert mode_of(os.path.join(root, "tool")) == 0o6755
    with mount(root) as m:
        for name in ("tool", "mod.pyc", "data.txt"):
            assert mode_of(m / name) == 0o755, name
        assert mode_of(m / "open") == 0o777
        assert mode_of(m / "open/a.pyc") == 0o666
        with pytest.raises(PermissionError if os.geteuid() else OSError):
            os.chmod(m / "tool", 0o4755)


def test_links_that_lead_out_stay_links(mount, pycfs, scratch):
    outside = os.path.join(scratch, "outside")
    trees.write(os.path.join(outside, "mod.py"), b"x = %r\n" % SECRET)
    trees.write(os.path.join(outside, "mod.pyc"), SECRET)
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "a.py"), "a = 1\n")
    links = {"abs.py": os.path.join(outside, "mod.py"),
             "rel.py": "../outside/mod.py",
             "over.py": "../../../../../../../../etc/passwd",
             "dir": outside, "up": "..", "proc.py": "/proc/self/environ",
             "through.py": "dir/mod.py", "twice.py": "rel.py",
             "fd.py": "/proc/self/fd/0", "dots.py": "./../site/../outside/mod.py",
             "root": "/"}
    for name, target in links.items():
        os.symlink(target, os.path.join(root, name))
    os.symlink("../site/a.py", os.path.join(root, "back.py"))
    out = os.path.join(scratch, "out")
    with mount(root) as m:
        shown = set(os.listdir(m.path))
        for name, target in links.items():
            assert os.readlink(m / name) == target
        for name in links:
            if name.endswith(".py"):
                assert name + "c" not in shown
                with pytest.raises(FileNotFoundError):
                    os.lstat(m / (name + "c"))
        harness.copy(m, out)
    exported = pycfs.exported(root, os.path.join(scratch, "exported"))
    for tree in (out, exported):
        for path, data in harness.tree_bytes(tree).items():
            if data and not os.path.islink(os.path.join(os.fsencode(tree),
                                                        path)):
                assert SECRET not in data, path


@pytest.mark.parametrize("options", [(), ("--immutable",)])
def test_a_directory_turned_into_a_link(options, mount, scratch):
    """Whatever is swapped, and when, nothing from outside is seen."""
    outside = os.path.join(scratch, "outside")
    root = os.path.join(scratch, "site")
    for top, text in ((outside, SECRET), (os.path.join(root, "d"), b"inside")):
        for name in ("data", "m.py", "sub/data", "sub/m.py"):
            trees.write(os.path.join(top, name),
                        b"x = %r\n" % text if name.endswith("py") else text)
    trees.write(os.path.join(outside, "only_outside"), SECRET)
    trees.write(os.path.join(root, "f.py"), "x = 'inside'\n")
    pairs = [(os.path.join(root, a), os.path.join(scratch, b)) for a, b in (
        ("d", "link_d"), ("f.py", "link_f"))]
    os.symlink(outside, os.path.join(scratch, "link_d"))
    os.symlink(os.path.join(outside, "m.py"), os.path.join(scratch, "link_f"))
    over = threading.Event()
    swaps = [0]

    def swap():
        while not over.is_set():
            for a, b in pairs:
                exchange(a, b)
            swaps[0] += 1
            time.sleep(0.0005 if swaps[0] % 2 else 0.002)

    seen, errors = {"bytes": 0, "names": 0}, set()

    def look(m):
        for name in ("d/data", "d/m.pyc", "d/sub/data", "d/sub/m.pyc",
                     "f.pyc"):
            try:
                # the caller's kernel follows a link; ours must not
                path = os.path.join(m.path, name)
                if any(os.path.islink(os.path.join(m.path, part))
                       for part in ("d", "f.pyc")):
                    continue
                fd = os.open(path, os.O_RDONLY)
                try:
                    if os.fstat(fd).st_dev != device_of:
                        continue
                    data = os.read(fd, 10000)
                finally:
                    os.close(fd)
                assert SECRET not in data, name
                seen["bytes"] += b"inside" in data
            except OSError as e:
                errors.add(e.errno)
        for name in ("d", "d/sub"):
            try:
                fd = os.open(m / name, os.O_RDONLY)
            except OSError as e:
                errors.add(e.errno)
                continue
            try:
                if os.fstat(fd).st_dev == device_of:
                    names = os.listdir(fd)
                    assert "only_outside" not in names
                    seen["names"] += "m.pyc" in names
            except OSError as e:
                errors.add(e.errno)
            finally:
                os.close(fd)

    with mount(root, *options) as m:
        device_of = os.stat(m.path).st_dev
        look(m)
        assert min(seen.values()) > 0, (seen, errors)
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                look(m)
        finally:
            over.set()
            thread.join(10)
    assert swaps[0] > 20
    assert errors <= {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE,
                      errno.EIO, errno.EAGAIN, errno.EXDEV, errno.EINVAL}, \
        sorted(map(errno.errorcode.get, errors))


@pytest.mark.root
def test_others_may_not_look(mount, tree, scratch):
    """Not without allow_other; with it, as far as the modes say."""
    os.chmod(os.path.join(tree, "pkg"), 0o700)

    def other(*command):
        return subprocess.run(
            ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
             "--clear-groups", "--", *command], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=20).returncode
    with mount(tree) as m:
        for command in (["ls", m.path], ["cat", m / "single.pyc"],
                        ["stat", m / "single.pyc"]):
            assert other(*command) != 0, command
    with mount(tree, "-o", "allow_other") as m:
        assert other("ls", m.path) == 0
        assert other("cat", m / "single.pyc") == 0
        assert other("ls", m / "pkg") != 0
        assert other("cat", m / "pkg/core.pyc") != 0


# what the cache may be

def refused(pycfs, small, scratch, cache, *words, **how):
    """Neither a mount nor an export, nor a look at it, uses this cache."""
    at = os.path.join(scratch, "at")
    os.makedirs(at, exist_ok=True)
    to = os.path.join(scratch, "never")
    for args in (["mount", "--python", harness.DEBIAN_PYTHON, "--cache", cache,
                  small, at],
                 ["export", "--python", harness.DEBIAN_PYTHON, "--cache",
                  cache, small, to]):
        result = pycfs.run(*args, **how)
        assert result.returncode == 1, (args, result.stderr)
        assert result.stderr.startswith("pycfs: ")
        assert result.stderr.count("\n") == 1, result.stderr
        for word in (*words, "--no-cache"):
            assert word in result.stderr, (word, result.stderr)
    assert not is_mounted(at)
    assert not os.path.exists(to)


def cached(pycfs, small, cache):
    pycfs.ok("export", "--python", harness.DEBIAN_PYTHON, "--cache", cache,
             small, cache + ".out")
    shutil.rmtree(cache + ".out")
    inner = [d for d, _, files in os.walk(cache) if "data.mdb" in files]
    assert len(inner) == 1
    return inner[0]


def test_a_cache_that_others_can_write(pycfs, small, scratch):
    cache = os.path.join(scratch, "c")
    inner = cached(pycfs, small, cache)
    for mode in (0o777, 0o1777, 0o770, 0o702):
        os.chmod(cache, mode)
        refused(pycfs, small, scratch, cache, cache, "go-w")
    os.chmod(cache, 0o700)
    os.chmod(os.path.join(inner, "data.mdb"), 0o666)
    refused(pycfs, small, scratch, cache, "data.mdb")
    os.chmod(os.path.join(inner, "data.mdb"), 0o600)
    cached(pycfs, small, cache)


def test_a_cache_of_links(pycfs, small, scratch):
    cache = os.path.join(scratch, "c")
    inner = cached(pycfs, small, cache)
    link = os.path.join(scratch, "link")
    os.symlink(cache, link)
    refused(pycfs, small, scratch, link, "symbolic link")
    for name in ("data.mdb", "lock.mdb"):
        path = os.path.join(inner, name)
        other = os.path.join(scratch, "other")
        # another name, through which it could be changed unseen
        os.link(path, other)
        refused(pycfs, small, scratch, cache, name, "other name")
        os.rename(path, path + ".kept")
        os.symlink(other, path)
        refused(pycfs, small, scratch, cache, name)
        os.unlink(path)
        os.unlink(other)
        os.rename(path + ".kept", path)
    cached(pycfs, small, cache)


def test_a_cache_that_others_can_replace(pycfs, small, scratch):
    """Each directory on the way counts, that of a link as well."""
    above = os.path.join(scratch, "above")
    cache = os.path.join(above, "deep", "c")
    os.makedirs(os.path.dirname(cache))
    os.mkdir(os.path.join(scratch, "open"))
    cached(pycfs, small, cache)
    os.chmod(above, 0o777)
    refused(pycfs, small, scratch, cache, above, "chmod +t")
    link = os.path.join(scratch, "link")
    os.symlink(os.path.join(above, "deep"), link)
    refused(pycfs, small, scratch, os.path.join(link, "c"), above)
    os.chmod(above, 0o1777)
    cached(pycfs, small, cache)
    os.chmod(above, 0o775)
    cached(pycfs, small, cache)
    shared = os.path.join(scratch, "open", "link")
    os.symlink(os.path.join(above, "deep"), shared)
    os.chmod(os.path.dirname(shared), 0o777)
    refused(pycfs, small, scratch, os.path.join(shared, "c"),
            os.path.dirname(shared))


@pytest.mark.root
def test_the_cache_of_somebody_else(device, pycfs, small, scratch):  # noqa: F811
    """Even root does not take what another user made, whoever asks him to."""
    user = User(pycfs, scratch)
    theirs = os.path.join(user.home, ".cache", "pycfs")
    poisoned = os.path.join(user.home, "poisoned")
    shutil.copytree(small, poisoned)
    os.chown(poisoned, NOBODY, NOBODY)
    user.ok("export", "--python", harness.DEBIAN_PYTHON, poisoned,
            os.path.join(user.home, "out1"))
    assert os.stat(theirs).st_uid == NOBODY
    refused(pycfs, small, scratch, theirs, "user %d" % NOBODY)
    inner = next(d for d, _, files in os.walk(theirs) if "data.mdb" in files)
    os.chown(theirs, 0, 0)
    refused(pycfs, small, scratch, theirs, "user %d" % NOBODY)
    os.chown(inner, 0, 0)
    refused(pycfs, small, scratch, theirs, ".mdb")
    for verb in ("stat", "verify", "clear"):
        result = pycfs.run("cache", verb, "--cache", theirs)
        assert result.returncode == 1, (verb, result.stdout)


@pytest.mark.root
def test_by_sudo(device, pycfs, small, scratch):  # noqa: F811
    """Root with the environment of a user writes nothing of his."""
    user = User(pycfs, scratch)
    subprocess.run(["chown", "-R", "%d" % NOBODY, user.home], check=True)
    before = sorted(os.walk(user.home))
    env = dict(user.env, SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY),
               SUDO_USER="nobody", XDG_CACHE_HOME=user.home + "/.cache")
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c",
         "mount -t tmpfs tmpfs /var/cache && "
         '"$0" export --python "$1" "$2" "$3" && '
         "stat -c %u:%a /var/cache/pycfs",
         harness.program(), harness.DEBIAN_PYTHON, small,
         os.path.join(scratch, "out")],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == b"0:700"
    assert sorted(os.walk(user.home)) == before
    assert all(os.lstat(os.path.join(d, n)).st_uid == NOBODY
               for d, dirs, files in os.walk(user.home) for n in dirs + files)


@pytest.mark.root
def test_two_users(device, pycfs, small, scratch):  # noqa: F811
    """Each has a cache of his own, and what they make is the same."""
    user = User(pycfs, scratch)
    subprocess.run(["chmod", "-R", "a+rX", small], check=True)
    options = ("--python", harness.DEBIAN_PYTHON, "--owner", "0:0")
    ours = os.path.join(scratch, "ours.tar")
    theirs = os.path.join(user.home, "theirs.tar")
    jobs = [subprocess.Popen(
        [*prefix, exe, "export", *options, small, to], env=env,
        stderr=subprocess.PIPE) for prefix, exe, to, env in (
            ([], harness.program(), ours, pycfs.env()),
            (["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
              "--clear-groups", "--"], user.exe, theirs, user.env))]
    for job in jobs:
        assert job.wait(60) == 0, job.stderr.read()
        job.stderr.close()
    assert read(ours) == read(theirs)
    assert os.stat(theirs).st_uid == NOBODY
    assert os.stat(pycfs.cache).st_uid == 0
    assert os.stat(os.path.join(user.home, ".cache/pycfs")).st_uid == NOBODY


# where the view may be

@pytest.mark.root
def test_a_mountpoint_within_source_by_another_name(pycfs, small, scratch):
    """A bind mount is the same directory: with shared propagation the view
    would appear in its own source, and asking it would never end."""
    other = os.path.join(scratch, "other")
    os.makedirs(other)
    os.makedirs(os.path.join(small, "in"))
    script = ('mount --make-rshared / && mount --bind "$2" "$3" && '
              '! "$0" mount --python "$1" "$3" "$2/in" && '
              '! "$0" mount --python "$1" -o nonempty "$3/in" "$2" && '
              '! "$0" export --python "$1" "$3" "$2/in/out"')
    result = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script, harness.program(),
         harness.DEBIAN_PYTHON, small, other], env=pycfs.env(),
        stderr=subprocess.PIPE, timeout=60)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 0 and len(lines) == 3, lines
    assert "is inside SOURCE" in lines[0] and "is inside MOUNTPOINT" in lines[1]
    assert " is in " in lines[2]
