"""Makes source trees, and has a second implementation of the view's rules.

The tests compare mounts with expected(), which reads a source tree and
returns, without asking pycfs, the names that a view of it must have.
"""
import os
import py_compile
import socket
import stat
import struct

NAME_MAX = 255

CORE = '''\
"""A module with one of everything that a compiler treats apart."""
from __future__ import annotations
import sys
import functools

PLUS, MINUS = 0.0, -0.0
HUGE, TINY, NAN = 1e400, 5e-324, float("nan")
ONE = (1, 1.0, True, 1 + 0j, "1", b"1", -0.0, 0.0, (0.0, -0.0), (-0.0, 0.0))
BIG = 123456789012345678901234567890, -2**200, 1 << 63, 2**31, -2**31
TEXT = ("ascii", "caf\\xe9", "\\u20ac", "\\U0001f40d", "\\udc80",
        "identifier", "")
RAW = b"", b"\\x00\\xff", ..., None
VERSION = sys.version_info[:2]


def member(x):
    """Docstring of member."""
    return x in {1, 2.0, "three", b"four", (5, 6), None, -0.0}


def names(x):
    return x in {"alpha", "beta", "gamma", "delta", "a", "b", "{", "}"}


def outer(a, b=1, *args, c: int, d="x" * 3, **kw) -> "str":
    """Docstring of outer."""
    total = a

    def inner(e, f=b):
        nonlocal total
        total += e
        return lambda g: (a, total, g, f, [h for h in args if h])

    assert a is not None, "asserts go at level 1"
    if __debug__:
        total = ("debug", total)
    return inner, c, d, kw


class Base:
    """Docstring of Base."""
    __slots__ = ("one", "__two")
    attribute: int = 3

    def __init__(self, one):
        super().__init__()
        self.one = one
        self.__two = one * 2

    @property
    def two(self):
        """Docstring of two."""
        return self.__two

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def cached(n):
        return n if n < 2 else Base.cached(n - 1) + Base.cached(n - 2)

    class Inner:
        def method(self, pos, /, *, key):
            return pos, key


async def agen(source):
    async with source as s:
        async for item in s:
            try:
                yield await item
            except (ValueError, KeyError) as e:
                raise RuntimeError(f"{item!r:>{10}} {e}") from e
            else:
                continue
            finally:
                await s.close()


def gen(n):
    for i in range(n):
        with open(__file__) as f, open(__file__) as g:
            yield i, f, g
    else:
        yield from gen(n - 1)
    while True:
        if (m := n) > 1 and m < 5 or not m:
            break
        del m


x = {k: v for k, v in zip("ab", (1, 2))}, {*()}, [*(1, 2), 3], {**{}}
if 0:
    unreachable = "folded"


def far_apart():
    return 1



''' + "\n" * 300 + '''
    # the line table has to jump here
y = [
    1,
    far_apart(

    ),
]
'''

MAIN = '''\
import sys
from pkg import core
from pkg.sub.deep import WHERE
print("main", __name__, WHERE, core.Base.cached(20), *sys.argv[1:])
'''

BROKEN = {
    # name: (source, line, words of the message)
    "broken.py": (b"x = 1\ny = 2\ndef f(:\n    pass\n", 3, "invalid syntax"),
    "py2.py": (b'import sys\nprint "hello"\n', 2, "print"),
    "template.py": (b"\n\n\nclass {{ name }}:\n    pass\n", 4, "invalid"),
    "notutf8.py": (b"x = 1\n# caf\xe9\ny = '\xff'\n", None, "utf"),
    "nul.py": (b"x = 1\0\n", None, "null bytes"),
}

LONG_NAME = "l" * (NAME_MAX - 3) + ".py"  # its .pyc would pass NAME_MAX


def write(path, data=b"", mode=None):
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if isinstance(data, str):
        data = data.encode()
    with open(path, "wb") as f:
        f.write(data)
    if mode is not None:
        os.chmod(path, mode)


def put(root, files):
    """Writes {path: text} below `root`, as old as what is installed is."""
    for name, text in files.items():
        write(os.path.join(root, name), text)
    age(root)
    return root


def age(root, seconds=1600000000):
    """Whole-second times in the past, different for every file."""
    root = os.fsencode(root)
    n = 0
    for top, dirs, files in os.walk(root, topdown=False):
        for name in sorted(files) + sorted(dirs):
            n += 1
            os.utime(os.path.join(top, name), (seconds + n, seconds + n),
                     follow_symlinks=False)
    os.utime(root, (seconds, seconds))


def make(root):
    """A small site-packages in which every file compiles everywhere."""
    root = str(root)

    def w(name, data=b"", mode=None):
        write(os.path.join(root, name), data, mode)

    w("pkg/__init__.py", '"""A package."""\nfrom . import core\nNAME = "pkg"\n')
    w("pkg/__main__.py", MAIN)
    w("pkg/core.py", CORE)
    w("pkg/core.pyc", b"stale: core.py stands beside it")
    w("pkg/old.pyo", b"hidden")
    w("pkg/__pycache__/core.cpython-311.pyc", b"hidden")
    w("pkg/__pycache__/gone.cpython-311.pyc", b"hidden")
    w("pkg/sub/__init__.py")
    w("pkg/sub/deep.py", 'WHERE = __name__\n\n\ndef where():\n'
                         '    """Doc."""\n    return WHERE\n')
    w("pkg/py.typed")
    w("pkg/data.json", '{"key": "value"}\n')
    w("pkg/stub.pyi", "def f() -> int: ...\n")
    w("pkg/fast.cpython-311-x86_64-linux-gnu.so", bytes(range(256)) * 40, 0o755)
    w("pkg/big.bin", b"\x5a\x00\xa5" * 100000)
    w("ns/inner/leaf.py", "LEAF = __name__\n")
    w("ns/other/data.txt", "no module here\n")
    w("dir.py/inside.py", "INSIDE = 1\n")
    w("single.py", "import sys\n\nVALUE = 42\n")
    w("empty.py")
    w("comment.py", "# nothing but this\n")
    w("bom.py", b"\xef\xbb\xbfBOM = 'caf\xc3\xa9'\n")
    w("latin.py", b"# -*- coding: latin-1 -*-\nLATIN = 'caf\xe9'\n")
    w("crlf.py", b"A = 1\r\nB = '''two\r\nlines'''\r\n")
    w("no_newline.py", b"LAST = 'line'")
    w("formfeed.py", b"A = 1\n\x0c\nB = 2\n")
    w("odd name.py", "ODD = 1\n")
    w("dash-name.py", "DASH = 1\n")
    w("m\u00f3dulo.py", "M = '\u00f3'\n")
    w(b"caf\xe9.py".decode("utf-8", "surrogateescape"), "LATIN1_NAME = 1\n")
    w(".hidden.py", "HIDDEN = 1\n")
    w("upper.PY", "not a module's suffix\n")
    w("notes.py.txt", "not a module\n")
    w(LONG_NAME, "LONG = 1\n")
    w("private.py", "SECRET = 1\n", 0o600)
    w("readonly.txt", "read me\n", 0o444)
    w("bin/script.sh", "#!/bin/sh\nexit 3\n", 0o755)
    w("bin/tool.py", "TOOL = 1\n", 0o755)
    w("pkg-1.0.dist-info/METADATA", "Name: pkg\nVersion: 1.0\n")
    w("pkg-1.0.dist-info/top_level.txt", "pkg\n")
    os.makedirs(os.path.join(root, "emptydir"))
    for name, target in (
            ("link_mod.py", "single.py"),
            ("link_up.py", "pkg/sub/../core.py"),
            ("pkg/sub/link_back.py", "../../single.py"),
            ("link_link.py", "link_mod.py"),
            ("link_data.json", "pkg/data.json"),
            ("link_dir", "pkg"),
            ("link_dir.py", "pkg"),
            ("dangling", "nowhere"),
            ("dangling.py", "nowhere.py"),
            ("outside.py", "../" * 40 + "etc/hostname"),
            ("loop.py", "loop.py"),
            ("absolute", "/etc/hostname"),
    ):
        os.symlink(target, os.path.join(root, name))
    py_compile.compile(os.path.join(root, "single.py"),
                       cfile=os.path.join(root, "sourceless.pyc"),
                       dfile="sourceless.py", doraise=True)
    age(root)
    return root


def add_broken(root):
    for name, (data, _, _) in BROKEN.items():
        write(os.path.join(str(root), name), data)
    return sorted(BROKEN)


def add_special(root):
    root = str(root)
    os.mkfifo(os.path.join(root, "fifo"))
    os.mkfifo(os.path.join(root, "fifo.py"))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(root, "socket"))
    names = ["fifo", "fifo.py", "socket"]
    if os.geteuid() == 0:
        os.mknod(os.path.join(root, "null"), stat.S_IFCHR | 0o666,
                 os.makedev(1, 3))
        names.append("null")
    return names


def many(root, n, per_dir=50):
    """A package tree of n small modules."""
    for i in range(n):
        write(os.path.join(str(root), "many", "p%d" % (i // per_dir),
                           "m%d.py" % i),
              "def f(x):\n    return x + %d\n\n\nVALUE = %d\n" % (i, i))
    age(root)
    return str(root)


def slow(n):
    """A module that keeps CPython's compiler busy, in little memory.

    Every constant hashes to 0 (int hashes are modulo 2**61 - 1), so the table
    of constants is searched from end to end: n = 10,000 takes about a second
    in 3.8 to 3.13, and the time grows with n squared.
    """
    return "".join("x%d = %d\n" % (i % 7, i * (2**61 - 1))
                   for i in range(1, n)) + "VALUE = %d\n" % n


def _module(root, path):
    """True if path (bytes, ends in .py) becomes a module."""
    try:
        st = os.lstat(path)
    except OSError:
        return False
    if stat.S_ISREG(st.st_mode):
        return True
    if not stat.S_ISLNK(st.st_mode):
        return False
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:
        return False
    inside = real.startswith(os.path.realpath(root) + b"/")
    return inside and os.path.isfile(real)


def expected(root, rejected=(), on_error="fail"):
    """{shipped path: (kind, source path)} of a view of root, all bytes.

    kind is "dir", "file", "link" or "module"; paths are relative. `rejected`
    names the modules that do not compile.
    """
    root = os.fsencode(root)
    rejected = {os.fsencode(r) for r in rejected}
    out = {}

    def shadowed(here, name, names):
        source = name[:-1]
        return name.endswith(b".pyc") and source in names and \
            len(source) < NAME_MAX and _module(root, os.path.join(here, source))

    def walk(rel):
        here = os.path.join(root, rel) if rel else root
        names = set(os.listdir(here))
        for name in sorted(names):
            src = os.path.join(rel, name) if rel else name
            path = os.path.join(root, src)
            st = os.lstat(path)
            if shadowed(here, name, names):
                continue
            if stat.S_ISDIR(st.st_mode):
                if name != b"__pycache__":
                    out[src] = ("dir", src)
                    walk(src)
                continue
            if name.endswith(b".pyo"):
                continue
            if name.endswith(b".py") and len(name) < NAME_MAX and \
                    _module(root, path):
                if src in rejected and on_error == "omit":
                    continue
                if src in rejected and on_error == "source":
                    out[src] = ("file", src)
                    continue
                out[src + b"c"] = ("module", src)
                continue
            if stat.S_ISREG(st.st_mode):
                out[src] = ("file", src)
            elif stat.S_ISLNK(st.st_mode):
                out[src] = ("link", src)

    walk(b"")
    return out


def modules(root, **how):
    return {p: s for p, (k, s) in expected(root, **how).items()
            if k == "module"}


def listing(root):
    """{path: kind} of what is really there; looks at types only."""
    root = os.fsencode(root)
    out = {}

    def walk(rel):
        with os.scandir(os.path.join(root, rel) if rel else root) as entries:
            for e in entries:
                path = os.path.join(rel, e.name) if rel else e.name
                if e.is_symlink():
                    out[path] = "link"
                elif e.is_dir(follow_symlinks=False):
                    out[path] = "dir"
                    walk(path)
                else:
                    out[path] = "file"

    walk(b"")
    return out


def shape(view):
    """expected() as listing() sees it: a module is a file."""
    return {p: "file" if k == "module" else k for p, (k, _) in view.items()}


def header(data):
    """(magic bytes, flags, the other eight bytes) of a .pyc."""
    return data[:4], struct.unpack("<I", data[4:8])[0], data[8:16]
