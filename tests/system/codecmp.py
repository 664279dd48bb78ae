"""Compares two trees of .pyc files. Runs inside a target Python (3.8 to 3.15).

usage: codecmp.py REFERENCE COPY

Both trees must have the same .pyc files. Each file is loaded and compared in
depth: constants with their types and the bits of floats, names, flags,
instructions, line tables, positions, exception tables and qualified names.
co_filename is reported and not compared, so that the caller can check it. A
file that another version of Python has written must have the same bytes in
both trees.

The order in which a frozenset yields its elements does not count as a
difference; "orders" is the number of frozensets in which it differs.

Prints JSON: {"files": N, "foreign": N, "codes": N, "constants": N,
"orders": N, "ranges": {path: N}, "differences": [...],
"filenames": {path: [...]}, "headers": {path: hex}}
"""
import importlib.util
import json
import marshal
import os
import struct
import sys
import types

seen = {"codes": 0, "constants": 0, "orders": 0}
ranges = {}  # path: how many instructions know their columns

PLAIN = ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount",
         "co_nlocals", "co_stacksize", "co_flags", "co_code", "co_names",
         "co_varnames", "co_freevars", "co_cellvars", "co_name",
         "co_qualname", "co_firstlineno", "co_linetable", "co_exceptiontable")


def key(c):
    """A constant as something that is equal only to its like."""
    t = type(c)
    if t is float:
        return "float", struct.pack("<d", c)
    if t is complex:
        return "complex", struct.pack("<dd", c.real, c.imag)
    if t is tuple:
        return "tuple", tuple(key(i) for i in c)
    if t is slice:
        return "slice", key(c.start), key(c.stop), key(c.step)
    if t is frozenset:
        return "frozenset", tuple(sorted((key(i) for i in c), key=repr))
    if t is types.CodeType:
        return "code", c.co_name, c.co_firstlineno, c.co_code
    if t in (int, bool, str, bytes, type(None), type(Ellipsis)):
        return t.__name__, c
    raise TypeError("constant of an unknown type: %r" % t)


def count_orders(a, b):
    if type(a) is tuple:
        for x, y in zip(a, b):
            count_orders(x, y)
    elif type(a) is frozenset:
        seen["orders"] += list(map(key, a)) != list(map(key, b))


def compare(a, b, path, where, out):
    seen["codes"] += 1
    for name in PLAIN:
        if hasattr(a, name) != hasattr(b, name):
            out.append("%s: %s" % (where, name))
        elif hasattr(a, name) and getattr(a, name) != getattr(b, name):
            out.append("%s: %s: %.200r, %.200r" % (
                where, name, getattr(a, name), getattr(b, name)))
    if not hasattr(a, "co_linetable") and a.co_lnotab != b.co_lnotab:
        out.append("%s: co_lnotab" % where)
    if hasattr(a, "co_lines"):
        if list(a.co_lines()) != list(b.co_lines()):
            out.append("%s: co_lines" % where)
    if hasattr(a, "co_positions"):
        ours = list(b.co_positions())
        if list(a.co_positions()) != ours:
            out.append("%s: co_positions" % where)
        n = sum(1 for p in ours if p[2] is not None)
        if n:
            ranges[path] = ranges.get(path, 0) + n
    if len(a.co_consts) != len(b.co_consts):
        out.append("%s: %d constants, %d" % (
            where, len(a.co_consts), len(b.co_consts)))
        return
    for i, (x, y) in enumerate(zip(a.co_consts, b.co_consts)):
        seen["constants"] += 1
        if key(x) != key(y):
            out.append("%s: constant %d: %.200r, %.200r" % (where, i, x, y))
        else:
            count_orders(x, y)
        if isinstance(x, types.CodeType) and isinstance(y, types.CodeType):
            compare(x, y, path, "%s.%s" % (where, x.co_name), out)


def filenames(code, into):
    into.add(code.co_filename)
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            filenames(c, into)
    return into


def pycs(root):
    found = set()
    for top, dirs, files in os.walk(root):
        dirs[:] = [d for d in dirs if d != "__pycache__"]
        found.update(os.path.relpath(os.path.join(top, f), root)
                     for f in files if f.endswith(".pyc"))
    return found


def read(root, path):
    with open(os.path.join(root, path), "rb") as f:
        return f.read()


def load(data):
    return marshal.loads(data[16:])


def main(reference, copy):
    wanted, got = pycs(reference), pycs(copy)
    differences = []
    for path in sorted(wanted ^ got, key=ascii):
        differences.append("%s: only in %s" % (
            ascii(path)[1:-1], "the reference" if path in wanted else "the copy"))
    names, headers, foreign = {}, {}, 0
    for path in sorted(wanted & got, key=ascii):
        a, b = read(reference, path), read(copy, path)
        if a[:4] != importlib.util.MAGIC_NUMBER:
            foreign += 1
            if a != b:
                differences.append("%s: bytes" % ascii(path)[1:-1])
            continue
        compare(load(a), load(b), path, ascii(path)[1:-1], differences)
        names[path] = sorted(filenames(load(b), set()))
        headers[path] = b[:16].hex()
    result = dict(seen, files=len(names), foreign=foreign, ranges=ranges,
                  filenames=names, headers=headers,
                  differences=differences)
    sys.stdout.write(json.dumps(result, ensure_ascii=True))


main(*sys.argv[1:])
