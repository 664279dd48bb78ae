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


if __name__ == "__main__":
    marshal()
    frames()
    pycs()
    blobs()
