"""Clocks that jump, and sources with times that no clock can show."""
import os
import struct

import pytest

import rig as faults
from rig import Reader, look, trees
from test_cache import held  # of the system tests

DAY = 86400
YEAR = 365 * DAY


@pytest.fixture(scope="session")
def shim(base):
    """The library that bends a daemon's clock."""
    return faults.build_shim(base, "clock_shim")


class Clock:
    def __init__(self, a, shim, seconds):
        self.path = a.new("clock")
        with open(self.path, "wb") as f:
            f.write(struct.pack("=q", seconds))
        self.env = {"LD_PRELOAD": shim, "CLOCK_SHIM": self.path}

    def jump(self, seconds):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("=q", seconds))


def test_it_jumps(rig, shim):
    jumps = ((YEAR, -YEAR), (0, -10 * DAY), (80 * YEAR, 0), (-50 * YEAR, YEAR),
             (0, 3 * YEAR), (-60 * YEAR, -62 * YEAR))
    for a in rig.tries("clock jumps", ci=4, full=36):
        with a:
            if a.n % 2:
                rig.warm(a)
            first, then = jumps[a.n % len(jumps)]
            clock = Clock(a, shim, first)
            run = a.mount(env=clock.env)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold / 2)
            clock.jump(then)
            a.saw(reader.result(), complete=True)
            run.finish()
            run = a.mount(env=clock.env)
            a.saw(look(run.path), complete=True)
            a.expect(run.counters()["compiled"] == 0, "nothing was kept")
            run.finish()
            a.after()
            for verb in (["stat"], ["gc", "--max-age", "1"]):
                r = a.call("cache", *verb, "--cache", a.cache, env=clock.env)
                a.expect(r and r.returncode == 0, "%s: %s" % (verb, r))


def test_a_change_after_it_went_back(rig, shim):
    """A new source is seen, whatever the clock has to say of its age."""
    for a in rig.tries("source changes, clock went back", ci=2, full=10):
        with a:
            site = a.new("site")
            trees.many(site, 5)
            path = os.path.join(site, "many", "p0", "m1.py")
            clock = Clock(a, shim, 0)
            run = a.mount(source=site, env=clock.env)
            for i in range(4):
                clock.jump((-YEAR, YEAR)[(a.n + i) % 2] * i)
                trees.write(path, "VALUE = %d\n" % (1000 + i))
                wanted = rig.undisturbed(a, site)
                faults.wait_until(
                    lambda: look(run.path).values == wanted.values, 5)
                a.saw(look(run.path), complete=True, reference=wanted)
            run.finish()
            a.after(source=site, reference=wanted)


def test_its_end_is_bounded_all_the_same(rig, shim):
    """The cache's writer waits for a process that is stopped: the daemon ends
    without it, after seconds of no clock that jumps."""
    for a in rig.tries("clock ahead, a stopped writer", ci=1, full=4):
        with a:
            rig.warm(a)
            clock = Clock(a, shim, (YEAR, -YEAR)[a.n % 2])
            with held(a.cache, a.dir):
                run = a.mount("-O", 1, env=clock.env)
                a.expect(not look(run.path).hung, "hangs")
                run.finish()
            a.after()


TIMES = (-2**31, -1, 0, 1, 315532799, 2**31 - 1, 2**31, 4354819200 + DAY,
         2**32 - 1, 2**32, 2**33 + 5)


def test_odd_times_of_sources(rig):
    for a in rig.tries("sources of the future, of 1970", ci=2, full=8):
        with a:
            site = rig.copy_source(a)
            n = a.n
            for top, _, names in os.walk(os.fsencode(site)):
                for name in names:
                    n += 1
                    os.utime(os.path.join(top, name),
                             (0, TIMES[n % len(TIMES)]), follow_symlinks=False)
            for _ in range(2):
                a.after(source=site)
            stamped(a, site)
            exports(a, site)


def stamped(a, site):
    """--invalidation-mode timestamp has the time modulo 2**32, as importlib
    has it."""
    run = a.mount("--invalidation-mode", "timestamp", source=site)
    for i in range(160):
        name = "many/p%d/m%d.py" % (i // 50, i)
        with open(os.path.join(run.path, name + "c"), "rb") as f:
            head = f.read(16)
        mtime = int(os.stat(os.path.join(site, name)).st_mtime)
        a.expect(struct.unpack("<III", head[4:]) == (
            0, mtime & 0xffffffff,
            os.path.getsize(os.path.join(site, name))), name)
    run.finish()


def exports(a, site):
    for name in ("out", "out.tar", "out.zip"):
        dest = a.new("") + name
        r = a.call("export", "--python", faults.PYTHON, "--cache", a.cache,
                   "--on-lost", "warn", site, dest)
        a.expect(r and r.returncode == 0, "export: %s" % r)
        a.saw_export(dest)
