"""The genrule of tools/examples/bazel, without Bazel: the command that it has,
where an action runs: among links to its inputs, with no home and no network."""
import ast
import json
import os
import re
import shutil
import subprocess

import pytest

import harness
import layers
import trees
from harness import read

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
EXAMPLES = os.path.join(TOP, "tools", "examples")
BUILD = os.path.join(EXAMPLES, "bazel", "BUILD.bazel")
# As tools/genrule/genrule-setup.sh of Bazel 4.2.3 has it, which is before every
# genrule's command.
SETUP = "set -e -u -o pipefail\n"


@pytest.fixture(scope="module")
def rule():
    """The arguments of the genrule. Starlark has Python's grammar, and less."""
    tree = ast.parse(read(BUILD).decode(), BUILD)
    rules = []
    scope = {"__builtins__": {}, "glob": lambda patterns: list(patterns),
             "genrule": lambda **args: rules.append(args)}
    exec(compile(tree, BUILD, "exec"), scope)
    one, = rules
    return one


def expanded(rule, places):
    """The command as Bazel expands it."""
    def label(match):
        return places[match.group(2)] if match.group(2) else \
            places[match.group(1)]
    text = re.sub(r"\$\((?:(execpath) )?([^()$]+)\)", label,
                  rule["cmd"].replace("$$(", "\0("))
    text = text.replace("\0(", "$(").replace("$$", "$")
    assert "$(execpath" not in text and "PYTHON3" not in text
    return SETUP + text


def test_it_names_what_it_uses(rule):
    assert set(rule) == {"name", "srcs", "outs", "cmd", "tools", "toolchains"}
    named = set(re.findall(r"\$\(execpath ([^()]+)\)", rule["cmd"]))
    assert named - set(rule["srcs"]) - set(rule["tools"]) == set(rule["outs"])
    assert "site-packages/**" in rule["srcs"]
    # Nothing else is expanded, and nothing is left over.
    others = set(re.findall(r"(?<!\$)\$\((?!execpath )([^()]*)\)", rule["cmd"]))
    assert others == {"PYTHON3"}
    assert not re.search(r"(?<!\$)\$(?![$(])", rule["cmd"])


def act(rule, root, inputs):
    """Runs the action in `root`, with links to its inputs there."""
    package = os.path.join(root, "pkg")
    out = os.path.join(root, "bazel-out", "bin", "pkg")
    os.makedirs(out)
    for top, _, names in os.walk(inputs):
        for name in names:
            path = os.path.join(top, name)
            to = os.path.join(package, os.path.relpath(path, inputs))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            os.symlink(path, to)
    tools = os.path.join(root, "external", "pycfs", "bin")
    os.makedirs(tools)
    built = os.path.dirname(harness.program())
    for name in ("pycfs", "pycfs-compiler"):
        os.symlink(os.path.join(built, name), os.path.join(tools, name))
    places = {"layer.rules": "pkg/layer.rules",
              "@pycfs//:bin/pycfs": "external/pycfs/bin/pycfs",
              "PYTHON3": harness.DEBIAN_PYTHON}
    for name in rule["outs"]:
        places[name] = "bazel-out/bin/pkg/" + name
    tmp = os.path.join(root, "tmp")
    os.mkdir(tmp)
    done = subprocess.run(
        ["bash", "-c", expanded(rule, places)], cwd=root, timeout=120,
        env={"PATH": "/bin:/usr/bin", "TMPDIR": tmp}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    assert os.listdir(tmp) == [] and sorted(os.listdir(out)) == \
        sorted(rule["outs"])
    return done.stdout.decode(), [os.path.join(out, n) for n in rule["outs"]]


def test_the_command_makes_the_layer(rule, scratch):
    inputs = os.path.join(scratch, "inputs")
    site = os.path.join(inputs, "site-packages")
    trees.write(os.path.join(site, "pkg", "__init__.py"), "from .a import A\n")
    trees.write(os.path.join(site, "pkg", "a.py"), "A = 1\n")
    trees.write(os.path.join(site, "pkg", "tests", "test_a.py"), "T = 1\n")
    trees.write(os.path.join(site, "pkg-1.0.dist-info", "METADATA"),
                "Name: pkg\nVersion: 1.0\nLicense: MIT\n")
    trees.write(os.path.join(site, "pkg-1.0.dist-info", "RECORD"),
                "pkg/__init__.py,,\npkg/a.py,,\n")
    shutil.copy(os.path.join(EXAMPLES, "layer.rules"), inputs)
    said, (layer, sbom) = act(rule, os.path.join(scratch, "one"), inputs)
    assert said == ""
    names = [n.decode() for n in layers.names(layer)]
    assert [n for n in names if not n.endswith("/")] == [
        "pkg-1.0.dist-info/METADATA", "pkg/__init__.pyc", "pkg/a.pyc"]
    assert {m.mtime for m in layers.members(layer)} == {315532800}
    component, = json.loads(read(sbom))["components"]
    assert component["purl"] == "pkg:pypi/pkg@1.0"
    # Elsewhere, and later, it is the same.
    for top, dirs, files in os.walk(inputs):
        for name in dirs + files:
            os.utime(os.path.join(top, name), (1700000000, 1700000000))
    _, again = act(rule, os.path.join(scratch, "two", "deep"), inputs)
    assert [read(path) for path in again] == [read(layer), read(sbom)]
