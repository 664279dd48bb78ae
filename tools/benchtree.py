# SPDX-License-Identifier: MIT
"""Source trees for the measurements of tools/bench and tools/coldstart.

generate() makes a site-packages of any size, which is always the same for the
same seed and standard library. Its shape is that of 9,869 real modules in
about a hundred packages: a quarter of the modules are an __init__.py, and most
of those are empty; the sizes of the others are 4.3 KB at the median, 30 KB at
the 90th percentile and 110 KB at the 99th. Each is a module of the standard
library to which a unique constant is added, so that no two have the same
source. On average there is one other file for each module.

mirror() copies the sources that given imports need.
"""
import json
import math
import os
import random
import shutil
import subprocess

from benchlib import Trouble, clean_env

# The sizes of modules have a lognormal distribution: median in bytes, and the
# standard deviation of the logarithm.
MEDIAN, SIGMA = 4300, 1.5
EMPTY = 0.85  # the part of all __init__.py that is empty
CHANGED = 50  # one package has a fiftieth of all modules
NOT_USED = ("site-packages", "dist-packages", "__pycache__", "test", "tests",
            "idlelib", "lib2to3", "idle_test", "ensurepip", "turtledemo",
            "__phello__", "lib-dynload")
WORDS = ("core util base api model client server types errors config parse "
         "render codec schema io text data view auth cache").split()


def sources(stdlib):
    """Returns {class: [path]}: the modules of a standard library, in classes
    of similar size. The number of a class is twice the logarithm, to base 2,
    of the size in bytes."""
    found = []
    for top, dirs, files in os.walk(stdlib):
        dirs[:] = sorted(d for d in dirs if d not in NOT_USED and
                         not d.startswith("config-"))
        for name in sorted(files):
            path = os.path.join(top, name)
            if name.endswith(".py") and os.path.getsize(path) > 0:
                found.append((os.path.getsize(path), path))
    if len(found) < 50:
        raise Trouble("%s: no standard library with sources" % stdlib)
    classes = {}
    for size, path in sorted(found):
        classes.setdefault(int(2 * math.log2(size)), []).append(path)
    return classes


class Maker:
    """Writes a tree into the directory `root`."""

    def __init__(self, root, stdlib, seed):
        self.root = root
        self.random = random.Random(seed)
        self.classes = sources(stdlib)
        self.text = {}
        self.turn = dict.fromkeys(self.classes, 0)
        self.made = 0

    def put(self, relative, data):
        path = os.path.join(self.root, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def module(self, relative, empty=False):
        self.made += 1
        if empty:
            return self.put(relative, b"")
        wanted = 2 * math.log2(MEDIAN * math.exp(
            self.random.gauss(0, SIGMA)) + 1)
        near = min(self.classes, key=lambda c: abs(c + 0.5 - wanted))
        paths = self.classes[near]
        path = paths[self.turn[near] % len(paths)]
        self.turn[near] += 1
        if path not in self.text:
            with open(path, "rb") as f:
                self.text[path] = f.read()
        self.put(relative, self.text[path] + b"\nPYCFS_BENCH_SERIAL = %d\n"
                 % self.made)

    def other(self, directory):
        """Writes a file that is no module into `directory`."""
        r = self.random
        size = min(200000, int(900 * math.exp(r.gauss(0, 1.2))) + 20)
        kind = r.choice(("pyi", "pyi", "json", "txt", "rst"))
        line = b'{"name": "%d", "type": "string", "min": 1},\n' % \
            r.randrange(10**6)
        self.put("%s/extra_%d.%s" % (directory, r.randrange(10**9), kind),
                 (line * (size // len(line) + 1))[:size])

    def package(self, name, n):
        """Writes a distribution of n modules, about four in a directory."""
        r = self.random
        directories = [name]
        left = n
        self.module(name + "/__init__.py", r.random() < EMPTY)
        left -= 1
        while left > 0:
            if left > 4 and r.random() < 0.25:
                d = "%s/%s_%d" % (r.choice(directories[-8:]),
                                  r.choice(WORDS), left)
                if d.count("/") > 5:
                    continue
                directories.append(d)
                self.module(d + "/__init__.py", r.random() < EMPTY)
            else:
                d = r.choice(directories[-4:])
                self.module("%s/%s_%d.py" % (d, r.choice(WORDS), left))
            left -= 1
        for _ in range(n * 9 // 10):
            self.other(r.choice(directories))
        for i in range(n // 60):
            self.put("%s/_speedups%d.so" % (r.choice(directories), i),
                     b"\x7fELF" + r.randbytes(100000 + r.randrange(300000)))
        self.dist_info(name)

    def dist_info(self, name):
        info = name + "-1.0.dist-info"
        self.put(info + "/METADATA", b"Metadata-Version: 2.1\nName: %s\n"
                 b"Version: 1.0\n" % name.encode())
        self.put(info + "/WHEEL", b"Wheel-Version: 1.0\n")
        self.put(info + "/INSTALLER", b"pip\n")
        rows = [info + "/METADATA,,", info + "/WHEEL,,", info + "/RECORD,,"]
        for top, dirs, files in os.walk(os.path.join(self.root, name)):
            dirs.sort()
            rows += ["%s,sha256=%s,1" % (os.path.relpath(
                os.path.join(top, f), self.root), "x" * 43)
                for f in sorted(files)]
        self.put(info + "/RECORD", "\n".join(rows).encode() + b"\n")


def generate(root, modules, stdlib, seed=1):
    """Makes a site-packages with this number of modules in `root`."""
    maker = Maker(root, stdlib, seed)
    left = modules
    names = iter(range(10**9))
    share = max(1, modules // CHANGED)
    while left > 0:
        i = next(names)
        n = share if i == 0 else int(
            maker.random.lognormvariate(math.log(25), 1.3)) + 1
        # The first package has exactly a fiftieth of the modules, and no other
        # one has more than a quarter.
        n = min(n, left, max(share, modules // 4))
        maker.package("%s%d" % (maker.random.choice(WORDS), i), n)
        left -= n


# Runs in the target Python. Imports modules, and prints, as JSON, the file of
# each module that is loaded and was not loaded when the interpreter started.
ASK = r"""
import sys
before = set(sys.modules)
tree = sys.argv[1].rstrip("/") + "/"
if sys.argv[2] == "path":
    sys.path.insert(0, tree[:-1])
failed = None
for name in sys.argv[3:]:
    try:
        __import__(name)
    except BaseException as e:
        failed = "%s: %s: %s" % (name, type(e).__name__, e)
        break
files = {}
for name, m in list(sys.modules.items()):
    file = getattr(m, "__file__", None)
    if isinstance(file, str) and name not in before:
        files[name] = file
import json
print(json.dumps({"failed": failed, "files": files}))
"""


def ask(target, tree, names, in_path=True, timeout=60):
    """Returns {module: file} of all modules that these imports load. Raises
    Trouble if one fails."""
    try:
        run = subprocess.run(
            [target.exe, "-I", "-S", "-B", "-c", ASK, tree,
             "path" if in_path else "", *names],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=timeout, env=clean_env(),
            cwd="/")
        answer = json.loads(run.stdout.splitlines()[-1])
    except (ValueError, IndexError, subprocess.TimeoutExpired) as e:
        raise Trouble("%s: import %s: %s" % (
            target.exe, ", ".join(names), e)) from None
    if answer["failed"]:
        raise Trouble("cannot import " + answer["failed"])
    return answer["files"]


def mirror(target, site, names, to):
    """Copies the top-level packages and modules of `site` that these imports
    need to the directory `to`, without bytecode."""
    own = os.path.realpath(site) == os.path.realpath(target.stdlib)
    site = target.stdlib if own else os.path.realpath(site)
    files = ask(target, site, names, in_path=not own)
    tops = set()
    for file in files.values():
        if file.startswith(site + "/"):
            tops.add(file[len(site) + 1:].split("/")[0])
    tops -= {"site-packages", "dist-packages", "lib-dynload"}
    if not own:
        tops |= {n for n in os.listdir(site) if n.endswith(".dist-info")}
    if not tops:
        raise Trouble("%s: nothing of %s is there" % (site, ", ".join(names)))
    os.makedirs(to)
    for name in sorted(tops):
        where = os.path.join(site, name)
        if os.path.isdir(where):
            shutil.copytree(where, os.path.join(to, name), symlinks=True,
                            ignore=shutil.ignore_patterns(
                                "__pycache__", "*.pyc",
                                *(("test", "tests") if own else ())))
        else:
            shutil.copy2(where, os.path.join(to, name))
    if own:
        # Some modules are programs too: pycfs would keep them as scripts.
        for top, _, names in os.walk(to):
            for name in names:
                path = os.path.join(top, name)
                if name.endswith(".py") and not os.path.islink(path):
                    os.chmod(path, 0o644)
