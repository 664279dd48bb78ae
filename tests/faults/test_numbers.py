"""Wrong transaction numbers in the meta pages of the database, from which LMDB
computes the next ones.
"""
import shutil
import struct

from test_damage import database

PAGE, TXNID = 4096, 144
LAST = 2**64 - 1
ODD = ((None, LAST), (LAST, None), (LAST - 1, LAST), (0, LAST), (None, 0),
       (None, 2**63 + 1), (LAST, LAST), (LAST - 1, None), (1, 2), (7, 8))


def test_transaction_numbers(rig):
    """Each command and a mount do their work, on a fresh one if need be."""
    for a in rig.tries("made-up transaction numbers", ci=3, full=len(ODD)):
        with a:
            for verb in (["stat"], ["verify"], ["gc", "--max-size", "1M"],
                         ["clear"], None):
                shutil.rmtree(a.cache, ignore_errors=True)
                rig.warm(a)
                with open(database(a), "r+b", buffering=0) as f:
                    for page, n in enumerate(ODD[a.n % len(ODD)]):
                        if n is not None:
                            f.seek(page * PAGE + TXNID)
                            f.write(struct.pack("<Q", n))
                if verb is None:
                    break
                r = a.call("cache", *verb, "--cache", a.cache)
                a.expect(r is None or r.returncode == 0 and
                         b"begun anew" in r.stderr, "%s: %s" % (verb, r))
            a.after()
