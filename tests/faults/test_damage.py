"""A damaged database of the cache: wrong bits, pages and length of data.mdb.
"""
import glob
import os

import rig as faults
from rig import look, Reader

PAGE = 4096


def database(a, cache=None):
    """LMDB's file of this attempt's cache, in whatever directory it lies."""
    found = glob.glob(os.path.join(glob.escape(cache or a.cache), "v*",
                                   "data.mdb"))
    assert len(found) == 1, found
    return found[0]


def flip(a, f, size):
    at = a.random.randrange(size)
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 1 << a.random.randrange(8)]))


def flip_in_header(a, f, size):
    """Within a page's first bytes and offsets, where trees are led astray:
    most of the file is payload, which a digest guards."""
    at = a.random.randrange(size // PAGE) * PAGE + a.random.randrange(64)
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 1 << a.random.randrange(8)]))


def zero(a, f, size):
    at = a.random.randrange(size)
    f.seek(at)
    f.write(bytes(min(a.random.choice((1, 16, 512, PAGE, 10 * PAGE)),
                      size - at)))


def garbage(a, f, size):
    f.seek(a.random.randrange(size // PAGE) * PAGE)
    f.write(a.random.randbytes(PAGE))


def misplace(a, f, size):
    """A page written in another's place."""
    f.seek(a.random.randrange(size // PAGE) * PAGE)
    page = f.read(PAGE)
    f.seek(a.random.randrange(size // PAGE) * PAGE)
    f.write(page)


def truncate(a, f, size):
    f.truncate(a.random.choice((0, 1, a.random.randrange(size), size - 1,
                                a.random.randrange(size // PAGE) * PAGE)))


HARM = [flip, flip_in_header, flip, flip_in_header, zero, flip,
        flip_in_header, garbage, flip, misplace, flip, truncate]


def harm(a, kinds):
    path = database(a)
    with open(path, "r+b", buffering=0) as f:
        kinds[a.n % len(kinds)](a, f, os.path.getsize(path))


def test_before_a_mount(rig):
    for a in rig.tries("damaged cache, before a mount", ci=32, full=600):
        with a:
            rig.warm(a)
            harm(a, HARM)
            run = a.mount()
            a.saw(look(run.path, seed=a.n), complete=True)
            run.finish()
            a.after()


def test_under_a_mount(rig):
    """Written into the file that a daemon reads through a map."""
    kinds = [k for k in HARM if k is not truncate]
    for a in rig.tries("damaged cache, under a mount", ci=24, full=400):
        with a:
            rig.warm(a)
            run = a.mount()
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold / 2)
            harm(a, kinds)
            a.saw(reader.result())
            if run.mounted():
                run.umount()
            run.status()
            a.after()


def test_truncated_under_a_mount(rig):
    """What was mapped is gone: any touch of it is SIGBUS."""
    for a in rig.tries("truncated cache, under a mount", ci=3, full=100):
        with a:
            rig.warm(a)
            run = a.mount()
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold / 2)
            harm(a, [truncate])
            a.saw(reader.result())
            if run.mounted():
                run.umount()
            run.status()
            a.after()


def test_the_lock_file(rig):
    """lock.mdb: readers, and mutexes that may be held for ever now."""
    kinds = [flip, zero, garbage]
    for a in rig.tries("damaged lock file", ci=4, full=40):
        with a:
            rig.warm(a)
            path = database(a).replace("data.mdb", "lock.mdb")
            run = a.mount("-O", 1) if a.n % 2 else None
            with open(path, "r+b", buffering=0) as f:
                kinds[a.n % len(kinds)](a, f, PAGE)
            run = run or a.mount("-O", 1)
            seen = look(run.path, seed=a.n)
            a.expect(not seen.hung, "hangs")
            if run.mounted():
                run.umount()
            run.status()
            a.after()


def test_verify_and_gc(rig):
    """The commands that walk all of it end, whatever they find."""
    for a in rig.tries("damaged cache, pycfs cache", ci=4, full=40):
        with a:
            rig.warm(a)
            harm(a, HARM)
            for verb in (["verify"], ["stat"], ["gc", "--max-size", "1M"]):
                r = a.call("cache", *verb, "--cache", a.cache)
                a.expect(r is None or r.returncode in (0, 1),
                         "%s: %s" % (verb, r))
            a.after()
