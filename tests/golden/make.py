#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the golden inputs of tests/unit/test_marshal.c.

usage: for each Python: pythonX.Y tests/golden/make.py

Writes X.Y.txt beside this file, one line for each way a module was compiled:

    NAME MAGIC SHA256 HEX

HEX is what this Python's marshal wrote; SHA256 is of the canonical form of
it, by the second implementation below, which shares nothing with src/bytecode/
but the description in include/pycfs/marshal.h. Each module is compiled in two
processes, the second one with much interned before, kept alive and hashed
otherwise, so that CPython's bytes differ where they can: the two must have
one SHA256. The result is also loaded and compared here.
"""
import binascii
import hashlib
import importlib.util
import marshal
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MINOR = sys.version_info[1]
MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER, "little")
# l: a long; b: bytes; c: constants; n: names; f: co_filename; q: a name
FIELDS = ("llllllbcnnnnfqlb" if MINOR < 11 else
          "lllllbcnnbfqqlbb")
NAME_LIKE = re.compile(rb"[A-Za-z0-9_]*\Z")
SINGLE = {"N", "T", "F", "S", "."}


class Node:
    """kind, value and, for containers, kids; one per value."""

    def __init__(self, kind, value=None, kids=()):
        self.kind, self.value, self.kids = kind, value, kids
        self.interned, self.uses, self.number = False, 0, None


class Graph:
    def __init__(self, data):
        self.data, self.at = data, 0
        self.refs, self.known = [], {}
        self.root = self.read()
        assert self.at == len(data)

    def take(self, n):
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self):
        return struct.unpack("<i", self.take(4))[0]

    def merged(self, kind, value, kids=()):
        key = kind, value, tuple(map(id, kids))
        return self.known.setdefault(key, Node(kind, value, kids))

    def read(self):
        byte = self.take(1)[0]
        kind = chr(byte & 127)
        slot = None
        if byte & 128:
            slot = len(self.refs)
            self.refs.append(None)
        node = self.read_kind(kind)
        if slot is not None:
            self.refs[slot] = node
        return node

    def read_kind(self, kind):
        if kind in SINGLE:
            return self.merged(kind, b"")
        if kind == "i":
            return self.merged("i", self.take(4))
        if kind == "l":
            size = self.take(4)
            n = abs(struct.unpack("<i", size)[0])
            return self.merged("l", size + self.take(2 * n))
        if kind in "gy":
            value = self.take(8 if kind == "g" else 16)
            if any(v != v for v in struct.unpack("<%dd" % (len(value) // 8),
                                                 value)):
                return Node(kind, value)
            return self.merged(kind, value)
        if kind == "s":
            return self.merged("s", self.take(self.number()))
        if kind in "utaAzZ":
            n = self.take(1)[0] if kind in "zZ" else self.number()
            return self.merged("u", self.take(n))
        if kind in "()>":
            n = self.take(1)[0] if kind == ")" else self.number()
            kids = [self.read() for _ in range(n)]
            if kind == ">":
                if not all(k.kind in "ilTFgy" for k in kids):
                    kids.sort(key=order)
                return self.merged(">", None, tuple(kids))
            return self.merged("(", None, tuple(kids))
        if kind == ":":
            return self.merged(":", None, tuple(self.read() for _ in "abc"))
        if kind == "}":
            kids = []
            while self.data[self.at:self.at + 1] != b"0":
                kids += [self.read(), self.read()]
            self.take(1)
            return self.merged("}", None, tuple(kids))
        if kind == "r":
            return self.refs[self.number()]
        assert kind == "c", kind
        return Node("c", *self.read_code())

    def read_code(self):
        longs, kids = [], []
        for field in FIELDS:
            if field == "l":
                longs.append(self.take(4))
                continue
            kid = self.read()
            if field == "c":
                intern_constants(kid)
            elif field == "n":
                for name in kid.kids:
                    name.interned = True
            elif field == "f":
                kid = self.merged("/", kid.value)
            elif field == "q":
                if MINOR not in (11, 12) or NAME_LIKE.match(kid.value):
                    kid.interned = True
            kids.append(kid)
        return longs, tuple(kids)


def order(n):
    if n.kids or n.kind in "(>:}":
        return n.kind, len(n.kids), [order(k) for k in n.kids]
    return n.kind, len(n.value), n.value


def intern_constants(n):
    if n.kind == "u" and NAME_LIKE.match(n.value):
        n.interned = True
    if n.kind in "(>":
        for kid in n.kids:
            intern_constants(kid)


def count(n):
    n.uses += 1
    if n.uses == 1:
        for kid in n.kids:
            count(kid)


class Writer:
    def __init__(self, root):
        self.out, self.n_refs = bytearray(), 0
        count(root)
        self.put(root)

    def head(self, kind, node):
        flag = 0
        if node.uses > 1 and node.kind not in SINGLE:
            node.number, self.n_refs = self.n_refs, self.n_refs + 1
            flag = 128
        self.out.append(ord(kind) | flag)

    def put(self, n):
        if n.number is not None:
            self.out += b"r" + struct.pack("<I", n.number)
        elif n.kind in "u/":
            self.put_str(n)
        elif n.kind == "s":
            self.head("s", n)
            self.out += struct.pack("<I", len(n.value)) + n.value
        elif n.kind in "(>":
            small = n.kind == "(" and len(n.kids) < 256
            self.head(")" if small else n.kind, n)
            self.out += struct.pack("B" if small else "<I", len(n.kids))
            for kid in n.kids:
                self.put(kid)
        elif n.kind in ":}":
            self.head(n.kind, n)
            for kid in n.kids:
                self.put(kid)
            self.out += b"0" if n.kind == "}" else b""
        elif n.kind == "c":
            self.head("c", n)
            longs, kids = iter(n.value), iter(n.kids)
            for field in FIELDS:
                if field == "l":
                    self.out += next(longs)
                else:
                    self.put(next(kids))
        else:
            self.head(n.kind, n)
            self.out += n.value

    def put_str(self, n):
        ascii = all(c < 128 for c in n.value)
        if ascii and len(n.value) < 256:
            self.head("Z" if n.interned else "z", n)
            self.out.append(len(n.value))
        else:
            self.head(("aA" if ascii else "ut")[n.interned], n)
            self.out += struct.pack("<I", len(n.value))
        self.out += n.value


def canonical(data):
    return bytes(Writer(Graph(data).root).out)


def alike(a, b):
    """Whether two constants are the same to the last bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (float, complex)):
        return repr(a) == repr(b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, frozenset):
        return a == b
    if isinstance(a, type(alike.__code__)):
        names = [n for n in dir(a) if n.startswith("co_") and n != "co_lnotab"
                 and not callable(getattr(a, n))]
        return all(alike(getattr(a, n), getattr(b, n)) for n in names)
    return a == b


def compile_one(name, stirred):
    with open(os.path.join(HERE, name + ".py"), "rb") as f:
        source = f.read()
    kept = []
    if stirred:
        words = re.findall(r"\w+", source.decode())
        kept = [sys.intern(w) for w in words] + list(map(chr, range(256)))
        kept += [compile(source, name + ".py", "exec", optimize=o)
                 for o in (0, 1, 2)]
        kept += [marshal.loads(marshal.dumps(k)) for k in kept[-3:]]
    code = compile(source, name + ".py", "exec", dont_inherit=True, optimize=1)
    return marshal.dumps(code)


def main():
    if len(sys.argv) == 3:
        data = compile_one(sys.argv[1], sys.argv[2] == "stirred")
        print(binascii.hexlify(data).decode())
        return
    names = sorted(n[:-3] for n in os.listdir(HERE)
                   if n.endswith(".py") and n != "make.py")
    lines = []
    for name in names:
        seen = {}
        for how, seed in (("plain", "0"), ("stirred", "7")):
            env = dict(os.environ, PYTHONHASHSEED=seed, PYTHONUTF8="1",
                       PYTHONNODEBUGRANGES="1")
            hexed = subprocess.run(
                [sys.executable, "-S", __file__, name, how], env=env,
                check=True, stdout=subprocess.PIPE).stdout.decode().strip()
            data = binascii.unhexlify(hexed)
            form = canonical(data)
            assert canonical(form) == form, name
            assert alike(marshal.loads(data), marshal.loads(form)), name
            seen.setdefault(hexed, hashlib.sha256(form).hexdigest())
        assert len(set(seen.values())) == 1, "%s has two forms" % name
        lines += ["%s %d %s %s\n" % (name, MAGIC, digest, hexed)
                  for hexed, digest in seen.items()]
    with open(os.path.join(HERE, "3.%d.txt" % MINOR), "w") as f:
        f.write("".join(lines))
    print("3.%d: %d modules, %d inputs" % (MINOR, len(names), len(lines)))


if __name__ == "__main__":
    main()
