"""Sources of unusual size, or on unusual file systems. tools/large measures
much larger ones.
"""
import contextlib
import errno
import os
import shutil
import subprocess

import pytest

import harness
import trees
from harness import copy, read, tree_bytes


def go_down(top, names):
    """Makes a directory in a directory, however long the path gets; a file
    m.py in the last and in every hundredth."""
    fd = os.open(top, os.O_RDONLY)
    try:
        for i, name in enumerate(names, 1):
            os.mkdir(name, dir_fd=fd)
            below = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
            if i % 100 == 0 or i == len(names):
                m = os.open("m.py", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
                os.write(m, b"x = %d\n" % i)
                os.close(m)
    finally:
        os.close(fd)


def climb(top):
    """(names down to the deepest directory, how many m.pyc are on the way),
    by one directory at a time, as find(1) and cp(1) go."""
    fd = os.open(top, os.O_RDONLY)
    depth = modules = 0
    try:
        while True:
            names = os.listdir(fd)
            if "m.pyc" in names:
                m = os.open("m.pyc", os.O_RDONLY, dir_fd=fd)
                modules += len(os.read(m, 4096)) > 16
                os.close(m)
            dirs = [n for n in names if n != "m.pyc"]
            if not dirs:
                return depth, modules
            below = os.open(dirs[0], os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
            depth += 1
    finally:
        os.close(fd)


@pytest.fixture
def deep(scratch):
    """Removed afterwards: shutil.rmtree does not get that deep."""
    top = os.path.join(scratch, "deep")
    os.mkdir(top)
    yield top
    subprocess.run(["rm", "-rf", top], check=True, timeout=60)


def test_a_thousand_levels(mount, pycfs, deep):
    root = os.path.join(deep, "site")
    os.mkdir(root)
    go_down(root, ["%03d" % i for i in range(1000)])
    out = os.path.join(deep, "out")
    with mount(root) as m:
        assert climb(m.path) == (1000, 10)
        copy(m, out)
    assert climb(out) == (1000, 10)
    pycfs.exported(root, os.path.join(deep, "exported"))
    assert climb(os.path.join(deep, "exported")) == (1000, 10)


@pytest.mark.parametrize("length", [3, 255])
def test_paths_too_long_for_the_kernel(length, mount, pycfs, deep):
    """4,095 bytes are a path; what lies below is an error, not forgotten."""
    root = os.path.join(deep, "site")
    os.mkdir(root)
    n = 4400 // (length + 1)
    go_down(root, [("%03d" % i) * (length // 3) for i in range(n)])
    fits = 4095 // (length + 1)
    with mount(root) as m:
        with pytest.raises(OSError) as e:
            climb(m.path)
        assert e.value.errno == errno.ENAMETOOLONG
        cp = subprocess.run(["cp", "-a", m.path + "/.",
                             os.path.join(deep, "out")],
                            stderr=subprocess.PIPE, timeout=60)
        assert cp.returncode != 0 and b"too long" in cp.stderr
    assert climb(os.path.join(deep, "out"))[0] in range(fits - 20, fits + 2)
    dest = os.path.join(deep, "layer.tar")
    result = pycfs.export(root, dest)
    assert result.returncode == 1
    assert "too long" in result.stderr, result.stderr[-300:]
    assert not os.path.exists(dest)


def test_longest_names(mount, pycfs, scratch):
    root = os.path.join(scratch, "site")
    longest, fits = "l" * 252 + ".py", "f" * 251 + ".py"
    wide = "\u00e9" * 126 + ".py"  # 255 bytes
    deep = os.path.join("d" * 255, "e" * 255)
    for name in (longest, fits, wide, os.path.join(deep, fits),
                 os.path.join(deep, "n" * 255)):
        trees.write(os.path.join(root, name), "x = 1\n")
    dest = os.path.join(scratch, "exported")
    with mount(root) as m:
        # without a name for its .pyc, the source itself is shipped
        assert set(os.listdir(m.path)) == {longest, wide, fits + "c",
                                           "d" * 255}
        shown = tree_bytes(m)
        assert shown[longest.encode()] == b"x = 1\n"
        assert shown[os.path.join(deep, fits + "c").encode()][:4] != b"x = "
        copy(m, os.path.join(scratch, "out"))
        log = m.log()
    assert log.count("shipped as source") == 2 and longest in log
    result = pycfs.export(root, dest)
    assert result.returncode == 0
    assert tree_bytes(dest) == shown == tree_bytes(os.path.join(scratch, "out"))
    for said in (result.stderr, pycfs.ok(
            "report", "--python", harness.DEBIAN_PYTHON, root).stderr):
        assert longest in said and "shipped as source" in said, said


# file systems

def site(scratch):
    root = os.path.join(scratch, "real")
    for name in ("a.py", "pkg/b.py", "pkg/data.txt", "empty/.keep"):
        trees.write(os.path.join(root, name), "x = %r\n" % name)
    trees.age(root)
    return root


@contextlib.contextmanager
def mounted(at, *args):
    os.makedirs(at, exist_ok=True)
    subprocess.run(["mount", *args, at], check=True, timeout=20)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-R", "-l", at], timeout=20)


def same(mount, pycfs, source, reference, scratch):
    """What a mount and an export show of `source` is the reference."""
    with mount(source) as m:
        assert tree_bytes(m) == reference
        assert tree_bytes(m) == reference
    to = os.path.join(scratch, "same")
    assert tree_bytes(pycfs.exported(source, to)) == reference
    shutil.rmtree(to)


@pytest.mark.root
def test_other_file_systems(mount, pycfs, scratch):
    real = site(scratch)
    reference = tree_bytes(pycfs.exported(real, os.path.join(scratch, "ref")))
    at = os.path.join(scratch, "at")
    with mounted(at, "-t", "tmpfs", "tmpfs"):
        copy(real, at)
        same(mount, pycfs, at, reference, scratch)
        subprocess.run(["mount", "-o", "remount,ro", at], check=True)
        same(mount, pycfs, at, reference, scratch)
    with mounted(at, "--bind", real):
        # a mount within: it is part of the tree
        with mounted(os.path.join(at, "empty"), "-t", "tmpfs", "tmpfs"):
            trees.write(os.path.join(at, "empty/c.py"), "x = 'c'\n")
            with mount(at) as m:
                got = tree_bytes(m)
                assert b"empty/c.pyc" in got and b"empty/.keep" not in got
                assert len(got) == len(reference)
        same(mount, pycfs, at, reference, scratch)
    lower, upper, work = (os.path.join(scratch, d) for d in ("l", "u", "w"))
    for d in (lower, upper, work):
        os.mkdir(d)
    shutil.move(os.path.join(real, "pkg"), lower)
    copy(real, upper)
    # overlayfs needs a file system with xattrs and whiteouts for its upper
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s,"
                       "upperdir=%s,workdir=%s" % (lower, upper, work), at],
                      stderr=subprocess.DEVNULL).returncode == 0:
        same(mount, pycfs, at, reference, scratch)
        with mount(at) as m:
            assert len(read(m / "pkg/b.pyc")) > 16
            trees.write(os.path.join(at, "pkg/b.py"), "x = 'copied up'\n")
            os.unlink(os.path.join(at, "a.py"))
            harness.wait_for(lambda: b"copied up" in read(m / "pkg/b.pyc")
                             and "a.pyc" not in os.listdir(m.path), 10,
                             "changes are seen through an overlay")
        subprocess.run(["umount", at], check=True)


def test_a_mount_of_a_mount(mount, pycfs, scratch):
    """What is compiled passes through; nothing is compiled twice."""
    real = site(scratch)
    with mount(real) as below:
        reference = tree_bytes(below)
        with mount(below.path) as above:
            assert tree_bytes(above) == reference
            assert above.count("compiled") == 0
            harness.detach(below.path)
            for call in (os.listdir, os.stat):
                with contextlib.suppress(OSError):
                    call(above / "pkg")
        assert not harness.daemons(above.path)


def test_nothing_to_show(mount, pycfs, scratch):
    for name, files in (("empty", ()), ("hidden", (
            "__pycache__/a.cpython-311.pyc", "b.pyo", "c.pyo")),
            ("dots", (".a", ".b/.c"))):
        root = os.path.join(scratch, name)
        os.mkdir(root)
        for f in files:
            trees.write(os.path.join(root, f), "")
        with mount(root) as m:
            assert set(tree_bytes(m)) == ({b".a", b".b", b".b/.c"}
                                          if name == "dots" else set())
            assert m.count("compiled") == 0
        out = pycfs.exported(root, os.path.join(scratch, name + ".out"))
        assert len(os.listdir(out)) == (2 if name == "dots" else 0)
        pycfs.exported(root, os.path.join(scratch, name + ".tar"))
        pycfs.exported(root, os.path.join(scratch, name + ".zip"))
        pycfs.ok("report", "--python", harness.DEBIAN_PYTHON, root)
