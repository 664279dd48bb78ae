"""`pycfs report` as a gate in a build: --diff, --fail-on; also its page, and
its errors."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

import harness
import trees
from harness import DEBIAN_PYTHON, read
from reportsite import CAFE, DOC, PYTHON, STRICT, ask, made, report, site, \
    small
from test_usage import refused

__all__ = ["made", "site"]  # fixtures


# --diff

def save(pycfs, root, path):
    text = report(pycfs, root, "--json").stdout
    trees.write(path, text)
    return json.loads(text)


@pytest.fixture
def old(pycfs, site, scratch):
    path = os.path.join(scratch, "old.json")
    save(pycfs, site, path)
    return path


def test_diff_of_the_same(pycfs, site, old):
    out = report(pycfs, site, "--diff", old, "--max-growth", "0").stdout
    lines = out.splitlines()
    assert lines[0].split() == ["DISTRIBUTION", "BEFORE", "NOW", "GROWN", "BY"]
    assert len(lines) == 2 and lines[1].startswith("all ")
    assert lines[1].endswith("0 B")


def test_diff(pycfs, site, old):
    trees.write(os.path.join(site, "ns", "stray.txt"), bytes(5007))
    trees.write(os.path.join(site, "delta.txt"), bytes(700))
    shutil.rmtree(os.path.join(site, "beta"))
    os.remove(os.path.join(site, "run.sh"))
    now = {d["name"]: d["bytes"] for d in ask(pycfs, site)["distributions"]}
    with open(old) as f:
        data = json.load(f)
    was = {d["name"]: d["bytes"] for d in data["distributions"]}
    lines = report(pycfs, site, "--diff", old).stdout.splitlines()[1:]
    rows = [re.split(r"  +", line) for line in lines]
    assert rows[0] == ["alpha", *rows[0][1:3], "+", "5.0 kB"]
    assert rows[1] == ["delta.txt", "-", "700 B", "+", "700 B"]
    assert rows[2] == ["run.sh", "10 B", "-", "-", "10 B"]
    shrunk = was["Beta_Pkg"] - now["Beta_Pkg"]
    assert rows[3][0] == "Beta_Pkg" and rows[3][3] == "-" and (
        rows[3][4] == "%.1f kB" % (shrunk / 1000))
    assert [r[0] for r in rows[4:]] == ["all"]


def test_diff_of_rules(pycfs, scratch):
    """Those that decide about more or less than before, and new and old ones."""
    root = small(scratch, **{"pkg/doc": "X = 1\n"})
    trees.put(root, {"a.txt": "five\n", "b.csv": "four"})
    path = os.path.join(scratch, "old.json")
    with open(path, "w") as f:
        f.write(report(pycfs, root, "--json", "--exclude", "*.txt",
                       "--exclude", "*.csv", "--exclude", "*.old").stdout)
    trees.put(root, {"c.txt": "more\n"})
    lines = report(pycfs, root, "--diff", path, "--exclude", "*.txt",
                   "--exclude", "*.csv", "--exclude", "*.new").stdout
    rules = lines.partition("it decides about\n")[2].splitlines()
    assert [line.split() for line in rules] == [
        ["5", "B", "10", "B", "exclude", "*.txt"],
        ["-", "0", "B", "exclude", "*.new"],
        ["0", "B", "-", "exclude", "*.old"]]


def test_diff_of_the_first(pycfs, site, old):
    """--top says how many rows; what is behind them is counted."""
    for n in range(4):
        trees.write(os.path.join(site, "new%d.txt" % n), bytes(700 - n))
    lines = report(pycfs, site, "--diff", old, "--top", "2").stdout.splitlines()
    assert [re.split(r"  +", line)[0] for line in lines[1:]] == \
        ["new0.txt", "new1.txt", "all, with 2 more"]
    whole = report(pycfs, site, "--diff", old, "--top", "4").stdout.splitlines()
    assert len(whole) == 6 and whole[-1].split()[1:] == lines[-1].split()[4:]


@pytest.mark.parametrize("changed,options,warns", [
    ({}, [], False), ({"python": "3.11.9"}, [], False),
    ({"python": None, "optimize": "2"}, [], False),
    ({"python": "3.1.9"}, [], True), ({"python": "3.111"}, [], True),
    ({"python": "3"}, [], True), ({"python": "3.9\x1b[1m"}, [], True),
    ({"optimize": 1}, [], True), ({}, ["-O", "0"], True)])
def test_diff_with_another_python(changed, options, warns, pycfs, scratch):
    site, path = small(scratch), os.path.join(scratch, "old.json")
    data = save(pycfs, site, path)
    assert data["python"].startswith("3.11.") and data["optimize"] == 2
    trees.write(path, json.dumps({**data, **changed}))
    said = report(pycfs, site, "--diff", path, *options).stderr
    assert "\x1b" not in said
    assert bool(re.fullmatch(
        r"pycfs: warning: %s is of Python \S+ at level \d, and this one of "
        r"Python 3\.11\.\d+ at level \d: .*\n" % re.escape(path),
        said)) == warns, said


def test_max_growth(pycfs, site, old):
    with open(old) as f:
        before = json.load(f)["totals"]["bytes"]
    trees.write(os.path.join(site, "ns", "stray.txt"), bytes(7 + 8192))

    def gate(limit, status):
        return report(pycfs, site, "--diff", old, "--max-growth", limit,
                      status=status)

    by_ = ask(pycfs, site)["totals"]["bytes"] - before
    assert by_ == 8192
    gate("8192", 0), gate("8K", 0), gate("1M", 0)
    r = gate("8191", 3)
    assert "grew by 8192 bytes, 8191 are allowed" in r.stderr
    assert "\nall " in r.stdout
    percent = 100 * by_ / before
    gate("%.2f%%" % (percent + .02), 0)
    r = gate("%.2f%%" % (percent - .02), 3)
    assert "grew by %.2f %%, %.2f %% are allowed" % (
        percent, percent - .02) in r.stderr


def test_growth_from_nothing(pycfs, scratch):
    root, old = os.path.join(scratch, "none"), os.path.join(scratch, "old")
    os.mkdir(root)
    save(pycfs, root, old)
    report(pycfs, root, "--diff", old, "--max-growth", "3%")
    trees.write(os.path.join(root, "data"), b"x")
    report(pycfs, root, "--diff", old, "--max-growth", "3%", status=3)


@pytest.mark.parametrize("text,words", [
    ("", [":1: "]), ('{"version": 1,\n "totals": {},\n oops', [":3: "]),
    ("[1]", ["is not what"]), ('{"version": 2}', ["is not what"]),
    ('{"version": 1, "totals": {}, "distributions": []}', ["is not what"]),
    ('{"version": 1, "files": 3, "done": true}', ["is not what"])])
def test_diff_with_a_bad_file(text, words, pycfs, scratch):
    path = os.path.join(scratch, "bad.json")
    trees.write(path, text)
    refused(report(pycfs, small(scratch), "--diff", path, status=1), 1, path,
            *words)


def test_diff_with_no_file(pycfs, scratch):
    path = os.path.join(scratch, "missing.json")
    r = report(pycfs, small(scratch), "--diff", path, status=1)
    refused(r, 1, path, "No such file")
    assert ":-1" not in r.stderr


@pytest.mark.parametrize("options,words", [
    (["--max-growth", "3"], ["--max-growth needs"]),
    (["--max-growth", "3%"], ["needs --diff"]),
    (["--diff", "x", "--json"], ["--json"]),
    (["--diff", "x", "--max-growth", "lots"], ["--max-growth"]),
    (["--diff", "x", "--max-growth", "-1"], ["--max-growth"]),
    (["--sort", "age"], ["--sort"]), (["--top", "some"], ["--top"]),
    (["--fail-on", "all"], ["--fail-on"])])
def test_refusals(options, words, pycfs, scratch):
    refused(report(pycfs, small(scratch), *options, status=2), 2, *words)


# risks

def test_suggested_rules_help(pycfs, scratch):
    root = small(scratch, fine="A = 1\n", bad=DOC, **{"p/bad": DOC})
    rules = os.path.join(scratch, "layer.rules")
    r = report(pycfs, root, "--fail-on", "breaks", status=3)
    assert "2 risks of grade 'breaks'" in r.stderr
    report(pycfs, root)
    trees.write(rules, report(pycfs, root, "--suggest").stdout)
    assert "optimize 1 /p/bad.py\n" in read(rules).decode()
    r = report(pycfs, root, "--rules", rules, "--fail-on", "breaks", "--json")
    assert json.loads(r.stdout)["risks"] == []
    report(pycfs, root, "--fail-on", "breaks", "-O", "1")
    out = pycfs.exported(root, os.path.join(scratch, "out"), "--rules", rules)
    harness.python(DEBIAN_PYTHON, "-c", "import bad, p.bad, fine", cwd=out)
    with pycfs.mount(root, "--rules", rules) as m:
        assert read(m / "bad.pyc") == read(os.path.join(out, "bad.pyc"))


CALLERS = {
    "deco": "from textwrap import dedent\ndef more(f):\n"
            "    f.__doc__ = dedent(f.__doc__)\n    return f\n",
    "user": "from deco import more\n@more\ndef f():\n    'doc'\n",
}


def test_what_the_callers_have_to_cure(pycfs, scratch):
    """A rule for the module itself would cure nothing."""
    root = small(scratch, **CALLERS)
    rules = os.path.join(scratch, "layer.rules")
    gate = ("--fail-on", "may-break", "--rules", rules)
    text = report(pycfs, root, "--suggest", "--fail-on", "may-break",
                  status=3).stdout
    assert "# optimize 1 *\n" in text
    for rule, status in ((text, 3), ("optimize 1 /deco.py\n", 3),
                         ("optimize 1 *\noptimize 2 /user.py\n", 3),
                         ("optimize 1 *\n", 0)):
        trees.write(rules, rule)
        report(pycfs, root, *gate, status=status)


def test_suggestions_for_what_may_break_are_comments(pycfs, scratch):
    root = small(scratch, bad=DOC, may="def f():\n    return g.__doc__ + ''\n")
    text = report(pycfs, root, "--suggest").stdout
    assert "\noptimize 1 /bad.py\n" in text
    assert "\n# optimize 1 /may.py\n" in text
    text = report(pycfs, root, "--suggest", "--fail-on", "may-break",
                  status=3).stdout
    assert "\noptimize 1 /may.py\n" in text


OPENS = "import os\nT = open(os.path.join(os.path.dirname(__file__), %r))\n"


def test_data_that_a_rule_hides(pycfs, scratch):
    root = small(scratch, **{"p/__init__": OPENS % "a.txt",
                             "p/stub": "import os\ndef f(n):\n    return "
                             "open(os.path.splitext(n)[0] + '.pyi')\n",
                             "q": OPENS % "a.data"})
    for name in ("p/a.txt", "p/x.pyi", "p/d/y.z.dat", "p/a.data"):
        trees.write(os.path.join(root, name), b"data")
    trees.age(root)

    def risks(*options):
        return {(r["path"], r["remedy"]) for r in ask(pycfs, root, *options)[
            "risks"]}
    assert risks() == set()
    assert risks("--exclude", "*.txt", "--exclude", "*.dat") == {
        ("p/__init__.py", "include a.txt")}
    assert risks("--exclude", "*.pyi") == {("p/stub.py", "include *.pyi")}
    # In a directory that is excluded, too.
    assert risks("--exclude", "/p/") == {("q.py", "include a.data")}
    assert risks("--exclude", "*.txt", "--include", "a.txt") == set()


# what the layer as a whole lacks

def layer_risks(pycfs, root, *options, status=0):
    return {(r["path"], r["line"], r["grade"], r["rule"], r["remedy"])
            for r in ask(pycfs, root, *options, status=status)["risks"]}


def test_imports_of_what_rules_hide(pycfs, scratch):
    root = small(scratch, **{
        "p/__init__": "", "p/gone": "", "p/tests/__init__": "",
        "p/tests/util": "", "apart/__init__": "",
        "p/sure": "from typing import TYPE_CHECKING\nfrom . import gone\n"
                  "if TYPE_CHECKING:\n    import p.tests.util\n",
        "p/guarded": "'''\nimport p.gone\n'''\ntry:\n    import p.gone\n"
                     "except ImportError:\n    pass\n",
        "p/inside": "def f():\n    from p.tests import (\n        util)\n",
        "p/other": "import apart\n",
        "p/test_it": "import p.tests.util\n"})
    assert layer_risks(pycfs, root) == set()
    rules = ("--exclude", "/p/gone.py", "--exclude", "tests/", "--exclude",
             "/apart/")
    found = layer_risks(pycfs, root, *rules)
    assert found == {
        ("p/sure.py", 2, 3, "hidden-import", "include /p/gone.py"),
        ("p/guarded.py", 5, 2, "hidden-import", "include /p/gone.py"),
        ("p/inside.py", 2, 2, "hidden-import", "include /p/tests/"),
        ("p/other.py", 1, 2, "hidden-import", "include /apart/"),
        ("p/test_it.py", 1, 1, "hidden-import", "include /p/tests/")}
    trees.write(os.path.join(root, "p", "gone.py"), "def f(:\n")
    assert ("p/sure.py", 2, 3, "hidden-import", "") in layer_risks(
        pycfs, root, "--on-error", "omit")
    trees.write(os.path.join(root, "p", "gone.py"), "")
    # The same from what the cache has; and the rules that it names help.
    assert layer_risks(pycfs, root, *rules) == found
    report(pycfs, root, *rules, "--fail-on", "breaks", status=3)
    text = os.path.join(scratch, "layer.rules")
    trees.write(text, report(pycfs, root, *rules, "--suggest", "--fail-on",
                             "may-break", status=3).stdout)
    assert layer_risks(pycfs, root, *rules, "--rules", text) == set()


def test_metadata_that_rules_hide(pycfs, scratch):
    """Licences and RECORDs of what ships; not of what does not."""
    root = small(scratch, **{"p/__init__": "", "q/__init__": "", "r": ""})
    for path in ("p-1.dist-info/LICENSE.txt", "p-1.dist-info/METADATA",
                 "p-1.dist-info/licenses/COPYING", "p-1.dist-info/RECORD",
                 "q-2.egg-info/NOTICE", "q-2.egg-info/PKG-INFO",
                 "r-3.dist-info/LICENCE", "r-3.dist-info/METADATA",
                 "s-4.dist-info/LICENSE", "LICENSE", "p/LICENSE"):
        trees.write(os.path.join(root, path), "x\n")
    trees.age(root)
    assert layer_risks(pycfs, root) == set()
    rules = ("--exclude", "*-info/*", "--include", "METADATA", "--include",
             "PKG-INFO", "--exclude", "/r.py", "--exclude", "/s-4*")
    found = layer_risks(pycfs, root, *rules)
    licences = {("p-1.dist-info/" + name, 0, 1, "hidden-licence",
                 "include /p-1.dist-info/" + name)
                for name in ("LICENSE.txt", "licenses")} | {
        ("q-2.egg-info/NOTICE", 0, 1, "hidden-licence",
         "include /q-2.egg-info/NOTICE")}
    assert found == licences | {("p-1.dist-info/RECORD", 0, 1, "hidden-record",
                                 "include /p-1.dist-info/RECORD")}
    text = report(pycfs, root, *rules).stdout
    assert "licences: rules hide those of 2 distributions, such as p" in text
    # What is suggested shows them.
    path = os.path.join(scratch, "layer.rules")
    trees.write(path, report(pycfs, root, *rules, "--suggest").stdout)
    after = layer_risks(pycfs, root, *rules, "--rules", path)
    assert {r[0] for r in after} == {"q-2.egg-info/NOTICE",
                                     "p-1.dist-info/RECORD"}
    for option in ("include /q-2.egg-info/NOTICE",
                   "include /p-1.dist-info/RECORD"):
        trees.write(path, harness.read(path).decode() + option + "\n")
    assert layer_risks(pycfs, root, *rules, "--rules", path) == set()


def test_entry_points_of_what_rules_hide(pycfs, scratch):
    root = small(scratch, **{"p/__init__": "", "p/cli": "", "p/plug": "",
                             "apart": ""})
    trees.write(os.path.join(root, "p-1.dist-info", "entry_points.txt"),
                "[console_scripts]\n# p.cli\np = p.cli:main [x]\nq = p:x\n"
                "\n[pytest11]\nplug=p.plug\nother = apart : f\n")
    trees.age(root)
    assert layer_risks(pycfs, root) == set()
    rules = ("--exclude", "/p/cli.py", "--exclude", "/p/plug.py",
             "--exclude", "/apart.py")
    at = "p-1.dist-info/entry_points.txt"
    assert layer_risks(pycfs, root, *rules) == {
        (at, 3, 3, "hidden-entry-point", "include /p/cli.py"),
        (at, 7, 3, "hidden-entry-point", "include /p/plug.py"),
        (at, 8, 2, "hidden-entry-point", "include /apart.py")}
    assert layer_risks(pycfs, root, *rules, "--exclude", "entry_points.txt"
                       ) == set()


def test_what_cannot_be_imported(pycfs, scratch):
    root = small(scratch, **{"fine": "A = 1\n", "bad": "def f(:\n"})
    elf = b"\x7fELF\2\1\1" + bytes(11) + b"%c\0" + bytes(40)
    for name, machine in (
            ("a.cpython-311-x86_64-linux-gnu.so", 62),
            ("b.cpython-39-x86_64-linux-gnu.so", 62),
            ("c.cpython-39-x86_64-linux-gnu.so", 62), ("c.abi3.so", 62),
            ("d.cpython-311-aarch64-linux-gnu.so", 183)):
        trees.write(os.path.join(root, name), elf % machine)
    trees.write(os.path.join(root, "old.pyc"), b"\x61\x0d\x0d\x0a" + bytes(30))
    trees.write(os.path.join(root, "libx.so"), elf % 3)
    trees.age(root)
    assert layer_risks(pycfs, root) == {
        ("bad.py", 1, 3, "not-compiled", ""),
        ("b.cpython-39-x86_64-linux-gnu.so", 0, 3, "foreign-extension", ""),
        ("d.cpython-311-aarch64-linux-gnu.so", 0, 3, "foreign-extension", ""),
        ("old.pyc", 0, 3, "foreign-bytecode", "")}
    assert {r[3] for r in layer_risks(pycfs, root, "--on-error", "source")
            } == {"foreign-extension", "foreign-bytecode"}
    text = report(pycfs, root, "--on-error", "source", "--fail-on", "breaks",
                  status=3).stdout
    assert "  old.pyc: breaks: is bytecode of another Python [foreign-" in text


def test_what_rules_do(pycfs, scratch):
    root = small(scratch, **{"a": "A = 1\n", "p/b": "B = 1\n",
                             "p/c": "C = 1\n", "t/d": "D = 1\n"})
    trees.write(os.path.join(root, "p", "x.pyi"), b"12345")
    trees.write(os.path.join(root, "t", "y.pyi"), b"123")
    trees.age(root)
    rules = os.path.join(scratch, "layer.rules")
    trees.write(rules, "exclude *.pyi\nexclude t/\nkeep-source /p/\n"
                "keep-source /p/b.py\noptimize 1 /a.py\nexclude *.pyx\n"
                "keep-source !/nowhere/\n")
    r = report(pycfs, root, "--rules", rules, "--json")
    found = {x["rule"]: (x["files"], x["matches"])
             for x in json.loads(r.stdout)["rules"]}
    assert found == {
        "exclude *.pyi": (1, True), "exclude t/": (2, True),
        "keep-source /p/": (1, True), "keep-source /p/b.py": (1, True),
        "optimize 1 /a.py": (1, True), "exclude *.pyx": (0, False),
        "keep-source !/nowhere/": (0, False)}
    assert "warning: the rule 'exclude *.pyx' matches nothing" in r.stderr
    r = report(pycfs, root, "--rules", rules)
    assert "  exclude t/\n" in r.stdout and "*.pyx" not in r.stdout
    r = report(pycfs, root, "--rules", rules, "--fail-on", "unused-rule",
               "--fail-on", "breaks", status=3)
    assert "error: the rule 'exclude *.pyx' matches nothing" in r.stderr
    # Those of the profile are for packages that need not be there.
    r = report(pycfs, root, "--profile", "safe", "--exclude", "t/",
               "--fail-on", "unused-rule")
    assert "matches nothing" not in r.stderr


ODD = ["a[b] #1 .py", " x.py", "!n.py", "#h.py", "b*?.py", "back\\slash.py",
       "trail .py", CAFE, "<b>.py"]


def test_suggested_rules_of_odd_names(pycfs, scratch):
    root = small(scratch, **{n[:-3]: DOC for n in ODD})
    rules = os.path.join(scratch, "layer.rules")
    with open(rules, "wb") as f:
        subprocess.run(pycfs.command("report", "--suggest", *PYTHON, *STRICT,
                                     root),
                       stdout=f, env=pycfs.env(), timeout=30, check=True)
    report(pycfs, root, "--fail-on", "breaks", status=3)
    report(pycfs, root, "--fail-on", "breaks", "--rules", rules)


def test_suggested_rules_parse_whatever_the_name(pycfs, scratch):
    root = small(scratch, **{"line\nfeed": DOC, "plain": DOC})
    rules = os.path.join(scratch, "layer.rules")
    trees.write(rules, report(pycfs, root, "--suggest").stdout)
    report(pycfs, root, "--rules", rules)


EVIL = ["esc\x1b[2J", "csi\x9b2J", "turn\u202eyp", "isolate\u2067",
        "mark\u200e\u061c", "line\u2028", "byte\udc9b2J", "del\x7f"]
CONTROL = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-"
                     "\u202e\u2066-\u2069\udc80-\udcff]")


def test_nothing_that_a_terminal_obeys(pycfs, scratch):
    """Neither as a name, nor in what a compiler says of a file, nor in an old
    report; and JSON has all of it nevertheless."""
    root = small(scratch, **{n: DOC for n in EVIL})
    for n in EVIL:
        trees.write(os.path.join(root, "bad " + n + ".py"), "x = (\n")
        trees.write(os.path.join(root, n, "data"), "data")
        trees.write(os.path.join(root, "same " + n), "the same bytes")
    names = set(os.listdir(root))
    old = os.path.join(scratch, "old.json")

    def said(*options, status=0, verb="report", dest=()):
        r = subprocess.run(
            pycfs.command(verb, *PYTHON, *options, root, *dest),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            env=pycfs.env())
        assert r.returncode == status, r.stderr
        for out in (r.stdout, r.stderr):
            text = os.fsdecode(out)
            assert not CONTROL.search(text), \
                ascii(text[CONTROL.search(text).start() - 40:][:80])
        return r.stdout

    data = json.loads(said("--json"))
    assert names == {f["path"].partition("/")[0].replace(".pyc", ".py")
                     for f in data["files"] + data["failed"]}
    dists = {d["name"] for d in data["distributions"]}
    trees.write(old, json.dumps(data))
    said()
    said("--files")
    rules = os.path.join(scratch, "layer.rules")
    trees.write(rules, said("--suggest"))
    said("--rules", rules, "--on-error", "source", "--fail-on", "breaks")
    # they are in what there was, and in what there is
    said("--diff", old, "--exclude", "bad*")
    assert dists >= set(EVIL)
    trees.write(old, json.dumps({**data, "distributions": []}))
    said("--diff", old, status=0)
    r = json.loads(said("--json", verb="export", status=1,
                        dest=[os.path.join(scratch, "out")]))
    assert {f["path"] for f in r["faults"]} == {
        "bad " + n + ".py" for n in EVIL}
    said(verb="export", status=1, dest=[os.path.join(scratch, "out")])
    said("--on-error", "omit", verb="export",
         dest=[os.path.join(scratch, "o\u202eut")])


# --html

def page_data(path):
    text = read(path).decode("utf-8")
    start = '<script id="data" type="application/json">'
    assert text.count(start) == 1
    return text.partition(start)[2].partition("</script>")[0]


def test_html(pycfs, scratch):
    root = small(scratch, **{"a": DOC, "<!--<script>": "B = 1\n"})
    trees.write(os.path.join(root, "<", "script><b>.py"), "C = 1\n")
    trees.write(os.path.join(root, os.fsdecode(b"\xff\xed\xa0\x80.txt")), "")
    trees.age(root)
    path = os.path.join(scratch, "page.html")
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.stat(path).st_ino if os.path.exists(path) else 0
        r = report(pycfs, root, "--html", path, umask=mask)
        assert r.stdout == ""
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        assert os.stat(path).st_ino != before
    assert "<" not in page_data(path)
    data = json.loads(page_data(path))
    assert data == ask(pycfs, root)
    assert "</script><b>.pyc" in [f["path"] for f in data["files"]]
    assert sorted(os.listdir(scratch)) == ["cache", "page.html", "small"]


def test_html_that_cannot_be_written(pycfs, scratch):
    root = small(scratch)
    path = os.path.join(root, "a.py", "page.html")
    refused(report(pycfs, root, "--html", path, status=1), 1, path,
            "Not a directory")
    path = os.path.join(scratch, "dir")
    trees.write(os.path.join(path, "inside"), "")
    refused(report(pycfs, root, "--html", path, status=1), 1, path)
    assert sorted(os.listdir(scratch)) == ["cache", "dir", "small"]


# what is no source, no stdout, no end

def test_of_a_mount(pycfs, scratch):
    """What it is of and by, how often it did not compile, what it counted."""
    site, made = small(scratch), {"profile": "safe", "rules": 0, "optimize": 2}
    with pycfs.mount(site, "--no-ahead") as m:
        data = json.loads(pycfs.ok("report", m, "--json").stdout)
        assert {k: data[k] for k in made} == made
        assert data["hit_rate"] is None
        assert "hit rate: no module was" in pycfs.ok("report", m).stdout
        read(m / "a.pyc")
        counters = m.counters()
        head, _, text = pycfs.ok("report", m).stdout.partition("\n\n")
        assert len(text.splitlines()) == len(counters)
        assert re.match(r" *\d+  \w", text)
        source, python, *_ = head.splitlines()
        assert source == os.path.realpath(site)
        assert python.startswith("compiled by Python 3.11.")


def test_of_a_mount_with_options(pycfs, scratch):
    site = small(scratch, **{"m%d" % i: "X = %d\n" % i for i in range(4)})
    options = ["--no-ahead", "--optimize", "1", "--run-optimize", "1",
               "--debug-ranges", "--profile", "strict", "--keep-source", "x",
               "--exclude", "*.y", "--prefix", "/p\x1b[1m",
               "--marshal", "cpython", "--invalidation-mode", "timestamp",
               "--on-error", "omit", "--immutable"]
    want = {"optimize": 1, "run_optimize": 1, "debug_ranges": True,
            "profile": "strict", "profile_rules": 0, "rules": 2,
            "prefix": "/p\x1b[1m", "marshal": "cpython",
            "invalidation_mode": "timestamp", "on_error": "omit",
            "immutable": True, "source": os.path.realpath(site)}
    with pycfs.mount(site, *options, umount=True) as m:
        for i in range(4):
            read(m / ("m%d.pyc" % i))
    with pycfs.mount(site, *options) as m:
        read(m / "m0.pyc")
        trees.write(os.path.join(site, "m9.py"), "NEW = 1\n")
        data = json.loads(pycfs.ok("report", m, "--json").stdout)
        assert {k: data[k] for k in want} == want
        found = data["counters"]["stat_hits"] + data["counters"]["blob_hits"]
        every = found + data["counters"]["compiled"]
        assert found > 0 and data["hit_rate"] == round(100 * found / every, 2)
        head = pycfs.ok("report", m).stdout.partition("\n\n")[0]
        assert "level 1, for an interpreter at level 1, with debug" in head
        assert "profile strict (0 rules), 2 rules of yours" in head
        assert ("prefix /p?[1m, marshal cpython, timestamp, on error omit, "
                "immutable") in head
        # More is asked for meanwhile.
        percent, every, found = re.search(
            r"^hit rate ([\d.]+) %: of (\d+) requests? for a module (\d+) "
            r"found it compiled$", head, re.M).groups()
        assert float(percent) == round(100 * int(found) / int(every), 1)


def test_of_nothing(pycfs, scratch):
    path = os.path.join(scratch, "none")
    refused(report(pycfs, path, status=1), 1, path, "No such file")
    trees.write(path)
    refused(report(pycfs, path, status=1), 1, path, "Not a directory")


@pytest.mark.parametrize("options", [[], ["--json"], ["--suggest"]])
def test_stdout_that_cannot_be_written(options, pycfs, site):
    args = pycfs.command("report", "-q", *PYTHON, *options, site)
    for to in (">/dev/full", ">&-"):
        p = subprocess.run(["sh", "-c", '"$@" ' + to, "sh", *args],
                           stderr=subprocess.PIPE, env=pycfs.env(), timeout=60)
        assert p.returncode == 1 and b"stdout" in p.stderr, (to, p.stderr)


def test_interrupt(pycfs, scratch):
    root = small(scratch, slow=trees.slow(30000), a="A = 1\n")
    p = subprocess.Popen(pycfs.command("report", *PYTHON, root),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=pycfs.env())
    harness.wait_for(lambda: sum(w.cpu > .2 for w in
                                 harness.workers(scratch)), 20, "it compiles")
    began = time.monotonic()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == -signal.SIGINT and out == b""
    assert b"interrupted" in err
    assert time.monotonic() - began < 5
    assert not harness.daemons(scratch)
