"""The examples for CI services: every shell line of theirs, run as the
service would run it, in a directory that stands for a checkout."""
import os
import re
import shutil
import subprocess
import zipfile

import pytest
import yaml

import builder as b

SEED = "/var/lib/pycfs/seed"
SHIPPED = ["common/__init__.pyc", "common/more.pyc", "own/__init__.pyc"]


def github():
    """(environment, [what one shell runs]) of the one job."""
    with open(os.path.join(b.EXAMPLES, "ci", "github.yml")) as f:
        job = yaml.safe_load(f)["jobs"]["layer"]
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step), step
    cached, = [step["with"]["path"] for step in job["steps"]
               if step.get("uses", "").startswith("actions/cache@")]
    assert cached == ".pycfs-cache"
    return job["env"], [step["run"] for step in job["steps"] if "run" in step]


def shared():
    with open(os.path.join(b.EXAMPLES, "ci", "shared.yml")) as f:
        job = yaml.safe_load(f)["jobs"]["layer"]
    assert "refs/heads/main" in job["environment"]
    assert job["env"].pop("SIGNING_KEY") == "${{ secrets.PYCFS_SIGNING_KEY }}"
    return job["env"], [step["run"] for step in job["steps"] if "run" in step]


def gitlab():
    with open(os.path.join(b.EXAMPLES, "ci", "gitlab.yml")) as f:
        job = yaml.safe_load(f)["layer"]
    assert job["cache"]["paths"] == [".pycfs-cache/"]
    assert job["artifacts"]["paths"] == ["layer.zip"]
    return job["variables"], ["\n".join(job["script"])]


def wheel(path, name, modules):
    """A wheel, which is a zip, for pip to install without a registry."""
    info = "%s-1.0.dist-info/" % name
    with zipfile.ZipFile(path, "w") as z:
        for module, text in modules.items():
            z.writestr(module, text)
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\n"
                   "Name: %s\nVersion: 1.0\n" % name)
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                   "Root-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "")


@pytest.fixture
def wheels(scratch):
    where = os.path.join(scratch, "wheels")
    os.mkdir(where)
    wheel(os.path.join(where, "common-1.0-py3-none-any.whl"), "common",
          {"common/__init__.py": "A = 1\n", "common/more.py": "B = 2\n"})
    wheel(os.path.join(where, "own-1.0-py3-none-any.whl"), "own",
          {"own/__init__.py": "C = 3\n"})
    return where


def checkout(top, name, wheels):
    where = os.path.join(top, name, "project")
    os.makedirs(where)
    with open(os.path.join(where, "requirements.txt"), "w") as f:
        f.write("--find-links %s\ncommon==1.0\nown==1.0\n" % wheels)
    return where


def job(where, env, shells, seed):
    """Runs a job; what it said, and how many modules it compiled."""
    path = os.path.dirname(b.pycfs()) + ":/usr/bin:/bin"
    env = {"PATH": path, "HOME": where, "LANG": "C.UTF-8",
           "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
           "PIP_ROOT_USER_ACTION": "ignore",
           "PYCFS_CACHE": os.path.join(where, "cache-of-this-runner"), **env}
    said = ""
    for shell in shells:
        done = b.run("bash", "-eo", "pipefail", "-c",
                     shell.replace(SEED, seed), env=env, cwd=where,
                     timeout=120)
        said += done.stdout + done.stderr
    compiled, = re.findall(r"\((\d+) modules? compiled", said)
    digest, = re.findall(r"sha256:\w+", said)
    return int(compiled), digest


@pytest.fixture
def seed(scratch):
    """A seed, made as root of a builder image makes it: of `common`."""
    where = os.path.join(scratch, "seed")
    site = os.path.join(scratch, "seed-site", "common")
    os.makedirs(site)
    for name, text in (("__init__", "A = 1\n"), ("more", "B = 2\n")):
        with open(os.path.join(site, name + ".py"), "w") as f:
            f.write(text)
    b.run(b.pycfs(), "export", "--python", "/usr/bin/python3", "--cache",
          where, os.path.dirname(site), os.path.join(scratch, "seed.tar"))
    return where


@pytest.mark.parametrize("service", [github, gitlab])
def test_jobs(scratch, seed, wheels, service):
    env, shells = service()
    assert sum(shell.count(SEED) for shell in shells) == 1
    first = checkout(scratch, "first", wheels)
    second = checkout(scratch, "second", wheels)
    if service is gitlab:  # its runners let everybody write
        for where in (first, second):
            os.chmod(os.path.dirname(where), 0o777)
            os.chmod(where, 0o777)
    compiled, digest = job(first, env, shells, seed)
    assert compiled == 1, "only what is not in the seed"

    # What the service keeps, it restores in another checkout.
    subprocess.run(["cp", "-R", first + "/.pycfs-cache", second], check=True,
                   timeout=60)
    if service is gitlab:
        b.run("chmod", "-R", "go+w", os.path.join(second, ".pycfs-cache"))
    assert job(second, env, shells, seed) == (0, digest)

    with zipfile.ZipFile(os.path.join(second, "layer.zip")) as z:
        names = [name[len("python/"):] for name in z.namelist()]
    assert [name for name in names if name.endswith(".pyc")] == SHIPPED
    assert not [name for name in names if name.endswith(".py")]


def test_only_the_main_branch_signs(scratch, wheels):
    env, shells = shared()
    key = os.path.join(scratch, "key")
    public = b.run(b.pycfs(), "cache", "keygen", "ci", key).stdout
    main, pull, other = [checkout(scratch, name, wheels)
                         for name in ("main", "pull", "other")]
    for where in (main, pull, other):
        with open(os.path.join(where, "ci.pub"), "w") as f:
            f.write(public)

    def restore(to, of):
        subprocess.run(["cp", "-R", of + "/.pycfs-store", to], check=True,
                       timeout=60)

    # A pull request has no key: it stores nothing.
    compiled, digest = job(pull, {**env, "SIGNING_KEY": ""}, shells, "")
    assert compiled == 3 and os.listdir(pull + "/.pycfs-store") == []
    with open(key) as f:
        signs = {**env, "SIGNING_KEY": f.read().strip()}
    assert job(main, signs, shells, "") == (3, digest)
    assert not os.path.exists(main + "/.signing.key")
    restore(other, main)
    assert job(other, {**env, "SIGNING_KEY": ""}, shells, "") == (0, digest)
    # Nor is what it puts there by hand taken.
    for top, _, files in os.walk(other + "/.pycfs-store"):
        for name in files:
            with open(os.path.join(top, name), "r+b") as f:
                f.seek(-3, 2)
                f.write(b"BAD")
    os.remove(other + "/layer.zip")
    shutil.rmtree(other + "/cache-of-this-runner")
    assert job(other, {**env, "SIGNING_KEY": ""}, shells, "") == (3, digest)
