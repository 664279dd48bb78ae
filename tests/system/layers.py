"""Reads an export with other programs and libraries: GNU tar, gzip, libzstd,
zipfile.

facts() returns the same for two directories if they are the same layer.
"""
import ctypes
import gzip
import hashlib
import io
import os
import stat
import struct
import subprocess
import tarfile
import zipfile

import harness

ARCHIVES = ("tar", "tar.gz", "tar.zst", "zip")


def facts(root):
    """{path: (kind, mode, mtime, bytes or target)}; b"" is the root."""
    root = os.fsencode(str(root))
    out = {}

    def add(path):
        full = os.path.join(root, path) if path else root
        st = os.lstat(full)
        mtime = st.st_mtime_ns / 10**9
        if stat.S_ISLNK(st.st_mode):
            out[path] = ("link", None, mtime, os.readlink(full))
            return
        mode = stat.S_IMODE(st.st_mode)
        if stat.S_ISREG(st.st_mode):
            out[path] = ("file", mode, mtime, harness.read(full))
            return
        assert stat.S_ISDIR(st.st_mode), path
        out[path] = ("dir", mode, mtime, None)
        for name in os.listdir(full):
            add(os.path.join(path, name) if path else name)

    add(b"")
    return out


def same(one, other, root=True):
    """Both are equal; else says in what."""
    one, other = ({p: w for p, w in f.items() if root or p}
                  for f in (one, other))
    assert sorted(one) == sorted(other), (
        "only in one", sorted(one.keys() ^ other.keys()))
    for path, what in one.items():
        assert what[:3] == other[path][:3], (path, what[:3], other[path][:3])
        assert what[3] == other[path][3], (path, "bytes or target")


def without_link_times(one):
    """unzip does not keep them."""
    return {p: (w[0], w[1], 0, w[3]) if w[0] == "link" else w
            for p, w in one.items()}


def digest(root):
    """One number of a whole directory; None: there is none."""
    if not os.path.lexists(root):
        return None
    if os.path.isfile(root):
        return hashlib.sha256(harness.read(root)).hexdigest()
    return hashlib.sha256(repr(sorted(facts(root).items())).encode()) \
        .hexdigest()


def zstd(data):
    """Unpacked; by the library that libarchive uses, so it is there."""
    lib = ctypes.CDLL("libzstd.so.1")

    class Buffer(ctypes.Structure):
        _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t),
                    ("pos", ctypes.c_size_t)]

    lib.ZSTD_createDStream.restype = ctypes.c_void_p
    lib.ZSTD_decompressStream.restype = ctypes.c_size_t
    lib.ZSTD_decompressStream.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(Buffer), ctypes.POINTER(Buffer)]
    lib.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    lib.ZSTD_isError.argtypes = [ctypes.c_size_t]
    given = ctypes.create_string_buffer(data, len(data))
    room = ctypes.create_string_buffer(1 << 20)
    into = Buffer(ctypes.addressof(given), len(data), 0)
    out, stream, left = [], lib.ZSTD_createDStream(), 1
    while into.pos < into.size or left:
        to = Buffer(ctypes.addressof(room), len(room), 0)
        before = into.pos
        left = lib.ZSTD_decompressStream(stream, ctypes.byref(to),
                                         ctypes.byref(into))
        assert not lib.ZSTD_isError(left)
        assert to.pos or into.pos > before, "cut off"
        out.append(room.raw[:to.pos])
    lib.ZSTD_freeDStream(stream)
    return b"".join(out)


def tar_of(path):
    """The bytes of the tar in the archive."""
    data = harness.read(path)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    return zstd(data) if path.endswith(".zst") else data


def untar(data, to):
    """By GNU tar, as whoever we are, with the archive's modes."""
    os.makedirs(to, exist_ok=True)
    p = subprocess.run(
        ["tar", "-xp", "--no-same-owner", "--warning=no-unknown-keyword",
         "--warning=no-timestamp", "-C", to, "-f", "-"], input=data,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert p.returncode == 0 and p.stdout == b"", p.stdout
    return to


def zip_mtime(info):
    """Of the field with ID UT; the archive's own has steps of two seconds."""
    at = 0
    while at + 4 <= len(info.extra):
        tag, n = struct.unpack("<HH", info.extra[at:at + 4])
        if tag == 0x5455:
            assert info.extra[at + 4] & 1
            return struct.unpack("<I", info.extra[at + 5:at + 9])[0]
        at += 4 + n
    raise AssertionError("%s has no time" % info.filename)


def unzip(path, to):
    """zipfile forgets modes, times and links."""
    os.makedirs(to, exist_ok=True)
    later = []
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for info in z.infolist():
            full = os.path.join(os.fsencode(to),
                                info.filename.encode().rstrip(b"/"))
            mode = info.external_attr >> 16
            assert info.create_system == 3 and mode
            assert info.is_dir() == stat.S_ISDIR(mode)
            if info.is_dir():
                os.mkdir(full)
            elif stat.S_ISLNK(mode):
                os.symlink(z.read(info), full)
            else:
                assert stat.S_ISREG(mode)
                with open(full, "xb") as f:
                    f.write(z.read(info))
            later.append((full, mode, zip_mtime(info)))
    for full, mode, mtime in reversed(later):
        if not stat.S_ISLNK(mode):
            os.chmod(full, stat.S_IMODE(mode))
        os.utime(full, (mtime, mtime), follow_symlinks=False)
    return to


def unpack(path, to):
    if path.endswith(".zip"):
        return unzip(path, to)
    return untar(tar_of(path), to)


def names(path):
    """Of the archive's entries, in its order; directories end in a slash."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as z:
            return [os.fsencode(n) for n in z.namelist()]
    return [os.fsencode(m.name) + (b"/" if m.isdir() else b"")
            for m in members(path)]


def members(path):
    with tarfile.open(fileobj=io.BytesIO(tar_of(path))) as t:
        return t.getmembers()


def left_over(directory):
    """Temporary names of exports in there."""
    return [n for n in os.listdir(directory) if ".pycfs-" in n]
