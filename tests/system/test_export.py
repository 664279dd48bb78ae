"""An export has the contents of a mount, in every format and with every
option."""
import os
import shutil
import stat
import subprocess
import zipfile

import pytest

import harness
import layers
import oddtrees
import trees
from harness import copy, python
from layers import facts, same

SETS = {
    "plain": [],
    "kept": ["--keep-source", "*", "--keep-source", "!/a*", "-O", "1",
             "--optimize-for", "0:run.py"],
    "excluded": ["--exclude", "*.json", "--exclude", "*.py", "--include",
                 "run.py", "--exclude", "/pkg/", "--exclude", "tests"],
    "normal": ["--modes", "normal", "--mtime", "1600000001", "--owner",
               "12:34", "--invalidation-mode", "checked-hash"],
    "source": ["--on-error", "source", "--invalidation-mode", "timestamp"],
    "omit": ["--on-error", "omit", "--keep-source", "run.py"],
    "linked": ["--exclude", "*.so", "--prefix", "/opt/x"],
    "dated": ["--mtime", "content", "--on-error", "source", "--keep-source",
              "run.py"],
}


def check_all(pycfs, tree, scratch, exe, *options, formats=layers.ARCHIVES):
    """A copy of the mount, and every export of the same."""
    with pycfs.mount(tree, *options, python=exe) as m:
        shown = facts(copy(m, os.path.join(scratch, "copied")))
    assert len(shown) > 5
    out = pycfs.exported(tree, os.path.join(scratch, "out"), *options,
                         python=exe)
    same(shown, facts(out))
    for ending in formats:
        path = pycfs.exported(tree, os.path.join(scratch, "x." + ending),
                              *options, python=exe)
        to = layers.unpack(path, os.path.join(scratch, "un-" + ending))
        same(shown, facts(to), root=False)
        order = layers.names(path)
        assert order == sorted(order) and len(order) == len(shown) - 1
    return shown


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", SETS)
def test_what_a_mount_shows(name, seed, pycfs, scratch):
    number = seed * len(SETS) + list(SETS).index(name)
    target = harness.PYTHONS[number % len(harness.PYTHONS)]
    tree = oddtrees.make(os.path.join(scratch, "site"), number)
    if name in ("source", "omit", "dated"):
        trees.add_broken(tree)
        trees.write(os.path.join(tree, "run", "bad.py"), "x = (\n")
        os.utime(tree, (1500000000, 1500000000))
    tars = [f for f in layers.ARCHIVES if f != "zip"]
    shown = check_all(pycfs, tree, scratch, target.exe, *SETS[name],
                      formats=tars)
    assert name == "excluded" or any(not is_utf8(p) for p in shown)
    for left in ("copied", "out", *("un-" + f for f in tars)):
        oddtrees.drop(os.path.join(scratch, left))
    oddtrees.drop_non_utf8(tree)
    check_all(pycfs, tree, scratch, target.exe, *SETS[name], formats=["zip"])


def is_utf8(path):
    try:
        return path.decode() is not None
    except UnicodeDecodeError:
        return False


def test_the_usual_tree(target, pycfs, tree, scratch):
    """Of every Python; what the README promises is in it."""
    shown = check_all(pycfs, tree, scratch, target.exe, "--keep-source",
                      "core.py", formats=["tar"])
    tag = b"cpython-%d%d" % target.minor
    assert b"pkg/__pycache__/core." + tag + b".pyc" in shown
    assert shown[b"private.pyc"][1] == 0o600
    assert shown[b"outside.py"][0] == "link"
    assert shown[b"link_mod.pyc"][0] == "file"
    assert shown[b"emptydir"][0] == "dir"
    assert b"caf\xe9.pyc" in shown


def test_nothing_at_all(pycfs, scratch):
    site = os.path.join(scratch, "site")
    os.mkdir(site, 0o750)
    os.utime(site, (1500000000, 1500000000))
    same(facts(site), facts(pycfs.exported(site,
                                           os.path.join(scratch, "out"))))
    for ending in layers.ARCHIVES:
        path = pycfs.exported(site, os.path.join(scratch, "x." + ending))
        assert layers.names(path) == []
    # and where all of it is excluded
    trees.write(os.path.join(site, "d", "a.py"), "A = 1\n")
    path = pycfs.exported(site, os.path.join(scratch, "x.tar"), "--exclude",
                          "*")
    assert layers.names(path) == []


def test_without_fuse(pycfs, small, scratch):
    """Nothing of it is asked for: neither device nor right to mount."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    out = os.path.join(scratch, "out")
    pycfs.exported(small, out, prefix=[
        "unshare", "-m", "sh", "-c",
        'mount --bind /dev/null /dev/fuse && exec setpriv --bounding-set '
        '-all --inh-caps -all "$@"', "sh"])
    assert sorted(os.listdir(out)) == ["a.pyc", "b.pyc", "c.pyc", "data.txt"]


# owners

def owners(path):
    return {(m.uid, m.gid, m.uname, m.gname) for m in layers.members(path)}


def test_owners(pycfs, tree, scratch):
    """Those of this machine are in no archive; a directory has them."""
    dest = os.path.join(scratch, "x.tar")
    if os.geteuid() == 0:
        os.chown(os.path.join(tree, "single.py"), 123, 456)
    assert owners(pycfs.exported(tree, dest)) == {(0, 0, "", "")}
    assert owners(pycfs.exported(tree, dest, "--owner", "5:3000000")) == \
        {(5, 3000000, "", "")}
    out = pycfs.exported(tree, os.path.join(scratch, "out"))
    if os.geteuid() == 0:
        st = os.stat(os.path.join(out, "single.pyc"))
        assert (st.st_uid, st.st_gid) == (123, 456)
        pycfs.exported(tree, out, "--owner", "7:8", "--force")
        assert {(os.lstat(os.path.join(os.fsencode(out), p))[4:6])
                for p in facts(out)} == {(7, 8)}


def test_special_bits(pycfs, small, scratch):
    """As with cp -a, also by --owner, which takes them off at first."""
    os.chmod(os.path.join(small, "data.txt"), 0o6755)
    os.chmod(small, 0o1777)
    with pycfs.mount(small) as m:
        shown = facts(copy(m, os.path.join(scratch, "copied")))
    same(shown, facts(pycfs.exported(small, os.path.join(scratch, "out"))))
    path = pycfs.exported(small, os.path.join(scratch, "x.tar"))
    assert [m.mode & 0o7777 for m in layers.members(path)
            if m.name == "data.txt"] == [shown[b"data.txt"][1]]


# --prefix-dir

def test_prefix_dir(pycfs, small, scratch):
    os.chmod(small, 0o750)
    os.utime(small, (1500000000, 1500000000))
    below = "opt/python/lib"
    plain = facts(pycfs.exported(small, os.path.join(scratch, "plain")))
    out = pycfs.exported(small, os.path.join(scratch, "out"), "--prefix-dir",
                         below)
    same(plain, facts(os.path.join(out, below)))
    root = ("dir", 0o750, 1500000000, None)
    for path in ("", "opt", "opt/python", below):
        assert facts(os.path.join(out, path))[b""] == root
    for ending in layers.ARCHIVES:
        path = pycfs.exported(small, os.path.join(scratch, "x." + ending),
                              "--prefix-dir", below)
        assert layers.names(path) == [
            b"opt/", b"opt/python/", b"opt/python/lib/",
            *(b"opt/python/lib/" + n for n in sorted(plain) if n)]
        to = os.path.join(scratch, "un-" + ending)
        same(facts(out), facts(layers.unpack(path, to)), root=False)


def test_python_imports_from_a_zip(target, pycfs, tree, scratch):
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    path = pycfs.exported(tree, os.path.join(scratch, "layer.zip"),
                          python=target.exe)
    run = python(target.exe, "-m", "pkg", "argument",
                 env={"PYTHONPATH": path})
    assert run.stdout == "main __main__ pkg.sub.deep 6765 argument\n"
    run = python(target.exe, "-c", "import m\u00f3dulo, pkg.core as c; "
                 "print(ascii(m\u00f3dulo.M), c.__file__, c.__doc__)",
                 env={"PYTHONPATH": path, "LC_ALL": "C.UTF-8"})
    assert run.stdout == "'\\xf3' %s/pkg/core.pyc None\n" % path


def test_a_layer_as_lambda_unpacks_it(target, pycfs, tree, scratch):
    """By unzip, if that is here, and named as tracebacks say."""
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    opt = os.path.join(scratch, "opt")
    below = "python/lib/python%d.%d/site-packages" % target.minor
    path = pycfs.exported(tree, os.path.join(scratch, "layer.zip"),
                          "--prefix-dir", below, "--prefix",
                          os.path.join(opt, below), "--max-size", "lambda",
                          "--max-compressed-size", "lambda",
                          python=target.exe)
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-q", path, "-d", opt], check=True,
                       timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
        ours = layers.unzip(path, os.path.join(scratch, "ours"))
        same(*(layers.without_link_times(facts(d)) for d in (ours, opt)),
             root=False)
    else:
        layers.unzip(path, opt)
    run = python(target.exe, "-c", "import pkg.core as c; "
                 "print(c.outer.__code__.co_filename)",
                 env={"PYTHONPATH": os.path.join(opt, below)})
    assert run.stdout == "%s/%s/pkg/core.py\n" % (opt, below)


def test_a_name_that_no_zip_holds(pycfs, small, scratch):
    """Refused, with the way out; in a tar it survives."""
    trees.write(os.path.join(small, "caf\udce9.py"), "X = 1\n")
    dest = os.path.join(scratch, "x.zip")
    run = pycfs.export(small, dest)
    assert run.returncode == 1 and "UTF-8" in run.stderr
    assert "--exclude" in run.stderr and run.stderr.count("\n") == 1
    assert not os.path.exists(dest) and not layers.left_over(scratch)
    pycfs.exported(small, dest, "--exclude", "caf*")
    with zipfile.ZipFile(dest) as z:
        assert z.namelist() == ["a.pyc", "b.pyc", "c.pyc", "data.txt"]
    os.unlink(os.path.join(small, "caf\udce9.py"))
    os.symlink(b"caf\xe9", os.path.join(small, "link"))
    assert pycfs.export(small, dest).returncode == 1
    assert layers.names(dest) == [b"a.pyc", b"b.pyc", b"c.pyc", b"data.txt"]


# --hardlink-dupes

@pytest.fixture
def twins(scratch):
    root = os.path.join(scratch, "twins")
    for name in ("a/data", "b/data", "c", "c2"):
        trees.write(os.path.join(root, name), b"equal" * 1000)
    trees.write(os.path.join(root, "mode"), b"equal" * 1000, 0o755)
    trees.write(os.path.join(root, "time"), b"equal" * 1000)
    trees.write(os.path.join(root, "other"), b"Equal" * 1000)
    for name in ("empty", "empty2"):
        trees.write(os.path.join(root, name))
    for name in ("one.pyc", "two.pyc"):
        trees.write(os.path.join(root, name), b"not compiled")
    for top, dirs, files in os.walk(root):
        for name in [*files, *dirs, "."]:
            os.utime(os.path.join(top, name), (1500000000, 1500000000))
    os.utime(os.path.join(root, "time"), (1500000001, 1500000001))
    return root


LINKED = {"b/data": "a/data", "c": "a/data", "c2": "a/data",
          "two.pyc": "one.pyc"}


def test_hard_links_in_a_directory(pycfs, twins, scratch):
    out = pycfs.exported(twins, os.path.join(scratch, "out"),
                         "--hardlink-dupes")
    plain = pycfs.exported(twins, os.path.join(scratch, "plain"))
    same(facts(plain), facts(out))
    st = {os.fsdecode(p): os.lstat(os.path.join(os.fsencode(out), p))
          for p in facts(out)}
    counts = {"a/data": 4, "b/data": 4, "c": 4, "c2": 4, "one.pyc": 2,
              "two.pyc": 2}
    for path, s in st.items():
        if not stat.S_ISDIR(s.st_mode):
            assert s.st_nlink == counts.get(path, 1), path
    for path, first in LINKED.items():
        assert st[path].st_ino == st[first].st_ino


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.zst"])
def test_hard_links_in_a_tar(ending, pycfs, twins, scratch):
    path = pycfs.exported(twins, os.path.join(scratch, "x." + ending),
                          "--hardlink-dupes", "--prefix-dir", "p")
    assert {m.name: m.linkname for m in layers.members(path) if m.islnk()} \
        == {"p/" + k: "p/" + v for k, v in LINKED.items()}
    to = layers.unpack(path, os.path.join(scratch, "un"))
    same(facts(twins), facts(os.path.join(to, "p")))


def test_equal_modules_become_links(pycfs, tree, scratch):
    """Of generated bytecode too; with what every other tree has."""
    for name in ("p", "q"):
        trees.write(os.path.join(tree, name, "same.bin"), b"x" * 5000)
    options = ["--mtime", "1500000000", "--modes", "normal", "--prefix-dir",
               "x", "--keep-source", "core.py"]
    out = pycfs.exported(tree, os.path.join(scratch, "out"), *options)
    for ending in ("tar", "tar.gz"):
        path = pycfs.exported(tree, os.path.join(scratch, "x." + ending),
                              *options, "--hardlink-dupes")
        to = layers.unpack(path, os.path.join(scratch, "un-" + ending))
        same(facts(out), facts(to), root=False)
        assert "x/q/same.bin" in [m.name for m in layers.members(path)
                                  if m.islnk()]
