"""Fixtures of the system tests, which make real mounts with the pycfs in
$PYCFS."""
import os
import shutil
import subprocess
import tempfile

import pytest

import harness
import trees


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root")


def pytest_sessionstart(session):
    path = os.environ.get("PYCFS", "")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise pytest.UsageError("PYCFS=%s must name the pycfs to test" % path)
    harness.hear_signals()


def cannot_mount():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as e:
        return "/dev/fuse: %s" % e.strerror
    return None


def pytest_runtest_setup(item):
    why = cannot_mount()
    if item.get_closest_marker("root") and os.geteuid() != 0:
        why = why or "not root"
    if why:
        if harness.ON_A_CI:
            pytest.fail(why + " (and CI=true)", pytrace=False)
        pytest.skip(why)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemons of its own mounts logged."""
    outcome = yield
    report = outcome.get_result()
    pycfs = getattr(item, "funcargs", {}).get("pycfs")
    if report.failed and pycfs and os.path.isdir(pycfs.scratch):
        for name in sorted(os.listdir(pycfs.scratch)):
            if name.startswith(("log", "sanitizer")):
                with open(os.path.join(pycfs.scratch, name),
                          errors="replace") as f:
                    text = f.read()
                report.sections.append(("daemon's " + name, text[-5000:]))


@pytest.fixture
def scratch():
    """A directory of this test's own. Other users may enter it."""
    path = tempfile.mkdtemp(prefix="pycfs-test-")
    os.chmod(path, 0o755)
    yield path
    for point in sorted(harness.mounts(), reverse=True):
        if point.startswith(path + "/"):
            harness.detach(point)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def pycfs(scratch):
    p = harness.Pycfs(scratch)
    yield p
    left = [m for m in harness.mounts() if m.startswith(scratch + "/")]
    for m in left:
        harness.detach(m)
    assert not left, "left mounted: %s" % left
    harness.wait_for(lambda: not harness.daemons(scratch), 10,
                     "processes of the test end")
    p.sanitized()


@pytest.fixture
def mount(pycfs):
    """mount(SOURCE, OPTION...): a context manager; see Pycfs.mount."""
    return pycfs.mount


@pytest.fixture(scope="session")
def shared_tree():
    top = tempfile.mkdtemp(prefix="pycfs-tree-")
    os.chmod(top, 0o755)
    root = os.path.join(top, "site")
    os.mkdir(root)
    yield trees.make(root)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def tree(shared_tree, scratch):
    """A small site-packages with every odd thing in it; the test's own."""
    to = os.path.join(scratch, "site")
    subprocess.run(["cp", "-a", shared_tree, to], check=True, timeout=60)
    return to


@pytest.fixture
def small(scratch):
    """Three modules and a file, for tests that count."""
    root = os.path.join(scratch, "small")
    for name in ("a", "b", "c"):
        trees.write(os.path.join(root, name + ".py"),
                    'def %s(x):\n    """Doc."""\n    assert x\n'
                    "    return x + %d\n" % (name, ord(name)))
    trees.write(os.path.join(root, "data.txt"), "data\n")
    trees.age(root)
    return root


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", harness.PYTHONS, ids=repr)


@pytest.fixture(scope="session")
def modern():
    """The newest Python here that an ordinary test may use."""
    return harness.PYTHONS[-1]
