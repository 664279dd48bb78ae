"""What the manual says of --json: each member that is printed is named in the
section JSON of its verb's page, and each that is named there is printed."""
import json
import os
import re
import subprocess

import pytest

import trees
from harness import DEBIAN_PYTHON

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MAN = os.path.join(TOP, "src", "cli", "man")
# Members whose own members are names of something, and are described elsewhere.
BY_NAME = {"counters"}


def documented(verb):
    """The words in italics of the section JSON, which are members only."""
    with open(os.path.join(MAN, "pycfs-%s.1" % verb), encoding="utf-8") as f:
        text = f.read()
    section = re.search(r"^\.SH JSON\n(.*?)^(?:\.SH|@include)", text,
                        re.M | re.S).group(1)
    assert re.search(r"^\.I version\n\(1;", section, re.M)
    words = re.findall(r"^\.IR? (\S+)|\\fI([^\\]+)\\fR", section, re.M)
    return {a or b for a, b in words}


def members(value):
    if isinstance(value, list):
        return set().union(*map(members, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(members(v) for k, v in value.items()
                              if k not in BY_NAME))


@pytest.fixture
def printed(pycfs):
    """printed(VERB, ...): the members of what it prints."""
    def run(*args, status=0):
        r = pycfs.run(*args, "--json")
        assert r.returncode == status, (args, r.stdout, r.stderr)
        data = json.loads(r.stdout)
        assert data["version"] == 1 and next(iter(data)) == "version"
        return members(data)
    return run


@pytest.fixture
def site(scratch):
    """Something of every kind."""
    root = os.path.join(scratch, "site")
    trees.put(root, {
        "pkg/__init__.py": '"""Doc."""\n', "pkg/a.py": '__doc__ += "x"\n',
        "pkg/two.txt": "the same\n", "pkg/three.txt": "the same\n",
        "pkg/hidden.pyi": "", "bad.py": "(\n", "out.pth": "/elsewhere\n",
        "opens.py": "open(__file__[:__file__.rindex('/')] + '/pkg/two.txt')\n",
        "pkg-1.0.dist-info/METADATA": "Name: pkg\nVersion: 1.0\n",
        "pkg-1.0.dist-info/RECORD": "pkg/__init__.py,,\n",
        "pkg-1.0.dist-info/entry_points.txt":
            "[console_scripts]\nok = pkg:main\nno = gone:main\n"})
    os.symlink("/nowhere/lost.py", os.path.join(root, "lost.py"))
    trees.age(root)
    return root


def test_report(pycfs, printed, site):
    found = printed("report", "--exclude", "*.pyi", "--on-lost", "warn", site)
    os.unlink(os.path.join(site, "bad.py"))
    with pycfs.mount(site) as m:
        found |= printed("report", m)
    assert found == documented("report")


def test_export(printed, site, scratch):
    def to(name, *options, status=0):
        return printed("export", "--on-lost", "warn", "--exclude", "*.pyi",
                       "--python", DEBIAN_PYTHON, *options, site,
                       os.path.join(scratch, name), status=status)
    found = to("x.tar", status=1)
    os.unlink(os.path.join(site, "bad.py"))
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", site], check=True)
    found |= to("y.tar", "--print-digest", "--prefix-dir", "opt", "--scripts",
                "bin", "--sources", os.path.join(scratch, "s.tar"), "--sbom",
                os.path.join(scratch, "s.json"), "--manifest",
                os.path.join(scratch, "m.json"))
    assert found == documented("export")


def test_verify(pycfs, printed, site, scratch):
    out, manifest = (os.path.join(scratch, n) for n in ("out", "m.json"))
    os.unlink(os.path.join(site, "bad.py"))
    pycfs.ok("export", "--python", DEBIAN_PYTHON, "--on-lost", "warn",
             "--manifest", manifest, site, out)
    trees.put(out, {"more": ""})
    assert printed("verify", out, "--manifest", manifest, "--source", site,
                   status=3) == documented("verify")


def test_check(printed, site):
    found = printed("check", "--python", DEBIAN_PYTHON, "--on-lost", "warn",
                    "--on-error", "omit", "--exclude", "/pkg/two.txt", site,
                    status=3)
    assert found == documented("check")


def test_cache(pycfs, printed, site, scratch):
    key = os.path.join(scratch, "key")
    public = pycfs.ok("cache", "keygen", "ci", key).stdout.strip()
    remote = ["--remote", "file://" + os.path.join(scratch, "store")]
    os.makedirs(os.path.join(scratch, "store"))
    form = ["--python", DEBIAN_PYTHON]
    found = printed("cache", "push", *form, *remote, "--remote-sign", key, site)
    found |= printed("cache", "pull", *form, *remote, "--remote-trust", public,
                     site)
    found |= printed("cache", "remote", *remote, "--remote-trust", public)
    for what in ["stat"], ["gc", "--max-age", "9"], ["compact"], ["verify"]:
        found |= printed("cache", *what)
    found |= printed("cache", "clear", "--by", "ci")
    assert found == documented("cache")


def test_every_verb_with_json_is_here(pycfs):
    for verb in re.findall(r"^  ([a-z]+) ", pycfs.ok("--help").stdout, re.M):
        has = "--json" in pycfs.ok(verb, "--help").stdout
        assert has == ("test_" + verb in globals()), verb
