"""Times that tell equal sizes apart: image builders and rsync copy a file again
only if its size or its time has changed."""
import os
import stat
import zipfile

import pytest

import harness
import layers
import trees
from harness import python, read

EPOCH = 1700000000
SPAN = 2 ** 24 - 2
EARLIEST = 315532800  # 1980-01-01


def stats(m):
    top = os.fsencode(str(m))
    return {p: os.lstat(os.path.join(top, p))
            for p in [b"", *trees.listing(m)]}


def files(m):
    """{path: (size, mtime)} of the files."""
    return {p: (s.st_size, s.st_mtime_ns / 10**9) for p, s in stats(m).items()
            if stat.S_ISREG(s.st_mode)}


def by_hand(m, to):
    """What a builder does with a context that it has seen before."""
    os.makedirs(to, exist_ok=True)
    for path, (size, mtime) in files(m).items():
        old = os.path.join(os.fsencode(to), path)
        new = os.path.join(os.fsencode(str(m)), path)
        there = os.stat(old) if os.path.exists(old) else None
        if there and (there.st_size, there.st_mtime) == (size, mtime):
            continue
        os.makedirs(os.path.dirname(old), exist_ok=True)
        with open(old, "wb") as f:
            f.write(read(new))
        os.utime(old, (mtime, mtime))


def limit(layer, exe):
    code = "import sys; sys.path[0] = sys.argv[1]; import app; print(app.LIMIT)"
    return int(python(exe, "-B", "-c", code, layer).stdout)


@pytest.mark.parametrize("options", [[], ["--mtime", "content"]])
def test_a_context_that_is_seen_again(options, mount, scratch):
    """A change of the same size arrives, with SOURCE_DATE_EPOCH set as in many
    a CI."""
    exe = harness.newest().exe
    root, layer = (os.path.join(scratch, n) for n in ("site", "layer"))
    for value, at in ((10, 1650000000), (99, 1660000000)):
        trees.write(os.path.join(root, "app.py"), "LIMIT = %d\n" % value)
        os.utime(os.path.join(root, "app.py"), (at, at))
        with mount(root, *options, python=exe,
                   env={"SOURCE_DATE_EPOCH": str(EPOCH)}) as m:
            by_hand(m, layer)
        assert limit(layer, exe) == value


def test_the_epoch_is_said_not_to_be_taken(pycfs, small, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for options, said in (([], True), (["--mtime", "content"], False),
                          (["--mtime", "5"], False)):
        run = pycfs.ok("run", "-v", "--python", harness.DEBIAN_PYTHON,
                       *options, small, at, "--", "true",
                       env={"SOURCE_DATE_EPOCH": "5"})
        assert ("SOURCE_DATE_EPOCH is not taken" in run.stderr) == said


@pytest.mark.parametrize("epoch", [str(EPOCH), str(EPOCH + 1), ""])
def test_by_content(epoch, pycfs, mount, tree, scratch):
    base = int(epoch or 1577836800) // 2 * 2
    trees.write(os.path.join(tree, "same.txt"), "one\n")
    trees.write(os.path.join(tree, "deeper", "same.txt"), "one\n")
    trees.write(os.path.join(tree, "large.bin"), os.urandom(700000))
    trees.write(os.path.join(tree, "pkg-1.0.dist-info", "RECORD"),
                "pkg/core.py,,\n")
    options = ["--mtime", "content", "--keep-source", "core.py"]
    env = {"SOURCE_DATE_EPOCH": epoch}
    with mount(tree, *options, env=env) as m:
        seen = stats(m)
        shown = files(m)
        content = {p: read(os.path.join(os.fsencode(m.path), p))
                   for p in shown}
        assert files(m) == shown  # not another one once it was read
    for path, s in seen.items():
        assert s.st_mtime_ns % (2 * 10**9) == 0, path
        assert base - SPAN <= s.st_mtime <= base, path
        if path not in shown:  # directories and links
            assert s.st_mtime == base, path
    times = {}
    for path, (_, mtime) in shown.items():
        assert times.setdefault(content[path], mtime) == mtime, path
    assert len(set(times.values())) == len(times) > 20
    # whatever the times and places of the sources, and in an export
    trees.age(tree, 1234567890)
    out = pycfs.exported(tree, os.path.join(scratch, "out"), *options, env=env)
    assert files(out) == shown


def test_options_that_change_bytes(mount, scratch):
    """Sizes are equal here, and the source is the same: only --mtime content
    shows it."""
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "a.py"), "def f():\n    return 1\n")
    trees.age(root)
    seen = {}
    for mtime in ([], ["--mtime", "content"]):
        for prefix in ("/aaa", "/bbb"):
            with mount(root, "--prefix", prefix, *mtime) as m:
                seen[bool(mtime), prefix] = files(m)[b"a.pyc"]
    assert len({s[0] for s in seen.values()}) == 1
    assert seen[False, "/aaa"] == seen[False, "/bbb"]
    assert seen[True, "/aaa"] != seen[True, "/bbb"]


def test_a_file_that_changes_under_a_mount(mount, scratch):
    root = os.path.join(scratch, "site")
    path = os.path.join(root, "data.txt")
    trees.write(path, "one")
    trees.write(os.path.join(root, "m.py"), "x = 1\n")
    with mount(root, "--mtime", "content") as m:
        seen = []
        for text in ("one", "two", "one"):
            trees.write(path, text)
            trees.write(os.path.join(root, "m.py"), "x = '%s'\n" % text)

            def is_there():
                return read(m / "data.txt") == text.encode() and \
                    text.encode() in read(m / "m.pyc")
            harness.wait_for(is_there, 10, "the change is not seen")
            harness.wait_for(lambda: files(m) == files(m), 5, "unsteady")
            seen.append(files(m))
        for name in (b"data.txt", b"m.pyc"):
            assert seen[0][name] == seen[2][name] != seen[1][name]


@pytest.mark.parametrize("epoch", ["0", str(EARLIEST), str(EARLIEST + 7777)])
def test_too_early_an_epoch(epoch, pycfs, tree, scratch):
    """Times go upwards then, and that is said once."""
    trees.write(os.path.join(tree, "data2.txt"), "two\n")
    path = os.path.join(scratch, "x.zip")
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    run = pycfs.export(tree, path, "--mtime", "content",
                       env={"SOURCE_DATE_EPOCH": epoch})
    assert run.returncode == 0 and run.stderr.count("--mtime content") == 1
    base = max(int(epoch), EARLIEST) // 2 * 2
    with zipfile.ZipFile(path) as z:
        times = [layers.zip_mtime(i) for i in z.infolist()
                 if not i.filename.endswith("/")]
    assert all(base <= t <= base + SPAN and t % 2 == 0 for t in times)
    assert len(set(times)) > len(times) / 2
