"""Mutexes in LMDB's lock file that are never released, as garbage in the file
can make them look. A reader of a mount must not wait for any of them.
"""
import struct

from rig import look
from test_damage import database

MUTEXES = (8, 64)  # of readers, of writers: mdb.c 0.9.24, MDB_txninfo


def hold(a, which):
    """In the name of process 1, which will not."""
    path = database(a).replace("data.mdb", "lock.mdb")
    with open(path, "r+b", buffering=0) as f:
        for at in which:
            f.seek(at)
            f.write(struct.pack("<I", 1))


def test_locks_held_for_ever(rig):
    for a in rig.tries("locks of the cache held for ever", ci=2, full=12):
        with a:
            rig.warm(a)
            run = a.mount(*(("-O", "1") if a.n % 2 else ()))
            hold(a, (MUTEXES, MUTEXES[:1], MUTEXES[1:])[a.n // 2 % 3])
            seen = look(run.path, seed=a.n)
            if a.n % 2:  # other bytes than the reference's
                a.expect(not seen.hung and not any(
                    isinstance(v, int) for vs in seen.values.values()
                    for v in vs), "hangs, or failed")
            else:
                a.saw(seen, complete=True)
            a.after()  # beside it
            run.finish()
            a.after()
