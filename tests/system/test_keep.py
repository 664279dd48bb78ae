"""keep-source: X.py is shipped, and Python still starts from its bytecode."""
import errno
import os
import py_compile
import stat
import subprocess

import pytest

import harness
import trees
from harness import copy, python, read

MODULE = '''\
"""Docstring of the plugin."""
import inspect


def source():
    """Docstring of source."""
    return inspect.getsource(source)


assert source() or True
'''


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    for name in ("plugin/__init__.py", "plugin/patch.py", "plugin/other.py",
                 "deep/er/patch.py", "top.py", "deep/data.txt"):
        trees.write(os.path.join(root, name), MODULE)
    trees.write(os.path.join(root, "plugin", "__pycache__",
                             "stale.cpython-311.pyc"), b"hidden")
    trees.age(root)
    return root


def names(root):
    return sorted(os.fsdecode(p) for p in trees.listing(root))


def tag(target):
    return "cpython-%d%d" % target.minor


def cached(target, path):
    head, name = os.path.split(path)
    return os.path.join(head, "__pycache__",
                        name[:-3] + "." + tag(target) + ".pyc")


@pytest.mark.parametrize("mode", ["unchecked-hash", "checked-hash",
                                  "timestamp"])
def test_source_and_its_bytecode(mode, mount, site, scratch):
    target = harness.newest()
    with mount(site, "--keep-source", "patch.py", "--invalidation-mode", mode,
               python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
        assert names(m.path) == names(out)
    assert names(out) == sorted([
        "deep", "deep/data.txt", "deep/er", "deep/er/__pycache__",
        cached(target, "deep/er/patch.py"), "deep/er/patch.py", "plugin",
        "plugin/__init__.pyc", "plugin/__pycache__",
        cached(target, "plugin/patch.py"), "plugin/other.pyc",
        "plugin/patch.py", "top.pyc"])
    for path in ("plugin/patch.py", "deep/er/patch.py"):
        assert read(os.path.join(out, path)) == MODULE.encode()
        data = read(os.path.join(out, cached(target, path)))
        assert trees.header(data)[1] == 1  # unchecked hash, whatever was asked
        assert data[8:16] == source_hash(target, os.path.join(site, path))
    flags = {"unchecked-hash": 1, "checked-hash": 3, "timestamp": 0}[mode]
    assert trees.header(read(os.path.join(out, "top.pyc")))[1] == flags


def source_hash(target, path):
    return bytes.fromhex(python(
        target.exe, "-c", "import importlib.util as u, sys; print("
        "u.source_hash(open(sys.argv[1], 'rb').read()).hex())", path).stdout)


def test_python_starts_from_it(target, mount, site, scratch):
    """Without writing, whatever happened to the source's time."""
    with mount(site, "--keep-source", "patch.py", "--prefix", "/opt/p",
               python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
        code = "import sys; sys.path.insert(0, %r); sys.path_importer_cache" \
            ".clear(); import plugin.patch as p; print(p.__spec__.cached); " \
            "print(p.__file__); print(p.source.__code__.co_filename); " \
            "print(p.__doc__)"
        before = names(out)
        os.utime(os.path.join(out, "plugin", "patch.py"))
        for where in (out, m.path):
            env = {"PYTHONDONTWRITEBYTECODE": ""}
            run = python(target.exe, "-S", "-v", "-c", code % where, env=env)
            lines = run.stdout.splitlines()
            path = os.path.join(where, "plugin/patch.py")
            assert lines[:2] == [cached(target, path), path]
            # the cached code is what ran: it has no docstring. Python puts
            # the file's true name in place of what --prefix said.
            assert lines[2:] == [path, "None"]
            assert "code object from '%s'" % cached(target, path) in run.stderr
        assert names(out) == before
    # and its source is there for who asks
    run = python(target.exe, "-S", "-c", "import sys; sys.path.insert(0, %r);"
                 "import plugin.patch as p; import inspect; "
                 "print(inspect.getsource(p))" % out)
    assert "Docstring of the plugin." in run.stdout


def test_its_code_is_the_modules(mount, site):
    """Only where it is and what its header says differ."""
    target = harness.newest()
    with mount(site, python=target.exe) as m:
        plain = read(m / "plugin/patch.pyc")
    with mount(site, "--keep-source", "/plugin/patch.py",
               python=target.exe) as m:
        assert read(m / cached(target, "plugin/patch.py")) == plain
        assert m.count("compiled") == 0  # of one cache
    with mount(site, "--keep-source", "patch.py", "--optimize-for",
               "0:/plugin/", python=target.exe) as m:
        assert b"Docstring of source." in \
            read(m / cached(target, "plugin/patch.py"))
        assert b"Docstring of source." not in \
            read(m / cached(target, "deep/er/patch.py"))


def test_rules_that_keep(mount, site):
    for options, kept in (
            (["--keep-source", "/plugin/"],
             ["plugin/__init__.py", "plugin/other.py", "plugin/patch.py"]),
            (["--keep-source", "/plugin/", "--keep-source", "!other.py"],
             ["plugin/__init__.py", "plugin/patch.py"]),
            (["--keep-source", "/*.py"], ["top.py"]),
            (["--keep-source", "*", "--exclude", "patch.py"],
             ["plugin/__init__.py", "plugin/other.py", "top.py"]),
            (["--keep-source", "/deep/**/patch.py"], ["deep/er/patch.py"])):
        with mount(site, *options) as m:
            found = names(m.path)
            assert [n for n in found if n.endswith(".py")] == kept, options
            assert {os.path.dirname(n) for n in found
                    if n.endswith(".cpython-311.pyc")} == \
                {os.path.join(os.path.dirname(n), "__pycache__")
                 for n in kept}
            # what is kept has no .pyc beside it
            assert not {n + "c" for n in kept} & set(found)
            for n in kept:
                with pytest.raises(FileNotFoundError):
                    os.stat(m / (n + "c"))


def test_pycache_can_be_excluded(mount, site):
    with mount(site, "--keep-source", "patch.py", "--exclude",
               "__pycache__/") as m:
        found = names(m.path)
    assert "plugin/patch.py" in found
    assert not [n for n in found if "__pycache__" in n]


@pytest.mark.parametrize("policy", ["fail", "source", "omit"])
def test_one_that_does_not_compile(policy, mount, site, scratch):
    """The source is all there is to ship: no error."""
    trees.write(os.path.join(site, "plugin", "patch.py"), "def (\n")
    trees.write(os.path.join(site, "only", "patch.py"), "def (\n")
    with mount(site, "--keep-source", "patch.py", "--on-error", policy) as m:
        out = copy(m, os.path.join(scratch, "out"))
        for path in ("plugin/__pycache__/patch.cpython-311.pyc",
                     "only/__pycache__/patch.cpython-311.pyc"):
            for call in (os.stat, read):
                with pytest.raises(OSError) as e:
                    call(m / path)
                assert e.value.errno == errno.ENOENT
        log = m.log()
    assert read(os.path.join(out, "plugin", "patch.py")) == b"def (\n"
    found = names(out)
    assert "only/patch.py" in found
    assert not [n for n in found if n.startswith(("plugin/__pycache__/",
                                                  "only/__pycache__/"))]
    assert "deep/er/__pycache__/patch.cpython-311.pyc" in found
    about = [l for l in log.splitlines() if "plugin/patch.py:1" in l]
    assert len(about) == 1, log


def test_attributes(mount, site):
    target = harness.newest()
    path = os.path.join(site, "plugin", "patch.py")
    os.chmod(path, 0o640)
    old = os.stat(path)
    with mount(site, "--keep-source", "patch.py", python=target.exe) as m:
        for name in ("plugin/patch.py", cached(target, "plugin/patch.py")):
            new = os.lstat(m / name)
            assert stat.S_ISREG(new.st_mode)
            assert (new.st_mode, int(new.st_mtime), new.st_uid) == \
                (old.st_mode, int(old.st_mtime), old.st_uid)
            assert new.st_size == len(read(m / name))
            assert new.st_nlink == 1
        numbers = [os.lstat(os.path.join(os.fsencode(m.path), p)).st_ino
                   for p in trees.listing(m.path)]
        assert len(numbers) == len(set(numbers))


def test_links_and_odd_names(mount, site):
    root = os.fsencode(site)
    os.symlink("other.py", os.path.join(site, "plugin", "link.py"))
    os.symlink("/etc/hostname", os.path.join(site, "plugin", "out.py"))
    trees.write(os.path.join(root, b"plugin", b"caf\xe9.py"), "X = 1\n")
    trees.write(os.path.join(root, b"plugin", b".py"), "X = 1\n")
    long_name = b"n" * 240 + b".py"  # leaves no room for .cpython-311.pyc
    trees.write(os.path.join(root, b"plugin", long_name), "X = 1\n")
    py_compile.compile(os.path.join(site, "top.py"),
                       cfile=os.path.join(site, "plugin", "other.pyc"))
    with mount(site, "--keep-source", "/plugin/") as m:
        top = os.path.join(os.fsencode(m.path), b"plugin")
        found = os.listdir(top)
        generated = os.listdir(os.path.join(top, b"__pycache__"))
        # through a link within SOURCE: the file itself, as for a module
        assert read(m / "plugin/link.py") == MODULE.encode()
        assert not os.path.islink(m / "plugin/link.py")
        assert os.path.islink(m / "plugin/out.py")
    assert b"other.py" in found and b"other.pyc" not in found
    assert b"caf\xe9.py" in found and long_name in found
    assert b"caf\xe9.cpython-311.pyc" in generated
    assert b"link.cpython-311.pyc" in generated
    assert not [n for n in generated if n.startswith((b"out.", b"nnn"))]
    assert len(generated) == len(set(generated))


def test_a_changed_source_is_noticed(mount, site):
    path = os.path.join(site, "plugin", "patch.py")
    with mount(site, "--keep-source", "patch.py") as m:
        name = m / "plugin/__pycache__/patch.cpython-311.pyc"
        one = read(name)
        trees.write(path, "CHANGED = 'to this'\n")
        two = harness.wait_for(lambda: read(name) != one and read(name), 10,
                               "the new bytecode is served")
        assert b"to this" in two
        assert read(m / "plugin/patch.py") == b"CHANGED = 'to this'\n"
        os.unlink(path)
        harness.wait_for(lambda: not os.path.exists(m / "plugin/patch.py"),
                         10, "the source is gone")
        harness.wait_for(
            lambda: not os.path.exists(m / "plugin/__pycache__"), 10,
            "and its directory")


def test_run_by_path(mount, site, scratch):
    """What a tool does that finds plugins by *.py."""
    target = harness.newest()
    trees.write(os.path.join(site, "plugin", "script.py"),
                "import sys\nprint('ran', __file__, __debug__)\n")
    with mount(site, "--keep-source", "script.py", python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
    script = os.path.join(out, "plugin", "script.py")
    assert python(target.exe, script).stdout == "ran %s True\n" % script
    found = subprocess.run(["find", out, "-name", "*.py"], timeout=60,
                           stdout=subprocess.PIPE, check=True).stdout
    assert found.decode().split() == [script]
