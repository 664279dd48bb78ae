"""A Python whose standard library is what tools/examples/stdlib ships."""
import json
import os
import subprocess

import pytest

import harness
import trees

SHIP = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "examples",
                    "stdlib", "ship")

# A usual program's imports; where everything came from; and what a package
# finds that asks for its own resources without naming itself (since 3.12).
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import argparse, asyncio, collections, concurrent.futures, csv, ctypes
import dataclasses, datetime, decimal, email.mime.text, enum, functools, hashlib
import http.client, importlib.metadata, inspect, json, logging.config
import multiprocessing, pathlib, random, re, socket, sqlite3, ssl, subprocess
import tempfile, threading, traceback, typing, unittest.mock, urllib.request
import uuid, xml.etree.ElementTree, zipfile
import asks
try:
    json.loads("{")
except json.JSONDecodeError:
    lines = traceback.format_exc().splitlines()
home = sys.base_prefix + "/"
# Some modules are in the interpreter itself since 3.11, whatever __file__ says.
own = [m for m in sys.modules.values()
       if (getattr(m, "__file__", None) or "").startswith(home) and
       m.__spec__.origin != "frozen"]
print(json.dumps({
    "files": [m.__file__ for m in own],
    "cached": [m.__cached__ for m in own if getattr(m, "__cached__", None)],
    "text": asks.TEXT, "trace": lines}))
"""

ASKS = """
import importlib.resources, sys
if sys.version_info >= (3, 12):
    TEXT = importlib.resources.files().joinpath("text.txt").read_text()
else:
    TEXT = "the package's own\\n"
"""


def ship(pycfs, target, scratch, *options):
    """PYTHONHOME for a Python that has only what is shipped."""
    home = os.path.join(scratch, "home")
    os.makedirs(os.path.join(home, "lib"), exist_ok=True)
    library = os.path.join(home, "lib", os.path.basename(target.stdlib))
    done = subprocess.run(
        [SHIP, target.exe, library, "--quiet", *options], timeout=600,
        env=pycfs.env(PYCFS=harness.program()), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    return home, library


def run(target, home, scratch):
    app = os.path.join(scratch, "app")
    trees.write(os.path.join(app, "asks", "__init__.py"), ASKS.encode())
    trees.write(os.path.join(app, "asks", "text.txt"), b"the package's own\n")
    done = subprocess.run(
        [target.exe, "-B", "-c", PROGRAM, app], timeout=120, cwd=scratch,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={"PYTHONHOME": home, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_sources(pycfs, target, scratch):
    home, library = ship(pycfs, target, scratch)
    assert not os.path.exists(os.path.join(library, "site-packages"))
    said = run(target, home, scratch)
    assert len(said["files"]) > 150
    odd = {os.path.basename(f) for f in said["files"]
           if not f.endswith((".pyc", ".so"))}
    # The one that must find its own frames; earlier ones do without it.
    assert odd == {"_common.py"} or (not odd and target.minor < (3, 12))
    assert said["text"] == "the package's own\n"
    frame = [line for line in said["trace"] if "json" in line and "File" in line]
    assert any(os.path.join(target.stdlib, "json/decoder.py") in line
               for line in frame), said["trace"]


def test_with_sources(pycfs, target, scratch):
    home, library = ship(pycfs, target, scratch, "--keep-source", "/**")
    said = run(target, home, scratch)
    assert {os.path.splitext(f)[1] for f in said["files"]} <= {".py", ".so"}
    # All that it imports has its bytecode beside it.
    assert len(said["cached"]) > 150
    assert [f for f in said["cached"] if not os.path.exists(f)] == []
    assert any("self.scan_once(" in line for line in said["trace"])


def test_usage(pycfs):
    done = subprocess.run([SHIP, "python3"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage:" in done.stderr
