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
    # As in fuzz_marshal.c, where an unknown one stands between.
    for choice, minor in zip((0, 1, 2, 3, 4, 5, 7, 8), range(8, 16)):
        with open(os.path.join(GOLDEN, "3.%d.txt" % minor)) as f:
            for line in f:
                name, _, _, data = line.split()
                data = bytes([choice]) + bytes.fromhex(data)
                put("marshal", "%s-3.%d-%s" % (
                    name, minor, hashlib.sha256(data).hexdigest()[:4]), data)


def frames():
    hello = struct.pack("<IIII", 4, 0x0a0d0dcb, 0x030c01f0, 1) + \
        string(b"3.12.1") + string(b"0123456789abcdef")
    put("frame", "hello", frame(1, hello))
    for mode in (0, 1, 3):
        put("frame", "compile%d" % mode, frame(2, struct.pack(
            "<QBBBBI", 7, mode % 3, mode, mode & 1, 0, 5) +
            string(b"a/b.py") + string(b"x = 1\n")))
    for status in range(4):
        put("frame", "result%d" % status, frame(3, struct.pack(
            "<QIIII", 7, status, 3, 4, 17) + string(b"invalid syntax")))


def elf_file(bits, order, machine=62, mark=b"code"):
    """The smallest ELF file with a segment and a section."""
    wide = bits == 64
    head, segment, section = (64, 56, 64) if wide else (52, 32, 40)
    at = head + segment
    size = at + len(mark)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1])
    word = "Q" if wide else "I"
    out = ident.ljust(16, b"\0") + struct.pack(
        order + "HHI3%sIHHHHHH" % word, 3, machine, 1, 0, head, size, 0, head,
        segment, 1, section, 1, 0)
    numbers = (0, 0, 0, size, size)
    out += struct.pack(order + "II6Q", 1, 5, *numbers, 4096) if wide else \
        struct.pack(order + "8I", 1, *numbers, 5, 4096)
    out += mark
    return out + struct.pack(order + ("IIQQQQIIQQ" if wide else "10I"),
                             0, 1, 2, 0, at, len(mark), 0, 0, 1, 0)


def elf():
    for bits in 32, 64:
        for order in "<>":
            one = elf_file(bits, order)
            for name, other in (("same", one),
                                ("other", elf_file(bits, order, mark=b"edoc")),
                                ("cut", one[:-1] + b"\0")):
                put("elf", "%d-%s-%s" % (
                    bits, "le" if order == "<" else "be", name), one + other)


def node(key, value, flags=0, size=None):
    size = len(value) if size is None else size
    data = struct.pack("<HHHH", size & 0xffff, size >> 16, flags, len(key))
    data += key + value
    return data + b"\0" * (len(data) % 2)


def tree_page(pgno, flags, nodes, psize=256):
    """A page of a database as LMDB lays it out, nodes from its end on."""
    at, offsets, body = psize, [], b""
    for n in nodes:
        at -= len(n)
        offsets.append(at)
        body = n + body
    lower = 16 + 2 * len(nodes)
    head = struct.pack("<QHHHH", pgno, 0, flags, lower, at)
    head += struct.pack("<%dH" % len(nodes), *offsets)
    return head + b"\0" * (at - lower) + body


def table(flags, depth, entries, root, pad=0):
    return struct.pack("<IHHQQQQQ", pad, flags, depth, 0, 0, 0, entries, root)


def pages():
    """Two tables, one of a branch and two leaves with a large value; a list
    of free pages within its page."""
    none = 2 ** 64 - 1
    names = [node(b"blob", table(0, 2, 3, 3), 2),
             node(b"meta", table(0, 0, 0, none), 2)]
    free = [node(struct.pack("<Q", 3), struct.pack("<QQQ", 2, 9, 8))]
    body = [
        tree_page(2, 2, names),
        tree_page(3, 1, [node(b"", b"", 0, 4), node(b"c", b"", 0, 5)]),
        tree_page(4, 2, [node(b"a", b"one"), node(b"b", b"two")]),
        tree_page(5, 2, [node(b"c", struct.pack("<Q", 6), 1, 300)]),
        struct.pack("<QHHI", 6, 0, 4, 2) + b"v" * 496,
        b"\0" * 512,
        tree_page(10, 2, free),
    ]
    metas = b""
    for i in (0, 1):
        meta = struct.pack("<QHHI", i, 0, 8, 0)
        meta += struct.pack("<IIQQ", 0xBEEFC0DE, 1, 0, 1 << 20)
        meta += table(8, 1, 1, 10, 256) + table(0, 1, 2, 2)
        meta += struct.pack("<QQ", 10, 4 + i)
        metas += meta + b"\0" * (256 - len(meta))
    put("pages", "small", metas + b"".join(body))


def opts():
    for name, words in (
            ("mount", ["mount", "--python", "3.12", "-O1", "--owner=0:0",
                       "-o", "ro,mtime=5,exclude=a\\,b", "src", "mnt"]),
            ("run", ["run", "--jobs", "2", "a", "b", "--", "c", "-d"]),
            ("export", ["export", "--max-size", "lambda", "--prefix-dir",
                        "a/b", "--optimize-for", "1:x/*", "s", "d.zip"]),
            ("report", ["report", "--max-growth=3%", "--sort", "zstd", "s"]),
            ("cache", ["cache", "--max-age", "3", "--json", "gc"])):
        put("opt", name, "\0".join(words).encode())


def blobs():
    for kind in range(3):
        put("blob", "kind%d" % kind, struct.pack(
            "<IIIIIB", kind, 7, 9, 16 + 10 * kind, 0, kind) + b"payload")
    for mark in b"/\xafz":
        put("blob", "name%02x" % mark, struct.pack("<IIIIIB", 0, 0, 0, 0, 17, 0) +
            bytes(17) + bytes([mark]) + b"rest")
    put("blob", "stored", b"PXB3" + struct.pack("<IIII", 1, 0, 0, 0) + bytes(24))


def chunks():
    # The checksums are those of pycfs itself: XXH3 is not in hashlib.
    nothing = struct.pack("<I", 0)
    blob = b"PXB3" + struct.pack("<IIII", 1, 0, 0, 0) + bytes(16) + b"code"
    put("chunk", "nothing", bytes([7]) + 8 * nothing)
    put("chunk", "blob", bytes([1]) + string(blob) + nothing)
    put("chunk", "long", bytes([0]) + struct.pack("<I", 2 ** 32 - 1) + blob)
    put("chunk", "short", bytes([3]) + 2 * nothing + string(b"PXB3"))


def rules():
    for n, (text, path) in enumerate((
            ("exclude *.pyi\ninclude /a/*.pyi\n", "a/b.pyi"),
            ("# comment\n\nexclude tests/\nkeep-source patch.py\n",
             "x/tests/y.py"),
            ("optimize 0 sympy/**\noptimize 1 **/m.py\n!x\n", "sympy/a/m.py"),
            ("exclude !a\nexclude [!a-c]?\\*x[]]\n", "d*x]"),
            ("exclude a*a*a*a*a*b\nexclude **/**/**/**/x\n",
             "aaaaaaaaaaaaaaaaaaaaaaa/a/a/a/a/a"),
            ("local /mine/\nlocal !/mine/open.py\n", "mine/open.py"),
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


def entry_points():
    for n, text in enumerate((
            "[console_scripts]\na = b.c:d [e]\n\n[gui_scripts]\nf=g:h.i\n",
            "# x\n[other]\na = b:c\n[console_scripts]\r\n a:b = c : d \r\n",
            "[console_scripts]\n../a = b:c\n = b:c\na = b\nz = b:c;d\n",
            "[console_scripts]\n\u00e9 = \u00e9.b:c\n=\n[",
    )):
        put("entry_points", str(n), text.encode())


def manifests():
    head = "pycfs-sources 1 python=3.12.1 magic=168627659 prefix=%s dir=%s\n"
    for n, text in enumerate((
            head % ("/site-packages", "") +
            "0123456789abcdef pkg/core.py\n- pkg/timed.py\n",
            head % ("/a\\u0020b", "python/lib") + "- a\\\\b\\u000ac.py\n",
            head % ("", "") + "0123 short.py\n",
            "pycfs-sources 2 python=3\n",
    )):
        put("manifest", str(n), text.encode())


def traces():
    for n, text in enumerate((
            '  File "/site-packages/a.py", line 3, in f\n    x = 1',
            'app | 12:01 |   File "a.py", line 1\napp | 12:02 |     x',
            '  File "/a.py", line 4294967296, in f\n',
            '  File "/a.py", line 7 in <module>\n  File "b", line 1',
            '    | File "',
    )):
        put("trace", str(n), text.encode())


def licences():
    for n, text in enumerate((
            "Metadata-Version: 2.1\nName: Zope.Inter_face\nVersion: 1!2.0+l\n"
            "License: MIT\nClassifier: License :: OSI Approved :: BSD License\n"
            "\nLicense: no\n",
            "Name: x\r\nLicense-Expression: Apache-2.0 OR (MIT AND "
            "BSD-3-Clause)\r\nLicense: GPL\r\n",
            "License: Copyright\n        All\n \n\tMore\nVersion: $(id)\n"
            "Name: ../x\nLicense-Expression: ((\nLicense-Expression: a\0b\n"
            "x: \xff",
    )):
        put("licence", str(n), text.encode("latin-1"))


if __name__ == "__main__":
    licences()
    entry_points()
    manifests()
    traces()
    marshal()
    frames()
    elf()
    opts()
    pages()
    blobs()
    chunks()
    rules()
    records()
