"""A directory that was just created is replaced by another one before pycfs
opens it. A user who may rename files in the parent directory can do that.
"""
import os
import shutil

import pytest

import rig as faults

NOBODY = 65534


@pytest.fixture(scope="session")
def shim(base):
    """The library that exchanges them."""
    return faults.build_shim(base, "swap_shim")


def lay(a, theirs):
    """Another's directory: somebody else's, or one that all may write."""
    if os.geteuid() == 0 and a.n % 2 == 0:
        for top, dirs, names in os.walk(theirs):
            for path in [top] + [os.path.join(top, n) for n in names]:
                os.chown(path, NOBODY, NOBODY)
        os.chmod(theirs, 0o755)
    else:
        os.chmod(theirs, 0o777)


def test_the_temporary_cache(rig, shim):
    """With a database in it, whose bytecode would be served as ours."""
    for a in rig.tries("temporary cache exchanged", ci=2, full=10):
        with a:
            theirs = a.new("theirs")
            found = [d for d in os.listdir(rig.golden) if d.startswith("v")]
            shutil.copytree(os.path.join(rig.golden, found[0]), theirs)
            lay(a, theirs)
            before = os.stat(os.path.join(theirs, "data.mdb"))
            env = {"LD_PRELOAD": shim, "SWAP_WITH": theirs}
            run = a.start("--no-cache", env=env)
            a.expect(not run.come_up(), "mounted on another's cache")
            a.expect(run.status() == 1 and "exchanged" in run.said(),
                     "said: " + run.said())
            tmp = os.path.join(a.dir, "tmp")
            left = sorted(os.listdir(tmp))
            a.expect(len(left) == 2, "left: %s" % left)
            now = os.stat(os.path.join(tmp, left[0], "data.mdb"))
            a.expect((now.st_ino, now.st_mtime_ns) ==
                     (before.st_ino, before.st_mtime_ns), "it was written to")
            shutil.rmtree(tmp)
            os.mkdir(tmp)
            a.after()


def test_the_exported_directory(rig, shim):
    for a in rig.tries("directory of an export exchanged", ci=2, full=10):
        with a:
            theirs, out = a.new("theirs"), a.new("out")
            os.mkdir(theirs)
            lay(a, theirs)
            inode = os.stat(theirs).st_ino
            r = a.call("export", "--python", faults.PYTHON, "--cache", a.cache,
                       rig.source, out,
                       env={"LD_PRELOAD": shim, "SWAP_WITH": theirs})
            a.expect(r and r.returncode == 1 and b"exchanged" in r.stderr,
                     "%s" % r)
            a.expect(not os.path.exists(out), "DEST is there")
            swapped = [e for e in os.scandir(a.dir) if e.inode() == inode]
            a.expect(swapped and not os.listdir(swapped[0].path),
                     "something was written into it")
            a.after()
