# SPDX-License-Identifier: MIT
"""For tools/bench: a tree to measure, and everything that is made of it once,
before measuring, such as a compiled copy or a filled cache."""
import contextlib
import fnmatch
import os
import shutil
import time
import zipfile

import benchlib
import benchtree
from benchlib import Trouble, run, shell

# With more modules than this the floor, the recipe and squashfuse are left
# out, because they take too long.
LARGE = 20000
IMPORTS = ("asyncio", "concurrent.futures.process", "email.mime.multipart",
           "http.server", "json", "unittest.mock", "urllib.request",
           "xml.dom.minidom", "xml.etree.ElementTree", "zipfile")

RECIPE = r"""
cp -a "$1/." "$2"
shift
tree=$1
shift
PYTHONNODEBUGRANGES=1 "$@" || [ $? -eq 1 ]
find "$tree" -name __pycache__ -prune -exec rm -rf {} +
find "$tree" -name '*.py' -delete
"""


class Skip(Exception):
    """Why a contestant cannot be run here."""


def names(root):
    """Returns two sets of relative paths: compiled modules, and other files.
    """
    modules, others = set(), set()
    for top, dirs, files in os.walk(root):
        for name in files:
            path = os.path.relpath(os.path.join(top, name), root)
            (modules if name.endswith(".pyc") else others).add(path)
    return modules, others


def used(directory):
    """The bytes that the files in a directory use on disk, as du(1) counts."""
    return sum(os.stat(os.path.join(top, f)).st_blocks * 512
               for top, _, files in os.walk(directory) for f in files)


class Tree:
    """A source tree, and what is made of it when it is first needed: bytecode,
    a cache, an image. The properties below make it and return its path."""

    def __init__(self, lab, target, source, generated=False):
        self.lab, self.target, self.source = lab, target, source
        self.generated = generated
        self.modules = self.files = self.bytes = 0
        self.notes = []
        self.footprints = {}
        self.options = ["--python", target.exe]
        for top, dirs, files in os.walk(source):
            dirs[:] = [d for d in dirs if d != "__pycache__"]
            for name in files:
                self.files += 1
                path = os.path.join(top, name)
                if name.endswith(".py") and os.path.isfile(path):
                    self.modules += 1
                    self.bytes += os.path.getsize(path)
        if not self.modules:
            raise Trouble("%s has no modules" % source)
        if self.modules > LARGE:
            self.options += ["--cache-size", "16G"]
        self.cold_options = ["--immutable", *self.options]
        self.made = {}
        self.rejected = 0
        # The numbers of modules and of other files in a complete copy, as the
        # recipe makes it, and as pycfs does.
        self.wanted = self.ours = None
        self.born = time.monotonic()  # when a source was last written

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def prepare(self, cases):
        """Writes all source trees before anything else is done, so that
        settle() has to wait only once."""
        if "changed" in cases:
            self.copy_to_change
        if "import" in cases:
            self.library_source
        if set(cases) - {"import"}:
            self.cache

    def settle(self):
        """Waits until the sources are old enough for the cache (SETTLE)."""
        time.sleep(max(0, self.born + benchlib.SETTLE - time.monotonic()))

    @property
    def large(self):
        return self.modules > LARGE

    # copies

    def check(self, copy, wanted=None):
        """Raises Trouble if a copy lacks a file, has one too many, or has a
        module that is too short for one."""
        wanted = wanted or self.wanted
        modules, others = names(copy)
        if (len(modules), len(others)) != wanted:
            raise Trouble("a copy has %d modules and %d other files, not %d "
                          "and %d" % (len(modules), len(others), *wanted))
        for name in modules:
            if os.path.getsize(os.path.join(copy, name)) < 16:
                raise Trouble("a copy's %s is no bytecode" % name)

    def recipe(self, to):
        return shell(RECIPE, self.source, to,
                     *self.target.compileall(to))

    @property
    def compiled(self):
        """The compiled tree as the recipe makes it, or, if the tree is large,
        as pycfs makes it."""
        def make():
            if self.large:
                return self.cache and self.copied
            to = self.lab.directory("compiled")
            self.recipe(to)
            modules, others = names(to)
            self.reject(modules)
            self.wanted = len(modules), len(others)
            return to
        return self.once("compiled", make)

    def reject(self, modules):
        """Excludes modules that do not compile, so that pycfs ships the same
        modules as the recipe."""
        missing = []
        for top, dirs, files in os.walk(self.source):
            dirs[:] = [d for d in dirs if d != "__pycache__"]
            for name in files:
                path = os.path.relpath(os.path.join(top, name), self.source)
                if name.endswith(".py") and path + "c" not in modules and \
                        os.path.isfile(os.path.join(top, name)):
                    missing.append(path)
        if len(missing) > max(5, self.modules // 10):
            raise Trouble("%d of %d modules do not compile with %s, such as "
                          "%s" % (len(missing), self.modules,
                                  self.target.exe, missing[0]))
        self.rejected = len(missing)
        for path in missing:
            escaped = "".join("\\" + c if c in "\\*?[" else c for c in path)
            self.options += ["--exclude", "/" + escaped]
            self.cold_options += ["--exclude", "/" + escaped]
        if missing:
            self.notes.append("%d modules do not compile: excluded"
                              % len(missing))

    def check_export(self, kind, path):
        """As check(), for an export of this kind."""
        if kind == "dir":
            return self.check(path, self.ours)
        if kind == "zip":
            with zipfile.ZipFile(path) as z:
                found = [n for n in z.namelist() if n.endswith(".pyc")]
        else:
            out = run(["tar", "tf", path], keep=True).out
            found = fnmatch.filter(out.splitlines(), b"*.pyc")
        if len(found) != self.ours[0]:
            raise Trouble("the export has %d modules, not %d"
                          % (len(found), self.ours[0]))

    # the filled cache

    @property
    def cache(self):
        """A cache that has every module. Memory and CPU time are measured
        while it is filled, and again while it is used."""
        def make():
            if not self.large:
                self.compiled
            self.settle()
            cache = self.lab.path("cache")
            self.copied = self.lab.directory("copied")
            self.footprint("cold", cache, self.copied)
            if self.large:
                self.wanted = self.ours
                self.notes.append("the compiled tree is pycfs's own copy")
            else:
                self.compare(self.copied)
                shutil.rmtree(self.copied)
            with self.lab.room("dst") as to:
                self.footprint("warm", cache, to)
            return cache
        return self.once("cache", make)

    def compare(self, copy):
        """Compares the names in a copy of pycfs with those of the recipe's."""
        ours, theirs = names(copy), names(self.compiled)
        if ours[0] != theirs[0]:
            odd = sorted(ours[0] ^ theirs[0])
            raise Trouble("pycfs and the recipe differ in %d modules, such as "
                          "%s" % (len(odd), odd[0]))
        odd = ours[1] ^ theirs[1]
        if odd:
            self.notes.append("%d other files are only in one of the recipe's "
                              "copy and ours, such as %s" % (
                                  len(odd), min(odd)))

    def footprint(self, state, cache, to):
        """Makes a copy and records memory, CPU time and counters of pycfs. The
        time is not measured, because watching takes time itself."""
        with self.lab.mount([*self.cold_options, "--cache", cache],
                            self.source) as m:
            with benchlib.Watch(m.point) as watch:
                run(["cp", "-a", m.point + "/.", to])
            facts = dict(watch.facts(), counters=m.counters())
        facts["cache_bytes"] = used(cache)
        seconds = facts["worker_cpu_s"]
        done = facts["counters"].get("compiled_bytes", 0)
        facts["compiled_bytes_per_cpu_s"] = int(done / seconds) \
            if done and seconds else None
        self.footprints[state] = facts
        compiled = facts["counters"].get("compiled")
        if state == "warm" and compiled:
            self.notes.append("%d modules were compiled although the cache "
                              "had been filled" % compiled)
        if self.ours:
            self.check(to, self.ours)
        self.ours = tuple(map(len, names(to)))

    @property
    def image(self):
        """A squashfs image of the compiled tree, not compressed, because that
        is the fastest to read."""
        def make():
            if self.large:
                raise Skip("not run above %d modules" % LARGE)
            for tool in ("mksquashfs", "squashfuse_ll"):
                if not shutil.which(tool):
                    raise Skip("no %s here" % tool)
            path = self.lab.path("image")
            run(["mksquashfs", self.compiled, path, "-quiet", "-no-progress",
                 "-noI", "-noD", "-noF", "-noX"])
            return path
        return self.once("image", make)

    # one package of fifty

    @property
    def copy_to_change(self):
        def make():
            to = self.lab.directory("changed")
            run(["cp", "-a", self.source + "/.", to])
            self.born = time.monotonic()
            return to
        return self.once("copy", make)

    @property
    def changed(self):
        """A source of which one package has changed, and a cache that was
        filled before the change."""
        return self.once("changed", self.make_changed)

    def make_changed(self):
        source, cache = self.copy_to_change, self.lab.path("before")
        shutil.copytree(self.cache, cache)
        self.copy(source, cache)
        paths = one_of_fifty(source)
        for path in paths:
            with open(path, "ab") as f:
                f.write(b"\n# changed\n")
        self.born = time.monotonic()
        self.settle()
        with self.lab.room("again") as again:
            compiled = self.copy(source, shutil.copytree(
                cache, os.path.join(again, "cache")))
        self.notes.append("%d modules of one package changed, %d compiled"
                          % (len(paths), compiled))
        return source, cache

    def copy(self, source, cache):
        """Copies a mount, and returns how many modules were compiled."""
        options = [*self.cold_options, "--cache", cache]
        with self.lab.room("dst") as to, \
                self.lab.mount(options, source) as m:
            run(["cp", "-a", m.point + "/.", to])
            self.check(to, self.ours)
            return m.counters().get("compiled", 0)

    # imports

    @property
    def library_source(self):
        def make():
            to = self.lab.path("library")
            benchtree.mirror(self.target, self.target.stdlib, IMPORTS, to)
            self.born = time.monotonic()
            return to
        return self.once("library source", make)

    @property
    def library(self):
        """Modules of the standard library: a source, a cache that has them,
        and a copy of a mount of them."""
        def make():
            source = self.library_source
            self.settle()
            cache, copy = self.lab.path("cache"), self.lab.directory("library")
            with self.lab.mount([*self.library_options(cache), "--immutable"],
                                source) as m:
                run(["cp", "-a", m.point + "/.", copy])
            return source, cache, copy
        return self.once("library", make)

    def library_options(self, cache):
        return ["--python", self.target.exe, "--cache", cache]


def one_of_fifty(root):
    """Returns the paths of the modules of one top-level package: the one whose
    number of modules is nearest to a fiftieth of all."""
    packages = {}
    for top, dirs, files in os.walk(root):
        dirs[:] = [d for d in dirs if d != "__pycache__"]
        name = os.path.relpath(top, root).split("/")[0]
        found = [os.path.join(top, f) for f in files if f.endswith(".py")
                 and not os.path.islink(os.path.join(top, f))]
        if name != "." and found:
            packages.setdefault(name, []).extend(found)
    if not packages:
        raise Skip("there is no package")
    wanted = sum(map(len, packages.values())) / 50
    return min(sorted(packages.values()),
               key=lambda p: abs(len(p) - wanted))


@contextlib.contextmanager
def tree(lab, target, source, modules, seed):
    """A Tree of the directory `source`, or, if that is None, of a generated
    tree with this number of modules."""
    with benchlib.Lab(lab.dir, "tree") as inner:
        generated = source is None
        if generated:
            source = inner.directory("source")
            benchtree.generate(source, modules, target.stdlib, seed)
        yield Tree(inner, target, os.path.realpath(source), generated)
