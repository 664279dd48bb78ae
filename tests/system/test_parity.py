"""A copy of a mount compared with what compileall of the target Python makes.
"""
import json
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

import harness
import trees
from harness import copy, python, read

HERE = os.path.dirname(os.path.abspath(__file__))
SLICE = ("json", "asyncio", "email", "concurrent", "logging", "unittest",
         "xml", "argparse.py", "ast.py", "dataclasses.py", "decimal.py",
         "_pydecimal.py", "typing.py", "enum.py", "inspect.py", "pickle.py",
         "statistics.py", "tarfile.py", "turtle.py", "subprocess.py")


def with_stdlib(tree, target):
    """Adds a part of the target's own standard library to the tree."""
    for name in SLICE:
        source = os.path.join(target.stdlib, name)
        to = os.path.join(tree, "std", name)
        if os.path.isdir(source):
            shutil.copytree(source, to,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(source, to)
    # Programs among the modules would stay sources as scripts.
    for top, _, names in os.walk(os.path.join(tree, "std")):
        for name in names:
            path = os.path.join(top, name)
            if name.endswith(".py") and not os.path.islink(path):
                os.chmod(path, 0o644)
    trees.age(os.path.join(tree, "std"))
    return tree


def compileall(target, tree, to, level=2, ranges=False, mode=None):
    """A copy of the tree with what compileall -b -o LEVEL makes of it."""
    subprocess.run(["cp", "-a", tree, to], check=True, timeout=60)
    # Written for a name too long for a .pyc, and through links that lead out:
    # neither is in a view.
    for name in (trees.LONG_NAME, "outside.py", "dangling.py", "loop.py"):
        os.unlink(os.path.join(to, name))
    args = ["-m", "compileall", "-b", "-f", "-q"]
    if target.minor >= (3, 9):
        args += ["-o", str(level)]
    else:
        args = ["-" + "O" * level] * bool(level) + args
    if mode:
        args += ["--invalidation-mode", mode]
    python(target.exe, *args, ".", cwd=to, timeout=240,
           env={} if ranges else {"PYTHONNODEBUGRANGES": "1"})
    return to


def compare(target, reference, got):
    out = python(target.exe, "-I", "-S", os.path.join(HERE, "codecmp.py"),
                 reference, got, timeout=120)
    result = json.loads(out.stdout)
    assert result["differences"] == []
    return result


def check(target, mount, tree, scratch, level, *options, ranges=False):
    reference = compileall(target, tree, os.path.join(scratch, "reference"),
                           level, ranges)
    with mount(tree, "-O", level, "--profile", "strict", *options,
               python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
        counters = m.counters()
    result = compare(target, reference, out)
    modules = trees.modules(tree)
    assert counters["compiled"] > 100
    assert counters["rejected"] == 0 and counters["crashes"] == 0
    # the comparison has seen every module, and the sourceless one
    assert result["files"] + result["foreign"] == len(modules) + 1
    assert result["foreign"] == (target.minor != (3, 11))
    assert result["codes"] > 1000 and result["constants"] > 5000
    return result, modules


def test_equal_to_compileall(target, mount, tree, scratch):
    with_stdlib(tree, target)
    result, modules = check(target, mount, tree, scratch, 2)
    assert set(result["ranges"]) <= {"sourceless.pyc"}  # not compiled here
    # co_filename, in every nested code object
    for path, source in modules.items():
        assert result["filenames"][os.fsdecode(path)] == \
            ["/site-packages/" + os.fsdecode(source)]
    # header: unchecked hash of the source
    magic = python(target.exe, "-c", "import importlib.util as u; "
                   "print(u.MAGIC_NUMBER.hex())").stdout.strip()
    for path in modules:
        head = result["headers"][os.fsdecode(path)]
        assert head.startswith(magic + "01000000")


def test_equal_with_debug_ranges(target, mount, tree, scratch):
    with_stdlib(tree, target)
    result, _ = check(target, mount, tree, scratch, 2, "--debug-ranges",
                      ranges=True)
    if target.minor >= (3, 11):
        assert sum(result["ranges"].values()) > 10000
    else:
        assert result["ranges"] == {}


@pytest.mark.parametrize("level", [0, 1])
def test_equal_at_other_levels(level, mount, tree, scratch):
    target = harness.newest()
    with_stdlib(tree, target)
    check(target, mount, tree, scratch, level)
    core = read(os.path.join(scratch, "out", "pkg", "core.pyc"))
    assert b"Docstring of member" in core
    assert (b"asserts go at level 1" in core) == (level == 0)


def test_equal_in_cpythons_own_form(mount, tree, scratch):
    target = harness.newest()
    with_stdlib(tree, target)
    check(target, mount, tree, scratch, 2, "--marshal", "cpython")


def test_bytes_of_what_compileall_imports(target, mount, scratch):
    """The names in these are interned in every run of it, which up to 3.10
    shows in how they are written."""
    site = os.path.join(scratch, "site")
    names = ["contextlib.py", "linecache.py", "tokenize.py", "traceback.py",
             os.path.join("importlib", "util.py")]
    for name in names:
        to = os.path.join(site, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(os.path.join(target.stdlib, name), to)
    trees.age(site)
    theirs = os.path.join(scratch, "theirs")
    shutil.copytree(site, theirs)
    python(target.exe, "-m", "compileall", "-b", "-q", "-d", "/opt/p",
           "--invalidation-mode", "timestamp", theirs,
           env={"PYTHONNODEBUGRANGES": "1"})
    with mount(site, "--marshal", "cpython", "--invalidation-mode",
               "timestamp", "--prefix", "/opt/p", "-O", "0",
               python=target.exe) as m:
        other = [n for n in names
                 if read(m / (n + "c")) != read(os.path.join(theirs, n + "c"))]
    assert other == []


def test_level_2_drops_docstrings(mount, tree, scratch):
    with mount(tree) as m:
        core = read(m / "pkg/core.pyc")
    assert b"Docstring of" not in core and b"asserts go" not in core
    assert b"identifier" in core


def test_names_follow_the_rules(mount, tree, scratch):
    view = trees.expected(tree)
    with mount(tree) as m:
        assert trees.listing(m.path) == trees.shape(view)
        out = copy(m, os.path.join(scratch, "out"))
    assert trees.listing(out) == trees.shape(view)
    # the rules spelled out, in case expected() is wrong itself
    names = set(os.listdir(out))
    assert {"single.pyc", "link_mod.pyc", "link_up.pyc", "link_link.pyc",
            "dangling.py", "outside.py", "loop.py", "link_dir", "link_dir.py",
            "dir.py", "upper.PY", "notes.py.txt", ".hidden.pyc",
            "sourceless.pyc", trees.LONG_NAME, "odd name.pyc",
            "emptydir"} <= names
    assert not {"single.py", "link_mod.py", "__pycache__", "outside.pyc",
                "link_dir.pyc", "dir.pyc", "upper.pyc"} & names
    assert sorted(os.listdir(os.path.join(out, "pkg"))) == [
        "__init__.pyc", "__main__.pyc", "big.bin", "core.pyc", "data.json",
        "fast.cpython-311-x86_64-linux-gnu.so", "py.typed", "stub.pyi", "sub"]
    assert b"caf\xe9.pyc" in os.listdir(os.fsencode(out))


def test_what_is_no_module_is_unchanged(mount, tree, scratch):
    with mount(tree) as m:
        out = os.fsencode(copy(m, os.path.join(scratch, "out")))
    root = os.fsencode(tree)
    n = {"dir": 0, "file": 0, "link": 0, "module": 0}
    for path, (kind, source) in trees.expected(tree).items():
        n[kind] += 1
        a, b = os.path.join(root, source), os.path.join(out, path)
        if kind == "link":
            assert os.readlink(a) == os.readlink(b)
        elif kind == "file":
            assert read(a) == read(b), path
        old = os.stat(a) if kind == "module" else os.lstat(a)
        new = os.lstat(b)
        if kind == "module":
            assert stat.S_ISREG(new.st_mode), path
        if kind != "link":
            assert stat.S_IMODE(new.st_mode) == stat.S_IMODE(old.st_mode), path
        assert int(new.st_mtime) == int(old.st_mtime), path
        assert (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid)
    assert min(n.values()) > 5, n


def test_sizes_are_exact(mount, tree):
    with mount(tree) as m:
        seen = 0
        for path, kind in trees.listing(m.path).items():
            if kind != "file":
                continue
            full = os.path.join(os.fsencode(m.path), path)
            size = os.stat(full).st_size
            assert size == len(read(full)), path
            with open(full, "rb") as f:
                assert os.fstat(f.fileno()).st_size == size
            seen += 1
        assert seen > 30


def test_parts_of_a_file_can_be_read(mount, tree):
    with mount(tree) as m:
        for name in ("pkg/core.pyc", "pkg/big.bin"):
            whole = read(m / name)
            with open(m / name, "rb", buffering=0) as f:
                for at in (0, 1, 4095, 4096, 4097, len(whole) - 1):
                    assert os.pread(f.fileno(), 5000, at) == \
                        whole[at:at + 5000]
                assert os.pread(f.fileno(), 10, len(whole)) == b""
                assert os.pread(f.fileno(), 10, len(whole) + 4096) == b""


def test_tar_is_the_same_as_cp(mount, tree, scratch):
    archive = os.path.join(scratch, "out.tar")
    with mount(tree) as m:
        out = copy(m, os.path.join(scratch, "out"))
    with mount(tree, cache=os.path.join(scratch, "other")) as m:
        subprocess.run(["tar", "-C", m.path, "-cf", archive, "."], check=True,
                       timeout=60, stdin=subprocess.DEVNULL)
    assert os.path.getsize(archive) > 300000
    untarred = os.path.join(scratch, "untarred")
    os.mkdir(untarred)
    subprocess.run(["tar", "-C", untarred, "-xf", archive], check=True,
                   timeout=60)
    assert harness.tree_bytes(untarred) == harness.tree_bytes(out)
    with tarfile.open(archive, errors="surrogateescape") as t:
        assert all(not i.pax_headers.get("SCHILY.xattr") for i in t)


def test_inode_numbers_tell_files_apart(mount, tree):
    """tar and cp -a take equal numbers for hard links."""
    with mount(tree) as m:
        seen = {}
        for path in trees.listing(m.path):
            st = os.lstat(os.path.join(os.fsencode(m.path), path))
            assert st.st_ino not in seen, (path, seen[st.st_ino])
            seen[st.st_ino] = path
            if not stat.S_ISDIR(st.st_mode):
                assert st.st_nlink == 1, path


def test_prefix(mount, tree, scratch):
    target = harness.newest()
    reference = compileall(target, tree, os.path.join(scratch, "reference"))
    with mount(tree, "--prefix", "/opt/python/lib",
               python=target.exe) as m:
        result = compare(target, reference,
                         copy(m, os.path.join(scratch, "out")))
    for path, source in trees.modules(tree).items():
        assert result["filenames"][os.fsdecode(path)] == \
            ["/opt/python/lib/" + os.fsdecode(source)]


@pytest.mark.parametrize("mode", ["unchecked-hash", "checked-hash",
                                  "timestamp"])
def test_headers_are_compilealls(mode, mount, tree, scratch):
    target = harness.newest()
    reference = compileall(target, tree, os.path.join(scratch, "reference"),
                           mode=mode)
    with mount(tree, "--invalidation-mode", mode, python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
    flags = {"unchecked-hash": 1, "checked-hash": 3, "timestamp": 0}[mode]
    checked = 0
    for path in trees.modules(tree):
        ours = read(os.path.join(os.fsencode(out), path))[:16]
        assert ours == read(os.path.join(os.fsencode(reference), path))[:16]
        assert trees.header(ours)[1] == flags
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("mode", ["checked-hash", "timestamp"])
def test_header_is_accepted_beside_its_source(mode, mount, tree, scratch):
    """Python itself checks our header against the source put back."""
    target = harness.newest()
    out = os.path.join(scratch, "out")
    with mount(tree, "--invalidation-mode", mode, python=target.exe) as m:
        os.makedirs(os.path.join(out, "__pycache__"))
        shutil.copy2(os.path.join(tree, "single.py"), out)
        cached = os.path.join(out, "__pycache__", "single.cpython-%d%d.opt-2"
                              ".pyc" % target.minor)
        shutil.copy2(m / "single.pyc", cached)
    code = "import sys; sys.path = [%r] + sys.path; import single; " \
        "print(single.VALUE)" % out
    run = python(target.exe, "-OO", "-v", "-S", "-c", code)
    assert run.stdout == "42\n"
    assert "matches " + os.path.join(out, "single.py") in run.stderr
    trees.write(os.path.join(out, "single.py"), "VALUE = 43\n")
    run = python(target.exe, "-OO", "-v", "-S", "-c", code)
    assert run.stdout == "43\n"
    assert "matches " + os.path.join(out, "single.py") not in run.stderr


def test_the_same_bytes_again(mount, tree, scratch):
    """Another cache, another order, another number of workers."""
    with mount(tree, "--jobs", "1") as m:
        one = copy(m, os.path.join(scratch, "one"))
    with mount(tree, "--jobs", "3", "--no-ahead",
               cache=os.path.join(scratch, "other")) as m:
        for path in sorted(trees.modules(tree), reverse=True):
            os.stat(os.path.join(os.fsencode(m.path), path))
        two = copy(m, os.path.join(scratch, "two"))
    a, b = harness.tree_bytes(one), harness.tree_bytes(two)
    assert a.keys() == b.keys()
    for path in a:
        assert a[path] == b[path], path
