"""Files in the source that are made to harm any program that reads them."""
import os
import signal
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


def peak_mb(run):
    """Of pycfs itself, while it runs; its workers are held up at first, so
    that more is read than compiled."""
    name, most = os.path.basename(faults.harness.program()), 0
    began, end = time.monotonic(), time.monotonic() + 120
    while run.popen.poll() is None and time.monotonic() < end:
        for pid in run.workers():
            faults.kill(pid, signal.SIGSTOP if time.monotonic() < began + 3
                        else signal.SIGCONT)
        for pid in [run.popen.pid] + run.find(name):
            try:
                with open("/proc/%d/status" % pid) as f:
                    lines = [li for li in f if li.startswith("VmHWM:")]
            except OSError:
                continue
            most = max([most] + [int(li.split()[1]) // 1024 for li in lines])
        time.sleep(0.01)
    return most


def test_vast_sources(rig):
    """They cost no memory: those that are too large are not read, and of the
    others few at a time."""
    for a in rig.tries("sources of gigabytes", ci=2, full=10):
        with a:
            site = small(a, "")
            wanted = rig.undisturbed(a, site)
            read = a.n % 2
            for i in range(12 if read and not faults.FULL else 40):
                with open(os.path.join(site, "v%d.py" % i), "wb") as f:
                    f.truncate((90 if read else 900) << 20)
            dest = a.new("out")
            options = ["--max-source", "100M"] if read else []
            run = faults.Run(a, "export", "--python", faults.PYTHON,
                             "--on-error", "omit", "--jobs", 2, *options,
                             site, dest)
            most = peak_mb(run)
            a.expect(run.status() == 0, run.said()[-400:])
            said = "null bytes" if read else "--max-source"
            a.expect(said in run.said(), run.said()[-400:])
            a.expect(most < (500 if read else 100), "it took %d MB" % most)
            a.saw_export(dest, reference=wanted)
