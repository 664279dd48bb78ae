"""Which Python compiles if nobody names one, where SOURCE is if a venv or a
project is named, and that nothing of a hostile venv is run to find out."""
import json
import os
import subprocess

import pytest

import harness
import trees
from harness import DEBIAN_PYTHON, read

BIN = "/usr/bin:/bin"


@pytest.fixture(scope="module")
def other():
    """A Python that is not Debian's, and has an interpreter python3.N."""
    for p in reversed(harness.PYTHONS):
        if p.minor != (3, 11) and not p.free_threaded and \
                os.access(named(p), os.X_OK):
            return p
    pytest.skip("there is only one Python")


def named(p):
    return os.path.join(os.path.dirname(p.exe), "python%d.%d" % p.minor)


def number(p):
    return "%d.%d" % p.minor


def magic(exe):
    return harness.python(exe, "-c", "import importlib.util as u; "
                          "print(u.MAGIC_NUMBER.hex())").stdout.strip()


def path_with(p):
    """PATH where python3 is Debian's, and the other has only its version's
    name."""
    return {"PATH": "%s:%s" % (BIN, os.path.dirname(p.exe)),
            "VIRTUAL_ENV": ""}


def make_venv(top, version, cfg=None):
    """A venv of one module; the path of its site-packages."""
    site = os.path.join(top, "lib", "python" + version, "site-packages")
    trees.write(os.path.join(site, "a.py"), "x = 1\n")
    trees.write(os.path.join(top, "pyvenv.cfg"),
                "home = /nonexistent\nversion = %s\n" % (cfg or version))
    return site


def made_for(path):
    return read(path)[:4].hex()


def test_the_version_of_the_venv(pycfs, other, scratch):
    """By every verb, and each says so."""
    top = os.path.join(scratch, "project", ".venv")
    site = make_venv(top, number(other), "%d.%d.%d" % other.version)
    env = path_with(other)
    says = "%s/pyvenv.cfg says Python %s" % (top, number(other))
    for source in (site, top, os.path.dirname(top)):
        out = os.path.join(scratch, "out")
        run = pycfs.ok("export", "--force", source, out, env=env)
        assert os.listdir(out) == ["a.pyc"]
        assert made_for(os.path.join(out, "a.pyc")) == magic(other.exe)
        assert says in run.stderr and other.name in run.stderr
        assert ("SOURCE is " + site in run.stderr) == (source != site)
        assert "warning" not in run.stderr and "error" not in run.stderr
        told = json.loads(pycfs.ok("export", "--force", "--json", source, out,
                                   env=env).stdout)
        report = json.loads(pycfs.ok("report", "--json", source,
                                     env=env).stdout)
        for answer in (told, report):
            assert answer["source"] == site
            assert answer["python"] == "%d.%d.%d" % other.version
            assert answer["python_because"] == says
            assert answer["python_executable"] == named(other)
        at = os.path.join(scratch, "mnt")
        os.makedirs(at, exist_ok=True)
        run = pycfs.ok("mount", source, at, env=env)
        try:
            assert says in run.stderr and other.name in run.stderr
            assert made_for(os.path.join(at, "a.pyc")) == magic(other.exe)
            told = json.loads(pycfs.ok("report", "--json", at).stdout)
            assert told["python"] == "%d.%d.%d" % other.version
            assert told["python_because"] == says
            assert told["python_executable"] == named(other)
            assert says in pycfs.ok("report", at).stdout
        finally:
            pycfs.ok("umount", at)
        run = pycfs.ok("run", source, at, "--", "head", "-c4", at + "/a.pyc",
                       env=env)
        assert says in run.stderr
        assert says in pycfs.ok("report", source, env=env).stderr


def test_what_is_named_is_taken(pycfs, other, scratch):
    site = make_venv(os.path.join(scratch, "v"), number(other))
    out = os.path.join(scratch, "out")
    run = pycfs.ok("export", "--json", "--python", "3.11", site, out,
                   env=path_with(other))
    assert made_for(os.path.join(out, "a.pyc")) == magic(DEBIAN_PYTHON)
    assert run.stderr == ""
    assert json.loads(run.stdout)["python_because"] == "--python 3.11"


def test_the_version_in_the_path(pycfs, other, scratch):
    """As pip --prefix and layers of functions have it."""
    source = os.path.join(scratch, "build/lib/python%s/site-packages"
                          % number(other))
    trees.write(os.path.join(source, "a.py"), "x = 1\n")
    out = os.path.join(scratch, "out")
    run = pycfs.ok("export", source, out, env=path_with(other))
    assert made_for(os.path.join(out, "a.pyc")) == magic(other.exe)
    assert "build/lib/python%s says Python" % number(other) in run.stderr


def test_nothing_says_a_version(pycfs, small, scratch, other):
    out = os.path.join(scratch, "out")
    run = pycfs.ok("export", small, out, env=path_with(other))
    assert made_for(os.path.join(out, "a.pyc")) == magic(DEBIAN_PYTHON)
    assert "python3 of PATH" in run.stderr and "3.11." in run.stderr


def test_a_project_as_it_is(pycfs, other, scratch):
    """An application directory that has a venv and modules of its own."""
    top = os.path.join(scratch, "project")
    make_venv(os.path.join(top, ".venv"), number(other))
    trees.write(os.path.join(top, "app.py"), "x = 1\n")
    out = os.path.join(scratch, "out")
    run = pycfs.ok("export", top, out, env=path_with(other))
    assert os.listdir(out) == ["a.pyc"] and "--exclude .venv" in run.stderr
    pycfs.ok("export", "--force", "--exclude", ".venv", top, out,
             env=path_with(other))
    assert os.listdir(out) == ["app.pyc"]


@pytest.mark.parametrize("by", ["pyvenv.cfg", "path"])
def test_no_such_python(by, pycfs, scratch):
    """Rather than another one's bytecode."""
    site = make_venv(os.path.join(scratch, "v"), "3.77")
    if by == "path":
        os.unlink(os.path.join(scratch, "v", "pyvenv.cfg"))
    out = os.path.join(scratch, "out")
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for verb in (("export", site, out), ("report", site), ("mount", site, at),
                 ("run", site, at, "--", "true")):
        run = pycfs.run(*verb)
        assert run.returncode == 1 and run.stdout == ""
        assert "v/%s says Python 3.77" % (
            by if by == "pyvenv.cfg" else "lib/python3.77") in run.stderr
        assert "--python PATH" in run.stderr
    assert not os.path.exists(out) and not harness.is_mounted(at)


def test_two_versions_are_said(pycfs, other, scratch):
    top = os.path.join(scratch, "v")
    site = make_venv(top, number(other), "3.11.2")
    out = os.path.join(scratch, "out")
    for source in (site, top):
        run = pycfs.run("export", source, out, env=path_with(other))
        assert run.returncode == 1 and not os.path.exists(out)
        assert "--python 3.11 or --python %s" % number(other) in run.stderr
    pycfs.ok("export", "--python", "3.11", top, out)


# nothing is run

def make_hostile(top, version, mark, names):
    site = make_venv(top, version)
    for name in names:
        for place in ("bin", "home", "lib/python%s/site-packages" % version,
                      "lib/python%s/site-packages/bin" % version):
            path = os.path.join(top, place, name)
            trees.write(path, "#!/bin/sh\necho %s >> %s\n" % (path, mark))
            os.chmod(path, 0o755)
    trees.write(os.path.join(top, "pyvenv.cfg"),
                "home = %s/home\nexecutable = %s/home/python\n"
                "base-prefix = %s\nversion = %s\n" % (top, top, top, version))
    return site


@pytest.mark.parametrize("version", ["other", "absent"])
def test_a_hostile_venv(version, pycfs, other, scratch):
    """It is activated, and the first in PATH; it is the current directory; it
    has what a version manager has."""
    say = number(other) if version == "other" else "3.77"
    top = os.path.join(scratch, "project", ".venv")
    mark = os.path.join(scratch, "was-run")
    names = ("python", "python3", "python" + say, "pyenv", "sh")
    site = make_hostile(top, say, mark, names)
    links = os.path.join(scratch, "links")
    os.mkdir(links)
    for name in names:
        os.symlink(os.path.join(top, "bin", name), os.path.join(links, name))
    os.makedirs(os.path.join(scratch, "versions"))
    os.symlink(top, os.path.join(scratch, "versions", say))
    path = ":".join([os.path.join(top, "bin"), "bin", "", links, site,
                     os.path.join(site, "bin"), BIN,
                     os.path.dirname(other.exe)])
    env = {"PATH": path, "VIRTUAL_ENV": top, "PYENV_ROOT": scratch,
           "CONDA_PREFIX": top, "PYTHONHOME": top, "PYTHONEXECUTABLE":
           os.path.join(top, "bin/python")}
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for source in (site, top, os.path.dirname(top)):
        for cwd in (scratch, top, site):
            out = os.path.join(scratch, "out")
            for verb in (("export", "--force", source, out),
                         ("report", source),
                         ("run", source, at, "--", "/bin/true")):
                run = pycfs.run(*verb, env=env, cwd=cwd)
                assert run.returncode == (version != "other"), run.stderr
                assert not os.path.exists(mark), read(mark)
            if version == "other":
                assert made_for(out + "/a.pyc") == magic(other.exe)
    # It would have left its mark.
    pycfs.run("export", "--force", "--python", os.path.join(top, "bin/python"),
              site, out, env=env)
    assert os.path.exists(mark)


def test_hostile_without_a_version(pycfs, scratch):
    """The python3 of PATH is not the one in SOURCE either."""
    top = os.path.join(scratch, "v")
    mark = os.path.join(scratch, "was-run")
    make_hostile(top, "3.11", mark, ("python", "python3"))
    trees.write(os.path.join(top, "pyvenv.cfg"), "home = %s/home\n" % top)
    source = os.path.join(top, "src")
    trees.write(os.path.join(source, "a.py"), "x = 1\n")
    os.rename(os.path.join(top, "lib"), os.path.join(top, "old"))
    out = os.path.join(scratch, "out")
    run = pycfs.ok("export", source, out, env={
        "PATH": os.path.join(top, "bin") + ":" + BIN, "VIRTUAL_ENV": top})
    assert "/usr/bin/python3" in run.stderr and not os.path.exists(mark)


def test_site_packages_that_lead_out(pycfs, scratch):
    """Whoever made the venv cannot have something else shipped."""
    secret = os.path.join(scratch, "secret")
    trees.write(os.path.join(secret, "key.py"), "x = 1\n")
    top = os.path.join(scratch, "project", ".venv")
    site = make_venv(top, "3.11")
    os.rename(site, site + "-old")
    os.symlink(secret, site)
    out = os.path.join(scratch, "out")
    for source in (top, os.path.dirname(top)):
        run = pycfs.run("export", source, out)
        assert run.returncode == 1 and "name the directory" in run.stderr
        assert not os.path.exists(out)


# native modules

def put_native(source, *names):
    for name in names:
        trees.write(os.path.join(source, name), b"\x7fELF")


def test_native_modules_of_another_python(pycfs, small, scratch):
    out = os.path.join(scratch, "out")
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    env = {"PATH": BIN}
    put_native(small, "p/_m.cpython-312-x86_64-linux-gnu.so", "p/_a.abi3.so",
               "p/_b.so")
    for verb in (("export", small, out), ("report", small),
                 ("mount", small, at), ("run", small, at, "--", "true")):
        run = pycfs.run(*verb, env=env)
        assert run.returncode == 1 and run.stdout == ""
        assert "p/_m.cpython-312-x86_64-linux-gnu.so" in run.stderr
        assert "for Python 3.12 " in run.stderr and "3.11." in run.stderr
        assert "--python 3.12" in run.stderr
    assert not os.path.exists(out) and not harness.is_mounted(at)
    run = pycfs.ok("export", "--python", DEBIAN_PYTHON, small, out)
    assert "warning" in run.stderr and "_m.cpython-312" in run.stderr
    run = pycfs.ok("export", "--force", "--exclude", "*.cpython-312-*", small,
                   out, env=env)
    assert "warning" not in run.stderr


@pytest.mark.parametrize("names", [
    ("_a.abi3.so", "_b.so", "libx.so.1"),
    ("_m.cpython-311-x86_64-linux-gnu.so",
     "_m.cpython-312-x86_64-linux-gnu.so"),
    ("p/q/_m.cpython-311-aarch64-linux-gnu.so",)])
def test_native_modules_that_fit(names, pycfs, small, scratch):
    put_native(small, *names)
    run = pycfs.ok("export", small, os.path.join(scratch, "out"),
                   env={"PATH": BIN})
    assert "warning" not in run.stderr


def test_a_real_venv(pycfs, other, scratch):
    """As `python -m venv` makes it."""
    top = os.path.join(scratch, "v")
    subprocess.run([other.exe, "-m", "venv", "--without-pip", top], check=True,
                   timeout=60, stdin=subprocess.DEVNULL)
    site = os.path.join(top, "lib/python%s/site-packages" % number(other))
    trees.write(os.path.join(site, "a.py"), "x = 1\n")
    out = os.path.join(scratch, "out")
    pycfs.ok("export", top, out, env={
        "PATH": "%s/bin:%s:%s" % (top, BIN, os.path.dirname(other.exe)),
        "VIRTUAL_ENV": top})
    ran = harness.python(other.exe, "-c", "import a; print(a.x)", cwd=out,
                         env={"PYTHONPATH": out})
    assert ran.stdout.strip() == "1"
