"""--cache-from: a second cache, which is only read."""
import json
import os
import shutil
import subprocess

import pytest

import harness
from harness import read, tree_bytes


@pytest.fixture
def seed(pycfs, small, scratch):
    """A cache that has what `small` compiles to; pycfs has another."""
    where = os.path.join(scratch, "seed")
    pycfs.exported(small, os.path.join(scratch, "first"), "--cache", where)
    return where


def export(pycfs, source, dest, *options, **how):
    out = pycfs.export(source, dest, "--json", *options, **how)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout), out.stderr


def test_nothing_is_compiled(pycfs, seed, small, scratch, mount):
    before = tree_bytes(seed)
    out, said = export(pycfs, small, os.path.join(scratch, "a"),
                       "--cache-from", seed)
    assert out["compiled"] == 0 and out["cached"] == 3 and not said
    assert tree_bytes(os.path.join(scratch, "a")) == \
        tree_bytes(os.path.join(scratch, "first"))
    # without it they are not here: they were not copied
    out, _ = export(pycfs, small, os.path.join(scratch, "b"))
    assert out["compiled"] == 3
    # as a mount, and with no cache of its own
    with mount(small, "--cache-from", seed, "--no-cache") as m:
        assert read(m / "a.pyc") == read(os.path.join(scratch, "a/a.pyc"))
        assert m.count("compiled") == 0 and m.count("seeded") >= 1
    assert tree_bytes(seed) == before


def test_what_is_new_is_kept(pycfs, seed, small, scratch):
    with open(os.path.join(small, "new.py"), "w") as f:
        f.write("NEW = 1\n")
    out, _ = export(pycfs, small, os.path.join(scratch, "a"),
                    "--cache-from", seed)
    assert out["compiled"] == 1
    out, _ = export(pycfs, small, os.path.join(scratch, "b"),
                    "--cache-from", seed)
    assert out["compiled"] == 0
    # another level is another module
    out, _ = export(pycfs, small, os.path.join(scratch, "c"), "-O0",
                    "--cache-from", seed)
    assert out["compiled"] == 4


def test_on_a_read_only_file_system(pycfs, seed, small, scratch):
    if os.geteuid() != 0:
        pytest.fail("binding a directory read-only needs root")
    script = "mount --bind %s %s && mount -o remount,bind,ro %s && exec \"$@\""
    out, said = export(
        pycfs, small, os.path.join(scratch, "a"), "--cache-from", seed,
        prefix=["unshare", "-m", "sh", "-ec", script % (seed, seed, seed),
                "sh"])
    assert out["compiled"] == 0 and not said


@pytest.mark.parametrize("how", ["missing", "empty", "garbage"])
def test_going_on_without(pycfs, seed, small, scratch, how):
    if how == "missing":
        shutil.rmtree(seed)
    elif how == "empty":
        shutil.rmtree(seed)
        os.mkdir(seed, 0o700)
    else:
        for name in os.listdir(seed):
            data = os.path.join(seed, name, "data.mdb")
            if os.path.exists(data):
                with open(data, "r+b") as f:
                    f.write(os.urandom(8192))
    out, said = export(pycfs, small, os.path.join(scratch, "a"),
                       "--cache-from", seed)
    assert out["compiled"] == 3
    assert seed in said and "going on without it" in said
    assert len(said.splitlines()) == 1


def test_refused_if_others_can_write(pycfs, seed, small, scratch):
    os.chmod(seed, 0o777)
    out = pycfs.export(small, os.path.join(scratch, "a"), "--cache-from", seed)
    assert out.returncode == 1
    assert seed in out.stderr and "chmod" in out.stderr
    assert not os.path.exists(os.path.join(scratch, "a"))


def test_of_another_user(pycfs, seed, small, scratch):
    """Root's is taken by anybody; a user's by nobody else, not by root."""
    if os.geteuid() != 0:
        pytest.fail("needs root")
    subprocess.run(["chmod", "-R", "a+rX", scratch], check=True, timeout=30)
    os.chmod(scratch, 0o1777)
    as_user = ["setpriv", "--reuid", "65534", "--regid", "65534",
               "--clear-groups"]
    out, said = export(
        pycfs, small, os.path.join(scratch, "a"), "--cache-from", seed,
        "--no-cache", prefix=as_user)
    assert out["compiled"] == 0 and not said
    subprocess.run(["chown", "-R", "65534", seed], check=True, timeout=30)
    out = pycfs.export(small, os.path.join(scratch, "b"), "--cache-from", seed)
    assert out.returncode == 1 and "user 65534" in out.stderr
