"""Runs inside Pyodide, started by webassembly.mjs. ARGS are what to do,
"write" or "check", and for how many seconds.

write  compiles and marshals /in/golden/*.py, and as many modules of the
       standard library as there is time for, into /in/NAME.in, twice: the
       second time with many strings interned, and many objects kept alive.
check  loads /in/NAME.out, the canonical forms, and compares them with what
       Python compiles.
"""
import importlib.util
import json
import marshal
import os
import re
import struct
import sys
import time
import zipfile

sys.path.insert(0, "/in/golden")
import make  # tests/golden/make.py, the second implementation


def sources():
    """(name, bytes) of what is compiled, the golden modules first."""
    for name in sorted(os.listdir("/in/golden")):
        if name.endswith(".py"):
            with open("/in/golden/" + name, "rb") as f:
                yield name, f.read()
    for entry in sys.path:
        if entry.endswith(".zip"):
            with zipfile.ZipFile(entry) as z:
                for name in sorted(z.namelist()):
                    if name.endswith(".py"):
                        yield name, z.read(name)


def code(name, source, level):
    return compile(source, name, "exec", dont_inherit=True, optimize=level)


def blocks(path):
    with open(path, "rb") as f:
        while head := f.read(4):
            yield f.read(struct.unpack("<I", head)[0])


def write(seconds):
    end, names, kept = time.monotonic() + seconds, [], []
    with open("/in/plain.in", "wb") as plain, \
            open("/in/stirred.in", "wb") as stirred:
        for name, source in sources():
            if time.monotonic() > end:
                break
            for level in (0, 2):
                data = marshal.dumps(code(name, source, level))
                plain.write(struct.pack("<I", len(data)) + data)
                text = source.decode("latin-1")
                kept = [sys.intern(w) for w in re.findall(r"\w+", text)]
                kept += [code(name, source, o) for o in (2, 1, 0)]
                kept += [marshal.loads(data)]
                data = marshal.dumps(code(name, source, level))
                stirred.write(struct.pack("<I", len(data)) + data)
            names.append(name)
    with open("/in/names.json", "w") as f:
        json.dump({"names": names, "version": sys.version,
                   "platform": sys.platform,
                   "magic": int.from_bytes(importlib.util.MAGIC_NUMBER,
                                           "little")}, f)


def check():
    with open("/in/names.json") as f:
        names = set(json.load(f)["names"])
    plain = blocks("/in/plain.in")
    forms = blocks("/in/plain.out")
    n = 0
    for name, source in sources():
        if name not in names:
            continue
        names.remove(name)
        for level in (0, 2):
            data, form = next(plain), next(forms)
            assert make.alike(marshal.loads(form), code(name, source, level)), \
                "%s at level %d is another module" % (name, level)
            # The second implementation is slow here.
            if len(data) < 20000:
                assert make.canonical(data) == form, \
                    "%s at level %d: two forms" % (name, level)
            n += 1
    assert not names, names
    with open("/in/checked", "w") as f:
        f.write(str(n))


if ARGS[0] == "write":
    write(float(ARGS[1]))
else:
    check()
