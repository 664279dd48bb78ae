"""RECORD lists exactly the files of the layer: checked by hand, and with pip.
"""
import base64
import csv
import hashlib
import io
import json
import os
import zipfile

import pytest

import harness
import trees
from harness import copy, read

INFO = "demo-1.0.dist-info"


def rows(data):
    text = data.decode("utf-8", "surrogateescape")
    return [tuple(r) for r in csv.reader(io.StringIO(text, newline=""))]


def paths(data):
    return [r[0] for r in rows(data)]


def row(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "%s,sha256=%s,%d" % (name, digest.decode().rstrip("="), len(data))


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    for name, data in (("demo/__init__.py", "A = 1\n"),
                       ("demo/a.py", "A = 2\n"), ("demo/b.py", "B = 3\n"),
                       ("demo/data.json", "{}\n"), ("demo/tests/t.py", ""),
                       ("demo/stale.py", ""), ("demo/stale.pyc", "stale"),
                       ("demo/x.pyi", ""), ("single.py", "S = 1\n"),
                       ("demo/__pycache__/a.cpython-311.pyc", "hidden"),
                       (INFO + "/METADATA", "Name: demo\nVersion: 1.0\n"),
                       (INFO + "/INSTALLER", "pip\n"),
                       ("elsewhere/RECORD", "demo/a.py,,\n"),
                       ("old.egg-info/RECORD", "demo/a.py,,\n")):
        trees.write(os.path.join(root, name), data)
    put(root, *DEFAULT)
    return root


DEFAULT = ["demo/__init__.py,sha256=xyz,6", row("demo/a.py", b"A = 2\n"),
           "demo/b.py,,", row("demo/data.json", b"{}\n"), "demo/tests/t.py,,",
           "demo/stale.py,,", "demo/stale.pyc,sha256=abc,5", "demo/x.pyi,,",
           "single.py,sha256=q,6", "demo/__pycache__/a.cpython-311.pyc,,",
           "demo/missing.py,,", "demo/missing.json,sha256=x,1",
           "../../../bin/demo,sha256=s,200", INFO + "/METADATA,,",
           INFO + "/INSTALLER,sha256=zuuue,4", INFO + "/RECORD,,"]
SHIPPED = ["demo/__init__.pyc", "demo/a.pyc", "demo/b.pyc", "demo/data.json",
           "demo/tests/t.pyc", "demo/stale.pyc", "demo/x.pyi", "single.pyc",
           INFO + "/METADATA", INFO + "/INSTALLER", INFO + "/RECORD"]


def put(root, *lines, end="\n"):
    data = b"".join(os.fsencode(line + end) for line in lines)
    trees.write(os.path.join(root, INFO, "RECORD"), data)
    trees.age(root)


def record(m):
    data = read(m / (INFO + "/RECORD"))
    assert os.stat(m / (INFO + "/RECORD")).st_size == len(data)
    return data


def test_rows_are_what_is_shipped(mount, site):
    with mount(site, "--no-ahead") as m:
        got = rows(record(m))
        # nothing has to be compiled to know the names
        assert m.count("compiled") == 0
        assert [r[0] for r in got] == SHIPPED
        for name, digest, size in got:
            assert os.path.isfile(m / name)
            if digest.startswith("sha256=") and len(digest) > 20:
                assert row(name, read(m / name)) == \
                    "%s,%s,%s" % (name, digest, size)
        # others of the name are no such list
        assert read(m / "elsewhere/RECORD") == b"demo/a.py,,\n"
        assert read(m / "old.egg-info/RECORD") == b"demo/a.py,,\n"
    # a module's hash and size are not its source's; others stay
    by_name = {r[0]: r[1:] for r in got}
    for name in SHIPPED:
        if name.endswith(".pyc"):
            assert by_name[name] == ("", ""), name
    assert by_name[INFO + "/INSTALLER"] == ("sha256=zuuue", "4")
    assert ",".join(("demo/data.json",) + by_name["demo/data.json"]) == \
        row("demo/data.json", b"{}\n")


def test_rows_of_what_rules_hide(mount, site):
    with mount(site, "--exclude", "tests/", "--exclude", "*.pyi",
               "--exclude", "a.py", "--exclude", "INSTALLER") as m:
        assert paths(record(m)) == [
            p for p in SHIPPED if p not in (
                "demo/tests/t.pyc", "demo/x.pyi", "demo/a.pyc",
                INFO + "/INSTALLER")]
    with mount(site, "--exclude", "RECORD") as m:
        assert not os.path.exists(m / (INFO + "/RECORD"))


def test_rows_of_kept_sources(mount, site):
    trees.write(os.path.join(site, "demo", "bad.py"), "(\n")
    put(site, *DEFAULT, row("demo/bad.py", b"(\n"))
    with mount(site, "--keep-source", "a.py", "--keep-source",
               "bad.py") as m:
        got = rows(record(m))
        for name in paths(record(m)):
            assert os.path.exists(m / name), name
    assert ",".join(next(r for r in got if r[0] == "demo/a.py")) == \
        row("demo/a.py", b"A = 2\n")
    assert ("demo/__pycache__/a.cpython-311.pyc", "", "") in got
    assert ",".join(next(r for r in got if r[0] == "demo/bad.py")) == \
        row("demo/bad.py", b"(\n")
    assert not [r for r in got if "__pycache__/bad" in r[0]]
    assert len(got) == len(set(got)) == len(SHIPPED) + 2


def test_no_rows_of_bytecode_that_is_not_there(mount, site):
    """Beside a kept source: no room for its name, or a link that leads out."""
    trees.write(os.path.join(site, "demo", "n" * 240 + ".py"), "N = 1\n")
    os.symlink("/etc/hostname", os.path.join(site, "demo", "out.py"))
    put(site, "demo/" + "n" * 240 + ".py,,", "demo/out.py,,", *DEFAULT)
    with mount(site, "--keep-source", "/demo/*.py") as m:
        got = paths(record(m))
        for name in got:
            assert os.path.lexists(m / name), name
    assert "demo/out.py" in got and "demo/%s.py" % ("n" * 240) in got
    assert "demo/__pycache__/a.cpython-311.pyc" in got


def test_signatures_go(mount, site):
    """They would be of another RECORD."""
    for name in ("RECORD.jws", "RECORD.p7s"):
        trees.write(os.path.join(site, INFO, name), "signed")
    put(site, *DEFAULT, INFO + "/RECORD.jws,,", INFO + "/RECORD.p7s,,")
    with mount(site) as m:
        assert paths(record(m)) == SHIPPED
        assert sorted(os.listdir(m / INFO)) == ["INSTALLER", "METADATA",
                                                "RECORD"]


@pytest.mark.parametrize("policy, name", [
    ("fail", "demo/bad.pyc"), ("source", "demo/bad.py"), ("omit", None)])
def test_rows_of_what_does_not_compile(policy, name, mount, site):
    trees.write(os.path.join(site, "demo", "bad.py"), "(\n")
    put(site, row("demo/bad.py", b"(\n"), *DEFAULT)
    with mount(site, "--on-error", policy) as m:
        got = rows(record(m))
        listed = set(os.listdir(m / "demo"))
    assert [r[0] for r in got] == [name][:name is not None] + SHIPPED
    assert {os.path.basename(p) for p in listed if p.startswith("bad")} == \
        ({os.path.basename(name)} if name else set())
    if policy == "source":
        assert ",".join(got[0]) == row("demo/bad.py", b"(\n")


ODD = ["sp ace.py", 'quo"te.py', "com,ma.py", "com,ma.txt", "new\nline.txt",
       "caf\udce9.py", "m\u00f3dulo.txt"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_odd_names(end, mount, scratch, site):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end)
    for name in ODD:
        trees.write(os.path.join(site, name))
        writer.writerow([name, "sha256=" + "x" * 43, "0"])
    # forms that say the same path, and one that leads through a link
    os.symlink("demo", os.path.join(site, "link"))
    for name in ("./demo/a.py", "demo/../demo/b.py", "demo//data.json",
                 "link/a.py", "/etc/hostname", "..", "../../etc/hostname",
                 "demo/../../x.py", "demo"):
        writer.writerow([name, "", ""])
    trees.write(os.path.join(site, INFO, "RECORD"),
                os.fsencode(out.getvalue()))
    with mount(site) as m:
        data = record(m)
        for name in paths(data):
            assert os.path.lexists(m / name), name
    got = paths(data)
    assert got[:len(ODD)] == [n + "c" if n.endswith(".py") else n
                              for n in ODD]
    assert [os.path.normpath(p) for p in got[len(ODD):]
            if p != "demo"] == ["demo/a.pyc", "demo/b.pyc", "demo/data.json"]


@pytest.mark.parametrize("data", [
    b'"demo/a.py,,\n', b"demo/a.py,,\n\0\n", b'"demo"x,,\n',
    bytes(range(256))])
def test_one_that_is_none_is_passed_through(data, mount, site):
    trees.write(os.path.join(site, INFO, "RECORD"), data)
    with mount(site) as m:
        assert record(m) == data
        about = [l for l in m.log().splitlines() if "RECORD" in l]
    assert len(about) == 1 and INFO in about[0]


def test_rows_without_a_path(mount, site):
    put(site, ",,", "demo/a.py,,", '"",sha256=x,1', ",", "demo/b.py,,")
    with mount(site) as m:
        assert paths(record(m)) == ["demo/a.pyc", "demo/b.pyc"]
        assert "RECORD" not in m.log()


def test_rows_that_nobody_has(mount, site):
    """Long, deep and many: what is not shipped costs next to nothing, and the
    daemon's stack does not follow how deep a path claims to be."""
    put(site, "demo/a.py,,", "a/" * 70000 + "x.py,,", "/" * 70000 + ",,",
        "demo/" + "./" * 70000 + "b.py,,", "demo/../" * 20000 + "b.py,,",
        *("absent%d/m%d/x.py,,".replace("%d", str(i)) for i in range(100000)),
        "demo/b.py,,")
    with mount(site) as m:
        assert paths(record(m)) == ["demo/a.pyc", "demo/b.pyc"]
        assert m.serving()


def test_empty_link_and_directory(mount, site):
    trees.write(os.path.join(site, INFO, "RECORD"), b"")
    trees.write(os.path.join(site, "b-1.dist-info", "real"), b"demo/a.py,,\n")
    os.symlink("real", os.path.join(site, "b-1.dist-info", "RECORD"))
    os.makedirs(os.path.join(site, "c-1.dist-info", "RECORD"))
    with mount(site) as m:
        assert record(m) == b""
        assert os.readlink(m / "b-1.dist-info/RECORD") == "real"
        assert os.path.isdir(m / "c-1.dist-info/RECORD")


def test_in_a_directory_below(mount, site):
    trees.write(os.path.join(site, "vendor", "v-1.dist-info", "RECORD"),
                "v.py,,\nv-1.dist-info/RECORD,,\n../single.py,,\n"
                "../../out.py,,\n")
    trees.write(os.path.join(site, "vendor", "v.py"))
    with mount(site) as m:
        assert paths(read(m / "vendor/v-1.dist-info/RECORD")) == [
            "v.pyc", "v-1.dist-info/RECORD", "../single.pyc"]


def test_large(mount, scratch):
    root = os.path.join(scratch, "site")
    trees.many(root, 1500)
    names = ["many/p%d/m%d.py" % (i // 50, i) for i in range(1500)]
    put(root, *(n + ",sha256=%s,40" % ("x" * 43) for n in names))
    with mount(root, "--no-ahead") as m:
        assert paths(record(m)) == [n + "c" for n in names]


def test_it_follows_the_source(mount, site):
    with mount(site) as m:
        assert paths(record(m)) == SHIPPED
        os.unlink(os.path.join(site, "demo", "b.py"))
        harness.wait_for(lambda: "demo/b.pyc" not in paths(record(m)), 10,
                         "the row of a deleted module goes")
        put(site, *DEFAULT[:2])
        harness.wait_for(lambda: paths(record(m)) == SHIPPED[:2], 10,
                         "a new RECORD is read")


# as pip sees it

_PIPS = []


def with_pip():
    """A Python that has pip --python (22.3), or None."""
    if not _PIPS:
        found = None
        for p in reversed(harness.PYTHONS):
            run = harness.python(p.exe, "-m", "pip", "--version", check=False)
            words = run.stdout.split()
            if run.returncode == 0 and len(words) > 1 and \
                    tuple(map(int, words[1].split(".")[:2])) >= (22, 3):
                found = p
                break
        _PIPS.append(found)
    return _PIPS[0]


def pip(outer, venv, *args, check=True):
    return harness.python(
        outer.exe, "-m", "pip", "--python", os.path.join(venv, "bin/python"),
        "--disable-pip-version-check", "--no-cache-dir", *args, check=check,
        env={"PYTHONNOUSERSITE": "1", "PIP_CONFIG_FILE": os.devnull},
        timeout=120)


def make_wheel(directory, name, version, files, requires=()):
    info = "%s-%s.dist-info" % (name, version)
    files = dict(files)
    files[info + "/METADATA"] = "Metadata-Version: 2.1\nName: %s\n" \
        "Version: %s\n%s" % (name, version, "".join(
            "Requires-Dist: %s\n" % r for r in requires))
    files[info + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\n" \
        "Root-Is-Purelib: true\nTag: py3-none-any\n"
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for path, data in files.items():
        _, digest, size = row("", data.encode()).split(",")
        writer.writerow([path, digest, size])
    writer.writerow([info + "/RECORD", "", ""])
    files[info + "/RECORD"] = out.getvalue()
    where = os.path.join(directory, "%s-%s-py3-none-any.whl" % (name, version))
    with zipfile.ZipFile(where, "w") as z:
        for path, data in files.items():
            z.writestr(path, data)
    return where


def site_of(outer, venv):
    return os.path.join(venv, "lib", "python%d.%d" % outer.minor,
                        "site-packages")


@pytest.fixture
def layer(mount, scratch):
    """(Python with pip, a venv whose site-packages is copied from a mount of
    one that pip installed)."""
    outer = with_pip()
    if not outer:
        (pytest.fail if harness.ON_A_CI else pytest.skip)("no pip 22.3 here")
    wheels = os.path.join(scratch, "wheels")
    os.mkdir(wheels)
    make_wheel(wheels, "demo", "1.0", {
        "demo/__init__.py": "import dep\nfrom . import a\n",
        "demo/a.py": "def main():\n    print('ran')\n",
        "demo/sub/__init__.py": "", "demo/sub/deep.py": "DEEP = 1\n",
        "demo/plugins/patch.py": "PATCH = 1\n",
        "demo/tests/test_a.py": "", "demo/data.json": "{}\n",
        'demo/odd "name", here.txt': "odd\n", "single.py": "S = 1\n",
        "demo-1.0.dist-info/entry_points.txt":
            "[console_scripts]\ndemo-tool = demo.a:main\n",
    }, requires=["dep>=2"])
    make_wheel(wheels, "dep", "2.0", {"dep.py": "DEP = 2\n"})
    installed = os.path.join(scratch, "installed")
    copied = os.path.join(scratch, "copied")
    for venv in (installed, copied):
        harness.python(outer.exe, "-m", "venv", "--without-pip", venv,
                       timeout=120)
    pip(outer, installed, "install", "--no-index", "--find-links", wheels,
        "demo")
    assert "../../../bin/demo-tool" in paths(read(os.path.join(
        site_of(outer, installed), INFO, "RECORD")))
    with mount(site_of(outer, installed), "--exclude", "tests/",
               "--keep-source", "patch.py", python=outer.exe) as m:
        copy(m, site_of(outer, copied))
    return outer, copied


FILES = """
import importlib.metadata as m, json, os
print(json.dumps({d.metadata["Name"]: [
    [str(f), os.path.isfile(f.locate())] for f in d.files]
    for d in m.distributions()}))
"""


def test_pip_finds_no_fault_and_removes_it(layer):
    outer, venv = layer
    site = site_of(outer, venv)
    exe = os.path.join(venv, "bin", "python")
    before = sorted(harness.tree_bytes(site))
    listed = json.loads(pip(outer, venv, "list", "--format", "json").stdout)
    assert {(d["name"], d["version"]) for d in listed} == \
        {("demo", "1.0"), ("dep", "2.0")}
    assert "No broken requirements" in pip(outer, venv, "check").stdout
    files = json.loads(harness.python(exe, "-I", "-c", FILES).stdout)
    assert all(there for f in files.values() for _, there in f), files
    known = {f for fs in files.values() for f, _ in fs}
    assert known == {p.decode() for p, data in harness.tree_bytes(site).items()
                     if data is not None}
    assert {"demo/plugins/patch.py", 'demo/odd "name", here.txt', "dep.pyc",
            "demo/sub/deep.pyc"} <= known
    run = harness.python(exe, "-I", "-c", "import demo.a; demo.a.main()")
    assert run.stdout == "ran\n"
    shown = pip(outer, venv, "show", "-f", "demo").stdout
    assert "demo/a.pyc" in shown and "demo/a.py\n" not in shown
    assert sorted(harness.tree_bytes(site)) == before
    # what is removed is what RECORD has: all of it, and nothing else
    trees.write(os.path.join(site, "demo", "unlisted.txt"))
    pip(outer, venv, "uninstall", "-y", "dep")
    run = pip(outer, venv, "check", check=False)
    assert run.returncode == 1 and "requires dep" in run.stdout
    pip(outer, venv, "uninstall", "-y", "demo")
    assert sorted(harness.tree_bytes(site)) == [b"demo", b"demo/unlisted.txt"]
