"""tools/parity: it finds no difference between equal trees, and finds every
difference that a test makes."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import harness
import trees

TOOL = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "tools", "parity")
REJECTED = len(trees.BROKEN) + 1  # and a link


def environment(pycfs=None):
    env = dict(os.environ, PYCFS=pycfs or harness.program())
    env.pop("PYTHONHASHSEED", None)
    return env


def run(*args, pycfs=None, timeout=240):
    """Runs it to its end, after which nothing of it is left."""
    p = subprocess.Popen([sys.executable, TOOL, *map(str, args)],
                         env=environment(pycfs), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, errors="surrogateescape")
    try:
        out, err = p.communicate(timeout=timeout)
    finally:
        p.kill()
        p.wait()
    assert leftovers(p.pid) == []
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


def leftovers(pid):
    return [os.path.join(d, n) for d in ("/dev/shm", tempfile.gettempdir())
            for n in os.listdir(d) if n.startswith("pycfs-parity-%d-" % pid)]


def results(p, status):
    assert p.returncode == status, p.stderr + p.stdout[-3000:]
    return json.loads(p.stdout)["runs"]


@pytest.fixture
def odd(tree):
    """With what does not compile, special files, and a RECORD."""
    trees.add_broken(tree)
    trees.add_special(tree)
    os.symlink("broken.py", os.path.join(tree, "link_broken.py"))
    trees.write(os.path.join(tree, "single.pyc", "in_a_directory.py"))
    os.symlink("pkg", os.path.join(tree, "empty.pyc"))
    trees.write(os.path.join(tree, "pkg-1.0.dist-info", "RECORD"),
                "pkg/core.py,sha256=x,1\npkg/data.json,,\npkg/old.pyo,,\n"
                "broken.py,,\npkg/core.pyc,,\n../../bin/x,,\n")
    trees.age(tree)
    return tree


def test_help():
    p = run("--help")
    assert p.returncode == 0 and p.stderr == ""
    assert max(map(len, p.stdout.splitlines())) <= 80
    for word in ("--bytes", "--reproduce", "--both-ranges", "--python",
                 "--optimize", "--json", "PYCFS"):
        assert word in p.stdout


def test_usage(tmp_path):
    for args, word in (([], "SOURCE"), (["-O", "3", "."], "0, 1 or 2"),
                       (["--python", "2.7", "."], "2.7"),
                       (["--python", "/etc/hostname", "."], "/etc/hostname"),
                       (["/no/such/tree"], "/no/such/tree")):
        p = run(*args)
        assert p.returncode == 2 and p.stdout == "", args
        assert word in p.stderr, p.stderr
    p = run(".", pycfs="/bin/false")
    assert p.returncode == 2 and "Traceback" not in p.stderr, p.stderr


def test_no_differences(odd):
    runs = results(run("--json", "--both-ranges", odd), 0)
    assert {r["python"] for r in runs} == {p.name for p in harness.PYTHONS}
    for r in runs:
        f = r["figures"]
        assert r["differences"] == []
        assert f["modules"] > 20 and f["rejected"] == REJECTED
        assert f["codes"] > 50 and f["constants"] > 150 and f["records"] == 1
    text = run("-O", "0", "-O", "1", "--python", harness.newest().exe, odd)
    assert text.returncode == 0
    lines = [l.split() for l in text.stdout.splitlines()]
    assert lines[0] == ["--", "code"] and lines[1][0] == "python"
    assert [l[:3] for l in lines[2:]] == [
        [harness.newest().name, level, "no"] for level in "01"]


def test_bytes_and_reproduce(odd):
    runs = results(run("--json", "--bytes", "--reproduce", "--python",
                       harness.newest().exe, odd), 0)
    bytes_, reproduce = (r["figures"] for r in runs)
    assert bytes_["agreed"] > 20 and bytes_["neither"] == 0
    assert bytes_["agreed"] + bytes_["unsettled"] == bytes_["modules"]
    assert list(reproduce)[2:] == ["cached", "reverse", "-j1", "-j4", "fresh",
                                   "others", "seed"]
    assert reproduce["rejected"] == REJECTED


def wrapped(scratch, text):
    """A pycfs that changes its arguments; `text` works on the list `a`."""
    path = os.path.join(scratch, "wrapped-pycfs")
    trees.write(path, "#!%s\nimport os, sys\na = sys.argv[1:]\n%s\n"
                "os.execv(%r, ['pycfs'] + a)\n" % (
                    sys.executable, text, harness.program()), 0o755)
    return path


@pytest.mark.parametrize("change, words", [
    ("a[a.index('-O') + 1] = '1'", "constant"),
    ("a[1:1] = ['--debug-ranges']", "co_linetable"),
    ("a[a.index('--prefix') + 1] = '/x'", "co_filename"),
    ("a[a.index('--invalidation-mode') + 1] = 'timestamp'", "header"),
    ("a[1:1] = ['--mtime', '1500000000']", "mtime 15"),
    ("a[1:1] = ['--owner', '5:6']", "owner"),
    ("a[1:1] = ['--exclude', 'comment.py']", "not there, not file"),
    ("a[1:1] = ['--exclude', 'data.json']", "RECORD: no row"),
    ("a[1:1] = ['--keep-source', 'single.py']", "hidden"),
    ("a[a.index('--on-error') + 1] = 'fail'", "broken.py"),
])
def test_each_difference_is_seen(change, words, odd, scratch):
    target = harness.newest()
    if "debug-ranges" in change and target.minor < (3, 11):
        pytest.skip("no columns before 3.11")
    p = run("--python", target.exe, odd, pycfs=wrapped(scratch, change))
    assert p.returncode == 1, p.stderr
    assert words in p.stdout, p.stdout[:3000]


def test_differences_of_bytes_are_seen(odd, scratch):
    change = wrapped(scratch, "i = a.index('--marshal'); del a[i:i + 2]")
    p = run("--bytes", "--python", harness.newest().exe, odd, pycfs=change)
    assert p.returncode == 1
    assert "pkg/__init__.pyc: not compileall's bytes" in p.stdout, p.stdout


@pytest.mark.parametrize("change, conditions", [
    ("if '--no-cache' not in a: a[1:1] = ['-O', '1', '--optimize-for', "
     "'1:*']", {"reverse", "-j1", "-j4", "fresh", "others", "seed"}),
    ("if os.environ.get('PYTHONHASHSEED'): a[1:1] = ['--optimize-for', "
     "'0:core.py']", {"seed"}),
    ("if '--no-ahead' in a and '--jobs' not in a: a[1:1] = "
     "['--optimize-for', '0:core.py']", {"fresh"})])
def test_other_bytes_are_seen(change, conditions, odd, scratch):
    p = run("--json", "--reproduce", "--python", harness.newest().exe, odd,
            pycfs=wrapped(scratch, change))
    figures = results(p, 1)[0]["figures"]
    assert {k for k in list(figures)[2:] if figures[k]} == conditions


def test_it_cleans_up_when_stopped(odd):
    p = subprocess.Popen(
        [sys.executable, TOOL, "--reproduce", odd], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())

    def mounted():
        return [m for m in harness.mounts() if "-parity-%d-" % p.pid in m]

    with p:
        harness.wait_for(mounted, 60, "something is mounted")
        time.sleep(0.3)
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 2, p.stderr.read()
    assert leftovers(p.pid) == [] and mounted() == []
