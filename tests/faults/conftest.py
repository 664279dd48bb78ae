"""Fixtures of the fault tests: one tree for all tests, and a rig for each."""
import os
import shutil
import subprocess
import tempfile
import time

import pytest

import rig as faults
from rig import harness, trees


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root")


def pytest_sessionstart(session):
    path = os.environ.get("PYCFS", "")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise pytest.UsageError("PYCFS=%s must name the pycfs to test" % path)
    harness.hear_signals()
    faults.adopt_orphans()
    faults.leave_the_others()


def pytest_runtest_setup(item):
    """No mount, no test: that is a failure, never a skip."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.fail("/dev/fuse cannot be used", pytrace=False)
    if item.get_closest_marker("root") and os.geteuid() != 0:
        if harness.ON_A_CI:
            pytest.fail("not root (and CI=true)", pytrace=False)
        pytest.skip("not root")


def make_tree(root):
    """About 200 modules: small ones, odd ones, large ones, slow ones; data."""
    trees.make(root)
    # A zip's names have to be UTF-8 for zipfile to give them back.
    os.unlink(os.path.join(os.fsencode(root), b"caf\xe9.py"))
    for i in range(14):
        trees.write(os.path.join(root, "large", "m%d.py" % i),
                    "DATA = %r\n" % ("%02d" % i * (2000 + 3000 * i)))
        trees.write(os.path.join(root, "large", "d%d.bin" % i),
                    bytes([i]) * (40000 * i + 7))
    for i in range(6):
        trees.write(os.path.join(root, "large", "slow%d.py" % i),
                    trees.slow(1500 + i))
    return trees.many(root, 160)


class Base:
    """The tree, what an undisturbed mount shows, a cache that knows it."""

    def __init__(self, top):
        self.scratch = top
        self.source = os.path.join(top, "site")
        self.golden = os.path.join(top, "golden")
        self.reference, self.cold = None, 0.0
        self.results = []
        os.mkdir(self.source)
        make_tree(self.source)
        born = time.monotonic()
        self.reference = self.undisturbed("--no-cache")
        self.check()
        # Younger files are not in the cache's index.
        time.sleep(max(0.0, 2.5 - (time.monotonic() - born)))
        began = time.monotonic()
        again = self.undisturbed("--cache", self.golden)
        self.cold = time.monotonic() - began
        assert again.values == self.reference.values

    def undisturbed(self, *options):
        with faults.Attempt(self, "none", 0) as a:
            run = a.mount(*options)
            seen = faults.look(run.path)
            run.finish()
        assert not a.problems, a.problems
        return seen

    def record(self, attempt):
        pass

    def check(self):
        """The names are those of the rules, data is that of the source, and
        every module is there."""
        seen, view = self.reference, trees.expected(self.source)
        assert {os.fsencode(p) for p in seen.values} == set(view) | {b""}
        source = faults.look(self.source)
        for path, (kind, _) in view.items():
            path = os.fsdecode(path)
            value = faults.one(seen, path)
            assert isinstance(value, tuple), (path, value)
            if kind == "module":
                assert value[1] > 16, path
            else:
                assert value == faults.one(source, path), path
        assert sum(k == "module" for k, _ in view.values()) > 200


@pytest.fixture(scope="session")
def base():
    top = tempfile.mkdtemp(prefix="pycfs-faults-")
    os.chmod(top, 0o755)
    yield Base(top)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def rig(base):
    scratch = tempfile.mkdtemp(prefix="pycfs-fault-")
    os.chmod(scratch, 0o755)
    yield faults.Rig(base, scratch)
    for point in sorted(harness.mounts(), reverse=True):
        if point.startswith(scratch + "/"):
            harness.detach(point)
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def disk():
    """disk(ATTEMPT, SIZE): a small file system of its own, and its way out."""
    def make(attempt, options):
        at = attempt.new("disk")
        os.mkdir(at)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", at],
                       check=True, timeout=30)
        return at
    return make
