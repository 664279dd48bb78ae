"""Archives are equal, byte for byte, if only things differ that are not in
them."""
import hashlib
import os
import subprocess
import tarfile
import time
import zipfile

import pytest

import harness
import layers
import oddtrees
import trees
from harness import DEBIAN_PYTHON, read


# it is warned of, which some tests take for a failure
WITHOUT_LONG = ["--exclude", trees.LONG_NAME]


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def without_bad_names(tree):
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    return tree


class Archives:
    """All four of one tree, made anew each time."""

    def __init__(self, pycfs, scratch):
        self.pycfs = pycfs
        self.scratch = scratch

    def __call__(self, tree, *options, **how):
        out = {}
        for ending in layers.ARCHIVES:
            path = os.path.join(self.scratch, "made." + ending)
            self.pycfs.exported(tree, path, *options, **how)
            out[ending] = sha(read(path))
            os.unlink(path)
        return out


@pytest.fixture
def archives(pycfs, scratch):
    return Archives(pycfs, scratch)


def test_equal_whoever_makes_them(archives, tree, scratch):
    without_bad_names(tree)
    first = archives(tree, "--jobs", "1")
    time.sleep(1.1)
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": scratch,
                 "PYCFS_CACHE": os.path.join(scratch, "cold"),
                 "USER": "nobody", "PYTHONHASHSEED": "7",
                 "ZSTD_CLEVEL": "1", "GZIP": "-9", "ZSTD_NBTHREADS": "4"}
    assert archives(tree, "--jobs", "3", env=elsewhere, umask=0o077) == first
    assert archives(tree, "--no-cache", env={"TZ": "UTC",
                                             "LC_ALL": "C.UTF-8"}) == first
    assert archives(tree, env={"TZ": ":/none", "LC_ALL": "xx_YY"},
                    cwd="/") == first
    # of a copy, with everything that is in SOURCE as it was
    other = os.path.join(scratch, "other", "place")
    os.mkdir(os.path.dirname(other))
    subprocess.run(["cp", "-a", tree, other], check=True, timeout=60)
    assert archives(other) == first


WITHOUT_LOCALES = ["unshare", "-m", "sh", "-c",
                   'mount -t tmpfs none /usr/lib/locale && exec "$@"', "sh"]


@pytest.mark.root
def test_equal_where_there_is_no_locale(archives, scratch):
    """Names are UTF-8, and said to be, also where the C library knows of
    none."""
    root = os.path.join(scratch, "names")
    names = ["\u00e9t\u00e9.txt", "e\u0301.txt", "\u65e5\u672c/\U0001f40d.dat",
             "x" * 90 + "\u00e9" * 60 + ".txt"]
    for name in names:
        trees.write(os.path.join(root, name), "text\n")
    os.symlink(names[0], os.path.join(root, "link\u2192"))
    assert archives(root, prefix=WITHOUT_LOCALES) == archives(root)
    path = archives.pycfs.exported(root, os.path.join(scratch, "x.zip"),
                                   prefix=WITHOUT_LOCALES)
    with zipfile.ZipFile(path) as z:
        assert set(names) <= set(z.namelist())
        assert all(i.flag_bits & 0x800 for i in z.infolist()
                   if not i.filename.isascii())
    path = archives.pycfs.exported(root, os.path.join(scratch, "x.tar"),
                                   prefix=WITHOUT_LOCALES)
    with tarfile.open(path) as t:
        assert set(names) <= set(t.getnames())
    assert b"hdrcharset" not in read(path)
    # and what is no UTF-8 is said to be none
    trees.write(os.path.join(root, "caf\udce9.txt"))
    one, other = (archives.pycfs.exported(root, os.path.join(scratch, n),
                                          prefix=p)
                  for n, p in (("1.tar", ()), ("2.tar", WITHOUT_LOCALES)))
    assert read(one) == read(other)
    assert b"hdrcharset=BINARY" in read(one)


def checkout(tree, to):
    """The same files, as another user's git would have made them."""
    subprocess.run(["cp", "-r", "--no-dereference", "--no-preserve="
                    "timestamps,mode,ownership", tree, to], check=True,
                   timeout=60, umask=0o077)
    for top, dirs, files in os.walk(os.fsencode(to)):
        for name in files:
            path = os.path.join(top, name)
            was = os.path.join(os.fsencode(tree),
                               os.path.relpath(path, os.fsencode(to)))
            if os.path.islink(path):
                continue
            os.chmod(path, 0o700 if os.stat(was).st_mode & 0o111 else 0o600)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-hR", "7:8", to], check=True, timeout=60)
    trees.age(to, 1234567890)
    return to


def test_equal_of_two_checkouts(archives, tree, scratch):
    without_bad_names(tree)
    other = checkout(tree, os.path.join(scratch, "checkout"))
    env = {"SOURCE_DATE_EPOCH": "1700000000"}
    options = ["--modes", "normal", "--keep-source", "core.py"]
    first = archives(tree, *options, env=env)
    assert archives(other, *options, env=env, umask=0o027) == first
    # each of the two is needed
    plain = archives(other, "--keep-source", "core.py", env=env)
    dated = archives(other, *options, env={"SOURCE_DATE_EPOCH": ""})
    for ending in layers.ARCHIVES:
        assert len({first[ending], plain[ending], dated[ending]}) == 3


@pytest.mark.parametrize("mtime", ["1500000001", "content"])
def test_equal_of_odd_trees(mtime, archives, scratch):
    """The tar does not depend on order of creation, or hash tables."""
    for seed in (100, 101):
        one = oddtrees.make(os.path.join(scratch, "one%d" % seed), seed)
        oddtrees.drop_non_utf8(one)
        two = checkout(one, os.path.join(scratch, "two%d" % seed))
        options = ["--mtime", mtime, "--modes", "normal"]
        assert archives(one, *options) == archives(two, *options, "-j", "5")


def test_hard_links_are_equal_too(pycfs, tree, scratch):
    for n in range(20):
        trees.write(os.path.join(tree, "d%d" % n, "same"), b"x" * (n // 2 + 1))
    made = set()
    for jobs in ("1", "4"):
        path = pycfs.exported(
            tree, os.path.join(scratch, "x.tar"), "--hardlink-dupes",
            "--mtime", "1500000000", "--jobs", jobs, "--no-cache")
        made.add(sha(read(path)))
        assert any(m.islnk() for m in layers.members(path))
    assert len(made) == 1


def test_times_are_the_same_in_every_zone(pycfs, tree, scratch):
    """A zip has local times too, which are to be those of UTC."""
    without_bad_names(tree)
    path = os.path.join(scratch, "x.zip")
    for zone in ("Asia/Tokyo", "America/New_York"):
        pycfs.exported(tree, path, "--mtime", "1700000000", env={"TZ": zone})
        with zipfile.ZipFile(path) as z:
            assert {i.date_time for i in z.infolist()} == \
                {(2023, 11, 14, 22, 13, 20)}
            assert {layers.zip_mtime(i) for i in z.infolist()} == {1700000000}


def test_no_trace_of_this_machine(pycfs, tree, scratch):
    path = pycfs.exported(tree, os.path.join(scratch, "x.tar.gz"))
    head = read(path)[:10]
    assert head[:3] == b"\x1f\x8b\x08"
    assert head[3] == 0 and head[4:8] == b"\0\0\0\0"  # no name, no time
    for m in layers.members(path):
        assert (m.uname, m.gname, m.uid, m.gid) == ("", "", 0, 0)
        assert m.mtime == int(m.mtime)
        assert not {"atime", "ctime", "mtime"} & set(m.pax_headers)
    words = [w.encode() for w in (scratch, os.uname().nodename)]
    data = layers.tar_of(path)
    assert not [w for w in words if w in data]


# standard output and digests

def but_warnings(text):
    """The lines of stderr that are not about links of the odd tree, nor say
    what was done."""
    return [line for line in harness.SUMMARY.sub("", text).splitlines()
            if not line.startswith("pycfs: warning: ")]


def to_stdout(pycfs, tree, *options):
    with open(os.path.join(pycfs.scratch, "stdout"), "wb+") as f:
        p = subprocess.run(
            pycfs.command("export", "--python", DEBIAN_PYTHON,
                          "--on-lost", "warn", *WITHOUT_LONG,
                          *options, tree, "-"),
            stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.PIPE,
            env=pycfs.env(), timeout=60)
    p.stdout = read(f.name)
    p.stderr = p.stderr.decode()
    return p


def test_stdout_is_the_tar(pycfs, tree, scratch):
    path = pycfs.exported(tree, os.path.join(scratch, "x.tar"), *WITHOUT_LONG)
    p = to_stdout(pycfs, tree)
    assert p.returncode == 0 and but_warnings(p.stderr) == []
    assert p.stdout == read(path)
    p = to_stdout(pycfs, tree, "--print-digest")
    assert p.stdout == read(path)
    assert dict(line.split() for line in but_warnings(p.stderr)) == {
        "digest": sha(p.stdout), "diff_id": sha(p.stdout)}


@pytest.mark.parametrize("ending", layers.ARCHIVES)
def test_print_digest(ending, pycfs, tree, scratch):
    without_bad_names(tree)
    path = os.path.join(scratch, "x." + ending)
    run = pycfs.export(tree, path, "--print-digest", *WITHOUT_LONG)
    assert run.returncode == 0 and but_warnings(run.stderr) == []
    said = dict(line.split() for line in run.stdout.splitlines())
    assert said.pop("digest") == sha(read(path))
    if ending != "zip":
        tar = os.path.join(scratch, "plain.tar")
        assert said.pop("diff_id") == sha(layers.tar_of(path)) == \
            sha(read(pycfs.exported(tree, tar, *WITHOUT_LONG)))
    assert said == {}
