"""What export --sources keeps, and pycfs traceback puts back into logs."""
import io
import os
import pty
import re
import select
import shutil
import subprocess
import tarfile
import zipfile

import pytest

import harness
import trees

PREFIX = ["--prefix", "/site-packages"]
MANIFEST = "pycfs-sources.txt"

CORE = '''"""Doc."""
import sys


def fail(how):
\tif how:
\t\tfail(how - 1)  # a tab, and caf\u00e9
    
\telse:
\t\traise KeyError(
\t\t\t"x", how)


def chained():
    try:
        fail(0)
    except KeyError as e:
        raise ValueError("y") from e


def grouped():
    found = []
    for n in 0, 1:
        try:
            fail(n)
        except KeyError as e:
            found.append(e)
    raise ExceptionGroup("z", found)
'''
RUN = """
import sys, traceback
import pkg.core
for call in (lambda: pkg.core.fail(0), lambda: pkg.core.fail(50),
             pkg.core.chained, pkg.core.grouped):
    try:
        call()
    except Exception:
        traceback.print_exc()
"""


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "pkg", "__init__.py"), "")
    trees.write(os.path.join(root, "pkg", "core.py"), CORE)
    trees.write(os.path.join(root, "kept.py"), "def f():\n    1 / 0\n")
    trees.write(os.path.join(root, "sp ace.py"), "a = 1\rb = 2\r\nc = 3")
    return root


def frames(*lines, path="/site-packages/kept.py"):
    return "".join('  File "%s", line %s, in f\n' % (path, n) for n in lines)


def fill(pycfs, log, *options, status=0):
    """(what `pycfs traceback` prints, what it says on stderr)"""
    log = log if isinstance(log, bytes) else log.encode()
    result = subprocess.run(pycfs.command("traceback", *options), input=log,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=60, env=pycfs.env())
    said = result.stderr.decode()
    pycfs.clean(said)
    assert result.returncode == status, (result.returncode, said)
    return result.stdout, said


def logged(py, path, expected=False):
    """What this Python prints with modules from `path`."""
    more = ["-X", "no_debug_ranges"] if py.minor >= (3, 11) else []
    out = harness.python(py.exe, *more, "-B", "-s", "-c", RUN,
                         env={"PYTHONPATH": str(path),
                              "PYTHONIOENCODING": "utf-8"}, cwd="/").stderr
    return out.replace(str(path), "/site-packages") if expected else out


@pytest.mark.parametrize("py", harness.PYTHONS, ids=repr)
def test_as_python_prints_it(py, pycfs, site, scratch):
    """The same log as if the sources had been there."""
    ending = ["tar", "tar.gz", "tar.zst", "zip"][harness.PYTHONS.index(py) % 4]
    kept = os.path.join(scratch, "kept." + ending)
    layer = pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX,
                           "--sources", kept, python=py.exe)
    log = logged(py, layer)
    want = logged(py, site, expected=True)
    assert len(want) > len(log) and "fail(how - 1)" in want
    for options in (["--sources", kept], ["--sources", kept, "--layer", layer],
                    ["--sources", site, "--layer", layer, *PREFIX]):
        out, said = fill(pycfs, log, *options)
        assert (out.decode(), said) == (want, "")
    # nothing is put in twice
    assert fill(pycfs, want, "--sources", kept)[0].decode() == want


@pytest.mark.parametrize("py", harness.PYTHONS, ids=repr)
def test_the_hashes_are_those_of_python(py, pycfs, site, scratch):
    kept = os.path.join(scratch, "kept.tar")
    layer = pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX,
                           "--prefix-dir", "lib/x", "--keep-source", "kept.py",
                           "--sources", kept, python=py.exe)
    with tarfile.open(kept) as tar:
        members = tar.getmembers()
        texts = {m.name: tar.extractfile(m).read() for m in members}
    assert members[-1].name == MANIFEST
    assert {(m.mode, m.uid, m.mtime, m.uname) for m in members} == \
        {(0o644, 0, 315532800, "")}
    head, *rows = texts.pop(MANIFEST).decode().splitlines()
    magic = harness.read(os.path.join(layer, "lib/x/pkg/core.pyc"))[:4]
    assert head == "pycfs-sources 1 python=%s magic=%d prefix=/site-packages " \
        "dir=lib/x" % (".".join(map(str, py.version)),
                       int.from_bytes(magic, "little"))
    rows = {path.replace("\\u0020", " "): digest
            for digest, path in map(str.split, rows)}
    assert set(rows) == set(texts) == {"kept.py", "pkg/__init__.py",
                                       "pkg/core.py", "sp ace.py"}
    for path, text in texts.items():
        assert text == harness.read(os.path.join(site, path))
        digest = harness.python(
            py.exe, "-c", "import _imp, sys; print(_imp.source_hash(%d, "
            "open(sys.argv[1], 'rb').read()).hex())"
            % int.from_bytes(magic, "little"), os.path.join(site, path))
        assert rows[path] == digest.stdout.strip()
    # with the layer's own directory, and a .pyc in __pycache__
    assert b"    1 / 0\n" in fill(pycfs, frames(2), "--sources", kept,
                                  "--layer", layer)[0]


def test_a_layer_with_hard_links(pycfs, site, scratch):
    """As tar packs a directory in which two names are one file."""
    shutil.copy(os.path.join(site, "kept.py"), os.path.join(site, "twin.py"))
    layer = pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX,
                           "--exclude", "twin.py")
    os.link(os.path.join(layer, "kept.pyc"), os.path.join(layer, "twin.pyc"))
    path = os.path.join(scratch, "x.tar")
    with tarfile.open(path, "w") as tar:
        tar.add(layer, ".")
        assert any(m.islnk() for m in tar.getmembers())
    log = frames(2) + frames(2, path="/site-packages/twin.py")
    out, said = fill(pycfs, log, "--sources", site, "--layer", path, *PREFIX)
    assert (out.count(b"1 / 0"), said) == (2, "")


@pytest.mark.parametrize("dest", ["out", "x.tar", "x.zip", "x.tar.zst"])
def test_another_version_is_refused(dest, pycfs, site, scratch):
    shutil.copy(os.path.join(site, "kept.py"), os.path.join(site, "twin.py"))
    layer = pycfs.exported(site, os.path.join(scratch, dest), *PREFIX,
                           "--prefix-dir", "a/b")
    use = ["--sources", site, "--layer", layer, "--prefix-dir", "a/b", *PREFIX]
    twin = frames(2, path="/site-packages/twin.pyc")
    log = frames(2, 2) + twin
    out, said = fill(pycfs, log, *use)
    assert (out.count(b"    1 / 0\n"), said) == (3, "")
    trees.write(os.path.join(site, "kept.py"), "def f():\n    2 / 0\n")
    out, said = fill(pycfs, log, *use, status=3)
    assert out.decode() == frames(2, 2) + twin + "    1 / 0\n"
    assert said.count("\n") == 1 and "kept.py" in said and \
        "another version" in said
    # one that the layer does not have
    trees.write(os.path.join(site, "new.py"), "x = 1\n")
    log = frames(1, path="/site-packages/new.py")
    out, said = fill(pycfs, log, *use, status=3)
    assert out.decode() == log and "has no .pyc of it" in said


def test_a_directory_alone_is_not_checked(pycfs, site):
    out, said = fill(pycfs, frames(2, 2), "--sources", site, *PREFIX)
    assert out.count(b"1 / 0") == 2
    assert said.count("without --layer") == said.count("\n") == 1


def test_times_in_place_of_hashes(pycfs, site, scratch):
    kept = os.path.join(scratch, "kept.zip")
    layer = pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX,
                           "--invalidation-mode", "timestamp",
                           "--sources", kept)
    with zipfile.ZipFile(kept) as z:
        assert b"\n- kept.py\n" in z.read(MANIFEST)
    out, said = fill(pycfs, frames(2), "--sources", kept, "--layer", layer)
    assert b"1 / 0" in out and "only the sizes" in said
    use = ["--sources", site, "--layer", layer, *PREFIX]
    assert b"1 / 0" in fill(pycfs, frames(2), *use)[0]
    os.utime(os.path.join(site, "kept.py"), (1, 1))
    assert b"1 / 0" not in fill(pycfs, frames(2), *use, status=3)[0]


def repacked(kept, to, change):
    """The tar `kept` with change(name, bytes), which may be None."""
    with tarfile.open(kept) as old, tarfile.open(to, "w") as new:
        for m in old.getmembers():
            data = change(m.name, old.extractfile(m).read())
            if data is not None:
                m.size = len(data)
                new.addfile(m, io.BytesIO(data))
    return to


def test_archives_that_are_wrong(pycfs, site, scratch):
    kept = os.path.join(scratch, "kept.tar")
    pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX, "--sources",
                   kept)
    to = os.path.join(scratch, "to.tar")
    log = frames(2)

    def tried(change, status):
        out, said = fill(pycfs, log, "--sources", repacked(kept, to, change),
                         status=status)
        assert out.decode() == log
        return said

    assert "is damaged" in tried(
        lambda name, data: data.replace(b"1 / 0", b"2 / 0"), 3)
    assert "does not have it" in tried(
        lambda name, data: None if name == "kept.py" else data, 3)
    assert "did not make it" in tried(
        lambda name, data: None if name == MANIFEST else data, 1)
    assert "is damaged" in tried(
        lambda name, data: data[:-3] if name == MANIFEST else data, 1)
    assert "does not list it" in tried(
        lambda name, data: data.splitlines(True)[0]
        if name == MANIFEST else data, 3)
    assert "later version" in tried(
        lambda name, data: data.replace(b"pycfs-sources 1", b"pycfs-sources 2"),
        1)
    # The log is not lost, whatever the sources are.
    whole = harness.read(kept)
    for data in b"", b"x" * 5000, whole[:700], whole[:1500]:
        with open(to, "wb") as f:
            f.write(data)
        out, said = fill(pycfs, log, "--sources", to, status=1)
        assert out.decode() == log and said
    for path in "/nowhere", "/dev/null", "/dev/full":
        assert fill(pycfs, log, "--sources", path, status=1)[0].decode() == log


def test_other_programs_and_hostile_paths(pycfs, site, scratch):
    secret = os.path.join(scratch, "secret.py")
    trees.write(secret, "PASSWORD = 1\n")
    os.symlink(secret, os.path.join(site, "out.py"))
    kept = os.path.join(scratch, "kept.tar")
    pycfs.exported(site, os.path.join(scratch, "x.tar"), *PREFIX,
                   "--sources", kept)
    deep = "/site-packages" + "/a" * 5000 + ".py"
    theirs = "".join(frames(1, path=p) for p in (
        "/usr/lib/python3/os.py", "kept.py", "/site-packagesx/kept.py", "x",
        "/site-packages-kept.py",
        "/site-packages", "/site-packages/", secret, "<string>", deep,
        "/site-packages/../secret.py", "/site-packages//kept.py",
        "/site-packages/./kept.py", "/site-packages/kept.txt"))
    for sources in (["--sources", kept], ["--sources", site, *PREFIX]):
        out, said = fill(pycfs, theirs, *sources)
        assert out.decode() == theirs and "kept.py" not in said
        ours = frames(1, path="/site-packages/out.py") + \
            frames(99, path="/site-packages/kept.py") + \
            frames(1, path="/site-packages/gone.py")
        out, said = fill(pycfs, ours, *sources, status=3)
        assert out.decode() == ours
        assert "kept.py has no line 99" in said and "gone.py" in said


def test_logs_of_all_kinds(pycfs, site, scratch):
    kept = os.path.join(scratch, "kept.tar")
    pycfs.exported(site, os.path.join(scratch, "out"), *PREFIX, "--sources",
                   kept)
    frame, long = frames(2).rstrip("\n").encode(), b"x" * 200000
    rows = (
        (b"", b""),
        (frame, frame + b"\n    1 / 0"),
        (frame + b"\r\nE\r\n", frame + b"\r\n    1 / 0\r\nE\r\n"),
        (b"12:00 " + frame + b"\n12:01 E\n",
         b"12:00 " + frame + b"\n12:00     1 / 0\n12:01 E\n"),
        (b"12:00 " + frame + b"\n12:01     1 / 0\n", None),
        (long + b"\n" + frame + b"\n" + long,
         long + b"\n" + frame + b"\n    1 / 0\n" + long),
        (long + frame + b"\n", None),
        (frame.replace(b"kept", b"kept.py\0") + b"\n\0\n", None),
        (b"\0" + frame + b"\n\xff\n",
         b"\0" + frame + b"\n\0    1 / 0\n\xff\n"),
    )
    for sources in (["--sources", kept], ["--sources", site, *PREFIX]):
        for log, want in rows:
            out, _ = fill(pycfs, log, *sources)
            assert out == (log if want is None else want)
    # lines end as Python's do
    log = frames(1, 2, 3, path="/site-packages/sp ace.py")
    assert re.findall(rb"    (.*)", fill(pycfs, log, "--sources", kept)[0]) \
        == [b"a = 1", b"b = 2", b"c = 3"]
    # a file is read where it stands
    path = os.path.join(scratch, "log")
    with open(path, "wb") as f:
        f.write(b"skipped\n" + frame + b"\nE\n")
    with open(path, "rb", buffering=0) as f:
        f.seek(len("skipped\n"))
        out = subprocess.run(pycfs.command("traceback", "--sources", kept),
                             stdin=f, stdout=subprocess.PIPE, timeout=60,
                             check=True, env=pycfs.env()).stdout
    assert out == frame + b"\n    1 / 0\nE\n"


def test_a_log_that_goes_on(pycfs, site):
    """What is known is printed, although the log has not ended."""
    with subprocess.Popen(
            pycfs.command("traceback", "--sources", site, *PREFIX),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0, env=pycfs.env()) as p:
        for log, want in ((b"begin\n", b"begin\n"),
                          (frames(2).encode() + b"E\n",
                           frames(2).encode() + b"    1 / 0\nE\n")):
            p.stdin.write(log)
            got = b""
            while len(got) < len(want) and select.select([p.stdout], [], [],
                                                         20)[0]:
                got += p.stdout.read(len(want) - len(got))
            if got != want:
                p.kill()
            assert got == want
        p.stdin.close()
        assert p.wait(30) == 0


def test_a_terminal_gets_no_controls(pycfs, site):
    trees.write(os.path.join(site, "kept.py"), "x = '\x1b[31m\u202e'\n")
    use = ["--sources", site, *PREFIX]
    assert b"'\x1b[31m" in fill(pycfs, frames(1), *use)[0]
    ours, theirs = pty.openpty()
    subprocess.run(pycfs.command("traceback", *use), input=frames(1).encode(),
                   stdout=theirs, stderr=subprocess.DEVNULL, timeout=60,
                   check=True, env=pycfs.env())
    os.close(theirs)
    out = os.read(ours, 10000)
    os.close(ours)
    assert b"x = '?[31m?'" in out


def test_the_sources_are_the_same_everywhere(pycfs, site, scratch):
    other = os.path.join(scratch, "other")
    shutil.copytree(site, other)
    os.chmod(os.path.join(other, "kept.py"), 0o600)
    os.utime(os.path.join(other, "kept.py"), (2000000000, 2000000000))
    made = []
    for n, source in enumerate((site, other)):
        kept = os.path.join(scratch, "kept%d.tar.gz" % n)
        pycfs.exported(source, os.path.join(scratch, "%d.tar" % n), *PREFIX,
                       "--sources", kept)
        made.append(harness.read(kept))
    assert made[0] == made[1]


def test_sources_only_of_what_was_exported(pycfs, site, scratch):
    kept = os.path.join(scratch, "kept.tar")
    out = os.path.join(scratch, "out")
    trees.write(kept, "before")
    trees.write(os.path.join(site, "bad.py"), "x = (\n")
    assert pycfs.export(site, out, "--sources", kept).returncode == 1
    assert harness.read(kept) == b"before"
    assert not os.path.exists(out)
    pycfs.exported(site, out, "--sources", kept, "--on-error", "source",
                   "--exclude", "sp ace.py")
    with tarfile.open(kept) as tar:
        assert tar.getnames() == ["kept.py", "pkg/__init__.py", "pkg/core.py",
                                  MANIFEST]


@pytest.mark.parametrize("name,says", [
    ("{site}/kept.tar", "write it somewhere else"),
    ("{out}/kept.tar", "not to ship"),
    ("{scratch}/kept", "has to end in"),
    ("{scratch}/kept.tar.xz", "has to end in"),
])
def test_where_sources_may_be(name, says, pycfs, site, scratch):
    out = os.path.join(scratch, "out")
    os.mkdir(out)
    result = pycfs.export(site, out, "--sources", name.format(
        site=site, out=out, scratch=scratch))
    assert result.returncode == 2 and says in result.stderr
    assert os.listdir(out) == []


def test_sources_have_to_be_said(pycfs):
    assert "--sources" in fill(pycfs, "x\n", status=2)[1]
