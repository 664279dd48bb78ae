"""The bytecode that pycfs writes for Python 3.14, on machines without a native
3.14. Pyodide, which is CPython 3.14 compiled to WebAssembly, runs in node: it
compiles and marshals modules, and loads what pycfs has written for them. The
worker of pycfs is not tested here, because it can load native libraries only.
"""
import json
import os
import shutil
import subprocess

import pytest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
GOLDEN = os.path.join(TOP, "tests", "golden")
CANONICAL = os.environ.get("PYCFS_CANONICAL") or os.path.join(
    os.path.dirname(harness.program()), "tests", "canonical")
SECONDS = 8  # of compiling; all of the library takes some 20


def node(scratch, *args):
    subprocess.run(
        ["node", os.path.join(HERE, "webassembly.mjs"), pyodide(), scratch,
         os.path.join(HERE, "webassembly.py"), *map(str, args)],
        check=True, stdin=subprocess.DEVNULL, timeout=240)


def pyodide():
    where = subprocess.run(
        [os.path.join(TOP, "tools", "install-pyodide"), "--where"], check=True,
        stdout=subprocess.PIPE).stdout.decode().strip()
    return os.path.join(where, "node_modules", "pyodide")


def canonical(scratch, magic, name, to):
    with open(os.path.join(scratch, name), "rb") as given, \
            open(os.path.join(scratch, to), "wb") as made:
        subprocess.run([CANONICAL, str(magic)], check=True, stdin=given,
                       stdout=made, timeout=60)
    return harness.read(os.path.join(scratch, to))


def test_the_writer_with_3_14_in_webassembly(scratch):
    if not shutil.which("node") or not os.path.isdir(pyodide()):
        why = "no node, or tools/install-pyodide was not run"
        pytest.fail(why) if harness.ON_A_CI else pytest.skip(why)
    shutil.copytree(GOLDEN, os.path.join(scratch, "golden"))
    node(scratch, "write", SECONDS)
    with open(os.path.join(scratch, "names.json")) as f:
        told = json.load(f)
    assert told["platform"] == "emscripten", told
    assert told["version"].startswith("3.14."), told
    magic = told["magic"]
    plain = canonical(scratch, magic, "plain.in", "plain.out")
    stirred = canonical(scratch, magic, "stirred.in", "stirred.out")
    assert plain == stirred and plain
    assert canonical(scratch, magic, "plain.out", "again.out") == plain
    # What CPython itself writes is not all the same.
    assert harness.read(os.path.join(scratch, "plain.in")) != \
        harness.read(os.path.join(scratch, "stirred.in"))
    node(scratch, "check")
    n = int(harness.read(os.path.join(scratch, "checked")))
    print("%d modules of Python %s (WebAssembly)" % (
        len(told["names"]), told["version"].split()[0]))
    assert n == 2 * len(told["names"]) and n > 20
