"""Files of the source that are made to hurt whoever reads them."""
import os
import time

import rig as faults
from rig import look, trees

INFO = "demo-1.0.dist-info"


def small(a, record):
    """A site of a few modules and that RECORD."""
    site = a.new("site")
    for i in range(8):
        trees.write(os.path.join(site, "demo", "m%d.py" % i), "M = %d\n" % i)
    trees.write(os.path.join(site, INFO, "RECORD"), record)
    return site


def rows(a):
    """Rows of nothing that is there, in one of several shapes."""
    n = a.random.randrange(50000, 100000)
    return (lambda: "a/" * n + "x.py,,\n",
            lambda: "".join("no%d/m/x.py,,\n" % i for i in range(3 * n)),
            lambda: "demo/" + "./" * n + "m0.py,,\n",
            lambda: "demo/../" * n + "m0.py,,\n",
            lambda: ",,\n" * n,
            lambda: "demo/" + "deep/" * 700 + "x.py,,\n" * 2000,
            )[a.n % 6]()


def test_a_record_of_what_is_not_there(rig):
    """It costs no daemon, and not much time either."""
    for a in rig.tries("RECORD: deep, long, wide", ci=3, full=24):
        with a:
            good = "demo/m1.py,,\ndemo/m2.py,,\n"
            wanted = rig.undisturbed(a, small(a, good))
            site = small(a, rows(a) + good)
            run = a.mount(source=site)
            began = time.monotonic()
            a.saw(look(run.path), complete=True, reference=wanted)
            a.expect(time.monotonic() - began < 10, "it took %.1f s" % (
                time.monotonic() - began))
            run.finish()
            dest = a.new("out")
            r = a.call("export", "--python", faults.PYTHON, site, dest)
            a.expect(r and r.returncode == 0, "export: %s" % r)
            a.saw_export(dest, reference=wanted)
