"""Makes a small site-packages, and computes its report without pycfs, to
compare the two."""
import ctypes
import json
import os
import re
import stat
import struct
import subprocess
import zlib

import pytest

import trees
from harness import DEBIAN_PYTHON, read

PYTHON = ["--python", DEBIAN_PYTHON]
NATIVE = re.compile(r"\.so(\.[0-9]+)*$")  # shared libraries
CHUNK = 1 << 18  # what is larger is not compressed in one call
# What breaks is not cured.
STRICT = ["--profile", "strict"]
RULES = STRICT + ["--exclude", "*.pyi", "--exclude", "/alpha/tests/",
                  "--keep-source", "/alpha/kept.py", "--keep-source",
                  "/keep.py"]
DOC = '"""Doc."""\n__doc__ += "x"\n'
CAFE = os.fsdecode(b"caf\xe9.py")
SUMS = ("source_bytes", "pycache_bytes", "bytes", "deflate_bytes",
        "zstd_bytes")


def record(root, info, names):
    names = names + [info + "/RECORD"]
    trees.write(os.path.join(root, info, "RECORD"),
                "".join("%s,,\n" % n for n in names))


def make(root):
    """Two wheels, an egg-info and what belongs to nobody."""
    def w(name, data="", *more):
        trees.write(os.path.join(root, name), data, *more)

    licence = "Do as you like.\n" * 50
    w("alpha/__init__.py", '"""Alpha."""\nfrom .core import f\n')
    w("alpha/core.py", trees.CORE)
    w("alpha/core.pyc", "stale")
    w("alpha/kept.py", '"""Doc."""\nimport sys\nX = %r\n' % ("x" * 300))
    w("alpha/old.pyo", "hidden")
    w("alpha/__pycache__/core.cpython-311.pyc", "hidden")
    w("alpha/__pycache__/gone.cpython-38.pyc", "hidden too")
    w("alpha/libspeed.so.1.2", b"\x7fELF" + bytes(3000))
    w("alpha/speed.so.txt", "no library\n")
    w("alpha/_speed.cpython-311-x86_64-linux-gnu.so",
      b"".join(struct.pack("<I", i * i % (1 << 32)) for i in range(80000)))
    w("alpha/data.json", '{"key": "value"}\n')
    w("alpha/empty.txt")
    w("alpha/LICENSE", licence)
    w("alpha/tests/test_a.py", "def test_a():\n    pass\n")
    w("alpha/tests/deep/data.bin", bytes(1000))
    w("alpha/stubs/only.pyi", "x: int\n")
    w("alpha/core.pyi", "y: int\n")
    w("ns/one.py", "ONE = 1\n")
    w("ns/more.py", "MORE = 1\n")
    w("ns/two.py", DOC)
    w("ns/stray.txt", "whose?\n")
    record(root, "alpha-1.2.dist-info",
           ["alpha/__init__.py", "alpha/core.py", "alpha/kept.py", "ns/one.py",
            "ns/more.py", "alpha/data.json", "../../../bin/alpha"])
    w("alpha-1.2.dist-info/METADATA", "Name: alpha\nVersion: 1.2\n")
    w("alpha-1.2.dist-info/LICENSE", licence)
    w("beta/__init__.py", "import beta.mod\n")
    w("beta/mod.py", "def g():\n    assert True\n    return 2\n")
    w("beta/extra.txt", licence)
    w("beta_one.py", "VALUE = 1\n")
    record(root, "Beta_Pkg-2.0.dist-info",
           ["beta/__init__.py", "beta/mod.py", "beta_one.py", "ns/two.py"])
    w("gamma-0.5-py3.11.egg-info/PKG-INFO", "Name: gamma\n")
    w("gamma/__init__.py", "GAMMA = 1\n")
    w("gamma/__main__.py", "print(1)\n")
    w("single.py", "import sys\n\nVALUE = 42\n")
    w("keep.py", "KEEP = 1\n")
    w("broken.py", "x = 1\n\ndef f(:\n")
    w(CAFE, "CAFE = 1\n")
    w("caf\u00e9.txt", "coffee\n")
    w("run.sh", "#!/bin/sh\n", 0o755)
    os.symlink("alpha/data.json", os.path.join(root, "link"))
    os.mkfifo(os.path.join(root, "fifo"))
    trees.age(root)
    return root


OWNERS = {"alpha": "alpha", "alpha-1.2.dist-info": "alpha", "ns": "alpha",
          "ns/two.pyc": "Beta_Pkg", "beta": "Beta_Pkg",
          "beta_one.pyc": "Beta_Pkg", "Beta_Pkg-2.0.dist-info": "Beta_Pkg",
          "gamma-0.5-py3.11.egg-info": "gamma", "single.pyc": "single.py",
          "__pycache__": "keep.py", CAFE + "c": CAFE}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(str(tmp_path_factory.mktemp("report") / "site"))


@pytest.fixture
def site(made, scratch):
    to = os.path.join(scratch, "site")
    subprocess.run(["cp", "-a", made, to], check=True, timeout=60)
    return to


def report(pycfs, source, *options, status=0, **how):
    r = pycfs.run("report", "-q", *PYTHON, *STRICT, *options, source, **how)
    assert r.returncode == status, (options, r.returncode, r.stderr)
    return r


def ask(pycfs, source, *options, **how):
    out = json.loads(report(pycfs, source, "--json", *options, **how).stdout)
    assert out["version"] == 1
    return out


def small(scratch, name="small", **modules):
    root = os.path.join(scratch, name)
    for m, text in (modules or {"a": "A = 1\n", "b": "B = 2\n"}).items():
        trees.write(os.path.join(root, m + ".py"), text)
    trees.age(root)
    return root


# figures

def deflated(data):
    z = zlib.compressobj(6, zlib.DEFLATED, -15, 8)
    return len(z.compress(data) + z.flush())


def zstd(data):
    """What libzstd makes of it at level 9; None: not known."""
    try:
        lib = ctypes.CDLL("libzstd.so.1")
    except OSError:
        return None
    if len(data) > CHUNK:
        return None
    for f in (lib.ZSTD_createCCtx, lib.ZSTD_compressBound, lib.ZSTD_compress2):
        f.restype = ctypes.c_size_t
    c, size = ctypes.c_void_p(lib.ZSTD_createCCtx()), ctypes.c_size_t
    lib.ZSTD_CCtx_setParameter(c, 100, 9)
    room = lib.ZSTD_compressBound(size(len(data)))
    out = ctypes.create_string_buffer(room)
    n = lib.ZSTD_compress2(c, out, size(room), data, size(len(data)))
    lib.ZSTD_freeCCtx(c)
    return n


def names(root):
    """Every path that is no directory."""
    return sorted(os.path.relpath(os.path.join(top, n), root)
                  for top, dirs, files in os.walk(root)
                  for n in files + [d for d in dirs if os.path.islink(
                      os.path.join(top, d))])


def source_of(path):
    """(kind, source) of a path in the view of make()."""
    m = re.match(r"(.*?)__pycache__/(.*)\.cpython-\d+\.pyc$", path)
    if m:
        return "kept", m.group(1) + m.group(2) + ".py"
    if path.endswith(".pyc"):
        return "module", path[:-1]
    if path.endswith(".dist-info/RECORD"):
        return "record", path
    return "link" if path == "link" else "file", path


def check_files(data, shipped, site):
    assert [os.fsencode(f["path"]) for f in data["files"]] == \
        sorted(map(os.fsencode, names(shipped)))
    for f in data["files"]:
        path = f["path"]
        kind, source = source_of(path)
        assert f["kind"] == kind, path
        bytes_ = b"" if kind == "link" else read(os.path.join(shipped, path))
        assert f["bytes"] == len(bytes_), path
        if kind == "link":
            assert f["deflate_bytes"] == f["zstd_bytes"] == 0
        else:
            assert f["deflate_bytes"] == deflated(bytes_), path
            assert f["zstd_bytes"] == (zstd(bytes_) or f["zstd_bytes"]), path
            assert 0 < f["zstd_bytes"] < len(bytes_) + 100, path
        # A kept source is a file of its own.
        assert f["source_bytes"] == (
            os.stat(os.path.join(site, source)).st_size
            if kind == "module" else 0), path
        if kind in ("module", "kept"):
            # What is shipped has the longer name: --prefix is counted in it.
            assert f["bytes"] - len("/site-packages/") <= \
                f["pycache_bytes"] < 3 * f["bytes"], path
        else:
            assert f["pycache_bytes"] == 0, path
        top = path.partition("/")[0]
        owner = OWNERS.get(path, OWNERS.get(top, top))
        assert data["distributions"][f["dist"]]["name"] == owner, path


def summed(files, shipped, site):
    modules = [f for f in files if f["kind"] in ("module", "kept")]
    out = {k: sum(f[k] for f in files) for k in SUMS}
    plain = 0
    for f in files:
        kind, source = source_of(f["path"])
        if kind == "module":
            plain += deflated(read(os.path.join(site, source)))
        elif kind != "kept":
            plain += f["deflate_bytes"]
    out.update(files=len(files), modules=len(modules),
               source_deflate_bytes=plain,
               bytecode_bytes=sum(f["bytes"] for f in modules),
               other_files=len(files) - len(modules),
               native_bytes=sum(f["bytes"] for f in files
                                if NATIVE.search(f["path"])))
    out["other_bytes"] = out["bytes"] - out["bytecode_bytes"]
    return out


def check_sums(data, shipped, site):
    dists, totals = data["distributions"], data["totals"]
    for i, d in enumerate(dists):
        mine = [f for f in data["files"] if f["dist"] == i]
        want = summed(mine, shipped, site)
        assert want == {k: d[k] for k in want}, d["name"]
        assert d["risk"] == max(f["risk"] for f in mine)
    want = summed(data["files"], shipped, site)
    assert want == {k: totals[k] for k in want}
    for k in [*want, "source_zstd_bytes"]:
        assert totals[k] == sum(d[k] for d in dists), k
    # What it is compared with: the same layer, had nothing been compiled.
    plain = sum(os.stat(os.path.join(site, source)).st_size if kind == "module"
                else f["bytes"] for f in data["files"]
                for kind, source in [source_of(f["path"])] if kind != "kept")
    assert totals["baseline_source_bytes"] == plain
    assert totals["baseline_pycache_bytes"] == plain + totals["pycache_bytes"]


def check_hidden(data, site):
    shipped = {source_of(f["path"])[1] for f in data["files"]}
    failed = {f["path"] for f in data["failed"]}
    hidden = {h["path"]: h for h in data["hidden"]}
    assert len(hidden) == len(data["hidden"])
    seen = dict.fromkeys(hidden, 0)
    size = dict.fromkeys(hidden, 0)
    for path in names(site):
        parts = path.split("/")
        over = [p for n in range(len(parts))
                for p in ["/".join(parts[:n + 1])] if p in hidden]
        # core.pyc is shipped, the stale one of that name is not.
        assert (path in shipped) + (path in failed) + len(over) == 1, path
        for p in over:
            st = os.lstat(os.path.join(site, path))
            seen[p] += 1
            size[p] += st.st_size if stat.S_ISREG(st.st_mode) else 0
    for p, h in hidden.items():
        assert (h["files"], h["bytes"]) == (seen[p], size[p]), p
    assert data["totals"]["hidden_files"] == sum(seen.values())
    assert data["totals"]["hidden_bytes"] == sum(size.values())
    return {p: h["why"] for p, h in hidden.items()}
