"""The file system of the cache, or of DEST: full, read-only, removed; or a
cache of another version."""
import os
import shutil
import struct
import subprocess

import pytest

import rig as faults
from rig import look, Reader


def remount(at, options):
    subprocess.run(["mount", "-o", "remount," + options, at], check=True,
                   timeout=30)


@pytest.mark.root
def test_a_small_disk(rig, disk):
    for a in rig.tries("ENOSPC, cache", ci=5, full=40):
        with a:
            size = a.random.choice((16, 64, 100, 200, 400, 700, 1000, 1500))
            at = disk(a, "size=%dk" % size)
            cache = os.path.join(at, "cache")
            run = a.mount(cache=cache)
            a.saw(look(run.path, rounds=2, pause=0.6), complete=True)
            run.finish()
            a.after(cache=cache)
            remount(at, "size=64m")
            a.after(cache=cache)


@pytest.mark.root
def test_few_inodes(rig, disk):
    for a in rig.tries("ENOSPC, no inodes for the cache", ci=3, full=6):
        with a:
            at = disk(a, "size=64m,nr_inodes=%d" % (1 + a.n))
            cache = os.path.join(at, "cache")
            a.after(cache=cache)
            remount(at, "nr_inodes=100")
            a.after(cache=cache)


@pytest.mark.root
def test_a_disk_that_fills_up(rig, disk):
    for a in rig.tries("ENOSPC, while mounted", ci=4, full=40):
        with a:
            at = disk(a, "size=8m")
            cache = os.path.join(at, "cache")
            run = a.mount(cache=cache)
            reader = Reader(run.path, seed=a.n)
            a.doze(rig.cold)
            filler = os.path.join(at, "filler")
            with open(filler, "wb", buffering=0) as f, \
                    pytest.raises(OSError):
                while True:
                    f.write(bytes(4096))
            a.saw(reader.result(), complete=True)
            if a.n % 2:
                os.unlink(filler)
            run.finish()
            if not a.n % 2:
                a.after(cache=cache)
                os.unlink(filler)
            a.after(cache=cache)


@pytest.mark.root
def test_a_read_only_disk(rig, disk):
    for a in rig.tries("read-only cache", ci=2, full=6):
        with a:
            at = disk(a, "size=64m")
            cache = os.path.join(at, "cache")
            if a.n % 2:
                shutil.copytree(rig.golden, cache)
            remount(at, "ro")
            a.after(cache=cache)
            remount(at, "rw")
            a.after(cache=cache)


def test_a_cache_that_vanishes(rig):
    for a in rig.tries("cache vanishes", ci=4, full=40):
        with a:
            if a.n % 2:
                rig.warm(a)
            run = a.mount()
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            if a.n % 4 < 2:
                shutil.rmtree(a.cache, ignore_errors=True)
            else:
                os.rename(a.cache, a.new("away"))
            a.saw(reader.result(), complete=True)
            run.finish()
            a.after()


@pytest.mark.root
def test_a_cache_whose_disk_goes(rig, disk):
    for a in rig.tries("cache's file system unmounted", ci=2, full=20):
        with a:
            at = disk(a, "size=64m")
            cache = os.path.join(at, "cache")
            run = a.mount(cache=cache)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            subprocess.run(["umount", "-l", at], check=True, timeout=30)
            a.saw(reader.result(), complete=True)
            run.finish()
            a.after(cache=cache)


def test_the_smallest_cache(rig):
    for a in rig.tries("cache of the smallest size", ci=3, full=12):
        with a:
            size = ("1", "64K", "300K")[a.n % 3]
            for _ in range(2):
                a.after(options=["--cache-size", size])
            a.after()


def versions(cache):
    return [n for n in os.listdir(cache) if n.startswith("v")]


def test_a_cache_of_another_version(rig):
    """Directories of others are left alone; LMDB's own version is newer, or
    a table is not what it was."""
    for a in rig.tries("cache of another version", ci=5, full=10):
        with a:
            rig.warm(a)
            ours = os.path.join(a.cache, versions(a.cache)[0])
            data = os.path.join(ours, "data.mdb")
            others = [os.path.join(a.cache, n) for n in ("v1-x", "v99-x86_64")]
            for other in others:
                shutil.copytree(ours, other)
                with open(os.path.join(other, "data.mdb"), "r+b") as f:
                    f.write(b"something else altogether")
            with open(data, "r+b") as f:
                whole = f.read()
                if a.n % 5 < 2:  # MDB_DATA_VERSION, after MDB_MAGIC
                    for page in (0, 4096):
                        at = whole.index(struct.pack("<I", 0xBEEFC0DE), page)
                        f.seek(at + 4)
                        f.write(struct.pack("<I", 2 + 997 * (a.n % 2)))
                elif a.n % 5 < 4:
                    name = (b"PXB2", b"index")[a.n % 2]
                    f.seek(0)
                    f.write(whole.replace(name, name[:-1] + b"\x7f"))
                else:
                    f.seek(0)
                    f.write(b"SQLite format 3\0")
            a.after()
            for other in others:
                with open(os.path.join(other, "data.mdb"), "rb") as f:
                    a.expect(f.read(9) == b"something", "others were touched")


def test_two_kinds_on_one_cache(rig):
    """Different options and the same cache, at once; one of them is killed."""
    for a in rig.tries("two kinds of mount on one cache", ci=2, full=20):
        with a:
            ones = [a.mount(), a.mount("-O", 0)]
            readers = [Reader(r.path, seed=a.n) for r in ones]
            a.doze(rig.cold)
            faults.kill(ones[1].daemon)
            a.saw(readers[0].result(), complete=True)
            a.expect(not readers[1].result().hung, "hangs")
            ones[0].finish()
            ones[1].status()
            a.after()


@pytest.mark.root
def test_an_export_to_a_full_disk(rig, disk):
    kinds = ("out", "out.tar", "out.tar.gz", "out.zip")
    for a in rig.tries("ENOSPC, export", ci=4, full=40):
        with a:
            at = disk(a, "size=%dk" % a.random.randrange(100, 5500))
            place = os.path.join(at, "place")
            os.mkdir(place)
            dest = os.path.join(place, kinds[a.n % 4])
            args = ["export", "--python", faults.PYTHON, "--cache", a.cache,
                    "--on-lost", "warn", rig.source, dest]
            r = a.call(*args)
            if r and r.returncode == 0:
                a.saw_export(dest)
            elif r:
                a.expect(b"space" in r.stderr, "said: %s" % r.stderr)
                a.expect(not os.listdir(place), "left: %s" % os.listdir(place))
                remount(at, "size=64m")
                r = a.call(*args)
                a.expect(r and r.returncode == 0, "not again: %s" % r)
                a.saw_export(dest)
            a.after()


@pytest.mark.root
def test_no_room_for_a_temporary_cache(rig, disk):
    for a in rig.tries("ENOSPC, temporary cache", ci=2, full=10):
        with a:
            at = disk(a, "size=%dk" % (40, 400)[a.n % 2])
            run = a.start("--no-cache", env={"TMPDIR": at})
            if run.come_up():
                a.saw(look(run.path), complete=True)
                run.finish()
            else:
                a.expect("TMPDIR" in run.said(), "said: " + run.said())
                a.expect(run.status() == 1, "exit status")
            a.expect(not os.listdir(at), "left: %s" % os.listdir(at))
            a.after()
