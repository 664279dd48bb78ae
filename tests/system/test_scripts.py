"""Console scripts: made anew for the layer, in RECORD, and they run."""
import base64
import csv
import hashlib
import json
import os
import subprocess

import pytest

import harness
import layers
import trees
from harness import copy, read

INFO = "demo-1.0.dist-info"
POINTS = """\
# a comment
[console_scripts]
demo = demo.cli:main
demo-class=demo.cli:Tool.run [extra]
  blanks  =  single : main
same = single:main
not.there = demo.missing:main
stdlib = json.tool:main

[gui_scripts]
window = demo.sub:main

[demo.plugins]
plugin = demo.cli:main
"""
HOSTILE = """\
[console_scripts]
../up = demo.cli:main
/abs = demo.cli:main
. = demo.cli:main
= demo.cli:main
control\x1b[31m = demo.cli:main
code = demo.cli:main;import os
more = demo.cli:main\rimport os
quote = demo.cli:main"
colon = demo.cli
dots = demo..cli:main
digit = 1demo:main
"""


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    for name, data in (
            ("demo/__init__.py", "A = 1\n"),
            ("demo/cli.py", "import sys\n\n\ndef main():\n"
             "    print('demo', *sys.argv[1:], __file__)\n    return 3\n\n\n"
             "class Tool:\n    @staticmethod\n    def run():\n"
             "        print('class')\n"),
            ("demo/sub/__init__.py", "def main():\n    print('window')\n"),
            ("single.py", "def main():\n    print('single')\n"),
            ("other/__init__.py", "def main():\n    print('other')\n"),
            (INFO + "/METADATA", "Name: demo\nVersion: 1.0\n"),
            (INFO + "/entry_points.txt", POINTS),
            ("other-2.dist-info/entry_points.txt",
             "[console_scripts]\nother = other:main\nsame = other:main\n"),
            ("other-2.dist-info/RECORD", "other/__init__.py,,\n"
             "other-2.dist-info/RECORD,,\n")):
        trees.write(os.path.join(root, name), data)
    trees.write(os.path.join(root, INFO, "RECORD"), "".join(
        "%s,,\n" % p for p in (
            "demo/__init__.py", "demo/cli.py", "demo/sub/__init__.py",
            "single.py", "../../../bin/demo", INFO + "/RECORD")))
    trees.age(root)
    return root


MADE = ["blanks", "demo", "demo-class", "other", "same", "window"]


def starts(script, *args, exe, **env):
    clean = {n: v for n, v in os.environ.items()
             if not n.startswith("PYTHON")}
    return subprocess.run([exe, "-S", script, *args], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**clean, **env}, cwd="/", timeout=60)


def check_record(root, scripts, up=""):
    """Every script is in the RECORD of its distribution, as it is."""
    found = {}
    for info in (INFO, "other-2.dist-info"):
        with open(os.path.join(root, info, "RECORD"), newline="") as f:
            for path, digest, size in csv.reader(f):
                if "bin/" in path:
                    assert path.startswith(up + "bin/"), path
                    found[os.path.basename(path)] = info
                    data = read(os.path.join(root, path))
                    assert digest == "sha256=" + base64.urlsafe_b64encode(
                        hashlib.sha256(data).digest()).decode().rstrip("=")
                    assert int(size) == len(data)
    assert sorted(found) == sorted(scripts)
    assert found["other"] == "other-2.dist-info"


def test_they_run(target, mount, pycfs, site, scratch):
    with mount(site, "--scripts", "bin", python=target.exe) as m:
        assert sorted(os.listdir(m / "bin")) == MADE
        out = copy(m, os.path.join(scratch, "out"))
        for root in (m.path, out):
            check_record(root, MADE)
            run = starts(root + "/bin/demo", "x", exe=target.exe)
            assert run.stdout == "demo x %s/demo/cli.pyc\n" % root
            assert run.returncode == 3, run.stderr
            for name, said in (("demo-class", "class"), ("window", "window"),
                               ("blanks", "single"), ("same", "single")):
                run = starts(root + "/bin/" + name, exe=target.exe)
                assert (run.stdout, run.returncode) == (said + "\n", 0), run
        assert os.stat(m / "bin/demo").st_mode & 0o777 == 0o755
        assert read(m / "bin/demo").splitlines()[0].decode() == \
            "#!/usr/bin/env python%d.%d" % target.minor + \
            ("t" if target.free_threaded else "")
    # as itself, found by PATH
    run = subprocess.run(["bin/demo"], cwd=out, stdout=subprocess.PIPE,
                         env={"PATH": os.path.dirname(target.exe)
                              + ":/usr/bin:/bin",
                              "PYENV_VERSION": target.name})
    assert run.returncode == 3 and run.stdout.startswith(b"demo")
    # moved away, it finds its modules where Python does
    os.rename(out + "/bin/demo", os.path.join(scratch, "demo"))
    run = starts(os.path.join(scratch, "demo"), exe=target.exe)
    assert "No module named 'demo'" in run.stderr
    run = starts(os.path.join(scratch, "demo"), exe=target.exe,
                 PYTHONPATH=out)
    assert run.returncode == 3 and out in run.stdout


@pytest.mark.parametrize("options", [
    (), ("--mtime", "1600000000", "--owner", "3:4", "--modes", "normal"),
    ("--mtime", "content", "--hardlink-dupes"), ("--immutable",)], ids=str)
def test_mount_and_exports_are_equal(options, mount, pycfs, site, scratch):
    made = [o for o in options if o not in ("--immutable",
                                            "--hardlink-dupes")]
    with mount(site, "--scripts", "usr/bin", *made, *(
            o for o in options if o == "--immutable")) as m:
        wanted = layers.facts(m)
        assert b"usr/bin/demo" in wanted
    out = pycfs.exported(site, os.path.join(scratch, "out"), "--scripts",
                         "usr/bin", *(o for o in options
                                      if o != "--immutable"))
    layers.same(wanted, layers.facts(out))
    owner = () if "--owner" in options else ("--owner", "%d:%d" % (
        os.geteuid(), os.getegid()))
    for ending in ("tar", "tar.gz", "zip"):
        path = pycfs.exported(site, os.path.join(scratch, "x." + ending),
                              "--scripts", "usr/bin", *made, *owner)
        to = os.path.join(scratch, "un" + ending)
        layers.unpack(path, to)
        layers.same(wanted, layers.facts(to), root=False)


@pytest.mark.parametrize("prefix, scripts, up", [
    ("lib/python3/site-packages", "bin", "../../../"),
    ("lib/python3/site-packages", "lib/bin", "../../"),
    ("lib/python3/site-packages", "zbin", "../../../z"),
    ("lib/python3/site-packages", "lib/python3/bin", "../"),
    ("python", "python/bin", ""), ("python", "bin", "../"),
    ("a", "a-b/bin", "../a-b/")])
def test_beside_the_modules(prefix, scripts, up, pycfs, site, scratch):
    out = pycfs.exported(site, os.path.join(scratch, "out"), "--prefix-dir",
                         prefix, "--scripts", scripts)
    assert sorted(os.listdir(os.path.join(out, scripts))) == MADE
    run = starts(os.path.join(out, scripts, "demo"), exe=harness.DEBIAN_PYTHON)
    assert run.stdout == "demo %s/%s/demo/cli.pyc\n" % (out, prefix)
    check_record(os.path.join(out, prefix), MADE, up)
    wanted = layers.facts(out)
    for ending in layers.ARCHIVES:
        path = pycfs.exported(
            site, os.path.join(scratch, "x." + ending), "--prefix-dir",
            prefix, "--scripts", scripts, "--owner", "%d:%d" % (
                os.geteuid(), os.getegid()))
        to = os.path.join(scratch, "un" + ending)
        layers.unpack(path, to)
        layers.same(wanted, layers.facts(to), root=False)
        names = [n.rstrip(b"/") for n in layers.names(path)]
        assert len(names) == len(set(names)), names


def test_what_is_not_made_is_said(pycfs, site, scratch):
    out = os.path.join(scratch, "out")
    run = pycfs.export(site, out, "--scripts", "bin", "--exclude",
                       "/demo/cli.py", "--json")
    assert run.returncode == 0, run.stderr
    data = json.loads(run.stdout)
    assert data["scripts"] == ["bin/" + n for n in MADE
                               if not n.startswith("demo")]
    left = {s["name"]: s["why"] for s in data["scripts_left"]}
    assert left == {
        "demo": "a rule hides its module demo.cli",
        "demo-class": "a rule hides its module demo.cli",
        "not.there": "SOURCE has no module demo.missing",
        "stdlib": "SOURCE has no module json.tool",
        "same": "another distribution has one of its name"}
    assert "5 scripts are not made: demo (a rule hides" in run.stderr
    check_record(out, [n for n in MADE if not n.startswith("demo")])


def test_packages_that_a_rule_hides(pycfs, site, scratch):
    out = pycfs.exported(site, os.path.join(scratch, "out"), "--scripts",
                         "bin", "--exclude", "demo", "--keep-source",
                         "single.py")
    assert sorted(os.listdir(out + "/bin")) == ["blanks", "other", "same"]
    assert starts(out + "/bin/same",
                  exe=harness.DEBIAN_PYTHON).stdout == "single\n"


def test_over_what_is_there(mount, site, scratch):
    """pip install --target makes bin/, for the Python that it ran on."""
    for name in ("demo", "mine"):
        trees.write(os.path.join(site, "bin", name), "#!/gone\n", 0o755)
    with open(os.path.join(site, INFO, "RECORD"), "a") as f:
        f.write("bin/demo,sha256=old,9\nbin/mine,sha256=mine,8\n")
    trees.age(site)
    with mount(site, "--scripts", "bin") as m:
        assert sorted(os.listdir(m / "bin")) == sorted([*MADE, "mine"])
        assert read(m / "bin/mine") == b"#!/gone\n"
        assert starts(m / "bin/demo",
                      exe=harness.DEBIAN_PYTHON).returncode == 3
        rows = read(os.path.join(m.path, INFO, "RECORD")).decode()
        assert rows.count("bin/demo,") == 1 and "sha256=old" not in rows
        assert "bin/mine,sha256=mine,8\n" in rows
    with mount(site) as m:
        assert sorted(os.listdir(m / "bin")) == ["demo", "mine"]


def test_hostile_entry_points(pycfs, site, scratch):
    trees.write(os.path.join(site, INFO, "entry_points.txt"), HOSTILE)
    trees.write(os.path.join(site, "other-2.dist-info", "entry_points.txt"),
                os.urandom(5000) + b"\n[console_scripts]\n" +
                b"\xff = other:main\nx = \xff:main\n" + b"a" * 400 +
                b" = other:main\ngood = other:main")
    out = pycfs.exported(site, os.path.join(scratch, "out"), "--scripts",
                         "bin")
    assert os.listdir(out + "/bin") == ["good"]
    assert not os.path.exists(os.path.join(scratch, "up"))
    run = pycfs.export(site, os.path.join(scratch, "out2"), "--scripts",
                       "bin", "--json")
    left = json.loads(run.stdout)["scripts_left"]
    assert len(left) >= HOSTILE.count("=") + 3
    assert "\x1b" not in run.stdout + run.stderr


def test_places_that_cannot_be(pycfs, site, scratch):
    out = os.path.join(scratch, "out")
    trees.write(os.path.join(site, "file"), "x")
    os.symlink("demo", os.path.join(site, "link"))
    for place, options, word in (
            ("file", (), "no directory"), ("link/x", (), "no directory"),
            ("bin", ("--exclude", "bin/"), "a rule excludes"),
            ("a/bin", ("--exclude", "/a"), "a rule excludes")):
        run = pycfs.export(site, out, "-q", "--scripts", place, *options)
        assert run.returncode == 1 and word in run.stderr, run.stderr
        assert run.stderr.count("\n") == 1 and not os.path.exists(out)
    for value in ("", "/bin", "../bin", "a/../b", "."):
        run = pycfs.export(site, out, "--scripts", value)
        assert run.returncode == 2, (value, run.stderr)
    for value in ("python3", "/usr/bin/my python", "/" + 126 * "x", "/a\nb"):
        run = pycfs.export(site, out, "--scripts", "bin", "--scripts-python",
                           value)
        assert run.returncode == 2, (value, run.stderr)


def test_the_python_that_runs_them(pycfs, site, scratch):
    out = pycfs.exported(site, os.path.join(scratch, "out"), "--scripts",
                         "bin", "--scripts-python", harness.DEBIAN_PYTHON)
    assert subprocess.run([out + "/bin/demo"], cwd="/",
                          stdout=subprocess.PIPE).returncode == 3
    run = pycfs.export(os.path.join(site, "demo"),
                       os.path.join(scratch, "none"), "--scripts", "bin")
    assert run.returncode == 0 and "there are none" in run.stderr


def test_the_tree_is_as_before(pycfs, tree, scratch):
    """Of a tree without entry points everything else is the same."""
    plain = layers.facts(pycfs.exported(tree, os.path.join(scratch, "a")))
    layers.same(plain, layers.facts(pycfs.exported(
        tree, os.path.join(scratch, "b"), "--scripts", "bin")))
