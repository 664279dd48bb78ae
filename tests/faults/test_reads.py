"""Damage to what a mount reads, by somebody who writes it in place: its
database, together with a pycfs in another PID namespace, and a seed.
"""
import os
import shutil
import subprocess

import pytest

import rig as faults
from rig import HANG, Reader
from test_damage import HARM, PAGE, database, truncate

IN_PLACE = [k for k in HARM if k is not truncate]


def harm_all(a, path, kinds, times):
    """Some harm, again and again while it is read."""
    with open(path, "r+b", buffering=0) as f:
        for i in range(times):
            size = os.fstat(f.fileno()).st_size
            if size >= PAGE:
                kinds[(a.n + i) % len(kinds)](a, f, size)
            a.doze(0.02)


def end(a, run, reader):
    a.saw(reader.result())
    if run.mounted():
        run.umount()
    run.status()


def test_much_of_it_under_a_mount(rig):
    """Every lookup may meet a page that nobody has checked."""
    for a in rig.tries("much damage, under a mount", ci=6, full=100):
        with a:
            rig.warm(a)
            run = a.mount()
            reader = Reader(run.path, seed=a.n, rounds=2)
            harm_all(a, database(a), IN_PLACE, 40)
            end(a, run, reader)
            a.after()


@pytest.mark.root
def test_with_another_pid_namespace(rig):
    """Who writes to the same database from there meets the damage, too."""
    for a in rig.tries("damaged cache, two PID namespaces", ci=4, full=100):
        with a:
            rig.warm(a)
            run = a.mount()
            reader = Reader(run.path, seed=a.n, rounds=2)
            other = subprocess.Popen(
                ["unshare", "-m", "-pf", "--mount-proc", "--kill-child",
                 faults.harness.program(), "export", "--python",
                 faults.PYTHON, "-O", "1", "--cache", a.cache,
                 rig.source, a.new("out")], env=a.env(),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            faults.Run.started.add(other.pid)
            a.doze(rig.cold)
            harm_all(a, database(a), HARM, 1)
            end(a, run, reader)
            try:
                other.wait(HANG)
            except subprocess.TimeoutExpired:
                a.hang("the other one")
                other.kill()
            faults.Run.started.discard(other.pid)
            a.after()


class Seed:
    """The cache of the whole tree, which an attempt's mounts only read."""

    def __init__(self, rig, a):
        self.dir = a.new("seed")
        shutil.copytree(rig.golden, self.dir)
        self.data = database(a, self.dir)
        self.options = ["--no-cache", "--cache-from", self.dir]


def test_a_seed(rig):
    """Before and under a mount."""
    for a in rig.tries("damaged seed", ci=8, full=200):
        with a:
            seed = Seed(rig, a)
            if a.n % 2:
                harm_all(a, seed.data, HARM, 1)
            run = a.mount(*seed.options)
            reader = Reader(run.path, seed=a.n, rounds=2)
            if a.n % 2 == 0:
                a.doze(rig.cold / 2)
                harm_all(a, seed.data, HARM, 1 if a.n % 4 else 40)
            end(a, run, reader)
            a.after(options=seed.options)


def written_by_pycfs(rig, a, seed, _):
    a.call("cache", "clear", "--cache", seed.dir)
    a.call("export", "--python", faults.PYTHON, "-O", "1", "--cache",
           seed.dir, rig.source, a.new("out"))


def page_by_page(_, a, seed, other):
    """By those of another database, in any order."""
    with open(other, "rb") as f:
        pages = [(at, f.read(PAGE)) for at in
                 range(0, os.path.getsize(other), PAGE)]
    a.random.shuffle(pages)
    with open(seed.data, "r+b", buffering=0) as f:
        for at, page in pages:
            f.seek(at)
            f.write(page)


def copied_over(_, a, seed, other):
    """As cp does it: cut to nothing, and written from the beginning."""
    shutil.copyfile(other, seed.data)


def test_a_seed_that_is_rewritten(rig):
    ways = [page_by_page, written_by_pycfs, page_by_page, copied_over]
    other = os.path.join(rig.scratch, "other")
    for a in rig.tries("seed rewritten in place", ci=8, full=200):
        with a:
            if not os.path.isdir(other):
                a.call("export", "--python", faults.PYTHON, "-O", "0",
                       "--cache", other, rig.source, a.new("out"))
            seed = Seed(rig, a)
            run = a.mount(*seed.options)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold / 2)
            ways[a.n % len(ways)](rig, a, seed, database(a, other))
            end(a, run, reader)
            a.after(options=seed.options)
