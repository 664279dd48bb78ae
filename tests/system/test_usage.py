"""Wrong input: one line says what is wrong and what to do, and nothing is
mounted."""
import json
import os
import re
import subprocess
import time

import pytest

import harness
import trees
from harness import is_mounted


def refused(result, status, *words):
    assert result.returncode == status, (result.returncode, result.stderr)
    assert result.stdout == ""
    assert result.stderr.startswith("pycfs: "), result.stderr
    assert result.stderr.endswith("\n"), repr(result.stderr)
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert str(word).lower() in result.stderr.lower(), result.stderr


@pytest.fixture
def at(scratch):
    path = os.path.join(scratch, "mnt")
    os.mkdir(path)
    yield path
    assert not is_mounted(path)


def mount(pycfs, *args, python=harness.DEBIAN_PYTHON, **how):
    def ours():
        return [m for m in harness.mounts() if m.startswith(pycfs.scratch)]

    before = ours()
    for word in ("mount", "mount -f"):
        result = pycfs.run(*word.split(), "--python", python, *args, **how)
        assert ours() == before
    harness.wait_for(lambda: not harness.daemons(pycfs.scratch), 5,
                     "processes end")
    return result


def test_source(pycfs, at, tree, scratch):
    missing = os.path.join(scratch, "missing")
    refused(mount(pycfs, missing, at), 1, missing, "no such")
    file = os.path.join(tree, "single.py")
    refused(mount(pycfs, file, at), 1, file, "not a directory")


def test_mountpoint(pycfs, tree, scratch):
    missing = os.path.join(scratch, "missing")
    refused(mount(pycfs, tree, missing), 1, missing, "no such")
    file = os.path.join(scratch, "file")
    trees.write(file)
    refused(mount(pycfs, tree, file), 1, file, "not a directory")
    full = os.path.join(scratch, "full")
    trees.write(os.path.join(full, "file"))
    refused(mount(pycfs, tree, full), 1, full, "not empty")
    inside = os.path.join(tree, "inside")
    os.mkdir(inside)
    refused(mount(pycfs, tree, inside), 1, inside, "inside")
    link = os.path.join(scratch, "link")
    os.symlink(inside, link)
    refused(mount(pycfs, tree, link), 1, "inside")
    refused(mount(pycfs, tree, tree), 1, tree)
    refused(mount(pycfs, os.path.join(tree, "pkg"), scratch), 1, scratch)
    # a name that only begins like SOURCE is fine
    beside = tree + "-beside"
    os.mkdir(beside)
    pycfs.ok("run", "--python", harness.DEBIAN_PYTHON, tree, beside, "--",
             "true")


def test_a_mountpoint_in_use(pycfs, tree, at):
    with pycfs.mount(tree, at=at) as m:
        result = pycfs.run("mount", "--python", harness.DEBIAN_PYTHON, tree,
                           at)
        refused(result, 1, at)
        assert len(harness.read(m / "single.pyc")) > 16

        refused(result, 1, at, "pycfs umount " + at)
@pytest.mark.parametrize("spec", ["9.9", "3.99", "3.11.99", "/no/such/python",
                                  "no-such-python", "/etc/hostname", "/etc"])
def test_unknown_python(spec, pycfs, tree, at):
    refused(mount(pycfs, tree, at, python=spec), 1, spec)


def script(scratch, name, text):
    path = os.path.join(scratch, name)
    trees.write(path, "#!/bin/sh\n" + text, 0o755)
    return path


@pytest.mark.parametrize("text", [
    "echo nonsense", "exit 0", "exit 3", "kill -9 $$",
    "head -c 300000 /dev/zero", "yes | head -n 100000",
    "printf 'pycfs\\none\\ntwo\\n'", "echo error: something >&2; exit 1"])
def test_a_python_that_talks_nonsense(text, pycfs, tree, at, scratch):
    fake = script(scratch, "python-fake", text + "\n")
    refused(mount(pycfs, tree, at, python=fake), 1, fake)


def test_a_python_that_does_not_answer(pycfs, tree, at, scratch):
    fake = script(scratch, "python-hang", "exec sleep 60\n")
    start = time.monotonic()
    result = pycfs.run("mount", "--python", fake, tree, at, timeout=30)
    assert time.monotonic() - start < 20
    refused(result, 1, fake, "second")


@pytest.mark.parametrize("instead", ["", "/no/such/libpython3.11.so.1.0",
                                     "/etc/hostname"])
def test_a_python_without_libpython(instead, pycfs, tree, at, scratch):
    """Debian's, whose answer has another libpython in it."""
    fake = script(scratch, "python-static", """
%s "$@" | sed 's,^/.*libpython.*,%s,'
""" % (harness.DEBIAN_PYTHON, instead))
    refused(mount(pycfs, tree, at, "--worker", "libpython", python=fake), 1,
            instead or "libpython")


def test_a_python_that_is_too_old(pycfs, tree, at):
    root = harness.pyenv_root()
    old = [os.path.join(root, "versions", v, "bin", "python")
           for v in sorted(os.listdir(os.path.join(root, "versions")))
           if v.startswith(("2.", "3.6.", "3.7."))] if root else []
    for exe in old:
        refused(mount(pycfs, tree, at, python=exe), 1, exe, "3.8")
    if not old:
        pytest.skip("no old Python here")


# which Python, when it is found

def test_python_by_version(mount_with, target):
    """Of the PATH if that has it, else pyenv's."""
    wanted = harness.python(
        target.exe, "-c", "import importlib.util as u; "
        "print(u.MAGIC_NUMBER.hex())").stdout.strip()
    path = os.path.dirname(target.exe) + ":/usr/bin:/bin"
    specs = [(target.name, path),
             ("%d.%d" % target.minor + "t" * target.free_threaded, path)]
    if target.exe.startswith(str(harness.pyenv_root())):
        specs.append((target.name, "/usr/bin:/bin"))
    for spec, path in specs:
        assert mount_with(spec, PATH=path).hex() == wanted, (spec, path)


@pytest.mark.parametrize("place", [
    ".local/share/uv/python/cpython-%s-linux-x86_64-gnu",
    ".local/share/mise/installs/python/%s", ".asdf/installs/python/%s",
    ".pyenv/versions/%s", "miniconda3/envs/py%s"])
def test_python_of_a_version_manager(mount_with, scratch, place):
    """Laid out as it does, with a real Python."""
    p = [p for p in harness.PYTHONS if p.exe.startswith("/")
         and p.exe != harness.DEBIAN_PYTHON and not p.free_threaded]
    if not p:
        pytest.skip("Debian's Python only")
    home = os.path.join(scratch, "home")
    top = os.path.join(home, place % p[-1].name)
    os.makedirs(os.path.dirname(top))
    os.symlink(p[-1].prefix, top)
    wanted = harness.python(p[-1].exe, "-c", "import importlib.util as u; "
                            "print(u.MAGIC_NUMBER.hex())").stdout.strip()
    assert mount_with("%d.%d" % p[-1].minor, PATH="/usr/bin:/bin", HOME=home,
                      PYENV_ROOT="", XDG_DATA_HOME="").hex() == wanted


@pytest.fixture
def mount_with(pycfs, small):
    def magic(spec, **env):
        with pycfs.mount(small, python=spec, env=env or None) as m:
            return harness.read(m / "a.pyc")[:4]
    return magic


def test_python_by_name_and_default(pycfs, mount_with, small, scratch):
    magic = harness.python(harness.DEBIAN_PYTHON, "-c",
                           "import importlib.util as u; "
                           "print(u.MAGIC_NUMBER.hex())").stdout.strip()
    assert mount_with("python3.11", PATH="/usr/bin:/bin").hex() == magic
    assert mount_with("3.11", PATH="/usr/bin:/bin").hex() == magic
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    pycfs.ok("mount", small, at, env={"PATH": "/usr/sbin:/usr/bin:/bin"})
    try:
        assert harness.read(os.path.join(at, "a.pyc"))[:4].hex() == magic
    finally:
        pycfs.ok("umount", at)


def test_a_virtual_environment(mount_with, scratch):
    """Its interpreter is a link; its libpython and home are the base's."""
    venv = os.path.join(scratch, "venv")
    harness.python(harness.DEBIAN_PYTHON, "-m", "venv", "--without-pip", venv)
    assert mount_with(os.path.join(venv, "bin", "python")) == \
        mount_with(harness.DEBIAN_PYTHON)


def test_the_users_environment_does_not_reach_the_compiler(mount_with,
                                                           scratch):
    evil = os.path.join(scratch, "evil")
    for name in ("sitecustomize", "usercustomize", "marshal", "encodings",
                 "builtins", "sysconfig"):
        trees.write(os.path.join(evil, name + ".py"),
                    "open(%r, 'w').close()\n"
                    % os.path.join(scratch, "was-run"))
    assert mount_with(harness.DEBIAN_PYTHON, PYTHONPATH=evil,
                      PYTHONHOME="/nonexistent", PYTHONOPTIMIZE="1",
                      PYTHONSTARTUP=os.path.join(evil, "marshal.py"),
                      PYTHONWARNINGS="error", PYTHONHASHSEED="7",
                      PYTHONUTF8="1", PYTHONINSPECT="1") == \
        mount_with(harness.DEBIAN_PYTHON)
    assert not os.path.exists(os.path.join(scratch, "was-run"))


# the cache

def test_a_cache_that_cannot_be_used(pycfs, tree, at, scratch):
    file = os.path.join(scratch, "file")
    trees.write(file)
    for path in (file, os.path.join(file, "cache"), "/proc/pycfs/cache"):
        refused(mount(pycfs, "--cache", path, tree, at), 1, path)
    open_to_all = os.path.join(scratch, "open")
    os.mkdir(open_to_all)
    os.chmod(open_to_all, 0o777)
    refused(mount(pycfs, "--cache", open_to_all, tree, at), 1, open_to_all)
    link = os.path.join(scratch, "elsewhere")
    os.symlink(open_to_all, link)
    refused(mount(pycfs, "--cache", link, tree, at), 1, link)


@pytest.mark.root
def test_a_cache_of_somebody_else(pycfs, tree, at, scratch):
    theirs = os.path.join(scratch, "theirs")
    os.mkdir(theirs, 0o700)
    os.chown(theirs, 65534, 65534)
    refused(mount(pycfs, "--cache", theirs, tree, at), 1, theirs)


@pytest.mark.root
def test_a_cache_on_a_read_only_disk(pycfs, tree, at, scratch):
    disk = os.path.join(scratch, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk],
                   check=True)
    try:
        where = os.path.join(disk, "cache")
        with pycfs.mount(tree, at=at, cache=where) as m:
            assert where in m.said and "is not kept" in m.said
            assert harness.read(m / "empty.pyc")
    finally:
        subprocess.run(["umount", disk], check=True)


# no FUSE

def isolated(pycfs, setup, *args, how=("unshare", "-m")):
    return pycfs.run(*args, prefix=[*how, "sh", "-c",
                                    setup + '\nexec "$@"', "sh"])


NO_DEVICE = """
set -e
d=$(mktemp -d)
mount -t tmpfs tmpfs "$d"
for n in null zero full random urandom tty; do
	cp -a /dev/$n "$d/"
done
mount --bind "$d" /dev
"""


@pytest.mark.root
@pytest.mark.parametrize("front", [[], ["-f"]], ids=["daemon", "front"])
def test_no_dev_fuse(front, pycfs, tree, at):
    result = isolated(pycfs, NO_DEVICE, "mount", *front, "--python",
                      harness.DEBIAN_PYTHON, tree, at)
    refused(result, 1, "/dev/fuse")
    result = isolated(pycfs, NO_DEVICE, "run", "--python",
                      harness.DEBIAN_PYTHON, tree, at, "--", "true")
    refused(result, 1, "/dev/fuse")


@pytest.mark.root
def test_not_allowed_to_mount(pycfs, tree, at):
    """As in a container that has the device but not CAP_SYS_ADMIN."""
    result = isolated(pycfs, "", "mount", "--python", harness.DEBIAN_PYTHON,
                      tree, at,
                      how=("setpriv", "--bounding-set", "-sys_admin",
                           "--inh-caps", "-sys_admin"))
    refused(result, 1, at)
    assert "permi" in result.stderr.lower() or \
        "CAP_SYS_ADMIN" in result.stderr


@pytest.mark.root
def test_no_fusermount(pycfs, small, at):
    """Root needs none: minimal images do not have it."""
    hide = """
set -e
for f in /usr/bin/fusermount3 /usr/bin/fusermount; do
	[ ! -e $f ] || mount --bind /dev/null $f
done
"""
    out = isolated(pycfs, hide, "run", "-q", "--python", harness.DEBIAN_PYTHON,
                   small, at, "--", "cat", os.path.join(at, "a.pyc"))
    assert out.returncode == 0, out.stderr
    assert out.stderr == "" and len(out.stdout) > 16


# the command line

@pytest.mark.parametrize("args,words", [
    (["--nonsense"], ["nonsense"]), (["-Z"], ["-Z"]),
    (["-o", "nonsense=1"], ["nonsense"]), (["-o", "optimize"], ["optimize"]),
    (["-o", "jobs=x"], ["jobs", "x"]), (["-O", "3"], ["3"]),
    (["-O", "-1"], ["-1"]), (["-O", "x"], ["x"]), (["-O2x"], ["2x"]),
    (["--optimize", ""], ["optimize"]),
    (["--jobs", "-1"], ["jobs"]), (["--jobs", "1e3"], ["jobs", "1e3"]),
    (["--jobs", "99999999999999999999"], ["jobs"]),
    (["--timeout", "soon"], ["timeout", "soon"]),
    (["--timeout", "-5"], ["timeout"]),
    (["--cache-size", "1Q"], ["cache-size", "1Q"]),
    (["--cache-size", "99999999T"], ["cache-size"]),
    (["--invalidation-mode", "never"], ["never", "unchecked-hash"]),
    (["--on-error", "cry"], ["cry", "omit"]),
    (["--debug-ranges=yes"], ["debug-ranges"]),
    (["--no-cache=1"], ["no-cache"]),
], ids=lambda v: " ".join(v))
def test_bad_options(args, words, pycfs, tree, at):
    refused(mount(pycfs, *args, tree, at), 2, *words)


@pytest.mark.parametrize("args", [
    ["mount"], ["mount", "SOURCE"], ["mount", "SOURCE", "AT", "more"],
    ["mount", "SOURCE", "AT", "--python"], ["mount", "SOURCE", "AT", "-O"],
    ["umount"], ["umount", "AT", "more"], ["umount", "--nonsense", "AT"],
    ["run", "SOURCE", "AT"], ["run", "SOURCE", "AT", "--"], ["run"],
    ["cache"], ["cache", "nonsense"], ["cache", "stat", "more"],
    ["cache", "stat", "--nonsense"],
    ["report"], ["report", "--nonsense"], ["nonsense"], ["--nonsense"], [],
], ids=" ".join)
def test_bad_commands(args, pycfs, tree, at):
    args = [{"SOURCE": tree, "AT": at}.get(a, a) for a in args]
    refused(pycfs.run(*args), 2)
    assert not is_mounted(at)


def test_report_of_what_is_not_there(pycfs, scratch):
    missing = os.path.join(scratch, "missing")
    refused(pycfs.run("report", missing, "--json"), 1, missing)


@pytest.mark.parametrize("args", [
    ["--help"], ["mount", "--help"], ["umount", "--help"], ["run", "--help"],
    ["cache", "--help"], ["report", "--help"], ["export", "--help"]], ids=" ".join)
def test_help(args, pycfs):
    result = pycfs.ok(*args)
    assert result.stderr == "" and "pycfs" in result.stdout
    lines = result.stdout.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 80


def test_help_names_every_option(pycfs):
    text = pycfs.ok("mount", "--help").stdout
    for option in ("--python", "-O", "--optimize", "--debug-ranges",
                   "--invalidation-mode", "--prefix", "--on-error", "--jobs",
                   "--timeout", "--cache", "--cache-size", "--no-cache", "-f",
                   "--foreground", "-o", "--immutable", "--no-ahead",
                   "--verbose", "--log-file"):
        assert option in text, option


def test_version(pycfs):
    result = pycfs.ok("--version")
    assert result.stdout.startswith("pycfs ")
    assert result.stdout.count("\n") == 1


# what was probably meant, and what is taken for granted

@pytest.mark.parametrize("words, said", [
    (["exprot"], "did you mean export?"),
    (["help", "exprot"], "did you mean export?"),
    (["mount", "--optimise", "2"], "did you mean --optimize?"),
    (["export", "--keep-sorce", "x"], "did you mean --keep-source?"),
    (["export", "--max", "3"], "--max-source or --max-size or "
     "--max-compressed-size"),
    (["export", "--json=3"], "--json takes no value"),
    (["mount", "x"], "missing argument MOUNTPOINT"),
    (["export"], "missing argument SOURCE"),
    (["run", "x"], "missing argument COMMAND"),
    (["run", "x", "y", "--"], "missing argument COMMAND"),
    (["run", "x", "--"], "missing argument COMMAND"),
], ids=" ".join)
def test_what_was_meant(words, said, pycfs):
    refused(pycfs.run(*words), 2, said)


def test_nothing_like_it(pycfs):
    for words in (["polish"], ["mount", "--polish"]):
        result = pycfs.run(*words)
        refused(result, 2, "--help")
        assert "did you mean" not in result.stderr


def test_help_and_version(pycfs):
    def say(*words):
        return pycfs.ok(*words).stdout

    for verb in ("mount", "export", "cache"):
        assert say("help", verb) == say(verb, "--help")
    assert say("help") == say("--help") == say("-h")
    assert say("version") == say("-V") == say("--version")


def test_run_makes_its_own_mountpoint(pycfs, tree, scratch):
    tmp = os.path.join(scratch, "tmp")
    os.mkdir(tmp)
    options = ["--python", harness.DEBIAN_PYTHON, tree]
    look = "test -f \"$PYCFS_MOUNT/single.pyc\" && echo $PYCFS_MOUNT"
    said = pycfs.ok("run", *options, "--", "sh", "-c", look,
                    env={"TMPDIR": tmp}).stdout
    assert os.path.dirname(said.strip()) == tmp
    assert os.listdir(tmp) == []
    result = pycfs.run("run", *options, "--", "sh", "-c", "exit 7",
                       env={"TMPDIR": tmp})
    assert result.returncode == 7 and os.listdir(tmp) == []
    result = pycfs.run("run", *options, "--", "kill-nobody",
                       env={"TMPDIR": tmp})
    assert result.returncode == 127 and os.listdir(tmp) == []
    # Of --prefix, which is no end of options.
    result = pycfs.run("run", "--prefix", "--", *options,
                       env={"TMPDIR": tmp})
    refused(result, 2, "missing argument COMMAND")
    result = pycfs.run("run", *options, "--", "true",
                       env={"TMPDIR": os.path.join(scratch, "missing")})
    refused(result, 1, "set TMPDIR", "MOUNTPOINT")


def test_a_run_that_is_ended_while_it_checks(pycfs, tree, scratch):
    """leaves no mountpoint: there is none yet."""
    tmp = os.path.join(scratch, "tmp")
    os.mkdir(tmp)
    trees.write(os.path.join(tree, "slow_to_import.py"),
                "import time\ntime.sleep(60)\n")
    p = subprocess.Popen(
        pycfs.command("run", "--check", "--python", harness.DEBIAN_PYTHON,
                      tree, "--", "true"), stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=pycfs.env(TMPDIR=tmp))
    time.sleep(2)
    assert p.poll() is None
    p.terminate()
    p.wait(20)
    assert not [n for n in os.listdir(tmp) if n.startswith("pycfs-run")]


def test_run_tells_the_mountpoint(pycfs, tree, at):
    said = pycfs.ok("run", "--python", harness.DEBIAN_PYTHON, tree, at, "--",
                    "sh", "-c", "echo $PYCFS_MOUNT").stdout
    assert said.strip() == os.path.realpath(at)


def test_the_environment(pycfs, small, scratch):
    """says where and how loud, where the command line does not."""
    def export(*args, **env):
        return pycfs.run("export", "--python", harness.DEBIAN_PYTHON, "--force",
                         *args, small, os.path.join(scratch, "out"), env=env)

    other = os.path.join(scratch, "other")
    result = export(PYCFS_CACHE=other, PYCFS_JOBS="1")
    assert os.path.isdir(other)
    assert result.said.endswith(
        "; from the environment: PYCFS_JOBS, PYCFS_CACHE\n"), result.said
    said = json.loads(export("--json", "-j", "2", PYCFS_CACHE=other,
                             PYCFS_JOBS="nonsense").stdout)
    assert said["environment"] == "PYCFS_CACHE" and said["compiled"] == 0
    assert export(PYCFS_QUIET="1").said == ""
    assert export(PYCFS_QUIET="0").said.count("\n") >= 1
    refused(export(PYCFS_JOBS="nonsense"), 2, "PYCFS_JOBS", "nonsense")
    refused(export(PYCFS_CACHE_SIZE="x"), 2, "PYCFS_CACHE_SIZE")
    # A verb that has not the option does not look.
    assert pycfs.run("umount", scratch,
                     env={"PYCFS_JOBS": "nonsense"}).returncode == 1


def test_it_says_what_it_did(pycfs, small, scratch):
    """In one line, also where nobody sees a terminal."""
    zipped = os.path.join(scratch, "layer.zip")
    options = ["--python", harness.DEBIAN_PYTHON]
    result = pycfs.run("export", *options, small, zipped)
    last = result.said.splitlines()[-1]
    assert re.fullmatch(
        r"pycfs: notice: %s: \d\S* k?B, \d+ files of \d\S* k?B, in \d+\.\d s "
        r"for Python 3\.11\.\d+ \([1-9]\d* modules? compiled, 0 from the "
        r"cache\).*" % re.escape(zipped), last), last
    result = pycfs.run("run", *options, small, "--", "true")
    assert re.search(r"notice: \d+ modules? compiled .* in \d+\.\d s with "
                     r"Python 3\.11\.\d+", result.said), result.said
    for verb in (["export", "--force"], ["run"]):
        to = ["--", "true"] if verb == ["run"] else [zipped]
        assert pycfs.run(*verb, "--quiet", *options, small, *to).said == ""
