"""Two mounts of equal sources are equal: in owners, times, archives and
tracebacks."""
import hashlib
import json
import os
import subprocess

import pytest

import harness
import trees
from harness import copy, python

EARLIEST = 315532800  # 1980-01-01


def stats(m):
    top = os.fsencode(str(m))
    return {p: os.lstat(os.path.join(top, p))
            for p in [b"", *trees.listing(m)]}


def test_owner(mount, tree):
    with mount(tree, "--owner", "123:456", "--keep-source", "core.py") as m:
        assert {(s.st_uid, s.st_gid) for s in stats(m).values()} == \
            {(123, 456)}
    with mount(tree, "--owner", "4294967294:0") as m:
        assert {(s.st_uid, s.st_gid) for s in stats(m).values()} == \
            {(4294967294, 0)}


@pytest.mark.parametrize("options, env, wanted", [
    (["--mtime", "1700000000"], {}, 1700000000),
    (["--mtime", "1700000000"], {"SOURCE_DATE_EPOCH": "1"}, 1700000000),
    (["--mtime", "4294967295"], {}, 4294967295),
    (["--mtime", "0"], {}, EARLIEST),
    (["--mtime", "315532799"], {}, EARLIEST),
    (["--mtime", "315532801"], {}, 315532801)])
def test_mtime(options, env, wanted, mount, tree):
    with mount(tree, "--keep-source", "core.py", *options, env=env) as m:
        for path, s in stats(m).items():
            assert s.st_mtime_ns == wanted * 10**9, path


def test_times_of_the_source(mount, tree):
    """Whole seconds, and none that a zip cannot hold."""
    os.utime(os.path.join(tree, "single.py"), ns=(1, 1600000000999999999))
    os.utime(os.path.join(tree, "empty.py"), (0, 0))
    os.utime(os.path.join(tree, "comment.py"), (-5, -5))
    os.utime(os.path.join(tree, "pkg"), (EARLIEST - 1, EARLIEST - 1))
    with mount(tree, env={"SOURCE_DATE_EPOCH": ""}) as m:
        s = stats(m)
    assert s[b"single.pyc"].st_mtime_ns == 1600000000 * 10**9
    for path in (b"empty.pyc", b"comment.pyc", b"pkg"):
        assert s[path].st_mtime_ns == EARLIEST * 10**9
    assert all(st.st_mtime_ns % 10**9 == 0 for st in s.values())


@pytest.mark.parametrize("epoch", ["x", "-1", "4294967296", "1.5", "1 "])
def test_a_bad_epoch(epoch, pycfs, small, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for command in (["export", small, os.path.join(scratch, "out")],
                    ["mount", "--mtime", "content", small, at]):
        run = pycfs.run(command[0], "--python", harness.DEBIAN_PYTHON,
                        *command[1:], env={"SOURCE_DATE_EPOCH": epoch})
        assert run.returncode == 2 and "SOURCE_DATE_EPOCH" in run.stderr
    # one that is not needed is not looked at
    for options in ([], ["--mtime", "5"]):
        pycfs.ok("run", "--python", harness.DEBIAN_PYTHON, *options, small,
                 at, "--", "true", env={"SOURCE_DATE_EPOCH": epoch})


def tar(m):
    """The digest of an archive, names in order and nothing else changed."""
    p = subprocess.run(["tar", "--sort=name", "-C", str(m), "-cf", "-", "."],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert p.returncode == 0, p.stderr
    assert len(p.stdout) > 300000
    return hashlib.sha256(p.stdout).hexdigest()


def other_copy(tree, scratch):
    """The same files elsewhere, made in another order, with other times."""
    to = os.path.join(scratch, "deeper", "than", "the", "other")
    os.makedirs(os.path.dirname(to))
    subprocess.run(["cp", "-r", "--no-dereference", "--preserve=mode",
                    "--no-preserve=timestamps", tree, to], check=True,
                   timeout=60)
    moved = os.path.join(to, "pkg-moved")
    os.rename(os.path.join(to, "pkg"), moved)
    os.rename(moved, os.path.join(to, "pkg"))
    if os.geteuid() == 0:
        subprocess.run(["chown", "-hR", "7:8", to], check=True, timeout=60)
    trees.age(to, 1234567890)
    return to


@pytest.mark.parametrize("mtime", ["1500000000", "content"])
def test_archives_are_equal(mtime, target, mount, tree, scratch):
    trees.write(os.path.join(tree, "pkg-1.0.dist-info", "RECORD"),
                "pkg/core.py,,\npkg/__init__.py,sha256=x,3\n")
    other = other_copy(tree, scratch)
    options = ["--mtime", mtime, "--owner", "0:0", "--keep-source",
               "deep.py", "--optimize-for", "1:/single.py"]
    with mount(tree, *options, "--jobs", "1", python=target.exe) as m:
        one = tar(m)
        assert tar(m) == one
    env = {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C",
           "PYTHONDONTWRITEBYTECODE": "", "PYTHONOPTIMIZE": "0"}
    with mount(other, *options, "--jobs", "3", "--immutable",
               cache=os.path.join(scratch, "other-cache"), env=env,
               python=target.exe) as m:
        for path in sorted(trees.modules(other), reverse=True):
            if path != b"pkg/sub/deep.pyc":
                os.stat(os.path.join(os.fsencode(m.path), path))
        assert tar(m) == one
    # from the cache that the first filled, by content
    with mount(other, *options, python=target.exe) as m:
        assert tar(m) == one
        assert m.count("compiled") == 0


def test_archives_that_are_not(mount, tree, scratch):
    """The comparison sees each of the things it is about."""
    base = ["--mtime", "1500000000", "--owner", "0:0"]
    seen = []
    for more in ([], ["--mtime", "1500000001"], ["--mtime", "content"],
                 ["--owner", "0:1"],
                 ["-O", "1"], ["--prefix", "p"],
                 ["--invalidation-mode", "checked-hash"],
                 ["--keep-source", "deep.py"], ["--exclude", "data.json"]):
        with mount(tree, *base, *more) as m:
            seen.append(tar(m))
    assert len(set(seen)) == len(seen)


RAISING = '''\
"""Docstring, three
lines
long."""
import functools


def decorated(f):
    @functools.wraps(f)
    def wrapper(*args):
        """Doc."""
        return f(
            *args)
    return wrapper


class Thing:
    """Doc."""

    @property
    def value(self):
        """Doc."""
        return [
            (lambda n: 1 // n)(i)

            for i in (1, 0)]

    @decorated
    def call(self, n):
        if n:

            return self.call(n - 1)
        assert n == 0
        return self.value


def start():
    try:
        Thing().call(2)
    finally:
        x = 1
        del x
'''
TRACE = """
import json, sys, traceback
sys.path.insert(0, sys.argv[1])
import raising.inner.mod as m
try:
    m.start()
except ZeroDivisionError as e:
    print(json.dumps([[f.filename, f.lineno, f.name] for f in
                      traceback.extract_tb(e.__traceback__)][1:]))
    text = traceback.format_exc()
    assert "ZeroDivisionError: " in text
    sys.stderr.write(text)
"""


@pytest.mark.parametrize("prefix", ["/opt/python", "", "rel/ative", "/opt/",
                                    "/", None])
def test_tracebacks(prefix, mount, scratch):
    check_traceback(harness.newest(), mount, scratch, prefix)


def test_tracebacks_of_every_python(target, mount, scratch):
    check_traceback(target, mount, scratch, "/opt/python/lib")


def check_traceback(target, mount, scratch, prefix):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "raising", "inner", "mod.py"), RAISING)
    trees.age(root)
    wanted = json.loads(python(target.exe, "-OO", "-c", TRACE, root).stdout)
    with mount(root, *([] if prefix is None else ["--prefix", prefix]),
               python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
    run = python(target.exe, "-c", TRACE, out)
    got = json.loads(run.stdout)
    if prefix is None:
        prefix = "/site-packages"
    name = (prefix.rstrip("/") + "/" if prefix else "") + \
        "raising/inner/mod.py"
    assert {f[0] for f in got} == {name}
    assert [f[1:] for f in got] == [f[1:] for f in wanted]
    # and by hand: the last frames are the lambda's, the decorator's before
    lines = RAISING.splitlines()
    assert "lambda" in lines[got[-1][1] - 1] and got[-1][2] == "<lambda>"
    assert got[0][2] == "start" and \
        lines[got[0][1] - 1].strip() == "Thing().call(2)"
    assert 'File "%s", line %d, in <lambda>\n' % (
        name, 1 + lines.index("            (lambda n: 1 // n)(i)")) in \
        run.stderr
    assert 'File "%s", line %d, in wrapper\n' % (
        name, 1 + lines.index("        return f(")) in run.stderr


def test_a_module_is_found_by_its_prefix(mount, scratch):
    """Where the layer is what --prefix says, tools find the files."""
    target = harness.newest()
    root = os.path.join(scratch, "site")
    out = os.path.join(scratch, "out")
    trees.write(os.path.join(root, "raising", "inner", "mod.py"), RAISING)
    with mount(root, "--prefix", out, "--keep-source", "mod.py",
               python=target.exe) as m:
        copy(m, out)
    run = python(target.exe, "-c", TRACE, out)
    assert "\n    Thing().call(2)\n" in run.stderr  # the line's text
    assert os.path.isfile(json.loads(run.stdout)[0][0])
