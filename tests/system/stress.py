"""Reads from a mount in many ways at once, and checks everything that is read.

usage: stress.py MOUNT REFERENCE SECONDS SEED [STILL]

MOUNT shows a tree that make() has made, and that a Changer may be changing.
REFERENCE has one exported tree for each version that a file can have. Whatever
is read must be exactly one of these versions; with STILL, the first one.
Prints JSON with the number of operations of each kind, and fails with the
reason if something is wrong.
"""
import errno
import json
import mmap
import os
import random
import sys
import threading
import time

VERSIONS = 3
READERS = 8
# Of a file that was replaced at just that moment, twice in a row.
PASSING = {errno.ESTALE}


def source_of(name, version):
    """Some are of several pages when compiled, and each version has its own
    length."""
    seed = sum(map(ord, name))
    n = (1, 1, 5, 60, 400)[seed % 5] * (version + 1) + seed % 7
    return "VERSION = %d\nNAME = %r\n" % (version, name) + "".join(
        "def f%d(a, b=%d): return a + b * %d, %r\n" % (
            i, i, version, "%s %d %d" % (name, i, version))
        for i in range(n))


def data_of(name, version):
    return (name + " %d\n" % version).encode() * (
        1 + 3000 * version * (sum(map(ord, name)) % 2))


def write(root, name, data):
    """In one step, and nothing else is ever seen in `root`."""
    with open(root + "~", "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.rename(root + "~", os.path.join(root, name))


def put(root, name, version):
    write(root, name, source_of(name, version) if name.endswith(".py")
          else data_of(name, version))


def make(root, version=0, n=48):
    """A tree, every file of it in this version; the names of its files."""
    names = []
    for i in range(n):
        d = os.path.join("pkg%d" % (i % 4), "sub")[:(4, 8)[i % 2]]
        os.makedirs(os.path.join(root, d), exist_ok=True)
        names.append(os.path.join(d, "m%d.py" % i))
        if i % 4 == 0:
            names.append(os.path.join(d, "d%d.txt" % i))
    for name in names:
        put(root, name, version)
    os.symlink("m0.py", os.path.join(root, "pkg0", "link.txt"))
    return names


class Changer(threading.Thread):
    """Puts other versions in place, and lets one file come and go."""

    def __init__(self, root, names, seed, pause=0.02):
        super().__init__()
        self.root, self.names, self.pause = root, names, pause
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.changes = 0

    def run(self):
        guest = os.path.join(self.root, "pkg1/guest.py")
        while not self.over.wait(self.pause):
            put(self.root, self.random.choice(self.names),
                self.random.randrange(VERSIONS))
            self.changes += 1
            if self.changes % 10 == 3:
                write(self.root, "pkg1/guest.py", "x = 1\n")
            elif self.changes % 10 == 8:
                os.unlink(guest)
        if os.path.exists(guest):
            os.unlink(guest)


def shown(name):
    return name + "c" if name.endswith(".py") else name


class Reader:
    def __init__(self, mount, reference, seed, still):
        self.mount = mount
        self.random = random.Random(seed)
        self.known = {}  # path as shown: its versions
        self.dirs = {}
        for v in range(1 if still else VERSIONS):
            top = os.path.join(reference, str(v))
            for d, dirs, files in os.walk(top):
                rel = os.path.relpath(d, top)
                self.dirs[rel] = set(dirs + files)
                for f in files:
                    path = os.path.join(d, f)
                    if not os.path.islink(path):
                        with open(path, "rb") as h:
                            self.known.setdefault(os.path.normpath(
                                os.path.join(rel, f)), []).append(h.read())
        self.paths = sorted(self.known)
        self.counts = {}

    def pick(self):
        path = self.random.choice(self.paths)
        return path, os.path.join(self.mount, path)

    def fits(self, path, data, what):
        if data not in self.known[path]:
            raise AssertionError("%s: %s: %d bytes of no version (%s)" % (
                what, path, len(data),
                sorted(len(v) for v in self.known[path])))

    def do_read(self):
        path, full = self.pick()
        with open(full, "rb") as f:
            self.fits(path, f.read(), "read")

    def do_pieces(self):
        """In pieces, out of order, of one open file: all of one version."""
        path, full = self.pick()
        fd = os.open(full, os.O_RDONLY)
        try:
            size = os.fstat(fd).st_size
            step = self.random.choice((100, 4096, 5000, 70000))
            at = list(range(0, size, step))
            self.random.shuffle(at)
            data = bytearray(size)
            for offset in at:
                piece = os.pread(fd, step, offset)
                data[offset:offset + len(piece)] = piece
            if os.pread(fd, 100, size + 1):
                raise AssertionError("more than its size: " + path)
        finally:
            os.close(fd)
        self.fits(path, bytes(data), "pieces of %d" % step)

    def do_mmap(self):
        path, full = self.pick()
        with open(full, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            with mmap.mmap(f.fileno(), size, prot=mmap.PROT_READ) as m:
                self.fits(path, m[:], "mmap")

    def do_stat(self):
        path, full = self.pick()
        size = os.stat(full).st_size
        if size not in [len(v) for v in self.known[path]]:
            raise AssertionError("stat: %s: %d bytes" % (path, size))

    def do_list(self):
        d = self.random.choice(sorted(self.dirs))
        names = set(os.listdir(os.path.join(self.mount, d)))
        if names - {"guest.pyc"} != self.dirs[d]:
            raise AssertionError("list: %s: %s" % (
                d, sorted(names ^ self.dirs[d])))

    def do_walk(self):
        for d, dirs, files in os.walk(self.mount):
            rel = os.path.relpath(d, self.mount)
            if set(dirs + files) - {"guest.pyc"} != self.dirs[rel]:
                raise AssertionError("walk: " + rel)
            with os.scandir(d) as entries:
                for e in entries:
                    if e.name != "guest.pyc":
                        e.stat(follow_symlinks=False)

    def do_guest(self):
        try:
            with open(os.path.join(self.mount, "pkg1/guest.pyc"), "rb") as f:
                if len(f.read()) < 50:
                    raise AssertionError("half a guest")
        except FileNotFoundError:
            pass

    def do_other(self):
        link = os.path.join(self.mount, "pkg0/link.txt")
        if os.readlink(link) != "m0.py":
            raise AssertionError("readlink")
        os.statvfs(self.mount)
        try:
            if os.listxattr(self.pick()[1]):
                raise AssertionError("listxattr")
        except OSError as e:
            if e.errno != errno.EOPNOTSUPP:
                raise

    def refused(self, codes, call, *args):
        try:
            call(*args)
        except OSError as e:
            if e.errno in codes:
                return
            raise
        raise AssertionError("not refused: %s" % call.__name__)

    def do_refused(self):
        full = self.pick()[1]
        no = {errno.EROFS, errno.EACCES, errno.EPERM}
        self.refused(no, os.unlink, full)
        self.refused(no, os.open, full, os.O_RDWR)
        self.refused(no, os.mkdir, full + ".d")
        self.refused(no, os.truncate, full, 0)
        self.refused({errno.ENODATA, errno.EOPNOTSUPP}, os.getxattr, full,
                     "user.none")
        self.refused({errno.ENOENT}, os.stat, full + "-none")

    def run(self, seconds):
        does = [self.do_read, self.do_pieces, self.do_mmap, self.do_stat,
                self.do_list, self.do_guest, self.do_other, self.do_refused]
        does = does * 3 + [self.do_walk]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            do = self.random.choice(does)
            try:
                do()
                name = do.__name__[3:]
            except OSError as e:
                if e.errno not in PASSING:
                    raise
                name = errno.errorcode[e.errno]
            self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts


def reader(mount, reference, seconds, seed, still, to):
    r = Reader(mount, reference, seed, still)
    try:
        out = {"counts": r.run(seconds)}
    except Exception as e:
        out = {"error": "seed %d: %s: %s" % (seed, type(e).__name__, e)}
    os.write(to, json.dumps(out).encode())


def read_all(mount, reference, seconds, seed, still=False, readers=READERS):
    """Runs the readers, each a process; the sums of what they did."""
    pipes, total, errors = [], {}, []
    for i in range(readers):
        r, w = os.pipe()
        if os.fork() == 0:
            status = 1
            try:
                reader(str(mount), str(reference), seconds, seed * 100 + i,
                       still, w)
                status = 0
            finally:
                os._exit(status)
        os.close(w)
        pipes.append(r)
    for r in pipes:
        with os.fdopen(r) as f:
            text = f.read()
        out = json.loads(text) if text else {}
        if "error" in out:
            errors.append(out["error"])
        for name, n in out.get("counts", {}).items():
            total[name] = total.get(name, 0) + n
    for _ in pipes:
        status = os.wait()[1]
        if status != 0:
            errors.append("a reader ended with %#x" % status)
    if errors:
        raise AssertionError("\n".join(errors))
    return total


if __name__ == "__main__":
    try:
        print(json.dumps(read_all(sys.argv[1], sys.argv[2],
                                  float(sys.argv[3]), int(sys.argv[4]),
                                  len(sys.argv) > 5)))
    except AssertionError as wrong:
        sys.exit(str(wrong))
