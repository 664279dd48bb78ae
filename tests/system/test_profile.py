"""The default profile: packages that are known to break have rules of their
own, whose conditions are about what is installed; and the level at which the
layer will be run."""
import glob
import json
import os
import subprocess

import pytest

import harness
import trees
from harness import DEBIAN_PYTHON

# Packages of the profile, one for each thing that it keeps.
TREE = {
    "num2words/__init__.py": "def f(x):\n    'doc'\n    assert x\n",
    "pycparser/__init__.py": "def f():\n    'doc'\n",
    "pycparser/c_parser.py": "def p_f(p):\n    'grammar'\n    assert p\n",
    "pip/__init__.py": "X = 1\n",
    "plain.py": "def f(x):\n    'doc'\n    assert x\n",
}
ASKS = ("import sys\n\n\ndef f():\n    'doc'\n\n\n"
        "if sys.flags.optimize < 2:\n    f.__doc__ += ' and more'\n")


@pytest.fixture
def source(scratch):
    return trees.put(os.path.join(scratch, "source"), TREE)


def loses(layer, name):
    """What is missing in a module's function f: docstring, assert."""
    code = ("import sys; sys.path.insert(0, %r); import %s as m; f = m.f\n"
            "import dis; print(f.__doc__ is None, "
            "'AssertionError' not in dis.Bytecode(f).dis())" % (layer, name))
    return subprocess.run(
        [DEBIAN_PYTHON, "-B", "-c", code], check=True, stdout=subprocess.PIPE,
        timeout=60).stdout.decode().split() == ["True", "True"]


def test_what_breaks_keeps_what_it_needs(pycfs, source, scratch):
    r = pycfs.export(source, os.path.join(scratch, "safe"))
    assert r.returncode == 0
    assert ("kept, because these packages break without: sources of pip; "
            "docstrings of pycparser; asserts of num2words "
            "(--profile strict keeps none)\n") in r.stderr
    safe = os.path.join(scratch, "safe")
    assert os.path.exists(os.path.join(safe, "pip/__init__.py"))
    assert not loses(safe, "num2words")
    assert loses(safe, "plain") and not os.path.exists(
        os.path.join(safe, "plain.py"))
    r = pycfs.export(source, os.path.join(scratch, "strict"), "--profile",
                     "strict")
    assert "kept" not in r.stderr
    strict = os.path.join(scratch, "strict")
    assert loses(strict, "num2words")
    assert not glob.glob(strict + "/**/*.py", recursive=True)


def test_the_user_has_the_last_word(pycfs, source, scratch):
    layer = os.path.join(scratch, "layer")
    r = pycfs.export(source, layer, "--keep-source", "!/pip/",
                     "--optimize-for", "2:/num2words/")
    assert "break without: docstrings of pycparser (--profile" in r.stderr
    assert loses(layer, "num2words")
    assert not glob.glob(layer + "/**/*.py", recursive=True)


def test_the_profile_raises_no_level(pycfs, source, scratch):
    made = []
    for options in (), ("--profile", "strict"):
        layer = os.path.join(scratch, "l%d" % len(made))
        r = pycfs.export(source, layer, "-O", "0", *options)
        assert "docstrings" not in r.stderr and "asserts" not in r.stderr
        made.append({p: d for p, d in harness.tree_bytes(layer).items()
                     if "pip" not in os.fsdecode(p)})
    assert made[0] == made[1]
    assert not loses(layer, "plain")


@pytest.mark.parametrize("installed, kept", [
    ("plain-1.9.dist-info", True), ("plain-2.0rc1.dist-info", False),
    ("plain-2.0.dist-info", False), ("Plain-2.1-py3.11.egg-info", False),
    ("plain-1.9.egg-info", True), ("other-3.dist-info", True),
    ("plain-unknown.dist-info", True), ("plain.egg-info", True),
    (".dist-info", True), ("-.egg-info", True), ("plain-.dist-info", True)])
def test_conditions(installed, kept, pycfs, source, scratch):
    trees.write(os.path.join(source, installed, "METADATA"), "Name: x\n")
    rules = os.path.join(scratch, "rules")
    trees.write(rules, "keep-source /plain.py if PLAIN < 2.0\n")
    layer = pycfs.exported(source, os.path.join(scratch, "layer"), "--rules",
                           rules)
    assert os.path.exists(os.path.join(layer, "plain.py")) == kept
    with pycfs.mount(source, "--keep-source", "plain.py if plain<2.0") as m:
        assert os.path.exists(m / "plain.py") == kept


def test_a_bad_condition(pycfs, source, scratch):
    rules = os.path.join(scratch, "rules")
    trees.write(rules, "exclude a\nexclude b if plain >\n")
    r = pycfs.run("export", "--rules", rules, source, scratch + "/x")
    assert r.returncode == 2
    assert rules + ":2: a condition's version is none that PEP 440 knows" in \
        r.stderr


def test_the_bytecode_beside_a_source(target, pycfs, source, scratch):
    """It has the name that the interpreter of that level looks for."""
    for level, flags in (0, []), (1, ["-O"]), (2, ["-OO"]):
        layer = os.path.join(scratch, "layer%d" % level)
        pycfs.exported(source, layer, "--keep-source", "*.py",
                       "--run-optimize", level, python=target.exe)
        names = {os.path.basename(p).split(".", 2)[2] for p in glob.glob(
            layer + "/**/__pycache__/*", recursive=True)}
        assert names == {"opt-%d.pyc" % level if level else "pyc"}
        said = subprocess.run(
            [target.exe, *flags, "-B", "-v", "-c", "import plain"],
            env={"PYTHONPATH": layer}, stderr=subprocess.PIPE, check=True,
            timeout=60).stderr.decode(errors="replace")
        assert "code object from '%s" % layer in said.replace('"', "'") or \
            "matches %s/plain.py" % layer in said
        assert "wrote" not in said
        with pycfs.mount(source, "--keep-source", "*.py", "--run-optimize",
                         level, python=target.exe) as m:
            assert harness.tree_bytes(m.path) == harness.tree_bytes(layer)


OWN = {
    "own.py": "'of %s'\n__doc__ %= 'own'\n\n\ndef f():\n    'doc'\n"
              "    assert 0\n",
    "texts.py": "def f():\n    'doc'\n    return '__doc_' '_'\n",
}


def docs(layer, name):
    return subprocess.run(
        [DEBIAN_PYTHON, "-B", "-c", "import sys; sys.path.insert(0, %r); "
         "import %s as m; print(m.__doc__, m.f.__doc__, m.f())" % (layer, name)],
        check=True, stdout=subprocess.PIPE, timeout=60).stdout.decode()


def test_what_uses_docstrings_keeps_its_own(target, pycfs, scratch):
    """The word __doc__ in a source is enough; asserts are gone all the same. A
    mount, a second export and a check have the same."""
    source = trees.put(os.path.join(scratch, "own"), OWN)
    safe = pycfs.exported(source, os.path.join(scratch, "safe"),
                          python=target.exe)
    one = pycfs.exported(source, os.path.join(scratch, "one"), "--profile",
                         "strict", "--optimize", "1", python=target.exe)
    two = pycfs.exported(source, os.path.join(scratch, "two"), "--profile",
                         "strict", python=target.exe)
    made = [harness.tree_bytes(layer) for layer in (safe, one, two)]
    assert made[0] == {b"own.pyc": made[1][b"own.pyc"],
                       b"texts.pyc": made[2][b"texts.pyc"]}
    assert made[1][b"own.pyc"] != made[2][b"own.pyc"]
    with pycfs.mount(source, python=target.exe) as m:
        assert harness.tree_bytes(m.path) == made[0]
    # Of what strict builds compiled, nothing was compiled again.
    r = pycfs.export(source, os.path.join(scratch, "again"),
                     python=target.exe)
    assert "0 modules compiled, 2 from the cache" in r.said


def test_what_uses_docstrings_works(pycfs, scratch):
    source = trees.put(os.path.join(scratch, "own"), OWN)
    layer = pycfs.exported(source, os.path.join(scratch, "safe"),
                           python=DEBIAN_PYTHON)
    assert docs(layer, "own") == "of own doc None\n"
    assert docs(layer, "texts") == "None None __doc__\n"
    check = ["check", "-q", "--python", DEBIAN_PYTHON, source]
    assert pycfs.run(*check, timeout=120).returncode == 0
    assert pycfs.run(*check, "--profile", "strict",
                     timeout=120).returncode == 3


def test_the_level_follows_the_source(pycfs, scratch):
    source = trees.put(os.path.join(scratch, "own"), OWN)
    path = os.path.join(source, "texts.py")
    with pycfs.mount(source, python=DEBIAN_PYTHON) as m:
        assert docs(str(m.path), "texts") == "None None __doc__\n"
    trees.write(path, OWN["texts.py"] + "X = f.__doc__ + '!'\n")
    with pycfs.mount(source, python=DEBIAN_PYTHON) as m:
        assert docs(str(m.path), "texts") == "None doc __doc__\n"


@pytest.mark.parametrize("options, level", [
    ([], 1), (["--optimize-for", "2:own.py"], 2), (["--optimize", "0"], 0),
    (["--optimize", "1"], 1), (["--optimize-for", "0:*"], 0),
    (["--rules", "keep-docs !own.py"], 2),
    (["--profile", "strict", "--rules", "keep-docs *"], 1),
    (["--optimize-for", "2:*", "--rules", "keep-docs *"], 1),
    (["--rules", "optimize 0 !own.py"], 2)])
def test_rules_about_docstrings(options, level, pycfs, scratch):
    options = list(options)
    for i, option in enumerate(options):
        if options[i - 1:i] == ["--rules"]:
            options[i] = os.path.join(scratch, "rules")
            trees.write(options[i], option + "\n")
    source = trees.put(os.path.join(scratch, "own"), OWN)
    made = pycfs.exported(source, os.path.join(scratch, "layer"), *options,
                          python=DEBIAN_PYTHON)
    strict = pycfs.exported(source, os.path.join(scratch, "strict"),
                            "--profile", "strict", "-O", level,
                            python=DEBIAN_PYTHON)
    assert harness.tree_bytes(made)[b"own.pyc"] == \
        harness.tree_bytes(strict)[b"own.pyc"]


def test_the_report_knows_whose_docstrings_are_kept(pycfs, scratch):
    source = trees.put(os.path.join(scratch, "own"), OWN)

    def report(*options):
        return json.loads(pycfs.run("report", "--python", DEBIAN_PYTHON,
                                    "--json", *options, source).stdout)

    for _ in "12":  # the second one is from the cache
        data = report()
        assert data["risks"] == []
        assert [(r["rule"], r["files"]) for r in data["rules"]
                if r["matches"]] == [("keep-docs *", 1)]
    assert [r["rule"] for r in report("--profile", "strict")["risks"]] == \
        ["doc-at-import"]


def test_what_asks_for_the_level(pycfs, scratch):
    source = trees.put(os.path.join(scratch, "asks"), {"asks.py": ASKS})
    args = ["check", "-q", "--profile", "strict", "--python", DEBIAN_PYTHON,
            source]
    r = pycfs.run(*args, timeout=120)
    assert r.returncode == 3 and "TypeError" in r.stdout
    r = pycfs.run(*args, "--run-optimize", "2", timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr
    r = pycfs.run(*args, "--suggest", timeout=120)
    assert "PYTHONOPTIMIZE=2, 1 of 1 findings need no rule" in r.stdout
    data = json.loads(pycfs.run("report", "--python", DEBIAN_PYTHON, "--json",
                                "--run-optimize", "2", source).stdout)
    assert (data["optimize"], data["run_optimize"]) == (2, 2)
