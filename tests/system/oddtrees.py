"""Makes random site-packages, with anything that may be in one, in any
combination."""
import os
import py_compile
import random
import shutil

import trees

NAMES = ("a", "a-b", "a.b", "a!", "a0", "A", "ab", "pkg", "sub", "with space",
         "m\u00f3d", "\U0001f40d", "new\nline", "quo\"te'", "back\\slash",
         "-dash", "~", "$x", "*", "tests", "x" * 120, "core", "caf\udce9")
MODES = (0o644, 0o600, 0o755, 0o444, 0o640, 0o500)
DIR_MODES = (0o755, 0o555, 0o700, 0o750)
TARGETS = ("a.py", "../a.py", "a", "..", ".", "/etc/hostname", "nowhere",
           "nowhere.py", "../../../../../../etc/hostname", "core.py/x",
           "\u20ac", "y" * 150)


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.later = []  # directories' modes, once they are full
        self.n = 0

    def module(self):
        self.n += 1
        # some are equal to others, and each pair compiles apart
        n = self.r.choice((self.n, 1))
        return self.r.choice((
            "", "VALUE = %d\n" % n, "# %d\n" % n,
            'def f(x=%d):\n    """Doc."""\n    assert x\n    return x\n' % n,
            "import sys\nclass C:\n    y = [i for i in range(%d)]\n" % n))

    def data(self):
        r = self.r
        return r.choice((b"", b"same\n", bytes(r.randrange(200)),
                         r.randbytes(r.choice((1, 511, 512, 513, 70000)))))

    def entry(self, here, name, depth):
        r = self.r
        path = os.path.join(here, name)
        kind = r.choice(("dir", "py", "py", "py", "data", "data", "link",
                         "pylink", "pyc", "both", "pyo", "empty"))
        if kind == "dir" and depth < 5:
            os.mkdir(path)
            self.fill(path, depth + 1)
        elif kind == "empty":
            os.mkdir(path)
            self.later.append((path, r.choice(DIR_MODES)))
        elif kind in ("py", "both", "pyc"):
            if kind != "pyc":
                trees.write(path + ".py", self.module(), r.choice(MODES))
            if kind != "py":
                trees.write(path + ".pyc", self.data(), r.choice(MODES))
        elif kind == "link":
            os.symlink(r.choice(TARGETS), path)
        elif kind == "pylink":
            os.symlink(r.choice(TARGETS), path + ".py")
        elif kind == "pyo":
            trees.write(path + ".pyo", b"hidden")
        else:
            trees.write(path + r.choice(("", ".txt", ".json", ".so", ".pyi")),
                        self.data(), r.choice(MODES))

    def fill(self, here, depth=0):
        r = self.r
        for name in r.sample(NAMES, r.randrange(2 if depth else 12, 14)):
            self.entry(here, name, depth)
        if r.random() < 0.3:
            trees.write(os.path.join(here, "__pycache__",
                                     "a.cpython-311.pyc"), b"hidden")
        if r.random() < 0.3:
            self.dist_info(here)
        self.later.append((here, r.choice(DIR_MODES)))

    def dist_info(self, here):
        info = os.path.join(here, "p%d-1.dist-info" % self.n)
        rows = ["%s,sha256=x,1" % n for n in sorted(os.listdir(here))
                if n.isascii() and n.isprintable() and '"' not in n]
        trees.write(os.path.join(info, "RECORD"),
                    "\n".join(rows + ["../bin/x,,", "gone.py,,"]) + "\n",
                    self.r.choice(MODES))
        trees.write(os.path.join(info, "METADATA"), "Name: p\n")


def make(root, seed):
    """The same for the same seed; every module in it compiles."""
    root = str(root)
    os.makedirs(root, exist_ok=True)
    m = Maker(seed)
    m.fill(root)
    long = os.path.join(root, *["deep" * 20] * 4)
    trees.write(os.path.join(long, "leaf.py"), "LEAF = 1\n")
    trees.write(os.path.join(root, trees.LONG_NAME), "LONG = 1\n")
    trees.write(os.path.join(root, "run.py"), "RUN = 1\n")
    trees.write(os.path.join(root, "caf\udce9.py"), "LATIN1 = 1\n")
    py_compile.compile(os.path.join(root, "run.py"), doraise=True,
                       cfile=os.path.join(root, "alone.pyc"))
    trees.age(root, 1500000000 + seed)
    odd = m.r.choice((0, 1, 315532799, 2000000000))  # 2033
    os.utime(os.path.join(root, "run.py"), (odd, odd))
    for path, mode in m.later:
        st = os.lstat(path)
        os.chmod(path, mode)
        os.utime(path, (st.st_mtime, st.st_mtime))
    return root


def make_all_writable(root):
    for top, dirs, _ in os.walk(root):
        for name in dirs:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)


def drop(root):
    """All of it, read-only directories too."""
    os.chmod(root, 0o700)
    make_all_writable(root)
    shutil.rmtree(root)


def drop_non_utf8(root):
    """What no zip can hold; the rest stays as it was."""
    root = os.fsencode(str(root))
    for top, dirs, files in os.walk(root):
        at = os.stat(top)
        os.chmod(top, 0o700)
        for name in [*dirs, *files]:
            path = os.path.join(top, name)
            target = os.readlink(path) if os.path.islink(path) else b""
            try:
                (name + target).decode()
            except UnicodeDecodeError:
                if name in dirs and not target:
                    drop(path)
                else:
                    os.unlink(path)
                dirs[:] = [d for d in dirs if d != name]
        os.chmod(top, at.st_mode & 0o7777)
        os.utime(top, ns=(at.st_mtime_ns, at.st_mtime_ns))
