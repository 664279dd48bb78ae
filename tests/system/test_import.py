"""What users do with a view: import from it, run programs in it, zip it."""
import os
import zipfile

import pytest

import harness
import trees
from harness import copy, python

IMPORTS = """
import sys
sys.path[:0] = [sys.argv[1]]
import pkg, pkg.core, pkg.sub.deep, pkg.sub.link_back, ns.inner.leaf, single
import empty, comment, bom, latin, crlf, no_newline, formfeed, link_mod, link_up
modules = [pkg, pkg.core, pkg.sub.deep, pkg.sub.link_back, ns.inner.leaf,
           single, empty, comment, bom, latin, crlf, no_newline, formfeed,
           link_mod, link_up]
for m in modules:
    assert m.__file__.startswith(sys.argv[1] + "/"), m.__file__
    assert m.__file__.endswith(".pyc"), m.__file__
    assert m.__spec__.loader.get_source(m.__name__) is None
core = pkg.core
assert core.VERSION == sys.version_info[:2]
assert repr(core.ONE) == \\
    "(1, 1.0, True, (1+0j), '1', b'1', -0.0, 0.0, (0.0, -0.0), (-0.0, 0.0))"
assert core.TEXT[4] == chr(0xdc80) and core.TEXT[3] == chr(0x1f40d)
assert core.BIG[1] == -2**200
assert core.__doc__ is None and core.member.__doc__ is None
assert core.outer(1, 2, 3, c=4, d=5, e=6)[1:] == (4, 5, {"e": 6})
assert core.Base.cached(30) == 832040 and core.Base(3).two == 6
assert core.names("{") and core.member(-0.0) and not core.names("z")
assert latin.LATIN == bom.BOM == "caf" + chr(0xe9)
assert crlf.B == "two" + chr(10) + "lines"
assert pkg.sub.deep.where() == "pkg.sub.deep"
assert single.VALUE == link_mod.VALUE == pkg.sub.link_back.VALUE == 42
try:
    core.Base(None).__class__.Inner().method(1, 2)
except TypeError as e:
    pass
else:
    raise SystemExit("no TypeError")
import traceback
try:
    core.far_apart(1)
except TypeError:
    pass
try:
    core.gen(1).__next__(); core.Base.cached("x")
except TypeError:
    text = traceback.format_exc()
    assert "pkg/core.py" in text, text
    assert "in cached" in text, text
else:
    raise SystemExit("no error")
import importlib.resources, pkgutil
assert {m.name for m in pkgutil.iter_modules(pkg.__path__)} - {"fast"} == \\
    {"__main__", "core", "sub"}
print("imported", len(modules))
"""


def imports(exe, where):
    run = python(exe, "-S", "-c", IMPORTS, where)
    assert run.stdout == "imported 15\n"


def test_imports(target, mount, tree, scratch):
    with mount(tree, python=target.exe) as m:
        imports(target.exe, m.path)
        run = python(target.exe, "-S", "-m", "pkg", "x", cwd=m.path)
        assert run.stdout == "main __main__ pkg.sub.deep 6765 x\n"
        out = copy(m, os.path.join(scratch, "out"))
    imports(target.exe, out)
    run = python(target.exe, "-S", "-m", "pkg", "a", "b", cwd=out)
    assert run.stdout == "main __main__ pkg.sub.deep 6765 a b\n"


@pytest.mark.parametrize("flags", [(), ("-O",), ("-OO",)], ids=str)
def test_imports_at_any_level_of_the_interpreter(flags, mount, tree, scratch):
    target = harness.newest()
    with mount(tree, python=target.exe) as m:
        run = python(target.exe, *flags, "-S", "-m", "pkg", cwd=m.path)
    assert run.stdout == "main __main__ pkg.sub.deep 6765\n"


def test_line_numbers_survive(mount, tree):
    lines = trees.CORE.splitlines()
    wanted = 1 + next(i for i, line in enumerate(lines)
                      if "return n if n < 2" in line)
    with mount(tree) as m:
        run = python(harness.DEBIAN_PYTHON, "-S", "-c",
                     "import pkg.core; pkg.core.Base.cached('x')", cwd=m.path,
                     check=False)
    assert 'File "/site-packages/pkg/core.py", line %d, in cached' % wanted \
        in run.stderr


def test_zip_of_the_mount(target, mount, tree, scratch):
    archive = os.path.join(scratch, "layer.zip")
    with mount(tree, python=target.exe) as m, \
            zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        for path, kind in trees.listing(m.path).items():
            if kind == "file" and path.isascii():
                name = os.fsdecode(path)
                z.write(m / name, name)
    run = python(target.exe, "-S", "-c", """
import sys
sys.path[:0] = [sys.argv[1]]
import pkg.core, pkg.sub.deep, single
assert pkg.core.__file__ == sys.argv[1] + "/pkg/core.pyc", pkg.core.__file__
print(pkg.core.Base.cached(20), single.VALUE)
""", archive)
    assert run.stdout == "6765 42\n"


def test_a_standard_library_from_the_copy(mount, scratch):
    """A newer Python started from a copied view of its own library."""
    target = next((p for p in harness.PYTHONS if p.minor == (3, 12)),
                  next(p for p in harness.PYTHONS if p.minor == (3, 11)))
    lib = os.path.join(scratch, "lib")
    skip = {"test", "tests", "idlelib", "lib2to3", "site-packages",
            "dist-packages", "__pycache__", "turtledemo", "ensurepip"}
    import shutil
    shutil.copytree(target.stdlib, lib, symlinks=True,
                    ignore=lambda d, names: skip.intersection(names))
    home = os.path.join(scratch, "home")
    to = os.path.join(home, "lib", "python%d.%d" % target.minor)
    # Some modules are programs too, which would stay sources as scripts.
    with mount(lib, "--optimize-for", "2:/**", python=target.exe) as m:
        copy(m, to)
    assert not [p for p in trees.listing(to) if p.endswith(b".py")]
    assert len(trees.modules(lib)) > 300
    script = os.path.join(scratch, "all.py")
    trees.write(script, """
import importlib, os, sys, warnings
warnings.simplefilter("ignore")
good, bad, elsewhere = [], [], []
for name in sorted(sys.stdlib_module_names):
    if name in ("this", "antigravity", "idlelib", "lib2to3", "test",
                "turtledemo", "ensurepip", "__main__",
                "zipimport"):  # frozen, always
        continue
    try:
        m = importlib.import_module(name)
    except ImportError:
        bad.append(name)
        continue
    file = getattr(m, "__file__", None)
    if file and file.endswith((".py", ".pyc")):
        good.append(name)
        if len(sys.argv) > 1 and not (file.startswith(sys.argv[1])
                                      and file.endswith(".pyc")):
            elsewhere.append((name, file))
print(len(good), bad, elsewhere)
""")
    flags = ["-X", "frozen_modules=off", "-S", "-OO"]
    own = python(target.exe, *flags, script, timeout=120).stdout
    run = python(target.exe, *flags, script, to + "/", timeout=120,
                 env={"PYTHONHOME": home}).stdout
    assert run == own
    assert int(run.split()[0]) > 150 and run.rstrip().endswith("[]")
