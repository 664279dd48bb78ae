"""--worker: the interpreter's own program compiles as its libpython does, in the
same sandbox, and does so by itself where there is no libpython.
"""
import glob
import json
import os
import shutil
import subprocess

import pytest

import harness
import hostile
import test_sandbox
import trees
from harness import DEBIAN_PYTHON, read
from test_sandbox import unsanitized  # noqa: F401

BUILD = os.path.dirname(harness.program())
OBJECT = "pycfs-compiler.so"
IN_IT = "; compiled in the interpreter's own program"

pytestmark = pytest.mark.usefixtures("unsanitized")


def both(pycfs, source, scratch, *options, **how):
    """The same export with both workers: the trees, and what was said."""
    said = []
    out = os.path.join(scratch, "out")
    for worker in "libpython", "interpreter":
        run = pycfs.export(source, out, "--force", "--no-cache", "--worker",
                           worker, "--json", *options, **how)
        assert run.returncode == 0, run.stderr
        answer = json.loads(run.stdout)
        why = answer.pop("python_because")
        assert why.endswith(IN_IT) == (worker == "interpreter"), why
        answer.pop("seconds", None)
        said.append((harness.tree_bytes(out), answer))
    return said


@pytest.mark.parametrize("options", [
    ["-O0", "--debug-ranges"], ["-O2", "--marshal", "cpython"], []],
    ids=["full", "cpython", "usual"])
def test_the_same_bytes(target, pycfs, tree, scratch, options):
    library, interpreter = both(pycfs, tree, scratch, "--on-error", "source",
                                *options, python=target.exe)
    assert library[0] == interpreter[0]
    assert any(name.endswith(b".pyc") for name in library[0])


def test_the_same_outcomes(target, pycfs, scratch):
    """Of sources that are made to break a compiler."""
    source = os.path.join(scratch, "site")
    for name, data in hostile.small().items():
        trees.write(os.path.join(source, name + ".py"), data)
    trees.age(source)
    library, interpreter = both(pycfs, source, scratch, "--on-error", "omit",
                                python=target.exe, timeout=300)
    assert library == interpreter


def test_self_test(target):
    run = subprocess.run(
        [target.exe, "--self-test"], env={"LD_PRELOAD": "./" + OBJECT},
        cwd=BUILD, stdout=subprocess.PIPE, timeout=60, text=True)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.splitlines()
    assert len(lines) > 20 and all(l.startswith("ok ") for l in lines)
    for what in ("socket", "ptrace", "map executable memory", "execve",
                 "make memory executable", "raise its limits"):
        assert "ok      %s: dies" % what in lines


def workers_of(m):
    """Its workers, once all have closed their filter."""
    found = harness.workers(m.path)
    assert found
    for w in found:
        harness.wait_for(lambda: test_sandbox.status_of(w)["Seccomp"].strip()
                         == "2", 20, "a worker's filter")
    return found


def environment_of(process):
    text = read("/proc/%d/environ" % process.pid).decode()
    return dict(l.split("=", 1) for l in text.split("\0") if l)


def test_what_it_is_given(mount, small):
    """Nothing of the user's environment, and no descriptor of his."""
    mine = {"PYTHONPATH": "/nonexistent", "PYTHONSTARTUP": "/nonexistent",
            "PYTHONINSPECT": "1", "LD_BIND_NOW": "1"}
    with mount(small, "--worker", "interpreter", env=mine) as m:
        assert read(m / "a.pyc")
        for w in workers_of(m):
            assert os.readlink("/proc/%d/exe" % w.pid) == os.path.realpath(DEBIAN_PYTHON)
            assert set(environment_of(w)) <= {"LC_ALL", "LD_PRELOAD",
                                              "LD_LIBRARY_PATH"}
            assert os.readlink("/proc/%d/cwd" % w.pid) == "/"


@pytest.fixture
def lonely(scratch):
    """A Python whose program is whole and that has no libpython: Debian's, in a
    prefix of its own."""
    if b"libpython" in subprocess.run(
            ["objdump", "-p", DEBIAN_PYTHON], check=True,
            stdout=subprocess.PIPE, timeout=30).stdout:
        pytest.skip("its program needs libpython")
    name = "python%d.%d" % harness.ask(DEBIAN_PYTHON).minor
    usual = "/usr/lib/" + name
    top = os.path.join(scratch, "lonely")
    library = os.path.join(top, "lib", name)
    os.makedirs(library)
    os.mkdir(os.path.join(top, "bin"))
    for entry in os.listdir(usual):
        at = os.path.join(library, entry)
        if entry.startswith("_sysconfigdata"):
            text = read(os.path.join(usual, entry)).decode()
            trees.write(at, text.replace("'/usr/lib", "'/nonexistent"))
        elif not entry.startswith("config-"):
            os.symlink(os.path.join(usual, entry), at)
    exe = os.path.join(top, "bin", name)
    shutil.copy2(os.path.realpath(DEBIAN_PYTHON), exe)
    return exe


def test_without_a_libpython(pycfs, mount, lonely, small, scratch):
    """It is in the interpreter by itself; who asks for libpython is refused."""
    want = pycfs.exported(small, os.path.join(scratch, "want"))
    out = os.path.join(scratch, "out")
    run = pycfs.export(small, out, "--no-cache", "-v", python=lonely)
    assert run.returncode == 0, run.stderr
    assert "info: compile workers run in %s\n" % lonely in run.stderr
    assert harness.tree_bytes(out) == harness.tree_bytes(want)
    refused = pycfs.export(small, out + "2", "--worker", "libpython",
                           python=lonely)
    assert refused.returncode == 1
    assert "has no libpython" in refused.stderr
    assert "leave out --worker libpython" in refused.stderr
    report = json.loads(pycfs.ok("report", "--json", "--python", lonely,
                                 small).stdout)
    assert report["python_because"] == "--python " + lonely + IN_IT
    with mount(small, "--no-cache", "--require-sandbox", python=lonely) as m:
        assert read(m / "a.pyc") == read(os.path.join(want, "a.pyc"))
        for w in workers_of(m):
            assert os.readlink("/proc/%d/exe" % w.pid) == lonely
        told = json.loads(pycfs.ok("report", "--json", m.path).stdout)
        assert told["python_because"].endswith(IN_IT)


def others():
    """Files that stand where its libpython would, and are not that: what is no
    library, and, if there is one, that of another 3.11."""
    yield b"no library\n"
    mine = harness.ask(DEBIAN_PYTHON)
    for p in harness.PYTHONS:
        if p.minor == mine.minor and p.version != mine.version:
            for found in glob.glob(os.path.join(
                    os.path.dirname(p.stdlib), "libpython*.so.1.0")):
                yield read(found)


def test_a_libpython_that_is_of_no_use(pycfs, lonely, small, scratch):
    """Once it is seen to be of none, workers run in the interpreter, and that
    is said; who asks for it learns why."""
    want = pycfs.exported(small, os.path.join(scratch, "want"))
    out = os.path.join(scratch, "out")
    at = os.path.join(os.path.dirname(os.path.dirname(lonely)), "lib",
                      "lib%s.so.1.0" % os.path.basename(lonely))
    for data in others():
        trees.write(at, data)
        run = pycfs.export(small, out, "--no-cache", "--force", "-j4",
                           python=lonely)
        assert run.returncode == 0, run.stderr
        assert run.stderr.count("compile workers run in %s instead: " %
                                lonely) == 1, run.stderr
        assert harness.tree_bytes(out) == harness.tree_bytes(want)
        report = pycfs.ok("report", "--python", lonely, small)
        assert report.stderr.count(" instead: ") == 1, report.stderr
        run = pycfs.export(small, out + "2", "--worker", "libpython",
                           python=lonely)
        assert run.returncode == 1 and at in run.stderr, run.stderr
        assert " instead: " not in run.stderr


def test_a_python_that_exports_nothing(pycfs, lonely, small, scratch):
    """The worker begins, finds no function, and says which."""
    source = os.path.join(scratch, "main.c")
    script = os.path.join(scratch, "python3")
    trees.write(source, "int main(void) { return 0; }\n")
    silent = os.path.join(scratch, "silent")
    subprocess.run(["cc", "-o", silent, source], check=True, timeout=60)
    # It answers as the real one would, but for its own path.
    trees.write(script, '#!/bin/sh\n%s "$@" | sed "s,^%s$,%s,"\n' %
                (lonely, lonely, silent), 0o755)
    out = os.path.join(scratch, "out")
    run = pycfs.export(small, out, python=script)
    assert run.returncode == 1
    assert "%s has no Py_GetVersion: it is linked without -export-dynamic" % \
        silent in run.stderr
    assert "--worker libpython" in run.stderr
    assert not os.path.exists(out)


@pytest.mark.parametrize("change, message", [
    (os.remove, OBJECT + " is missing beside "),
    (lambda path: trees.write(path, "no object\n"),
     "the compile worker ran as an ordinary Python: "),
], ids=["none", "bad"])
def test_without_its_object(pycfs, small, scratch, change, message):
    top = os.path.join(scratch, "moved")
    os.mkdir(top)
    program = harness.copy_program(top)
    out = os.path.join(scratch, "out")
    change(os.path.join(top, OBJECT))
    run = subprocess.run(
        [program, "export", "--no-cache", "--worker", "interpreter",
         "--python", DEBIAN_PYTHON, small, out], env=pycfs.env(), timeout=60,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")
    assert run.returncode == 1
    assert message in run.stderr, run.stderr
    assert not os.path.exists(out)


def test_where_the_loader_sees_two_names(pycfs, small, scratch):
    """Spaces and colons end names for it."""
    top = os.path.join(scratch, "my tool:x")
    os.mkdir(top)
    program = harness.copy_program(top)
    subprocess.run(
        [program, "export", "--no-cache", "--quiet", "--worker",
         "interpreter", "--python", DEBIAN_PYTHON, small,
         os.path.join(scratch, "out")], env=pycfs.env(), timeout=60,
        stdin=subprocess.DEVNULL, check=True)
    assert os.path.exists(os.path.join(scratch, "out", "a.pyc"))
