"""Processes of pycfs that are killed with SIGKILL at random moments."""
import os
import signal
import time

import rig as faults
from rig import kill, look, Reader, wait_until


COPY = 'cp -a "$AT/." "$0"; echo $? >"$0.status"'


def begin(rig, a, *options, **how):
    """A mount, and a process that copies from it: cold, or half warm."""
    if a.n % 3 == 2:
        rig.warm(a)
    run = a.mount(*options, **how)
    return run, Reader(run.path, seed=a.n, rounds=1 + a.n % 2)


def ended(a, run, *fine):
    status = run.status()
    if status is not None:
        a.expect(status in fine, "ended with %d: %s" % (status, run.said()))
    a.expect(wait_until(lambda: not run.mounted(), 10), "still mounted")


def test_the_daemon(rig):
    for a in rig.tries("kill -9, daemon", ci=8, full=80):
        with a:
            run, reader = begin(rig, a)
            a.doze(rig.cold)
            kill(run.daemon)
            a.saw(reader.result())
            ended(a, run, 1)
            a.after()


def test_the_workers(rig):
    for a in rig.tries("kill -9, worker", ci=4, full=60):
        with a:
            run, reader = begin(rig, a, "--jobs", 2)
            before = faults.descriptors(run.daemon)
            for _ in range(a.random.randint(1, 4)):
                a.doze(rig.cold / 3)
                for pid in run.workers()[:a.random.randint(1, 2)]:
                    kill(pid)
            a.saw(reader.result())
            a.expect(look(run.path).values[""] == {("dir",)}, "cannot go on")
            wait_until(lambda: faults.descriptors(run.daemon) <= before + 4, 5)
            if faults.descriptors(run.daemon) > before + 4:
                a.add("leaks", "descriptors")
            run.finish()
            a.after()


def test_the_guard(rig):
    """The daemon ends too, and takes the mount with it."""
    for a in rig.tries("kill -9, guard", ci=4, full=40):
        with a:
            run, reader = begin(rig, a)
            a.doze(rig.cold)
            kill(run.guard)
            a.saw(reader.result())
            ended(a, run, -signal.SIGKILL)
            a.after()


def test_one_of_two_that_share_a_cache(rig):
    """Whatever it was writing, the other one does not notice."""
    for a in rig.tries("kill -9, one of two on a cache", ci=4, full=40):
        with a:
            runs = [a.mount(), a.mount("--jobs", 1)]
            readers = [Reader(r.path, seed=a.n + i)
                       for i, r in enumerate(runs)]
            a.doze(rig.cold)
            victim = a.n % 2
            kill(runs[victim].daemon)
            a.saw(readers[victim].result())
            a.saw(readers[1 - victim].result(), complete=True)
            ended(a, runs[victim], 1)
            runs[1 - victim].finish()
            a.after()


def test_run(rig):
    """pycfs run never says that a copy worked that is not whole."""
    for a in rig.tries("kill -9, under pycfs run", ci=4, full=40):
        with a:
            out = a.new("out")
            os.mkdir(out)
            run = a.mount(verb="run", command=[
                "sh", "-c", COPY, out])
            a.doze(rig.cold)
            victim = run.daemon if a.n % 3 else run.guard
            kill(victim)
            status = run.status()
            said = out + ".status"
            if not wait_until(lambda: os.path.exists(said) and
                              os.path.getsize(said), faults.HANG):
                a.hang("cp")
                continue
            with open(said) as f:
                whole = f.read() == "0\n"
            if status == 0 and not whole:
                a.add("wrong", "run says 0, cp did not")
            if whole and victim:
                a.saw(look(out), complete=True)
            a.after()


def test_export(rig):
    """DEST is whole or not there; the next export clears up."""
    kinds = ("out", "out.tar", "out.zip")
    for a in rig.tries("kill -9, export", ci=4, full=40):
        with a:
            place = a.new("place")
            os.mkdir(place)
            dest = os.path.join(place, kinds[a.n % 3])
            args = ["--python", faults.PYTHON, "--cache", a.cache,
                    "--on-lost", "warn", rig.source, dest]
            run = faults.Run(a, "export", *args)
            a.doze(rig.cold)
            kill((faults.family(run.guard) or [run.guard])[0]
                 if a.n % 2 else run.guard)
            status = run.status()
            wait_until(lambda: not faults.family(os.getpid()), 10)
            if status == 0 and not os.path.exists(dest):
                a.add("wrong", "export says 0 and wrote nothing")
            if os.path.exists(dest):
                a.saw_export(dest)
            again = a.call("export", "--force", *args)
            a.expect(again and again.returncode == 0, "not again: %s" % again)
            a.saw_export(dest)
            a.expect(os.listdir(place) == [os.path.basename(dest)],
                     "left: %s" % os.listdir(place))
            a.after()
