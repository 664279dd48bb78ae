"""Sources that are made to do harm: each becomes the module that CPython makes
of it, or is rejected with a reason, and no other module is affected.
"""
import concurrent.futures
import errno
import json
import os
import re
import subprocess
import threading
import time

import pytest

import harness
import hostile
import trees
from harness import python, read

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get("PYCFS_TEST_LONG", "") not in ("", "0")

# What the daemon may hold, measured with room to spare: it reads a source and
# gets a code object, one for each of two workers, and a cache writes them.
DAEMON_MB = 120
DAEMON_LARGE_MB = 3000


def write_all(root, sources):
    os.makedirs(root)
    for name, data in sources.items():
        trees.write(os.path.join(root, name + ".py"), data)
    trees.age(root)
    return root


@pytest.fixture(scope="module")
def small_sources(tmp_path_factory):
    return write_all(str(tmp_path_factory.mktemp("hostile") / "site"),
                     hostile.small())


def reference(target, source, to, seconds=60, timeout=300):
    """{name: "" or how it ended} by the target's own py_compile."""
    os.makedirs(to)
    out = python(target.exe, "-S", os.path.join(HERE, "refcompile.py"),
                 seconds, source, to, timeout=timeout,
                 env={"PYTHONNODEBUGRANGES": "1"})
    return json.loads(out.stdout)


class Bystander(threading.Thread):
    """Reads ordinary modules, each for the first time, all the while."""

    def __init__(self, m, root, n):
        super().__init__()
        self.m = m
        self.names = ["by%d" % i for i in range(n)]
        self.worst = 0.0
        self.served = 0
        self.error = None
        self.over = threading.Event()
        for name in self.names:
            trees.write(os.path.join(root, name + ".py"),
                        "def %s(): return '%s'\n" % (name, name))

    def run(self):
        for name in self.names:
            start = time.monotonic()
            try:
                if name.encode() not in read(self.m / (name + ".pyc")):
                    raise AssertionError("not what was written: " + name)
            except Exception as e:  # for the test to raise
                self.error = e
                return
            self.worst = max(self.worst, time.monotonic() - start)
            self.served += 1
            if self.over.wait(0.1):
                return


def outcomes(m, names, to, timeout):
    """Reads all of them, four at a time: {name: errno}; bytes go to `to`."""
    def one(name):
        try:
            data = read(m / (name + ".pyc"))
        except OSError as e:
            return e.errno
        with open(os.path.join(to, name + ".pyc"), "wb") as f:
            f.write(data)
        return 0

    os.makedirs(to, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = {name: pool.submit(one, name) for name in names}
        end = time.monotonic() + timeout
        return {name: job.result(max(end - time.monotonic(), 0.1))
                for name, job in jobs.items()}


def keep_common(a, b):
    """Leaves only what is in both of these directories."""
    for d, other in ((a, b), (b, a)):
        for name in os.listdir(d):
            if not os.path.exists(os.path.join(other, name)):
                os.unlink(os.path.join(d, name))


def differences(target, wanted, got):
    out = python(target.exe, "-I", "-S", os.path.join(HERE, "codecmp.py"),
                 wanted, got, timeout=300)
    return json.loads(out.stdout)


def said(log):
    """{name: what the log says of it}."""
    out = {}
    for line in log.splitlines():
        found = re.search(r"(\w+)\.py(?::\d+)*: (.*)", line)
        if found:
            out.setdefault(found.group(1), []).append(found.group(2))
    return out


def check(target, mount, source, scratch, timeout, bound_mb, seconds=60):
    """Compiles all of `source` both ways. What py_compile crashed of may have
    gone well in a worker, and the reverse; everything else must agree."""
    ref = os.path.join(scratch, "ref")
    got = os.path.join(scratch, "got")
    wanted = reference(target, source, ref, seconds, timeout)
    # one source, more files: the module's own tree stays as it is
    root = os.path.join(scratch, "site")
    subprocess.run(["cp", "-a", source, root], check=True, timeout=60)
    with mount(root, "--jobs", "2", "--timeout", seconds,
               python=target.exe) as m:
        serving = m.serving().pid
        by = Bystander(m, root, 500)
        by.start()
        try:
            ended = outcomes(m, wanted, got, timeout)
        finally:
            by.over.set()
            by.join(seconds + 20)
        assert m.serving().pid == serving
        rss = m.serving().rss_mb()
        counters = m.counters()
        log = said(m.log())
    assert by.error is None, by.error
    assert by.served > 2 and by.worst < seconds / 2 + 5, vars(by)
    print("the daemon's memory: %d MB" % rss)
    assert rss < bound_mb, rss
    bad = []
    for name, how in sorted(wanted.items()):
        about = log.get(name, [])
        if ended[name] not in (0, errno.EIO):
            bad.append("%s: errno %d" % (name, ended[name]))
        elif ended[name] == errno.EIO and len(about) != 1:
            bad.append("%s: the log says %r" % (name, about))
        elif how.startswith("SIG"):
            continue
        elif how == "" and ended[name] != 0:
            bad.append("%s compiles, but: %s" % (name, about))
        elif how and ended[name] == 0:
            bad.append("%s compiled, but py_compile: %s" % (name, how))
        elif how and how not in about[0]:
            bad.append("%s: %s, not %s" % (name, about[0], how))
    assert bad == []
    keep_common(ref, got)
    result = differences(target, ref, got)
    assert result["differences"] == []
    return wanted, counters, log


def test_small(target, mount, small_sources, scratch):
    wanted, counters, log = check(target, mount, small_sources, scratch, 300,
                                  DAEMON_MB)
    assert len(wanted) > 400
    assert sum(not how for how in wanted.values()) > 150
    assert counters["timeouts"] == 0
    # a worker that dies is tried twice and replaced
    crashed = [n for n, about in log.items() if "died of it" in about[0]]
    assert counters["crashes"] >= 2 * len(crashed)
    assert counters["spawned"] >= counters["crashes"]


@pytest.mark.skipif(not LONG, reason="PYCFS_TEST_LONG is not set")
def test_large(target, mount, scratch):
    source = write_all(os.path.join(scratch, "large"), hostile.large())
    check(target, mount, source, scratch, 1800, DAEMON_LARGE_MB, seconds=120)


def timed(what, *args):
    start = time.monotonic()
    try:
        what(*args)
        code = 0
    except OSError as e:
        code = e.errno
    return code, time.monotonic() - start


def test_a_compile_that_does_not_end(target, mount, small, scratch):
    """Two at once, so that every worker is stuck in one."""
    for name in ("endless1", "endless2"):
        # Equal sources would be compiled once.
        trees.write(os.path.join(small, name + ".py"),
                    hostile.endless() + b"# %s\n" % name.encode())
    with mount(small, "--jobs", "2", "--timeout", "2", "--no-ahead",
               python=target.exe) as m:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            stuck = [pool.submit(timed, read, m / (name + ".pyc"))
                     for name in ("endless1", "endless2")]
            harness.wait_for(lambda: len([w for w in harness.workers(m.path)
                                          if w.cpu > 0.2]) == 2, 30,
                             "both workers are busy")
            code, took = pool.submit(timed, read, m / "a.pyc").result(60)
            assert code == 0 and took < 20, (code, took)
            for job in stuck:
                code, took = job.result(60)
                assert code == errno.EIO and 1.9 < took < 30, (code, took)
        assert m.count("timeouts") == 2 and m.count("compiled") == 1
        log = said(m.log())
        for name in ("endless1", "endless2"):
            assert len(log[name]) == 1 and "--timeout" in log[name][0], log
        for name in "bc":
            assert len(read(m / (name + ".pyc"))) > 16
        harness.wait_for(lambda: all(w.state == "S" for w in
                                     harness.workers(m.path)), 10,
                         "no worker goes on with it")


def test_a_compile_that_wants_all_memory(target, mount, small):
    """It is told no, at once; later, with more memory, it is compiled."""
    trees.write(os.path.join(small, "greedy.py"), hostile.greedy(40))
    trees.age(small)
    limits = ("prlimit", "--as=%d" % (700 << 20))
    with mount(small, "--jobs", "2", "--cache-size", "32M",
               python=target.exe, prefix=limits) as m:
        code, took = timed(read, m / "greedy.pyc")
        # The limit is the daemon's, too: it may be the first to meet it.
        assert code in (errno.EIO, errno.ENOMEM) and took < 30, (code, took)
        about = said(m.log()).get("greedy", [])
        assert all("memory" in line for line in about), about
        assert len(about) == 1 or code == errno.ENOMEM
        for name in "abc":
            assert len(read(m / (name + ".pyc"))) > 16
        assert m.serving().rss_mb() < DAEMON_MB
    with mount(small, python=target.exe) as m:
        assert len(read(m / "greedy.pyc")) > 40 << 20
        assert m.count("rejected") == 0


def test_too_deep_for_the_parser_is_remembered(target, mount, small):
    """From 3.12 on a MemoryError says that it is the source's fault."""
    trees.write(os.path.join(small, "deep.py"), "x = " + "not " * 50000 + "1")
    trees.age(small)
    for first in (True, False):
        with mount(small, "--no-ahead", python=target.exe) as m:
            assert timed(read, m / "deep.pyc")[0] == errno.EIO
            known = not first and target.minor >= (3, 12)
            assert m.count("rejected") == (0 if known else 1)
            assert "nested" in m.log() or "too complex" in m.log(), m.log()
