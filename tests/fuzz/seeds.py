#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of each fuzz target to corpus/NAME.

usage: tests/fuzz/seeds.py

From the golden modules and by hand; deterministic. What fuzzing found is kept
beside them.
"""
import hashlib
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")


def put(target, name, data):
    where = os.path.join(HERE, "corpus", target)
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, "seed-" + name), "wb") as f:
        f.write(data)


def string(data):
    return struct.pack("<I", len(data)) + data


def frame(kind, payload):
    return struct.pack("<II", kind, len(payload)) + payload


def marshal():
    for choice, minor in enumerate(range(8, 14)):
        with open(os.path.join(GOLDEN, "3.%d.txt" % minor)) as f:
            for line in f:
                name, _, _, data = line.split()
                data = bytes([choice]) + bytes.fromhex(data)
                put("marshal", "%s-3.%d-%s" % (
                    name, minor, hashlib.sha256(data).hexdigest()[:4]), data)


def frames():
    hello = struct.pack("<III", 1, 0x0a0d0dcb, 0x030c01f0) + string(b"3.12.1")
    put("frame", "hello", frame(1, hello))
    for mode in (0, 1, 3):
        put("frame", "compile%d" % mode, frame(2, struct.pack(
            "<QBBBBI", 7, mode % 3, mode, mode & 1, 0, 5) +
            string(b"a/b.py") + string(b"x = 1\n")))
    for status in range(4):
        put("frame", "result%d" % status, frame(3, struct.pack(
            "<QIII", 7, status, 3, 4) + string(b"invalid syntax")))


def pycs():
    for flags in (0, 1, 3):
        put("pyc", "flags%d" % flags, struct.pack(
            "<IIQ", 0x0a0d0dcb, flags, 0x1122334455667788) + b"\xe3")
    for name in ("unchecked-hash", "checked-hash", "timestamp"):
        put("pyc", name, name.encode())


def blobs():
    for kind in range(3):
        put("blob", "kind%d" % kind, struct.pack(
            "<IIIIB", kind, 7, 9, 16 + 10 * kind, kind) + b"payload")
    put("blob", "stored", b"PXB1" + struct.pack("<III", 1, 0, 0) + bytes(40))


def rules():
    for n, (text, path) in enumerate((
            ("exclude *.pyi\ninclude /a/*.pyi\n", "a/b.pyi"),
            ("# comment\n\nexclude tests/\nkeep-source patch.py\n",
             "x/tests/y.py"),
            ("optimize 0 sympy/**\noptimize 1 **/m.py\n!x\n", "sympy/a/m.py"),
            ("exclude !a\nexclude [!a-c]?\\*x[]]\n", "d*x]"),
            ("exclude a*a*a*a*a*b\nexclude **/**/**/**/x\n",
             "aaaaaaaaaaaaaaaaaaaaaaa/a/a/a/a/a"),
    )):
        put("rules", str(n), text.encode() + b"\0" + path.encode())


def records():
    for n, text in enumerate((
            "a.py,sha256=abc,12\na.dist-info/RECORD,,\n",
            'a.py,,\r\n"b,c.py",x,1\r\n\r\n"d""e",,\r\n',
            '../../bin/x,,\n"a\nb",,\n',
            'plain\n"unfinished',
    )):
        put("record", str(n), text.encode())


if __name__ == "__main__":
    marshal()
    frames()
    pycs()
    blobs()
    rules()
    records()
