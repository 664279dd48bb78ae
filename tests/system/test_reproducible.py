"""The promise that bytes are reproducible, and the message if that cannot be
promised."""
import os
import subprocess

import pytest

import harness
import trees

UNKNOWN = 3999


@pytest.fixture
def site(scratch):
    at = os.path.join(scratch, "site")
    trees.write(os.path.join(at, "a.py"), "a = 1\n")
    return at


@pytest.fixture
def of_tomorrow(scratch):
    """An interpreter that says it is Debian's, but for its magic number."""
    path = os.path.join(scratch, "python3")
    trees.write(path, """#!/bin/sh
exec %s "$@" | sed '3s/.*/%d/'
""" % (harness.DEBIAN_PYTHON, 0x0a0d0000 + UNKNOWN))
    os.chmod(path, 0o755)
    return path


def export(pycfs, site, out, *options):
    return pycfs.run("export", "--no-cache", *options, site, out)


def test_required_where_it_is_kept(pycfs, site, scratch):
    r = export(pycfs, site, os.path.join(scratch, "out"), "--python",
               harness.DEBIAN_PYTHON, "--reproducible", "required")
    assert r.returncode == 0, r.stderr
    assert "canonical" not in r.stderr


def test_an_unknown_magic_number(pycfs, site, scratch, of_tomorrow):
    out = os.path.join(scratch, "out")
    r = export(pycfs, site, out, "--python", of_tomorrow, "--reproducible",
               "required")
    assert r.returncode == 1
    assert "magic number %d" % UNKNOWN in r.stderr, r.stderr
    assert "newer pycfs" in r.stderr
    assert not os.path.exists(out)
    r = export(pycfs, site, out, "--python", of_tomorrow)
    assert r.stderr.count("knows no canonical form") == 1, r.stderr
    assert "magic number %d" % UNKNOWN in r.stderr


def test_cpythons_bytes_are_not_required_to_be(pycfs, site, scratch):
    r = export(pycfs, site, os.path.join(scratch, "out"), "--python",
               harness.DEBIAN_PYTHON, "--marshal", "cpython",
               "--reproducible", "required")
    assert r.returncode == 1
    assert "--marshal cpython" in r.stderr


@pytest.mark.parametrize("p", [p for p in harness.PYTHONS
                               if p.free_threaded], ids=str)
def test_free_threaded_bytes_are_those_of_the_other(p, pycfs, site, scratch):
    """One .pyc is for both: what the one compiles, the other loads."""
    other = next((q for q in harness.PYTHONS if q.version == p.version and
                  not q.free_threaded), None)
    if not other:
        pytest.skip("no %d.%d.%d with a lock beside it" % p.version)
    trees.write(os.path.join(site, "b.py"), """
def f(x: int) -> "a b":
    "Doc string."
    return x[1:2], "not a name", ("a-b", 1.5, frozenset({"x y", "z"}))
""")
    outs = []
    for q in (p, other):
        outs.append(os.path.join(scratch, "out-" + q.name))
        r = export(pycfs, site, outs[-1], "--python", q.exe, "--reproducible",
                   "required")
        assert r.returncode == 0, r.stderr
    first, second = (open(os.path.join(o, "b.pyc"), "rb").read() for o in outs)
    assert first == second
    for q in (p, other):
        subprocess.run([q.exe, "-c", "import b; assert b.f('abc')"], check=True,
                       cwd=outs[0], timeout=60)
