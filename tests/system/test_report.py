"""The output of `pycfs report`, compared with figures that the tests compute
themselves."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sysconfig
import termios
import time

import pytest

import harness
import trees
from harness import DEBIAN_PYTHON, read
from reportsite import (CAFE, DOC, PYTHON, RULES, ask, check_files,
                        check_hidden, check_sums, deflated, made, names,
                        record, report, site, small)

__all__ = ["made", "site"]  # fixtures


@pytest.fixture
def shipped(pycfs, site, scratch):
    with pycfs.mount(site, *RULES, "--on-error", "omit") as m:
        return harness.copy(m, os.path.join(scratch, "shipped"))


def test_every_figure(pycfs, site, scratch, shipped):
    data = ask(pycfs, site, *RULES)
    check_files(data, shipped, site)
    check_sums(data, shipped, site)
    why = check_hidden(data, site)
    assert {p: next(w for w in ("empty", "rule", "made", "redundant", "fifo")
                    if w in text) for p, text in why.items()} == {
        "alpha/__pycache__": "made", "alpha/core.pyc": "redundant",
        "alpha/core.pyi": "rule", "alpha/old.pyo": "made",
        "alpha/stubs": "empty", "alpha/tests": "rule", "fifo": "fifo"}
    assert [(d["name"], d["version"], d["installed"])
            for d in data["distributions"]] == [
        ("alpha", "1.2", True), ("Beta_Pkg", "2.0", True),
        ("caf\u00e9.txt", "", False), (CAFE, "", False),
        ("gamma", "0.5", True), ("keep.py", "", False),
        ("link", "", False), ("run.sh", "", False), ("single.py", "", False)]
    assert [(f["path"], f["line"]) for f in data["failed"]] == \
        [("broken.py", 3)]
    assert "invalid syntax" in data["failed"][0]["message"]
    assert data["totals"]["failed"] == 1
    assert (data["source"], data["optimize"], data["debug_ranges"]) == \
        (site, 2, False)
    same = {}
    for f in data["files"]:
        if f["bytes"]:
            same.setdefault(read(os.path.join(shipped, f["path"])),
                            []).append(f["path"])
    same = {k: v for k, v in same.items() if len(v) > 1}
    assert sorted(map(len, same.values())) == [3]
    assert sorted((d["bytes"], d["paths"]) for d in data["duplicates"]) == \
        sorted((len(k), v) for k, v in same.items())
    assert data["totals"]["duplicate_bytes"] == 2 * 800
    assert [(r["path"], r["line"], r["remedy"]) for r in data["risks"]
            if r["grade"] == 3] == [
        ("broken.py", 3, ""), ("ns/two.py", 2, "optimize 1 /ns/two.py")]


@pytest.mark.parametrize("how", ["omit", "source"])
def test_what_does_not_compile_is_told(how, pycfs, site):
    data = ask(pycfs, site, *RULES, "--on-error", how)
    if how == "omit":
        assert "broken.py" in check_hidden(data, site)
    else:
        assert "broken.py" in [f["path"] for f in data["files"]]


def test_same_as_an_export(pycfs, site, scratch):
    options = [*RULES, "--on-error", "omit", "--json"]
    r = pycfs.export(site, os.path.join(scratch, "out"), *options)
    out = json.loads(r.stdout)
    totals = ask(pycfs, site, *options)["totals"]
    assert (out["files"] + out["links"], out["bytes"]) == (
        totals["files"], totals["bytes"])
    assert len(names(os.path.join(scratch, "out"))) == totals["files"]


def test_a_kept_module_of_the_top_is_one(pycfs, scratch):
    root = small(scratch)
    d = ask(pycfs, root, "--keep-source", "*.py")["distributions"]
    assert [(x["name"], x["files"]) for x in d] == [("a.py", 2), ("b.py", 2)]


# the second time

def reads(log):
    """Names of the small tree that were opened to be read."""
    with open(log, errors="replace") as f:
        return sorted({m.group(1) for line in f if "O_PATH" not in line
                       for m in [re.search(r'"(?:[^"]*/)?(a\.py|b\.py|'
                                           r'data\.json)"', line)] if m})


def cached(pycfs):
    """What is in the cache; not how often it was asked."""
    known = json.loads(pycfs.ok("cache", "stat", "--json").stdout)
    return {k: v for k, v in known.items()
            if k not in ("served", "disk_bytes")}


def test_second_time(pycfs, site):
    first = report(pycfs, site, "--json", *RULES).stdout
    known = cached(pycfs)
    assert report(pycfs, site, "--json", *RULES).stdout == first
    assert cached(pycfs) == known
    assert report(pycfs, site, "--json", *RULES, "--no-cache").stdout == first


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_second_time_reads_nothing(pycfs, scratch):
    root = small(scratch, a="A = 1\n", b="B = 2\n")
    trees.write(os.path.join(root, "data.json"), "{}\n")
    trees.age(root)
    time.sleep(2.1)  # a file's ctime counts too
    log = os.path.join(scratch, "strace")
    trace = ["strace", "-f", "-qq", "-e", "trace=openat,openat2", "-o", log]
    for expect in (["a.py", "b.py", "data.json"], []):
        report(pycfs, root, "--json", prefix=trace,
               env={"ASAN_OPTIONS": "detect_leaks=0"})  # not under ptrace
        assert reads(log) == expect


def test_a_change_changes_just_that(pycfs, site):
    before = ask(pycfs, site)
    trees.write(os.path.join(site, "beta", "mod.py"), "LONGER = %r\n" %
                list(range(50)))
    after = ask(pycfs, site)
    changed = {f["path"] for f, g in zip(before["files"], after["files"])
               if f != g}
    assert changed == {"beta/mod.pyc"} and \
        len(before["files"]) == len(after["files"])
    assert [d["name"] for d, e in zip(before["distributions"],
                                      after["distributions"]) if d != e] == \
        ["Beta_Pkg"]
    assert ask(pycfs, site) == after


def test_what_is_young_is_read_again(pycfs, scratch):
    root = os.path.join(scratch, "young")
    path = os.path.join(root, "data.txt")
    for text in (b"a" * 900, bytes(range(225)) * 4, b"ab" * 450):
        trees.write(path, text)
        os.utime(path, ns=(10**18, 10**18))
        trees.write(os.path.join(root, "m.py"), b"X = %r\n" % text[:9])
        f, m = ask(pycfs, root)["files"]
        assert f["deflate_bytes"] == deflated(text)
        assert m["source_bytes"] == len(b"X = %r\n" % text[:9])


def test_a_moved_file_has_its_own_remedy(pycfs, scratch):
    root = small(scratch, **{"pkg/doc": DOC})
    os.link(os.path.join(root, "pkg/doc.py"), os.path.join(root, "hard.py"))
    time.sleep(2.1)
    for top in ("pkg", "moved"):
        got = [r["remedy"] for r in ask(pycfs, root)["risks"]]
        assert sorted(got) == sorted(["optimize 1 /hard.py",
                                      "optimize 1 /%s/doc.py" % top])
        if top == "pkg":
            os.rename(os.path.join(root, "pkg"), os.path.join(root, "moved"))


# as one archive

def packed(root, names, read_as=None):
    """A tar of these files, by gzip and by zstd, in bytes."""
    out = []
    for how in (["gzip", "-6"], ["zstd", "-3"]):
        tar = subprocess.run(
            ["tar", "-C", root, "--sort=name", "--mtime=@0", "--owner=0",
             "--group=0", "-cf", "-", *names], stdout=subprocess.PIPE,
            check=True).stdout
        out.append(len(subprocess.run(how, input=tar, check=True,
                                      stdout=subprocess.PIPE).stdout))
    return out


def near(have, want):
    """Within 6 per cent, as streams are apart, and of a small tree's 3 KB."""
    return abs(have - want) <= 0.06 * want + 3000


def large(root):
    """The modules of Python's own library in ten distributions."""
    lib = sysconfig.get_path("stdlib")
    for n, package in enumerate(("email", "asyncio", "json", "http", "ctypes",
                                 "unittest", "logging", "xml", "urllib",
                                 "multiprocessing")):
        shutil.copytree(os.path.join(lib, package), os.path.join(root, package),
                        ignore=shutil.ignore_patterns("__pycache__"))
        trees.put(root, {"%s-1.dist-info/METADATA" % package: "Name: x\n"})
    return root


def test_archives_are_as_large_as_tars(pycfs, scratch):
    root = large(os.path.join(scratch, "site"))
    rules = ("--keep-source", "json/", "--optimize-for", "1:email/")
    out = pycfs.exported(root, os.path.join(scratch, "out"), *PYTHON, *rules)
    recipe = os.path.join(scratch, "recipe")
    shutil.copytree(root, recipe)
    totals = ask(pycfs, root, *rules)["totals"]
    archives = totals["archives"]
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", "-b", "-o", "2",
                    "-s", recipe, "-p", "/site-packages",
                    recipe], check=True, env={"PYTHONNODEBUGRANGES": "1"})
    subprocess.run(["find", recipe, "-name", "*.py", "-delete"], check=True)
    made = sum(os.path.getsize(os.path.join(d, n))
               for d, _, names in os.walk(recipe) for n in names)
    # The canonical form is smaller than what CPython happens to write.
    assert 0 < made - totals["baseline_recipe_bytes"] < 0.04 * made
    assert totals["baseline_recipe_bytes"] < totals["bytes"] - 10000
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", root], check=True)
    plain = [os.path.relpath(os.path.join(d, n), root)
             for d, _, names in os.walk(root) for n in names
             if not d.endswith("__pycache__")]
    for way, top, names in (("layer", out, ["."]), ("sources", root, plain),
                            ("pip", root, ["."]),
                            ("recipe", recipe, ["."])):
        gzip, zstd = packed(top, names)
        assert near(archives[way]["gzip_bytes"], gzip), (way, archives, gzip)
        assert near(archives[way]["zstd_bytes"], zstd), (way, archives, zstd)


def test_bytecode_that_is_there_is_not_compiled_again(pycfs, scratch):
    """What pip left in __pycache__ is what pip ships."""
    root = small(scratch, **{"pkg/doc": DOC, "pkg/more": "X = 1\n"})
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", root], check=True)
    cached = [os.path.join(d, n) for d, _, names in os.walk(root)
              for n in names if n.endswith(".pyc")]
    before = ask(pycfs, root, "--no-cache")["totals"]
    assert before["pycache_bytes"] == sum(map(os.path.getsize, cached))
    # One of another source counts for nothing.
    with open(cached[0], "r+b") as f:
        f.seek(8)
        f.write(b"\1\2\3\4")
        f.seek(0, os.SEEK_END)
        f.write(bytes(5000))
    after = ask(pycfs, root, "--no-cache")["totals"]
    assert after["pycache_bytes"] < before["pycache_bytes"] + 1000


# the table

HEAD = ["MODULES", "SOURCE", "SHIPPED", "OTHER", "NATIVE", "DEFLATE", "ZSTD",
        "SHARE"]
COLUMNS = {"modules": "modules", "source": "source_bytes", "shipped": "bytes",
           "other": "other_bytes", "native": "native_bytes",
           "deflate": "deflate_bytes", "zstd": "zstd_bytes"}


def table(text):
    """The head of the table, the names in its rows, and its lines."""
    lines = text.split("\n\n")[0].splitlines()
    return lines[0].split(), [line.split(" %  ", 1)[1]
                              for line in lines[1:]], lines


def test_table_of_a_pipe(pycfs, site):
    """has whole names, behind figures of one width."""
    for options, title in ([], "DISTRIBUTION"), (["--files"], "FILE"):
        text = report(pycfs, site, *options).stdout
        head, rows, lines = table(text)
        assert head == [*HEAD, title]
        starts = {line.index(row) for line, row in
                  zip(lines, [title, *rows])}
        assert len(starts) == 1 and starts.pop() < 68
        assert rows[-1] == "TOTAL" and "..." not in "".join(rows)
        rest = text.split("\n\n", 1)[1].split("duplicates")[0]
        assert max(map(len, rest.splitlines())) <= 80, rest
    data = ask(pycfs, site)
    assert len(rows) - 1 == len(data["files"])
    assert {f["path"] for f in data["files"]} - set(rows) <= {CAFE + "c"}
    total = lines[-1].split()
    assert int(total[0]) == data["totals"]["modules"]
    assert " ".join(total[-3:]) == "100.0 % TOTAL"


def test_table_says_what_json_says(pycfs, site):
    text = report(pycfs, site, *RULES).stdout
    data = ask(pycfs, site, *RULES)
    assert "ships %d files" % data["totals"]["files"] in text
    rows = text.partition("TAR.ZST\n")[2].splitlines()[:4]
    assert [row.split("  ")[-1] for row in rows] == [
        "the layer", "compileall -o 2 -b", "with __pycache__, as pip",
        "the sources alone"]
    assert "not shipped: %d files" % data["totals"]["hidden_files"] in text
    assert "broken.py:3: SyntaxError: invalid syntax" in text
    assert "ns/two.py:2: breaks: " in text
    assert "duplicates: 1 file " in text
    m = re.search(r"^ *(\d+) .* ([\d.]+) %  alpha 1.2$", text, re.M)
    alpha = data["distributions"][0]
    assert int(m.group(1)) == alpha["modules"]
    assert float(m.group(2)) == pytest.approx(
        100 * alpha["bytes"] / data["totals"]["bytes"], abs=.06)


def by(column, key):
    """As --sort has it: large first, equal ones by name."""
    return lambda d: (-d[COLUMNS[column]] if column in COLUMNS else 0,
                      d[key].lower())


def test_sort(pycfs, site):
    os.remove(os.path.join(site, CAFE))
    dists = ask(pycfs, site)["distributions"]
    env = {"COLUMNS": "100"}
    for column in [*COLUMNS, "name"]:
        want = [(d["name"] + " " + d["version"]).strip()
                for d in sorted(dists, key=by(column, "name"))]
        text = report(pycfs, site, "--sort", column, env=env).stdout
        _, rows, _ = table(text)
        assert rows == [*want, "TOTAL"], column
    text = report(pycfs, site, "--sort", "name", "--top", 3, env=env).stdout
    assert table(text)[1] == [*rows[:3], "TOTAL, with %d more"
                              % (len(rows) - 4)]


def test_files(pycfs, site):
    data = ask(pycfs, site)
    env = {"COLUMNS": "150"}
    _, rows, _ = table(report(pycfs, site, "--files", "--sort", "deflate",
                              "--top", 9, env=env).stdout)
    files = sorted(data["files"], key=by("deflate", "path"))
    assert rows[:9] == [f["path"] for f in files[:9]]
    assert rows[9] == "TOTAL, with %d more" % (len(files) - 9)


def test_terminal_of_120_columns(pycfs, scratch):
    name = "n" * 70
    root = small(scratch, **{name + "/mod": "A = 1\n"})
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    p = subprocess.Popen(pycfs.command("report", "-q", *PYTHON, root),
                         stdout=slave, stdin=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=pycfs.env())
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # nobody has it open any more
        while True:
            text += os.read(master, 4096)
    os.close(master)
    assert p.wait(30) == 0
    lines = text.decode().replace("\r", "").splitlines()[:2]
    assert len(lines[0]) <= 120 and len(lines[1]) == 120
    assert re.search(r" %  n{40,}\.\.\.$", lines[1])


def test_who_owns_what_no_record_lists(pycfs, scratch):
    """What says that it is the only one of that name."""
    root = os.path.join(scratch, "site")
    trees.put(root, {
        "one.py": "A = 1\n", "_one.cpython-311-x86_64-linux-gnu.so": "x",
        "One-1.0.egg-info/top_level.txt": "one\n_one\n",
        "my_two/__init__.py": "", "my_two/b.py": "B = 1\n",
        "my_Two-2.0.dist-info/METADATA": "Name: my-Two\n",
        "shared/a.py": "C = 1\n",
        "three-3.egg-info/top_level.txt": "shared\n",
        "four-4.egg-info/top_level.txt": "shared\n\n",
        "five-5-py3.11.egg-info": "Name: five\n",
        "five.py": "D = 1\n", "nobody.py": "E = 1\n",
        "liar-1.egg-info/top_level.txt": "../one\n" + "x" * 300 + "\n/\n"})
    data = ask(pycfs, root)
    names = [d["name"] for d in data["distributions"]]
    owner = {f["path"]: names[f["dist"]] for f in data["files"]}
    assert owner["one.pyc"] == "One"
    assert owner["_one.cpython-311-x86_64-linux-gnu.so"] == "One"
    assert owner["my_two/b.pyc"] == "my_Two"
    assert owner["shared/a.pyc"] == "shared"
    assert owner["five.pyc"] == "five"
    assert owner["nobody.pyc"] == "nobody.py"


def test_two_kinds_of_metadata_are_one_row(pycfs, scratch):
    """A .dist-info and an .egg-info of one version, however it is spelled."""
    root = small(scratch, both_ways="B = 1\n", other="O = 1\n")
    for info in ("Both.Ways-1.0", "other-1.0", "other-2.0"):
        trees.write(os.path.join(root, info + ".egg-info", "PKG-INFO"),
                    "Name: x\n")
    record(root, "both.ways-1.0.dist-info", ["both_ways.py"])
    record(root, "other-1.0.dist-info", ["other.py"])
    dists = ask(pycfs, root)["distributions"]
    assert [(d["name"].lower(), d["version"], d["files"]) for d in dists] == [
        ("both.ways", "1.0", 3), ("other", "1.0", 3), ("other", "2.0", 1)]
