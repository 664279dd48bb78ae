"""Fixtures of the tests with image builders. Nothing here is ever skipped: a
machine on which they do not run fails them."""
import os
import shutil
import tempfile

import pytest

import builder as b


def pytest_sessionstart(session):
    if not (os.path.isfile(b.pycfs()) and os.access(b.pycfs(), os.X_OK)):
        raise pytest.UsageError("PYCFS must name the pycfs to test")


@pytest.fixture(scope="session")
def builder():
    """buildah with the two images that the examples start from."""
    made = b.Builder()
    try:
        made.make_base()
        yield made
    finally:
        made.close()


@pytest.fixture
def caches(builder):
    """Caches of this test's own: of mounts, and of builds."""
    env = builder.own_caches()
    yield env
    left = b.mounts_below(env["TMPDIR"])
    assert not left, "left mounted: %s" % left


@pytest.fixture
def scratch():
    path = tempfile.mkdtemp(prefix="pycfs-test-", dir="/var/tmp")
    yield path
    left = b.mounts_below(path)
    assert not left, "left mounted: %s" % left
    shutil.rmtree(path)
