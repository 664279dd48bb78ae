"""pycfs check: what fails in the layer alone is found, and nothing else; and
what is imported may do what it likes."""
import json
import os
import re
import subprocess
import tarfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

import harness
import trees
from harness import DEBIAN_PYTHON

DOC = "def f():\n    'text %s'\n\n\nX = f.__doc__ % 3\n"
PLUGINS = """\
import importlib
import os
FOUND = {}
for name in sorted(os.listdir(os.path.dirname(__file__))):
    if name.endswith('.py') and not name.startswith('_'):
        FOUND[name] = importlib.import_module('plug.' + name[:-3])
"""
GOOD = {
    "good/__init__.py": "from good import sub\nN = [1, 2]\n",
    "good/sub.py": "def f():\n    'doc'\n    return 1\n",
    "good/data.txt": "data\n",
    "single.py": "import good.sub\n",
    "ns/part/x.py": "V = {1: 2}\n",
    "fails.py": "raise ValueError('in both')\n",
    "random_one.py": "import os\nR = [0] * os.urandom(2)[0]\n",
    "good-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: good\n"
                                 "Version: 1\n",
    "good-1.dist-info/entry_points.txt":
        "[console_scripts]\ntool = good.sub:f\ngone = good.gone:f\n"
        "[other]\nwhole = ns.part.x\n",
}
BAD = {
    "doc.py": DOC,
    "deep/__init__.py": "",
    "deep/inner.py": DOC,
    "plug/__init__.py": PLUGINS, "plug/a.py": "A = 1\n", "plug/b.py": "",
    "hidden/__init__.py": "from hidden import secret\n",
    "hidden/secret.py": "S = 1\n",
    "opens.py": "import os\nD = open(os.path.join(os.path.dirname(__file__), "
                "'opened', 'data.txt')).read()\n",
    "opened/data.txt": "data\n",
    "bad-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: bad\n"
                                "Version: 1\n",
    "bad-1.dist-info/entry_points.txt":
        "[console_scripts]\ndeep = deep.inner:X\n",
}
# What breaks is not cured.
STRICT = ["--profile", "strict"]
RULES = STRICT + ["--exclude", "/hidden/secret.py", "--exclude",
                  "/opened/*.txt"]


@pytest.fixture
def good(scratch):
    return trees.put(os.path.join(scratch, "good"), GOOD)


@pytest.fixture
def bad(scratch):
    return trees.put(os.path.join(scratch, "bad"), {**GOOD, **BAD})


@pytest.fixture
def check(pycfs):
    def run(source, *options, status=None, python=DEBIAN_PYTHON, **how):
        r = pycfs.run("check", "-q", "--python", python, *STRICT,
                      *options, source, timeout=200, **how)
        assert not os.path.exists("/tmp/pycfs-check") and \
            r.returncode == status, (r.returncode, r.stdout, r.stderr)
        return r

    def found(source, *options, **how):
        r = run(source, "--json", *options, **how)
        data = json.loads(r.stdout)
        assert data["version"] == 1
        return {(f["name"], f["kind"]): f for f in data["findings"]}, data

    run.found = found
    return run


def test_what_works(target, check, good):
    findings, data = check.found(good, status=0, python=target.exe)
    assert findings == {}
    assert (data["modules"], data["entry_points"]) == (5, 3)
    assert data["failed_in_both"] == 2  # fails.py and the entry point gone
    for _ in range(2):
        assert "0 findings" in check(good, "--all", status=0,
                                     python=target.exe).stdout


def test_what_fails_in_the_layer(target, check, bad):
    findings, data = check.found(bad, *RULES, status=3, python=target.exe)
    assert set(findings) == {
        ("doc", "fails"), ("plug", "differs"), ("hidden", "fails"),
        ("opens", "fails"), ("console_scripts: deep = deep.inner:X", "fails")}
    f = findings["doc", "fails"]
    assert (f["type"], f["file"], f["line"], f["function"]) == \
        ("TypeError", "doc.py", 5, "<module>")
    assert "hidden" in findings["hidden", "fails"]["text"]
    assert findings["opens", "fails"]["type"] == "FileNotFoundError"
    assert "-plug.FOUND: dict 2" in findings["plug", "differs"]["text"]
    findings, data = check.found(bad, *RULES, "--all", status=3,
                                 python=target.exe)
    assert ("deep.inner", "fails") in findings


def test_text_and_junit(check, bad, scratch):
    xml = os.path.join(scratch, "out.xml")
    r = check(bad, *RULES, "--junit", xml, status=3)
    assert "doc: cannot be imported\n    TypeError: " in r.stdout
    assert "    in doc.py:5, <module>\n" in r.stdout
    assert re.search(r"10 modules and 4 entry points tried in \d+\.\d s: "
                     r"5 findings; 2 fail in the source as well", r.stdout), \
        r.stdout
    suite, = ElementTree.parse(xml).getroot()
    assert suite.get("failures") == "5" == str(len(suite.findall(
        "testcase/failure")))
    assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_suggestions_cure(check, bad, scratch):
    """The narrowest of each kind, and with them nothing is found."""
    r = check(bad, *RULES, "--suggest", status=3)
    rules = [line for line in r.stdout.splitlines()
             if line and line[0] != "#"]
    assert sorted(rules) == [
        "include /hidden/secret.py", "include /opened/data.txt",
        "keep-source /plug/**", "optimize 1 /deep/inner.py",
        "optimize 1 /doc.py"], r.stdout
    assert "No rule was found" not in r.stdout
    path = os.path.join(scratch, "cure.rules")
    trees.write(path, r.stdout)
    assert "0 findings" in check(bad, *RULES, "--rules", path,
                                 status=0).stdout


def test_what_only_halving_finds(check, scratch):
    """It fails because of a package that no frame and no message names."""
    names = ["p%02d" % n for n in range(20)]
    site = trees.put(os.path.join(scratch, "site"), {
        **{n + "/__init__.py": "def f():\n    'doc'\n" for n in names},
        "reader.py": "import importlib\nif not importlib.import_module("
                     "'p' + str(26 // 2)).f.__doc__:\n"
                     "    raise OSError('no')\n"})
    r = check(site, "--suggest", status=3)
    assert [line for line in r.stdout.splitlines() if line[0] != "#"] == \
        ["optimize 1 /p13/**"], r.stdout


def test_no_rule_is_needless(check, scratch):
    """What fails because of another gets no rule of its own."""
    site = trees.put(os.path.join(scratch, "site"), {
        "base.py": DOC, "apart.py": DOC, "user.py":
        "try:\n    import base\nexcept TypeError:\n"
        "    raise ImportError('no base') from None\n"})
    r = check(site, "--suggest", status=3)
    assert [line for line in r.stdout.splitlines() if line[0] != "#"] == \
        ["optimize 1 /apart.py", "optimize 1 /base.py"], r.stdout


def test_what_nothing_cures(check, scratch):
    site = trees.put(os.path.join(scratch, "site"), {
        "own.py": "if not __file__.endswith('.py') or "
                  "not open(__file__).read():\n    raise OSError('no')\n",
        "never.py": "import sys, os\nif os.path.exists(os.path.dirname("
                    "__file__) + '/own.pyc') or 'layer' in __file__ or "
                    "'trial' in __file__:\n    raise RuntimeError\n"})
    r = check(site, "--suggest", status=3)
    assert "keep-source /own.py\n" in r.stdout
    assert "# No rule was found that cures:\n#   never\n" in r.stdout


def unpacked(pycfs, source, scratch, dest, *options):
    return pycfs.exported(source, os.path.join(scratch, dest), *options)


BELOW = "opt/python/lib/site-packages"


@pytest.mark.parametrize("prefix,ending", [
    ("", ""), ("", ".zip"), (BELOW, ""), (BELOW, ".tar"), (BELOW, ".tar.gz"),
    ("", ".tar.zst")])
def test_layers(prefix, ending, check, pycfs, bad, scratch):
    """The very layer that ships, wherever in it the modules are."""
    how = ["--prefix-dir", prefix] if prefix else []
    layer = unpacked(pycfs, bad, scratch, "layer" + ending, *RULES, *how)
    findings, data = check.found(bad, "--layer", layer, status=3)
    assert len(findings) == 5 and data["layer"] == layer
    layer = unpacked(pycfs, bad, scratch, "cured" + ending, "-O", "1",
                     "--keep-source", "plug", *how)
    assert check.found(bad, "--layer", layer, status=0)[0] == {}


def test_layers_of_others(check, good, scratch):
    """compileall's, with what it leaves out on purpose."""
    layer = os.path.join(scratch, "layer")
    subprocess.run(["cp", "-a", good, layer], check=True)
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", "-b", "-o", "2",
                    layer], check=True, env={"PYTHONNODEBUGRANGES": "1"})
    for top, _, names in os.walk(layer):
        for name in names:
            if name.endswith(".py"):
                os.unlink(os.path.join(top, name))
    findings, data = check.found(good, "--layer", layer, status=0)
    assert findings == {} and data["missing"] == []
    os.unlink(os.path.join(layer, "single.pyc"))
    findings, data = check.found(good, "--layer", layer, status=0)
    assert data["missing"] == ["single"]
    assert "not in the layer: single" in check(good, "--layer", layer,
                                               status=0).stdout


def test_what_cannot_be_checked_here(check, pycfs, good, scratch):
    other = next(p for p in harness.PYTHONS if p.minor != (3, 11))
    layer = pycfs.exported(good, os.path.join(scratch, "l.zip"),
                           python=other.exe)
    r = check(good, "--layer", layer, status=4)
    assert "another Python" in r.stderr and "--python" in r.stderr
    assert check.found(good, "--layer", layer, python=other.exe,
                       status=0)[0] == {}
    native = os.path.join(scratch, "native")
    trees.put(native, {"good.pyc": "", "single.pyc": "",
                 "x.cpython-399-x86_64-linux-gnu.so": "\x7fELF"})
    assert "for Python 3.99" in check(good, "--layer", native,
                                      status=4).stderr
    with open("/proc/self/exe", "rb") as f:
        head = bytearray(f.read(64))
    head[18] ^= 0xff  # e_machine
    machine = trees.put(os.path.join(scratch, "machine"), {"good.so": ""})
    with open(os.path.join(machine, "good.so"), "wb") as f:
        f.write(head)
    assert "another machine" in check(good, "--layer", machine,
                                      status=4).stderr


def test_layers_that_are_none(check, good, scratch):
    for layer, word in (("/nonexistent", "No such file"),
                        ("/etc/hostname", "cannot be read"),
                        (os.path.join(scratch), "has no module")):
        r = check(os.path.join(good), "--layer", layer, status=1) \
            if layer != scratch else None
        if r:
            assert word in r.stderr and r.stderr.count("\n") == 1, r.stderr
    empty = os.path.join(scratch, "empty")
    os.mkdir(empty)
    assert "has no module" in check(good, "--layer", empty, status=1).stderr


def test_hostile_archives(check, good, scratch):
    """Nothing is written outside of where they are unpacked."""
    mark = os.path.join(scratch, "outside")
    for n, (name, kind, target) in enumerate((
            ("../" * 12 + mark, tarfile.REGTYPE, ""),
            (mark, tarfile.REGTYPE, ""),
            ("good/../../x", tarfile.REGTYPE, ""),
            ("hard", tarfile.LNKTYPE, "/etc/hostname"),
            ("hard", tarfile.LNKTYPE, "../../../etc/hostname"),
            ("link/x", tarfile.REGTYPE, ""))):
        path = os.path.join(scratch, "%d.tar" % n)
        with tarfile.open(path, "w") as tar:
            if name == "link/x":
                link = tarfile.TarInfo("link")
                link.type, link.linkname = tarfile.SYMTYPE, scratch
                tar.addfile(link)
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
        r = check(good, "--layer", path, status=1)
        assert "unpack" in r.stderr or "leads out" in r.stderr, r.stderr
    assert sorted(n for n in os.listdir(scratch)
                  if not n.endswith(".tar")) == ["good"]
    path = os.path.join(scratch, "up.zip")
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("../up", "x")
    assert "leads out" in check(good, "--layer", path, status=1).stderr


HOSTILE = {
    "a_exit.py": "import os\nos._exit(0)\n",
    "b_sysexit.py": "import sys\nsys.exit(3)\n",
    "c_hang.py": "while True:\n    pass\n",
    "d_bomb.py": "import os\nwhile True:\n    try:\n        os.fork()\n"
                 "    except OSError:\n        pass\n",
    "e_kill.py": "import os\nos.kill(0, 9)\nos.killpg(os.getpgid(0), 9)\n",
    "f_all.py": "import os\nos.kill(-1, 9)\n",
    "g_giga.py": "x = []\nwhile True:\n    x.append(bytearray(1 << 28))\n",
    "h_daemon.py": "import os, time\nif os.fork():\n    os._exit(0)\n"
                   "os.setsid()\nif os.fork():\n    os._exit(0)\n"
                   "open('MARK', 'w')\ntime.sleep(1000)\n",
    "i_close.py": "import os\nos.closerange(0, 300)\n",
    "j_forge.py": "import os\nos.write(3, (b'\\0\\0\\0\\5R\\0%03d' % 11) * 99)\n"
                  "os.write(3, b'\\xff' * 100000)\n",
    "k_print.py": "print('x' * 1000000)\nimport sys\n"
                  "print('y', file=sys.stderr)\n",
    "l_signals.py": "import signal\nfor s in range(1, 32):\n    try:\n"
                    "        signal.signal(s, signal.SIG_IGN)\n"
                    "    except (OSError, ValueError):\n        pass\n"
                    "while True:\n    pass\n",
    "m_writes.py": "import os\nopen(os.path.join(os.path.dirname(__file__), "
                   "'written'), 'w')\n",
    "n_net.py": "import socket\nsocket.create_connection(('127.0.0.1', PORT))"
                "\n",
    "o_home.py": "import os\nopen(os.path.expanduser('~/home'), 'w')\n"
                 "open('here', 'w')\nOK = 1\n",
    "p_thread.py": "import threading, time\n"
                   "threading.Thread(target=time.sleep, args=(999,)).start()\n",
    "q_atexit.py": "import atexit, time\natexit.register(time.sleep, 999)\n",
    "r_recursion.py": "def f():\n    f()\n\n\nf()\n",
    "s_segv.py": "import ctypes\nctypes.string_at(0)\n",
    "t_modules.py": "import sys\nsys.modules['zz'] = 3\nsys.stdout = None\n"
                    "sys.path = None\n",
    "u_str.py": "class E(Exception):\n    def __str__(self):\n"
                "        raise SystemExit\n\n\nraise E\n",
    "z_last.py": "OK = 1\n",
}


def test_hostile_modules(check, scratch):
    """They end nothing but themselves."""
    import socket
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    site = trees.put(os.path.join(scratch, "site"), {
        n: t.replace("PORT", str(port)) for n, t in HOSTILE.items()})
    began = time.monotonic()
    findings, data = check.found(site, "--deadline", "2", status=0)
    assert time.monotonic() - began < 120
    assert findings == {}, findings
    assert data["modules"] == len(HOSTILE)
    assert sorted(os.listdir(site)) == sorted(HOSTILE)
    harness.wait_for(lambda: not [
        p for p in harness.processes()
        if any(os.fsencode(scratch) in a for a in p.args)], 10,
        "nothing is left running")
    if data["confined"] == "network files processes ":
        server.settimeout(0.1)
        with pytest.raises(OSError):
            server.accept()
    server.close()
    # In the layer alone they are found, as what they are.
    layer = os.path.join(scratch, "layer")
    trees.put(layer, {n: "OK = 1\n" for n in HOSTILE})
    findings, data = check.found(layer, "--layer", site, "--deadline", "2",
                                 status=3)
    texts = {name: f["text"] for (name, _), f in findings.items()}
    assert texts["a_exit"] == "ended the process with status 0"
    assert texts["c_hang"] == texts["l_signals"] == "did not end in time"
    assert "signal 9" in texts["e_kill"]
    assert "signal 11" in texts["s_segv"]
    assert findings["b_sysexit", "fails"]["type"] == "SystemExit"
    assert {"o_home", "k_print", "z_last", "p_thread", "q_atexit"}.isdisjoint(
        name for name, kind in findings if kind == "fails"), findings


def test_without_namespaces(pycfs, bad):
    """As in docker build: it is said, and works."""
    none = ("unshare", "--user", "--map-root-user", "sh", "-c",
            'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv '
            '--bounding-set=-all --inh-caps=-all "$@"', "sh")
    r = pycfs.run("check", "--no-cache", "--python", DEBIAN_PYTHON, *RULES,
                  bad, prefix=none, timeout=120)
    assert r.returncode == 3 and "5 findings" in r.stdout, r.stderr
    assert "gives no namespaces" in r.stderr


@pytest.mark.root
def test_root_without_rights(pycfs, bad):
    """A user namespace that does not know it is all that it can get."""
    r = pycfs.run("check", "--python", DEBIAN_PYTHON, *RULES, bad, "--json",
                  prefix=("setpriv", "--bounding-set=-all",
                          "--inh-caps=-all"), timeout=120)
    assert r.returncode == 3, r.stderr
    assert json.loads(r.stdout)["confined"] == "network processes "


@pytest.mark.root
def test_another_user(pycfs, bad, scratch):
    os.chmod(scratch, 0o755)
    program = harness.copy_program(scratch)
    r = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         program, "check", "--no-cache", "--python", DEBIAN_PYTHON, *RULES,
         bad], stdout=subprocess.PIPE, text=True, timeout=120)
    assert r.returncode == 3 and "5 findings" in r.stdout


# a command

COMMAND = "import good.sub, sys; sys.exit(0 if good.sub.f.__doc__ else 4)"




def run_command(pycfs, source, *command, options=()):
    return pycfs.run("check", "-q", "--python", DEBIAN_PYTHON, *options,
                     source, "--", *command, timeout=120)


def test_commands(pycfs, good, scratch):
    r = run_command(pycfs, good, DEBIAN_PYTHON, "-c", COMMAND)
    assert r.returncode == 3
    assert "status 4; with the source it ended the process with status 0" in \
        r.stdout
    r = run_command(pycfs, good, DEBIAN_PYTHON, "-c", COMMAND,
                    options=("-O", "1"))
    assert r.returncode == 0, r.stdout
    # A difference of output is shown, and not judged.
    r = run_command(pycfs, good, DEBIAN_PYTHON, "-c",
                    "import good.sub; print(good.sub.f.__doc__)")
    assert r.returncode == 0
    assert "    source: doc\n    layer:  None\n" in r.stdout
    r = run_command(pycfs, good, "no-such-program")
    assert r.returncode == 0 or "could not be started" in r.stdout


def test_a_test_suite(pycfs, good, scratch):
    tests = trees.put(os.path.join(scratch, "tests"), {
        "test_it.py": "import good.sub\n\n\ndef test_doc():\n"
        "    assert good.sub.f.__doc__\n\n\ndef test_value():\n"
        "    assert good.sub.f() == 1\n\n\ndef test_fails():\n"
        "    assert False\n"})
    r = run_command(pycfs, good, DEBIAN_PYTHON, "-m", "pytest", "-q", "-p",
                    "no:cacheprovider", "--junitxml=out.xml", tests)
    assert r.returncode == 3
    lines = [line for line in r.stdout.splitlines()
             if "not so in the layer" in line]
    assert len(lines) == 1 and "test_doc: passed" in lines[0], r.stdout


# in one go

def test_export_checks_first(pycfs, good, bad, scratch):
    out = os.path.join(scratch, "out.zip")
    run = pycfs.export(bad, out, "--check", "-q", *STRICT)
    assert run.returncode == 3 and not os.path.exists(out)
    assert "doc: cannot be imported" in run.stderr and run.stdout == ""
    run = pycfs.export(good, out, "--check", "--json")
    assert run.returncode == 0 and json.loads(run.stdout)["done"]
    assert "0 findings" in run.stderr
    assert os.path.exists(out)


def test_run_checks_first(pycfs, good, bad, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for source, status in ((bad, 3), (good, 0)):
        run = pycfs.run("run", "--check", "--python", DEBIAN_PYTHON, source,
                        at, "--", "echo", "ran", timeout=100)
        assert run.returncode == status, run.stderr
        assert run.stdout == ("ran\n" if status == 0 else "")
        assert not harness.is_mounted(at)


def test_interrupted(pycfs, scratch):
    import signal
    site = trees.put(os.path.join(scratch, "site"), {
        "slow%d.py" % n: "import time\ntime.sleep(30)\n" for n in range(9)})
    tmp = os.path.join(scratch, "tmp")
    os.mkdir(tmp)
    p = subprocess.Popen(pycfs.command("check", "--python", DEBIAN_PYTHON,
                                       site), env=pycfs.env(TMPDIR=tmp),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    harness.wait_for(lambda: any(
        b"slow" in b"".join(q.args) or q.exe.endswith("pycfs-compiler")
        for q in harness.processes() if any(
            os.fsencode(tmp) in a for a in q.args)), 30, "it imports")
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=30)[1]
    assert p.returncode == -signal.SIGINT, (p.returncode, err)
    assert os.listdir(tmp) == []
    harness.wait_for(lambda: not [
        q for q in harness.processes()
        if any(os.fsencode(tmp) in a for a in q.args)], 10,
        "nothing is left running")


def test_usage(pycfs, good):
    assert pycfs.run("check").returncode == 2
    assert pycfs.run("check", "--suggest", "--json", good).returncode == 2
    run = pycfs.run("check", "--help")
    assert run.stdout.splitlines()[2].startswith(
        "Runs the code that you are about to ship.")
