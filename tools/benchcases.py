# SPDX-License-Identifier: MIT
"""The contestants of tools/bench, and the cases: which contestants are
compared with which others."""
import os
import random
import shutil
import subprocess
import time

import benchlib
from benchlib import Trouble, run, shell
from benchmade import IMPORTS, LARGE, Skip, names

# Runs in the target Python: compiles a tree on all cores, and writes nothing.
FLOOR = r"""
import marshal, multiprocessing, os, sys, warnings

def one(path):
    with open(path, "rb") as f:
        source = f.read()
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=2)
    except (SyntaxError, ValueError):
        return 0
    return len(marshal.dumps(code)) > 0

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    paths = []
    for top, dirs, files in os.walk(sys.argv[1]):
        paths += [os.path.join(top, f) for f in files if f.endswith(".py")]
    with multiprocessing.get_context("fork").Pool(int(sys.argv[2])) as pool:
        print(sum(pool.imap_unordered(one, paths, 8)))
"""

# Runs in the target Python: imports modules from a tree, and prints the
# seconds that took.
IMPORT = r"""
import sys, time
tree = sys.argv[1].rstrip("/")
sys.path.insert(0, tree)
start = time.perf_counter()
for name in sys.argv[2:]:
    __import__(name)
spent = time.perf_counter() - start
for name in sys.argv[2:]:
    if not sys.modules[name].__file__.startswith(tree + "/"):
        sys.exit(name + " was imported from " + sys.modules[name].__file__)
print(spent)
"""

# The contestants. Each takes a Tree, and returns a Spent, a number of seconds,
# or {figure: seconds}. Expressions such as `t.cache` alone on a line have the
# tree prepare something that is not to be timed.

def by_recipe(t):
    if t.large:
        raise Skip("not run above %d modules" % LARGE)
    t.compiled
    with t.lab.room("dst") as to:
        spent = t.recipe(to)
        t.check(to)
    return spent


def by_floor(t):
    if t.large:
        raise Skip("not run above %d modules" % LARGE)
    t.compiled
    cores = benchlib.machine()["cores"]
    spent = run([t.target.exe, "-S", "-c", FLOOR, t.source, cores], keep=True,
                env=benchlib.clean_env(PYTHONNODEBUGRANGES="1"))
    if int(spent.out) != t.modules - t.rejected:
        raise Trouble("the floor compiled %s of %d modules"
                      % (spent.out.decode().strip(), t.modules))
    return spent


def by_native(t):
    compiled = t.compiled
    with t.lab.room("dst") as to:
        spent = run(["cp", "-a", compiled + "/.", to])
        t.check(to)
    return spent


def by_squashfuse(t):
    image = t.image
    with t.lab.room("dst") as to, t.lab.point() as point:
        spent = shell('squashfuse_ll "$1" "$2"; cp -a "$2/." "$3"; '
                      'fusermount3 -u "$2" || umount "$2"', image, point, to)
        t.check(to)
    return spent


def pycfs_run(t, options, cache, source=None):
    """Times `pycfs run ... -- cp -a` from its start to its exit, as a build
    would use it."""
    with t.lab.room("dst") as to, t.lab.point() as point:
        spent = run([benchlib.program(), "run", "--profile", "strict",
                     *options, "--cache", cache,
                     source or t.source, point, "--", "cp", "-a",
                     point + "/.", to])
        t.check(to, t.ours)
    return spent


def by_cold(jobs=None):
    def cold(t):
        t.cache
        more = ["--jobs", str(jobs)] if jobs else []
        with t.lab.room("cold") as cache:
            return pycfs_run(t, [*t.cold_options, *more],
                             os.path.join(cache, "cache"))
    return cold


def by_warm(t):
    cache = t.cache
    return pycfs_run(t, t.cold_options, cache)


def by_warm_live(t):
    cache = t.cache
    return pycfs_run(t, t.options, cache)


def by_second(options):
    def second(t):
        cache = t.cache
        with t.lab.mount([*getattr(t, options), "--cache", cache],
                         t.source) as m:
            for _ in range(2):
                with t.lab.room("dst") as to:
                    spent = run(["cp", "-a", m.point + "/.", to])
                    t.check(to, t.ours)
        return spent
    return second


TAR = 'tar cf - -C "$1" . | cat >/dev/null'


def tar_names(root):
    out = shell('tar cf - -C "$1" . | tar tf -', root, keep=True).out
    return out.count(b".pyc\n")


def by_tar(t):
    cache = t.cache
    with t.lab.mount([*t.cold_options, "--cache", cache], t.source) as m:
        spent = shell(TAR, m.point)
        if tar_names(m.point) != t.ours[0]:
            raise Trouble("tar does not find every module")
    return spent


def by_tar_native(t):
    return shell(TAR, t.compiled)


def find(root, modules):
    spent = run(["find", root, "-size", "+0"], keep=True)
    if spent.out.count(b".pyc\n") != modules:
        raise Trouble("find sees %d modules of %d" % (
            spent.out.count(b".pyc\n"), modules))
    return spent


def by_find(t):
    cache = t.cache
    with t.lab.mount([*t.cold_options, "--cache", cache], t.source) as m:
        return find(m.point, t.ours[0])


def by_find_native(t):
    return find(t.compiled, t.wanted[0])


def by_changed(t):
    source, before = t.changed
    with t.lab.room("before") as room:
        cache = os.path.join(room, "cache")
        shutil.copytree(before, cache)
        return pycfs_run(t, t.cold_options, cache, source)


def imported(t, tree):
    """Returns the seconds that the imports take, measured within the process,
    so that its start is not counted."""
    return float(run([t.target.exe, "-I", "-S", "-B", "-c", IMPORT, tree,
                      *IMPORTS], keep=True).out)


def by_import_source(t):
    return imported(t, t.library[0])


def by_import_copy(t):
    return imported(t, t.library[2])


def by_import_mount(t):
    source, cache, _ = t.library
    with t.lab.mount([*t.library_options(cache), "--immutable"], source) as m:
        return {"import-first": imported(t, m.point),
                "import-mount": imported(t, m.point)}


def by_import_live(t):
    source, cache, _ = t.library
    with t.lab.mount(t.library_options(cache), source) as m:
        imported(t, m.point)
        return imported(t, m.point)


def latencies(t, point, order, busy):
    """Opens, reads and closes one module after the other while busy() is true,
    and returns the seconds that each took."""
    found = []
    for path in order:
        start = time.perf_counter()
        with open(os.path.join(point, path), "rb") as f:
            f.read()
        found.append(time.perf_counter() - start)
        if not busy():
            break
        time.sleep(0.002)
    return found


def by_latency(loaded):
    """Times reads of modules in random order, none of which was read before:
    on an idle mount, or while the whole tree is copied (`loaded`)."""
    def latency(t):
        t.cache
        order = sorted(names(t.compiled)[0])
        random.Random(t.modules).shuffle(order)
        order = order[:500]
        options = [*t.options, *([] if loaded else ["--no-ahead"])]
        with t.lab.room("cold") as cache, t.lab.room("dst") as to, \
                t.lab.mount([*options, "--immutable", "--cache",
                             os.path.join(cache, "cache")], t.source) as m:
            if loaded:
                p = benchlib.spawn(["cp", "-a", m.point + "/.", to],
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
                try:
                    found = latencies(t, m.point, order,
                                      lambda: p.poll() is None)
                    if p.wait(timeout=benchlib.TIMEOUT):
                        raise Trouble("cp -a failed")
                finally:
                    benchlib.stop(p)
                t.check(to, t.ours)
            else:
                found = latencies(t, m.point, order, lambda: True)
        word = "latency-" if loaded else "idle-"
        return {word + "p50": benchlib.median(found),
                word + "p99": benchlib.percentile(found, 0.99)}
    return latency


def by_ready(t):
    t.cache
    with t.lab.room("cold") as cache, t.lab.mount(
            [*t.cold_options, "--cache", os.path.join(cache, "cache")],
            t.source) as m:
        return m.ready


def by_ready_warm(t):
    cache = t.cache
    with t.lab.mount([*t.cold_options, "--cache", cache], t.source) as m:
        return m.ready


def can_export():
    try:
        run([benchlib.program(), "export", "--help"])
    except Trouble:
        raise Skip("this pycfs has no export") from None


def by_export(kind, warm):
    def export(t):
        can_export()
        cache = t.cache
        with t.lab.room("cold") as cold, t.lab.room("dst") as room:
            if not warm:
                cache = os.path.join(cold, "cache")
            to = os.path.join(room, {"dir": "tree", "stream": "-"}.get(
                kind, "tree." + kind))
            args = [benchlib.program(), "export", "--profile", "strict",
                    *t.options, "--cache",
                    cache, t.source]
            if kind == "stream":
                return shell('"$@" - >/dev/null', *args)
            spent = run([*args, to])
            t.check_export(kind, to)
        return spent
    return export


# In the order in which they run. Those that are compared run one after the
# other, so that other load on the machine affects both.
CONTESTANTS = {
    "recipe": (by_recipe, "cp -a, compileall -j0 -o 2 -b, delete sources"),
    "cold": (by_cold(), "pycfs run --immutable -- cp -a, new cache"),
    "floor": (by_floor, "compile all on all cores, write nothing"),
    "export-cold-dir": (by_export("dir", False), "pycfs export to a "
                        "directory, new cache"),
    "export-cold-tar": (by_export("tar", False), "to a tar"),
    "export-cold-zip": (by_export("zip", False), "to a zip"),
    "changed": (by_changed, "one package of fifty changed, cache of before"),
    "native": (by_native, "cp -a of the compiled tree"),
    "warm": (by_warm, "pycfs run --immutable -- cp -a, filled cache"),
    "squashfuse": (by_squashfuse, "squashfuse_ll of the compiled tree, cp -a"),
    "warm-live": (by_warm_live, "as warm, without --immutable"),
    "second": (by_second("cold_options"), "cp -a again of the same mount"),
    "second-live": (by_second("options"), "the same, without --immutable"),
    "export-warm-dir": (by_export("dir", True), "pycfs export to a "
                        "directory, filled cache"),
    "export-warm-tar": (by_export("tar", True), "to a tar"),
    "export-warm-zip": (by_export("zip", True), "to a zip"),
    "tar-native": (by_tar_native, "tar of the compiled tree | cat"),
    "export-stream": (by_export("stream", True), "pycfs export - >/dev/null, "
                      "filled cache"),
    "tar": (by_tar, "tar of a new mount | cat, filled cache"),
    "find-native": (by_find_native, "find -size +0 of the compiled tree"),
    "find": (by_find, "find -size +0 of a new mount, filled cache"),
    "import-source": (by_import_source, "from sources, no bytecode"),
    "import-copy": (by_import_copy, "from a copy of the mount"),
    "import-mount": (by_import_mount, ""),
    "import-live": (by_import_live, "that, without --immutable"),
    "latency-idle": (by_latency(False), ""),
    "latency": (by_latency(True), ""),
    "ready": (by_ready, "pycfs mount until it returns, new cache"),
    "ready-warm": (by_ready_warm, "the same, filled cache"),
}

# Contestants that return several figures: {contestant: {figure: what it is}}
SEVERAL = {
    "import-mount": {
        "import-first": "from a new mount, filled cache",
        "import-mount": "the same, in a second process"},
    "latency": {
        "latency-p50": "one module, cold, during a cp -a of all: median",
        "latency-p99": "its 99th percentile"},
    "latency-idle": {
        "idle-p50": "one module, cold, nothing else done: median",
        "idle-p99": "its 99th percentile"},
}
# {figure: (contestant, what it is)}
FIGURES = {figure: (name, SEVERAL.get(name, {}).get(figure, about))
           for name, (_, about) in CONTESTANTS.items()
           for figure in SEVERAL.get(name, (name,))}

# {case: (what is measured, {figure: figures that it is compared with})}
CASES = {
    "cold": ("a first copy, nothing cached", {
        "recipe": (), "floor": ("recipe",), "cold": ("recipe", "floor")}),
    "warm": ("a copy from a new mount of what is cached", {
        "native": (), "squashfuse": ("native",),
        "warm": ("native", "squashfuse"),
        "warm-live": ("native", "squashfuse")}),
    "second": ("a second copy from the same mount", {
        "native": (), "second": ("native",), "second-live": ("native",)}),
    "stream": ("tar and find, kernel cold, cache filled", {
        "tar-native": (), "tar": ("tar-native",), "find-native": (),
        "find": ("find-native",)}),
    "changed": ("a build after one package of fifty changed", {
        "recipe": (), "changed": ("recipe",)}),
    "import": ("importing some of the standard library", {
        "import-source": (), "import-copy": ("import-source",),
        "import-first": ("import-copy",),
        "import-mount": ("import-copy", "import-source"),
        "import-live": ("import-copy",)}),
    "latency": ("the wait for one module", {
        "idle-p50": (), "idle-p99": (),
        "latency-p50": ("idle-p50",),
        "latency-p99": ("idle-p99",)}),
    "ready": ("how soon it is mounted", {"ready": (), "ready-warm": ()}),
    "export": ("the same tree without a mount", {
        "recipe": (), "native": (), "tar-native": (),
        "export-cold-dir": ("recipe",), "export-cold-tar": ("recipe",),
        "export-cold-zip": ("recipe",), "export-warm-dir": ("native",),
        "export-warm-tar": ("tar-native",), "export-warm-zip": ("native",),
        "export-stream": ("tar-native",)}),
}
SCALED = ("cold", "warm", "ready")  # what --scale repeats


def contestants_of(cases, jobs=()):
    """Returns {name: function} of the contestants that these cases need, in
    the order in which they run."""
    needed = {FIGURES[f][0] for c in cases for f in CASES[c][1]}
    chosen = {}
    for name, (function, _) in CONTESTANTS.items():
        if name in needed:
            chosen[name] = function
        if name == "cold" and "cold" in cases:
            for n in jobs:
                chosen["cold-j%d" % n] = by_cold(n)
    return chosen
