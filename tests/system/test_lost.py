"""Nothing is lost in silence: links that lose modules, --follow-links, and what
SOURCE relies on that does not ship. The trees are made after public reports."""
import json
import os
import subprocess
import zipfile

import pytest

import harness
import trees
from harness import read

PYTHON = ["--python", harness.DEBIAN_PYTHON]


def as_json(run, status=0):
    assert run.returncode == status, run.stderr
    return json.loads(run.stdout)


def names(root):
    return sorted(os.path.relpath(os.path.join(where, name), root)
                  for where, dirs, files in os.walk(root)
                  for name in files + [d for d in dirs if os.path.islink(
                      os.path.join(where, d))])


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "here.py"), b"x = 1\n")
    return root


@pytest.fixture
def store(scratch, site):
    """A cache beside SOURCE, and links to it as uv (UV_LINK_MODE=symlink,
    astral-sh/uv#7509) and rules_python (#3545) make them."""
    root = os.path.join(scratch, "store")
    for name in ("req/__init__.py", "req/sub/m.py", "whole/__init__.py"):
        trees.write(os.path.join(root, name), b"y = 2\n")
    trees.write(os.path.join(root, "req", "data.txt"), b"data\n")
    os.makedirs(os.path.join(site, "req", "sub"))
    for name in ("req/__init__.py", "req/sub/m.py", "req/data.txt"):
        os.symlink(os.path.join(root, name), os.path.join(site, name))
    os.symlink("../store/whole", os.path.join(site, "whole"))
    return root


LOST = {"req/__init__.py", "req/sub/m.py", "whole"}


def test_export_fails(pycfs, site, store, scratch):
    out = os.path.join(scratch, "out")
    run = pycfs.export(site, out, on_lost="fail")
    assert run.returncode == 1 and not os.path.exists(out)
    assert "error: 3 modules or packages are lost" in run.stderr
    assert "req/__init__.py (leads out of SOURCE)" in run.stderr
    assert "--follow-links" in run.stderr and "--on-lost warn" in run.stderr
    found = as_json(pycfs.export(site, out, "--json", on_lost="fail"), 1)
    assert {e["path"] for e in found["lost"]} == LOST
    assert {e["path"] for e in found["strays"]} == {"req/data.txt"}
    run = pycfs.export(site, out, on_lost="warn")
    assert run.returncode == 0 and "warning: 3 modules" in run.stderr
    assert os.path.islink(os.path.join(out, "whole"))
    pycfs.exported(site, os.path.join(scratch, "x.tar"), "--exclude", "/req/",
                   "--exclude", "/whole", on_lost="fail")


def test_report_fails(pycfs, site, store):
    run = pycfs.run("report", "-q", *PYTHON, site)
    assert run.returncode == 1
    assert "3 modules or packages are lost" in run.stdout
    assert "  whole: leads out of SOURCE" in run.stdout
    found = as_json(pycfs.run("report", "-q", "--json", *PYTHON, site), 1)
    assert {e["path"] for e in found["lost"]} == LOST
    pycfs.ok("report", "-q", "--on-lost", "warn", *PYTHON, site)


def test_mount_logs(pycfs, site, store):
    with pycfs.mount(site) as m:
        os.listdir(m.path)
        os.listdir(m / "req")
        os.listdir(m / "req")
        log = m.log()
    assert log.count("error: 1 module or package is lost") == 2, log
    assert "whole (leads out of SOURCE)" in log
    assert "req/__init__.py (leads out of SOURCE)" in log
    assert "req/data.txt (" in log


@pytest.mark.parametrize("immutable", [[], ["--immutable"]])
def test_follow_links(immutable, pycfs, site, store, scratch):
    """The same from a mount, a directory and a tar, and nothing else follows."""
    trees.write(os.path.join(scratch, "secret.py"), b"secret = 1\n")
    os.symlink("../secret.py", os.path.join(store, "leak.py"))
    os.symlink("../store/leak.py", os.path.join(site, "leak.py"))
    os.symlink("..", os.path.join(store, "whole", "up"))
    follow = ["--follow-links", store]
    out = pycfs.exported(site, os.path.join(scratch, "out"), *follow)
    wanted = ["here.pyc", "leak.py", "req/__init__.pyc", "req/data.txt",
              "req/sub/m.pyc", "whole/__init__.pyc", "whole/up"]
    assert names(out) == wanted
    assert os.path.islink(os.path.join(out, "leak.py"))
    assert os.path.islink(os.path.join(out, "whole", "up"))
    assert read(os.path.join(out, "req", "data.txt")) == b"data\n"
    with pycfs.mount(site, *follow, *immutable) as m:
        assert names(m.path) == wanted
        subprocess.run(["diff", "-r", "--no-dereference", out, m.path],
                       check=True, timeout=30)
        if not immutable:
            trees.write(os.path.join(store, "req", "new.txt"), b"")
            trees.write(os.path.join(store, "whole", "late.py"), b"z = 1\n")
            harness.wait_for(lambda: "late.pyc" in os.listdir(m / "whole"), 10,
                             "what is new beneath ROOT is shown")
    tar = pycfs.exported(site, os.path.join(scratch, "x.tar"), *follow,
                         "--exclude", "late.py")
    listed = subprocess.run(["tar", "-tf", tar], check=True, timeout=30,
                            stdout=subprocess.PIPE).stdout.decode()
    assert "req/sub/m.pyc" in listed and "whole/__init__.pyc" in listed


def test_follow_links_by_a_relative_name(pycfs, site, store, scratch):
    """A daemon has another current directory than who started it."""
    with pycfs.mount(site, "--follow-links", "store", cwd=scratch) as m:
        assert "m.pyc" in os.listdir(m / "req/sub")
    run = pycfs.export(site, os.path.join(scratch, "o"), "--follow-links",
                       os.path.join(scratch, "absent"))
    assert run.returncode == 1 and "absent" in run.stderr


@pytest.mark.parametrize("to", ["nowhere.py", "lost.py", "/nowhere/x.py"])
def test_one_link(to, pycfs, site, scratch):
    os.symlink(to, os.path.join(site, "lost.py"))
    run = pycfs.export(site, os.path.join(scratch, "x.zip"), on_lost="fail")
    assert run.returncode == 1 and "lost.py (leads " in run.stderr
    assert not os.path.exists(os.path.join(scratch, "x.zip"))


def test_no_module_is_left(pycfs, site, scratch):
    out = os.path.join(scratch, "out")
    for options in (["--exclude", "*.py"], ["--exclude", "/*"]):
        run = pycfs.export(site, out, *options, on_lost="fail")
        assert run.returncode == 1 and "none of them is shipped" in run.stderr
        assert not os.path.exists(out)
        assert pycfs.run("report", "-q", *PYTHON, *options,
                         site).returncode == 1
        run = pycfs.export(site, out, *options, "--force")
        assert run.returncode == 0 and "none of them" in run.stderr
        os.rmdir(out)
    data = os.path.join(scratch, "data")
    trees.write(os.path.join(data, "x.txt"), b"no module anywhere")
    pycfs.exported(data, out, on_lost="fail")


def test_links_to_data_are_no_error(pycfs, site, scratch):
    """As in Debian's dist-packages: links to shared data, and to licences."""
    trees.write(os.path.join(scratch, "share", "x.js"), b"")
    os.symlink("../share", os.path.join(site, "static"))
    os.symlink("../COPYING", os.path.join(site, "LICENSE"))
    os.symlink("user@host.17:1", os.path.join(site, ".#here.py"))
    run = pycfs.export(site, os.path.join(scratch, "out"), on_lost="fail")
    assert run.returncode == 0
    assert "3 other links lead to what the layer has not" in run.stderr


def test_installs_that_lead_elsewhere(pycfs, site, scratch):
    """astral-sh/uv#7126: the project itself is a .pth, a finder or an egg-link,
    and the layer has none of it."""
    def w(name, text):
        trees.write(os.path.join(site, name), text.encode())

    w("_proj.pth", "/home/u/src\n")
    w("old.egg-link", "/home/u/old\n.\n")
    w("__editable___new_finder.py", "pass\n")
    w("proj-1.dist-info/direct_url.json", '{"url": "file:///work", '
      '"dir_info": {"editable": true}}')
    w("fine.pth", "sub\n# /comment\nimport here\n")
    with zipfile.ZipFile(os.path.join(site, "eg-1.egg"), "w") as z:
        z.writestr("eg/__init__.py", "x = 1\n")
    with zipfile.ZipFile(os.path.join(site, "data.zip"), "w") as z:
        z.writestr("x.txt", "data")
    run = pycfs.export(site, os.path.join(scratch, "out"), on_lost="fail")
    assert run.returncode == 0
    for said in ("1 line of a .pth file leads out of SOURCE: _proj.pth "
                 "(/home/u/src)", "1 egg-link leads to a project",
                 "2 files belong to editable installs",
                 "1 zip archive has sources in it: eg-1.egg (1 source)"):
        assert "warning: " + said in run.stderr
    run = pycfs.ok("report", "-q", *PYTHON, site)
    assert "  _proj.pth: /home/u/src\n" in run.stdout
    assert "  eg-1.egg: 1 source\n" in run.stdout
    found = as_json(pycfs.run("report", "-q", "--json", *PYTHON, site))
    assert sorted((e["kind"], e["path"]) for e in found["strays"]) == [
        ("archive", "eg-1.egg"),
        ("editable", "__editable___new_finder.py"),
        ("editable", "proj-1.dist-info/direct_url.json"),
        ("egg-link", "old.egg-link"), ("pth", "_proj.pth")]


def test_scripts_stay_sources(pycfs, site, scratch):
    for name in ("manage.py", "bin/owned.py"):
        trees.write(os.path.join(site, name), b"#!/usr/bin/env python3\n",
                    0o755)
    trees.write(os.path.join(site, "x-1.dist-info", "RECORD"),
                b"bin/owned.py,,\nx-1.dist-info/RECORD,,\n")
    out = pycfs.exported(site, os.path.join(scratch, "out"))
    assert names(out) == ["bin/owned.pyc", "here.pyc", "manage.py",
                          "x-1.dist-info/RECORD"]
    assert os.access(os.path.join(out, "manage.py"), os.X_OK)
    for options in ([], ["--immutable"]):
        with pycfs.mount(site, *options) as m:
            assert names(m.path) == names(out)
            assert "1 file stays a source" in m.log()
    assert "manage.py" in pycfs.ok("report", "-q", *PYTHON, site).stdout
    # A level says that it is to be compiled.
    run = pycfs.export(site, os.path.join(scratch, "out2"), "--optimize-for",
                       "2:/manage.py")
    assert "stays a source" not in run.stderr
    assert "manage.pyc" in names(os.path.join(scratch, "out2"))


def test_applications_and_modes(pycfs, site, scratch):
    trees.write(os.path.join(site, ".git", "config"), b"")
    trees.write(os.path.join(site, ".env"), b"SECRET=1\n")
    trees.write(os.path.join(site, "closed.py"), b"", 0o600)
    trees.write(os.path.join(site, "open.py"), b"")
    run = pycfs.export(site, os.path.join(scratch, "out"))
    assert "2 names at the top hardly belong in a layer: .env, .git" in \
        run.stderr
    assert "1 name may not be read by everybody, as others may: closed.py " \
        "(0600)" in run.stderr
    run = pycfs.export(site, os.path.join(scratch, "other"), "--modes",
                       "normal", "--exclude", ".*")
    assert run.stderr == ""
