"""The examples that take pycfs from what tools/portable builds: an image, and a
wheel, whose commands are run as Docker or GitHub would."""
import os
import re
import tempfile

import pytest
import yaml

import builder as b
import test_ci
import test_examples

BUILD_PARTS = 600


@pytest.fixture(scope="module")
def portable():
    """{"image": path, "wheel": path}"""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
        parts = os.path.join(top, "parts")
        b.run(os.path.join(b.TOP, "tools", "portable"), parts,
              timeout=BUILD_PARTS)
        yield {kind: b.run(os.path.join(b.TOP, "tools", "make-" + kind), top,
                           parts).stdout.strip()
               for kind in ("image", "wheel")}


def test_image(builder, caches, scratch, portable):
    """That of the `export` example, byte for byte; made by the archive's."""
    env = {**caches, **b.CHROOT}
    layers = test_examples.check_example(builder, "image", env, scratch,
                                         portable["image"])
    builder.run(os.path.join(b.EXAMPLES, "export", "build"), env=env)
    assert builder.layers("localhost/export-example:second") == layers


def test_nocache(builder, caches, scratch):
    """What fills the host's cache compiles, and neither build does."""
    done = builder.run(os.path.join(b.EXAMPLES, "nocache", "build"),
                       env=caches)
    n = len(test_examples.modules(b.make_site(os.path.join(scratch, "site"))))
    assert test_examples.compiled("export", done) == [n, 0, 0, 0]
    said, = test_examples.answers(done)
    test_examples.check_answer(said, "/opt/site")
    with builder.root("localhost/nocache-example:second") as root:
        test_examples.check_site(root, "/opt/site", scratch)


@pytest.fixture
def venv(scratch):
    """An environment in which a job installs, and the start of its PATH."""
    where = os.path.join(scratch, "venv")
    b.run("/usr/bin/python3", "-m", "venv", where)
    return {"PATH": os.path.join(where, "bin") + ":/usr/bin:/bin",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_dockerfile(scratch, venv, portable):
    """What its heredoc says, in this machine's file system."""
    with open(os.path.join(b.EXAMPLES, "docker", "Dockerfile")) as f:
        text = f.read()
    script, = re.findall(r"<<END\n(.*?)^END$", text, re.S | re.M)
    os.symlink(os.path.dirname(portable["wheel"]),
               os.path.join(scratch, "wheels"))
    own = os.path.join(scratch, "own")
    os.mkdir(own)
    test_ci.wheel(os.path.join(own, "own-1.0-py3-none-any.whl"), "own",
                  {"own/__init__.py": "C = 3\n"})
    with open(os.path.join(scratch, "requirements.txt"), "w") as f:
        f.write("--no-index\n--find-links %s\nown==1.0\n" % own)
    for name in ("wheels", "requirements.txt", "src", "opt/site"):
        assert script.count(" /" + name) >= 1
        script = script.replace(" /" + name, " %s/%s" % (scratch, name))
    os.mkdir(os.path.join(scratch, "opt"))
    said = ""
    for _ in "12":
        done = b.run("sh", "-c", script.replace("--verbose",
                                                "--verbose --force"),
                     env={**venv, "HOME": scratch,
                          "PYCFS_CACHE": os.path.join(scratch, "cache")})
        said += done.stdout + done.stderr
    assert re.findall(r"\((\d+) modules? compiled", said) == ["1", "0"]
    shipped = b.files(os.path.join(scratch, "opt", "site"))
    assert "own/__init__.pyc" in shipped
    assert not [path for path in shipped if path.endswith(".py")]


def test_action(scratch, venv, portable):
    with open(os.path.join(b.EXAMPLES, "ci", "action.yml")) as f:
        action = yaml.safe_load(f)
    assert action["runs"]["using"] == "composite"
    assert set(action["inputs"]) == {"wheel"}
    cached, *steps = action["runs"]["steps"]
    assert cached["with"]["path"] == ".pycfs-cache"
    site = os.path.join(scratch, "site")
    os.mkdir(site)
    with open(os.path.join(site, "own.py"), "w") as f:
        f.write("C = 3\n")
    said = ""
    for run in "12":
        exported = os.path.join(scratch, "env" + run)
        env = {**venv, "HOME": scratch, "GITHUB_ENV": exported}
        for step in steps:
            assert step["shell"] == "bash"
            given = {name: value.replace("${{ inputs.wheel }}",
                                         portable["wheel"])
                     for name, value in step.get("env", {}).items()}
            b.run("bash", "-eo", "pipefail", "-c", step["run"],
                  env={**env, **given}, cwd=scratch)
        with open(exported) as f:
            env.update(line.rstrip("\n").split("=", 1) for line in f)
        done = b.run("pycfs", "export", "--verbose", site, "layer.zip",
                     env=env, cwd=scratch)
        said += done.stdout + done.stderr
    assert re.findall(r"\((\d+) modules? compiled", said) == ["1", "0"]
    assert os.path.isdir(os.path.join(scratch, ".pycfs-cache"))
