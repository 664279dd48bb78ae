"""What an export prints: sizes that are too large, modules that do not
compile, JSON, progress."""
import json
import os
import pty
import re
import select
import subprocess

import pytest

import harness
import layers
import trees
from harness import DEBIAN_PYTHON, read
from layers import digest
from test_usage import refused


# size gates

@pytest.fixture
def sized(scratch):
    """Twelve packages of 1000 to 12000 bytes, and one of 500 in two files."""
    root = os.path.join(scratch, "sized")
    for n in range(1, 13):
        trees.write(os.path.join(root, "p%02d" % n, "sub", "data"),
                    bytes([n]) * (1000 * n))
    trees.write(os.path.join(root, "last", "one"), bytes(250))
    trees.write(os.path.join(root, "last", "two"), bytes(250))
    os.symlink("p01", os.path.join(root, "link"))
    return root


TOTAL = 78500


def refusal(run, dest):
    """Lines of a refused export, without what all of them begin with."""
    assert run.returncode == 3 and run.stdout == ""
    lines = run.stderr.splitlines()
    assert all(line.startswith("pycfs: error: ") for line in lines)
    lines = [line[len("pycfs: error: "):] for line in lines]
    assert lines[-1] == "%s was not written: too large" % dest
    return lines[:-1]


LARGEST = ["the largest of 13 top-level names:"] + \
    ["%12d  p%02d" % (1000 * n, n) for n in range(12, 2, -1)]


@pytest.mark.parametrize("dest", ["out", "out.tar", "out.tar.gz",
                                  "out.tar.zst", "out.zip"])
def test_max_size(dest, pycfs, sized, scratch):
    path = os.path.join(scratch, dest)
    force = ["--force"] if dest == "out" else []
    pycfs.exported(sized, path, "--max-size", str(TOTAL))
    before, other = digest(path), ["--mtime", "1500000000"]
    made = pycfs.exported(sized, os.path.join(scratch, "not-" + dest), *other)
    lines = refusal(pycfs.export(sized, path, *force, *other, "--max-size",
                                 str(TOTAL - 1)), path)
    assert lines[0] == "--max-size: 78500 bytes, 1 more than the 78499 allowed"
    if dest != "out":
        assert lines.pop(1) == "files %d bytes, %s %d bytes" % (
            TOTAL, path, os.stat(made).st_size)
    assert lines[1:] == LARGEST
    assert digest(path) == before and not layers.left_over(scratch)
    pycfs.exported(sized, path, *force, "--max-size", "77K", "--exclude",
                   "last/")
    assert pycfs.export(sized, path, *force, "--max-size",
                        "76K").returncode == 3


def test_against_what_pip_leaves(pycfs, small, scratch):
    """It is said where all of it is there."""
    n = 0

    def pip_bytes(*options):
        nonlocal n
        n += 1
        r = pycfs.ok("export", "--json", "--python", DEBIAN_PYTHON, *options,
                     small, os.path.join(scratch, "pip%d" % n))
        said = json.loads(r.stdout).get("pip_bytes", 0)
        assert ("as pip leaves them" in r.said) == (said > 0)
        return said

    assert pip_bytes() == 0
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", small], check=True)
    files = [os.path.join(d, f) for d, _, names in os.walk(small)
             for f in names]
    assert any("__pycache__" in f for f in files)
    assert pip_bytes() == sum(map(os.path.getsize, files))
    assert pip_bytes("--keep-source", "/a.py") == \
        sum(map(os.path.getsize, files))
    # One of another version is none of this Python's.
    cached = next(f for f in files if "__pycache__" in f)
    os.rename(cached, cached.replace("cpython-311", "cpython-310"))
    assert pip_bytes() == 0


def test_max_size_like_du(pycfs, sized, scratch):
    """As the script that counts with du says."""
    os.symlink("nowhere", os.path.join(sized, "a-link"))
    path = os.path.join(scratch, "du")
    out = json.loads(pycfs.ok(
        "export", "--json", "--hardlink-dupes", "--prefix-dir", "a/b",
        "--python", DEBIAN_PYTHON, "--on-lost", "warn", sized, path).stdout)
    du = int(subprocess.run(["du", "-sb", path], stdout=subprocess.PIPE,
                            check=True).stdout.split()[0])
    dirs = [d for d, _, _ in os.walk(path)]
    du += sum(4096 - os.path.getsize(d) for d in dirs)
    assert out["du_bytes"] == du > out["bytes"] + 4096 * 3
    options = ["--prefix-dir", "a/b", "--hardlink-dupes", "--force",
               "--python", DEBIAN_PYTHON, "--on-lost", "warn"]
    pycfs.ok("export", *options, "--size-like", "du", "--max-size", str(du),
             sized, path)
    r = pycfs.run("export", *options, "--size-like", "du", "--max-size",
                  str(du - 1), sized, path)
    assert r.returncode == 3 and "1 more than" in r.stderr
    pycfs.ok("export", *options, "--max-size", str(du - 1), sized, path)


def test_max_size_of_stdout(pycfs, sized, scratch):
    """Nothing is written that is too large; what is, is what it would be."""
    def tar(*options):
        return subprocess.run(
            pycfs.command("export", "--python", harness.DEBIAN_PYTHON, *options,
                          sized, "-"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, env=pycfs.env())
    r = tar("--max-size", str(TOTAL - 1))
    assert r.returncode == 3 and r.stdout == b""
    lines = [line.partition("error: ")[2]
             for line in r.stderr.decode().splitlines()]
    assert lines[0] == "--max-size: 78500 bytes, 1 more than the 78499 allowed"
    assert lines[1:-1] == LARGEST
    assert lines[-1] == "nothing was written to stdout: too large"
    trees.write(os.path.join(sized, "last", "one.py"), "")
    r = tar("--max-size", "1M", "--no-cache", "-v")
    assert r.returncode == 0
    assert b"(1 module compiled" in r.stderr
    assert r.stdout == tar().stdout and len(r.stdout) > TOTAL
    trees.write(os.path.join(sized, "bad.py"), "(\n")
    r = tar("--max-size", "1M")
    assert r.returncode == 1 and r.stdout == b""
    assert r.stderr.count(b"bad.py") == 1


@pytest.mark.parametrize("dest", ["out.tar.gz", "out.tar.zst", "out.zip"])
def test_max_compressed_size(dest, pycfs, sized, scratch):
    path = os.path.join(scratch, dest)
    other = ["--mtime", "1500000000"]
    have = os.stat(pycfs.exported(sized, path, *other)).st_size
    pycfs.exported(sized, path, "--max-compressed-size", str(have), *other)
    pycfs.exported(sized, path)
    before = digest(path)
    lines = refusal(pycfs.export(sized, path, "--max-compressed-size",
                                 str(have - 1), *other), path)
    assert digest(path) == before
    assert lines == ["--max-compressed-size: %d bytes, 1 more than the %d "
                     "allowed" % (have, have - 1),
                     "files %d bytes, %s %d bytes" % (TOTAL, path, have),
                     *LARGEST]
    os.unlink(path)
    lines = refusal(pycfs.export(sized, path, "--max-compressed-size", "5",
                                 "--max-size", "6", *other), path)
    assert lines[0].startswith("--max-size: 78500 bytes, 78494 more")
    assert lines[1].startswith("--max-compressed-size: %d bytes" % have)
    assert lines[3:] == LARGEST
    assert os.listdir(scratch).count(dest) == 0
    assert not layers.left_over(scratch)


def test_what_lambda_takes(pycfs, scratch):
    """250 MiB: sparse files stand for what fills it."""
    root = os.path.join(scratch, "large")
    os.mkdir(root)
    with open(os.path.join(root, "data"), "wb") as f:
        f.truncate(250 << 20)
    path = os.path.join(scratch, "x.tar.zst")
    both = ["--max-size", "lambda", "--max-compressed-size", "lambda"]
    pycfs.exported(root, path, *both)
    before = digest(path)
    trees.write(os.path.join(root, "more"), "x")
    lines = refusal(pycfs.export(root, path, *both), path)
    assert lines[0] == \
        "--max-size: 262144001 bytes, 1 more than the 262144000 allowed"
    assert lines[-2:] == ["   262144000  data", "           1  more"]
    assert digest(path) == before


def test_links_are_counted_once(pycfs, scratch):
    root = os.path.join(scratch, "twins")
    for name in ("a", "b", "c"):
        trees.write(os.path.join(root, name, "data"), b"x" * 1000)
    path = os.path.join(scratch, "x.tar")
    options = ["--mtime", "1500000000", "--max-size", "1000"]
    assert pycfs.export(root, path, *options).returncode == 3
    pycfs.exported(root, path, *options, "--hardlink-dupes")


# what does not compile

@pytest.mark.parametrize("dest", ["out", "out.tar", "out.tar.gz", "out.zip"])
def test_every_fault_is_listed(dest, pycfs, tree, scratch):
    path = os.path.join(scratch, dest)
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    options = ["--force", "--exclude", trees.LONG_NAME]
    for old in (False, True):
        if old:
            pycfs.exported(os.path.join(tree, "ns"), path)
        before = digest(path)
        broken = trees.add_broken(tree)
        trees.write(os.path.join(tree, "pkg", "worse.py"), "x = [\n")
        run = pycfs.export(tree, path, *options)
        assert run.returncode == 1 and run.stdout == ""
        lines = [line for line in run.stderr.splitlines()
                 if line.startswith("pycfs: error: ")]
        wanted = sorted([*broken, "pkg/worse.py"])
        assert len(lines) == len(wanted) + 1
        for line, name in zip(lines, wanted):
            m = re.fullmatch(r"pycfs: error: ([^:]*)(?::(\d+))?(?::\d+)?: "
                             r"(.*)", line)
            assert m and m.group(1) == name
            if name in trees.BROKEN:
                number, words = trees.BROKEN[name][1:]
                assert words in m.group(3)
                assert number is None or int(m.group(2)) == number
        assert "%d modules do not compile" % len(wanted) in lines[-1]
        assert path in lines[-1] and "--on-error source" in lines[-1]
        assert digest(path) == before and not layers.left_over(scratch)
        for name in wanted:
            os.unlink(os.path.join(tree, name))


def test_one_fault(pycfs, small, scratch):
    path = os.path.join(scratch, "x.tar")
    trees.write(os.path.join(small, "bad.py"), "x = (\n")
    run = pycfs.export(small, path)
    assert run.returncode == 1 and "1 module does not compile" in run.stderr
    assert run.stderr.count("\n") == 2
    # one of the last of many, and known already
    assert pycfs.export(small, path).stderr == run.stderr
    for how, shipped in (("source", [b"bad.py"]), ("omit", [])):
        pycfs.exported(small, path, "--on-error", how)
        assert layers.names(path) == sorted(
            [b"a.pyc", b"b.pyc", b"c.pyc", b"data.txt", *shipped])
    pycfs.exported(small, path, "--exclude", "bad.py")


def test_a_module_that_takes_too_long(pycfs, small, scratch):
    trees.write(os.path.join(small, "slow.py"), trees.slow(30000))
    out = os.path.join(scratch, "out")
    run = pycfs.export(small, out, "--timeout", "0.3")
    assert run.returncode == 1 and "slow.py" in run.stderr
    assert "--timeout" in run.stderr and not os.path.exists(out)


# --json

def as_json(run, status=0):
    assert run.returncode == status, run.stderr
    out = json.loads(run.stdout)
    assert run.stdout.endswith("}\n") and out["version"] == 1
    assert out["done"] == (status == 0)
    return out


def test_json(pycfs, tree, scratch):
    dest = os.path.join(scratch, "x.tar.gz")
    out = as_json(pycfs.export(tree, dest, "--json", "--print-digest"))
    members = layers.members(dest)
    files = [m for m in members if m.isfile()]
    assert out["dest"] == dest and out["faults"] == []
    assert out["files"] == len(files)
    assert out["bytes"] == sum(m.size for m in files)
    assert out["directories"] == sum(m.isdir() for m in members)
    assert out["links"] == sum(m.issym() for m in members)
    assert out["hardlinks"] == 0
    assert out["archive_bytes"] == os.stat(dest).st_size
    assert out["digest"] == "sha256:" + digest(dest)
    assert out["diff_id"].startswith("sha256:")
    parts = {}
    for m in files:
        n, size = parts.get(m.name.split("/")[0], (0, 0))
        parts[m.name.split("/")[0]] = (n + 1, size + m.size)
    assert {p["name"]: (p["files"], p["bytes"]) for p in out["parts"]} == parts
    assert "caf\udce9.pyc" in parts and "m\u00f3dulo.pyc" in parts
    assert out["compiled"] + out["cached"] > 0
    again = as_json(pycfs.export(tree, dest, "--json", "--print-digest"))
    assert again["compiled"] == 0 and again["cached"] > 20
    for name in ("compiled", "cached"):
        again.pop(name), out.pop(name)
    assert again == out


def test_json_of_other_kinds(pycfs, tree, scratch):
    os.unlink(os.fsencode(tree) + b"/caf\xe9.py")
    base = {"version", "done", "dest", "files", "directories", "links",
            "environment",
            "hardlinks", "bytes", "du_bytes", "compiled", "cached", "parts", "faults",
            "stripped", "stripped_bytes", "lost", "strays", "source", "python", "python_executable",
            "python_because"}
    for dest, more, fields in (
            ("out", [], set()), ("x.zip", [], {"archive_bytes"}),
            ("x.zip", ["--print-digest"], {"archive_bytes", "digest"}),
            ("x.tar", ["--print-digest"], {"archive_bytes", "digest",
                                           "diff_id"})):
        out = as_json(pycfs.export(tree, os.path.join(scratch, dest),
                                   "--json", *more))
        assert set(out) == base | fields


def test_json_counts_modules(pycfs, small, scratch):
    """Those from the cache are modules, and not questions to the cache."""
    same = {"twin%d.py" % n: "SAME = 1\n" for n in range(5)}
    trees.put(os.path.join(small, "pkg"), same)
    modules = len(trees.modules(small))
    for options in [], ["--on-error", "omit"], ["--keep-source", "pkg/"]:
        for jobs in "1", "4":
            out = as_json(pycfs.export(
                small, os.path.join(scratch, "x.tar"), "--json", "-j", jobs,
                *options))
            assert out["compiled"] + out["cached"] == modules, (options, out)
    assert out["compiled"] == 0


def test_json_of_hard_links(pycfs, scratch):
    root = os.path.join(scratch, "twins")
    for name in ("a", "b", "c"):
        trees.write(os.path.join(root, name, "data"), b"x" * 1000)
    out = as_json(pycfs.export(root, os.path.join(scratch, "out"), "--json",
                               "--mtime", "1500000000", "--hardlink-dupes"))
    assert (out["files"], out["hardlinks"], out["bytes"]) == (3, 2, 1000)
    assert [p["bytes"] for p in out["parts"]] == [1000, 0, 0]


def test_json_of_faults(pycfs, small, scratch):
    dest = os.path.join(scratch, "x.tar")
    odd = 'quo"te\n\udce9.py'
    trees.write(os.path.join(small, odd), "x = 1\ny = (\n")
    trees.write(os.path.join(small, "bad.py"), "\u20ac = 1\n")
    out = as_json(pycfs.export(small, dest, "--json"), 1)
    assert [f["path"] for f in out["faults"]] == ["bad.py", odd]
    assert [f["line"] for f in out["faults"]] == [1, 2]
    assert all(f["column"] > 0 for f in out["faults"])
    assert "never closed" in out["faults"][1]["message"]
    assert "\u20ac" in out["faults"][0]["message"]
    assert not os.path.exists(dest)


def test_json_of_what_is_too_large(pycfs, sized, scratch):
    out = as_json(pycfs.export(sized, os.path.join(scratch, "out"), "--json",
                               "--max-size", "1K"), 3)
    assert out["bytes"] == TOTAL and out["faults"] == []
    assert len(out["parts"]) == 13 and out["files"] == 14
    assert not os.path.exists(os.path.join(scratch, "out"))


def test_json_that_cannot_be_written(pycfs, small, scratch):
    """Who asked for it is told that it is not there."""
    run = pycfs.run("export", "--json", "--quiet", small,
                    os.path.join(scratch, "x.tar"),
                    prefix=["sh", "-c", '"$@" > /dev/full', "sh"])
    refused(run, 1, "no space left")


# the cache

def test_what_a_mount_has_compiled(pycfs, tree, scratch):
    """Is not compiled again, and the other way round."""
    with pycfs.mount(tree) as m:
        for path in trees.modules(tree):
            os.stat(os.path.join(os.fsencode(m.path), path))
    out = as_json(pycfs.export(tree, os.path.join(scratch, "out"), "--json"))
    assert out["compiled"] == 0
    out = as_json(pycfs.export(tree, os.path.join(scratch, "x.tar"), "--json",
                               "-O", "0"))
    assert out["compiled"] > 20
    copy = os.path.join(scratch, "elsewhere")
    subprocess.run(["cp", "-r", tree, copy], check=True, timeout=60)
    with pycfs.mount(copy, "-O", "0") as m:
        for path in trees.modules(tree):
            os.stat(os.path.join(os.fsencode(m.path), path))
        assert m.count("compiled") == 0


# progress

def on_a_terminal(pycfs, *args, verb="export"):
    """What it writes on a terminal that is its stderr; its exit status."""
    master, slave = pty.openpty()
    p = subprocess.Popen(pycfs.command(verb, *args), stderr=slave,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         env=pycfs.env())
    os.close(slave)
    text = b""
    while select.select([master], [], [], 60)[0]:
        try:
            text += os.read(master, 4096)
        except OSError:  # as Linux says that nobody has it open any more
            break
    os.close(master)
    return text.decode(), p.wait(timeout=30)


def screen(text):
    """What is left to be seen; none of it is wider than the screen."""
    lines = [""]
    for word in re.findall(r"\r\n|\r|\x1b\[K|[^\r\x1b]+", text):
        if word == "\r\n":
            lines.append("")
        elif word == "\r":
            column = 0
            continue
        elif word == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column] + word + \
                lines[-1][column + len(word):]
        column = len(lines[-1]) if word not in ("\r\n",) else 0
        assert len(lines[-1]) < 250
    return lines


def test_progress_is_drawn_and_erased(pycfs, small, scratch):
    trees.write(os.path.join(small, "slow.py"), trees.slow(8000))
    dest = os.path.join(scratch, "x.tar.gz")
    text, status = on_a_terminal(pycfs, "--python", "3.11", small, dest)
    assert status == 0
    drawn = re.findall(r"\r(\d+)(?: of 5)? files?(?: \((\d+) %\))?"
                       r", [\d.]+ [kM]?B, (\d+) from the cache, "
                       r"(\d+) compiled\x1b\[K", text)
    assert len(drawn) == text.count("\x1b[K") - 1 >= 2, repr(text)
    assert [int(d[0]) for d in drawn] == sorted(int(d[0]) for d in drawn)
    # The module that takes long is the last one but one.
    files, percent, *_ = drawn[-1]
    assert int(percent) == 100 * int(files) // 5
    lines = screen(text)
    assert len(lines) == 2 and lines[1] == ""
    assert re.fullmatch(
        r"pycfs: notice: %s: \d+ kB, 5 files of \d+ kB, in \d+\.\d s for "
        r"Python 3\.11\.\d+ \(4 modules compiled, 0 from the cache\).*"
        % re.escape(dest), lines[0]), lines


def test_progress_of_a_report(pycfs, small, scratch):
    """Of how many files; links are none."""
    os.symlink("nowhere", os.path.join(small, "a-link"))
    trees.write(os.path.join(small, "slow.py"), trees.slow(8000))
    text, status = on_a_terminal(pycfs, "--python", "3.11", "--on-lost", "warn",
                                 small, verb="report")
    assert status == 0 and re.search(
        r"\r\d of 5 files \(\d+ %\), \d compiled\x1b",
        text), repr(text)


def test_one_of_a_kind(pycfs, scratch):
    """One file, one module; the file is too young to be remembered."""
    site = os.path.join(scratch, "one")
    trees.write(os.path.join(site, "a.py"), "A = 1\n")
    said = pycfs.export(site, os.path.join(scratch, "one.zip"), "-v").stderr
    assert " 1 file of " in said and "(1 module compiled" in said, said
    said = pycfs.ok("cache", "stat").stdout
    assert "\n1 module, 0 that do not compile, for 0 source files\n" in said
    assert re.search(r"^ +1 module +\d+ bytes", said, re.M), said


def test_no_progress_that_nobody_wants(pycfs, small, scratch):
    trees.write(os.path.join(small, "slow.py"), trees.slow(5000))
    dest = os.path.join(scratch, "x.tar.gz")
    assert on_a_terminal(pycfs, "--quiet", small, dest) == ("", 0)
    os.unlink(dest)
    assert pycfs.export(small, dest, "--no-cache").stderr == ""
    assert on_a_terminal(pycfs, "-q", "--no-cache", small, dest) == ("", 0)


def test_faults_on_a_terminal(pycfs, small, scratch):
    """Below no rest of a progress line."""
    trees.write(os.path.join(small, "slow.py"), trees.slow(8000) + "x = (\n")
    text, status = on_a_terminal(pycfs, "--python", "3.11", small,
                                 os.path.join(scratch, "x.tar"))
    lines = screen(text)
    assert status == 1 and "from the cache" in text
    assert len(lines) == 3 and lines[0].startswith("pycfs: error: slow.py:")
    assert "1 module does not compile" in lines[1]


def test_verbose(pycfs, small, scratch):
    dest = os.path.join(scratch, "x.zip")
    run = pycfs.export(small, dest, "--verbose")
    assert run.returncode == 0
    assert re.search(r"%s: \S+ kB, 4 files of " % re.escape(dest), run.stderr)
    assert "\r" not in run.stderr
    run = pycfs.export(small, dest, "--verbose", "--quiet")
    assert "4 files" not in run.stderr
    assert read(dest)[:2] == b"PK"
