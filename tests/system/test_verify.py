"""A manifest says what is in a layer and what it was made of, and pycfs verify
finds every difference from the layer and from the source."""
import hashlib
import json
import os
import shutil
import subprocess
import zipfile

import pytest

import harness
import layers
import oddtrees
import trees


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def site(root):
    trees.put(root, {
        "pkg/__init__.py": "X = 1\n",
        "pkg/core.py": "def f():\n    'doc'\n    return 2\n",
        "pkg/data.txt": "data\n",
        "pkg/kept.py": "Y = 3\n",
        "pkg/sub/empty.py": "",
        "pkg-1.dist-info/RECORD": "pkg/core.py,,\npkg/data.txt,,\n",
        "pkg-1.dist-info/METADATA": "Name: pkg\nVersion: 1\n",
        "pkg-1.dist-info/entry_points.txt":
            "[console_scripts]\ntool = pkg.core:f\n",
    })
    os.symlink("data.txt", os.path.join(root, "pkg", "link"))
    return root


class Layer:
    """A layer of a small tree with its manifest, and verify of them."""

    def __init__(self, pycfs, scratch, ending="zip", options=()):
        self.pycfs = pycfs
        self.source = site(os.path.join(scratch, "site"))
        self.path = os.path.join(scratch, "layer" + ending)
        self.manifest = os.path.join(scratch, "layer.json")
        self.python = harness.DEBIAN_PYTHON
        pycfs.ok("export", "--python", self.python, "--manifest",
                 self.manifest, *options, self.source, self.path)

    def verify(self, *options, source=True):
        return self.pycfs.run(
            "verify", self.path, "--manifest", self.manifest, "--python",
            self.python, *(["--source", self.source] if source else []),
            *options)

    def found(self, *options, **how):
        """{(what, path)}"""
        result = self.verify("--json", *options, **how)
        out = json.loads(result.stdout)
        found = {(d["what"], d["path"]) for d in out["differences"]}
        assert result.returncode == (0 if out["good"] else 3)
        assert out["good"] == (not found and out["archive"] != "other")
        return found

    def unpacked(self):
        """The layer is a directory from here on."""
        self.path = layers.unpack(self.path, self.path + ".dir")
        return self.path


@pytest.fixture
def layer(pycfs, scratch):
    return Layer(pycfs, str(scratch), ".tar")


SETS = {
    "plain": [],
    "kept": ["--keep-source", "/pkg/kept.py", "-O", "1", "--optimize-for",
             "0:core.py", "--debug-ranges"],
    "moved": ["--prefix-dir", "opt/x", "--prefix", "/opt/x", "--exclude",
              "*.txt", "--include", "/pkg/data.txt"],
    "scripts": ["--scripts", "bin", "--scripts-python", "/usr/bin/python3",
                "--invalidation-mode", "checked-hash", "--modes", "normal"],
    "dated": ["--mtime", "content", "--invalidation-mode", "timestamp",
              "--marshal", "cpython", "--owner", "1:2", "--profile", "strict"],
}


@pytest.mark.parametrize("ending", ["", ".zip", ".tar", ".tar.gz", ".tar.zst"])
@pytest.mark.parametrize("name", SETS)
def test_a_second_builder_finds_the_same(name, ending, pycfs, scratch):
    layer = Layer(pycfs, str(scratch), ending, SETS[name])
    assert layer.found() == set()
    assert layer.found("--no-cache") == set()
    assert layer.found(source=False) == set()
    if ending:
        layer.unpacked()
        assert layer.found() == set()


@pytest.mark.parametrize("seed", range(3))
def test_of_an_odd_tree(seed, pycfs, scratch):
    tree = oddtrees.make(os.path.join(scratch, "site"), seed)
    oddtrees.drop_non_utf8(tree)
    out, manifest = (os.path.join(scratch, n) for n in ("out", "m.json"))
    options = ["--on-error", "source", "--on-lost", "warn",
               "--hardlink-dupes"]
    pycfs.ok("export", "--manifest", manifest, "--python",
             harness.DEBIAN_PYTHON, *options, tree, out)
    result = pycfs.run("verify", out, "--manifest", manifest, "--source", tree)
    assert (result.returncode, result.stdout) == (0, "")
    subjects = {s["name"]: s for s in read(manifest)["subject"]}
    shipped = {os.path.relpath(os.path.join(d, n), out)
               for d, _, names in os.walk(out) for n in names}
    shipped |= {os.path.relpath(os.path.join(d, n), out)
                for d, dirs, _ in os.walk(out) for n in dirs
                if os.path.islink(os.path.join(d, n))}
    assert set(subjects) == shipped
    for name in shipped:
        path = os.path.join(out, name)
        digest = hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest() \
            if os.path.islink(path) else sha256(path)
        assert subjects[name]["digest"]["sha256"] == digest


def test_what_a_manifest_has(pycfs, scratch):
    layer = Layer(pycfs, str(scratch), ".zip",
                  ["--optimize-for", "1:core.py", "--exclude", "*.nothing"])
    m = read(layer.manifest)
    assert m["_type"] == "https://in-toto.io/Statement/v1"
    assert m["predicateType"] == "https://slsa.dev/provenance/v1"
    by_name = {s["name"]: s for s in m["subject"]}
    assert by_name["layer.zip"]["digest"]["sha256"] == sha256(layer.path)
    core = by_name["pkg/core.pyc"]["annotations"]
    assert core == {
        "source": "pkg/core.py", "rule": "optimize 1 core.py",
        "source_sha256": sha256(layer.source + "/pkg/core.py")}
    assert by_name["pkg/link"]["annotations"]["link"] is True
    build = m["predicate"]["buildDefinition"]
    given = build["externalParameters"]
    assert given["options"]["optimize"] == "2"
    assert given["rules"] == ["optimize 1 core.py", "exclude *.nothing"]
    python = build["resolvedDependencies"][0]["annotations"]
    said = subprocess.run([layer.python, "-c", "import sys; print(sys.version"
                           ".split()[0])"], stdout=subprocess.PIPE,
                          encoding="utf-8").stdout.strip()
    assert python["version"] == said
    tools = m["predicate"]["runDetails"]["builder"]["version"]
    assert set(tools) == {"pycfs", "libarchive"}


def test_the_same_everywhere(pycfs, scratch):
    layer = Layer(pycfs, str(scratch), ".zip", ["--mtime", "1600000000"])
    with open(layer.manifest, "rb") as f:
        before = f.read()
    for n, more in enumerate((["--no-cache", "-j", "1"], ["-j", "3"])):
        elsewhere = shutil.copytree(layer.source, os.path.join(
            scratch, "elsewhere%d" % n), symlinks=True)
        to = os.path.join(scratch, str(n))
        os.mkdir(to)
        pycfs.ok("export", "--python", layer.python, "--mtime", "1600000000",
                 *more, "--manifest", to + "/m.json", elsewhere,
                 to + "/layer.zip")
        with open(to + "/m.json", "rb") as f:
            assert f.read() == before
        assert str(scratch).encode() not in before


def test_what_was_done_to_the_layer(layer):
    root = layer.unpacked()
    trees.put(root, {"pkg/data.txt": "other\n", "pkg/new.pyc": "new"})
    os.unlink(root + "/pkg/__init__.pyc")
    os.unlink(root + "/pkg/link")
    os.symlink("core.pyc", root + "/pkg/link")
    wanted = {("changed", "pkg/data.txt"), ("extra", "pkg/new.pyc"),
              ("missing", "pkg/__init__.pyc"), ("changed", "pkg/link")}
    assert layer.found(source=False) == wanted
    assert layer.found() == wanted
    text = layer.verify()
    assert "pkg/new.pyc is in the layer, but not in the manifest" in text.stdout
    assert "4 differences" in text.stderr
    # A file in place of a link with the same digest is another thing.
    os.unlink(root + "/pkg/link")
    trees.put(root, {"pkg/link": "data.txt"})
    assert ("changed", "pkg/link") in layer.found(source=False)


def test_what_was_done_to_the_source(layer):
    trees.put(layer.source, {"pkg/core.py": "def f():\n    return 3\n",
                             "pkg/data.txt": "other\n", "pkg/new.py": ""})
    os.unlink(layer.source + "/pkg/__init__.py")
    found = layer.found()
    assert found == {
        ("source", "pkg/core.pyc"), ("source", "pkg/data.txt"),
        ("unsaid", "pkg/new.pyc"), ("unmade", "pkg/__init__.pyc")}
    assert layer.found(source=False) == set()


def test_bytecode_of_another_source(layer):
    """Somebody replaces a module, and says so in the manifest."""
    root = layer.unpacked()
    module = root + "/pkg/core.pyc"
    shutil.copy(root + "/pkg/kept.pyc", module)
    m = read(layer.manifest)
    for s in m["subject"]:
        if s["name"] == "pkg/core.pyc":
            s["digest"]["sha256"] = sha256(module)
    with open(layer.manifest, "w", encoding="utf-8") as f:
        json.dump(m, f)
    assert layer.found(source=False) == set()
    assert layer.found() == {("remade", "pkg/core.pyc")}


def test_an_archive_that_was_packed_anew(layer):
    root = layers.unpack(layer.path, layer.path + ".dir")
    subprocess.run(["tar", "-C", root, "-cf", layer.path, "."], check=True)
    assert layer.found(source=False) == set()
    result = layer.verify()
    assert result.returncode == 3
    assert "the archive itself is another one" in result.stderr


def change_python(layer, **how):
    m = read(layer.manifest)
    build = m["predicate"]["buildDefinition"]
    build["resolvedDependencies"][0]["annotations"].update(how)
    with open(layer.manifest, "w", encoding="utf-8") as f:
        json.dump(m, f)


def test_of_another_python(layer):
    change_python(layer, version="3.99.1", magic=1234)
    result = layer.verify()
    assert result.returncode == 1
    assert "was made with Python 3.99.1" in result.stderr
    assert layer.found(source=False) == set()


def test_of_a_python_that_compiles_otherwise(layer):
    change_python(layer, version="3.11.99", canary="0" * 16)
    result = layer.verify()
    assert result.returncode == 0
    assert "which compiles otherwise" in result.stderr


def test_the_python_is_found_by_the_manifest(layer, pycfs):
    result = pycfs.run("verify", layer.path, "--manifest", layer.manifest,
                       "--source", layer.source)
    assert result.returncode == 0
    assert "3.11" in result.stderr


def wrong(m, what):
    subject = m["subject"][1]
    build = m["predicate"]["buildDefinition"]
    if what == "twice":
        m["subject"].append(subject)
    elif what == "digest":
        subject["digest"]["sha256"] = "0" * 63 + "g"
    elif what == "short":
        subject["digest"]["sha256"] = "00"
    elif what == "name":
        subject["name"] = 3
    elif what == "type":
        m["predicateType"] = "https://example.com/other"
    elif what == "build":
        build["buildType"] = "other"
    elif what == "python":
        del build["resolvedDependencies"]
    elif what == "options":
        build["externalParameters"]["options"] = []
    elif what == "number":
        build["externalParameters"]["options"]["optimize"] = 2
    elif what == "line":
        build["externalParameters"]["rules"] = ["exclude a\nexclude b"]
    elif what == "unknown":
        build["externalParameters"]["options"]["cache"] = "/etc"
    elif what == "value":
        build["externalParameters"]["options"]["optimize"] = "7"
    elif what == "rule":
        build["externalParameters"]["rules"] = ["destroy *"]
    elif what == "links":
        build["externalParameters"]["options"]["follow-links"] = "1"
    return m


@pytest.mark.parametrize("what", [
    "twice", "digest", "short", "name", "type", "build", "python", "options",
    "number", "line", "unknown", "value", "rule", "links"])
def test_a_manifest_that_is_wrong(what, layer):
    m = wrong(read(layer.manifest), what)
    with open(layer.manifest, "w", encoding="utf-8") as f:
        json.dump(m, f)
    result = layer.verify()
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "manifest" in result.stderr


@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", "\0", "[" * 100000, '{"_type": 1}',
    '{"_type": "a", "_type": "b"}'])
def test_a_file_that_is_none(text, layer):
    with open(layer.manifest, "w", encoding="utf-8") as f:
        f.write(text)
    result = layer.verify()
    assert result.returncode == 1
    assert "is no manifest" in result.stderr


def test_every_byte_counts(layer):
    """Of a layer, that is; none may crash the reader of a manifest."""
    with open(layer.manifest, "rb") as f:
        text = f.read()
    for at in range(0, len(text), 41):
        with open(layer.manifest, "wb") as f:
            f.write(text[:at] + bytes([text[at] ^ 0x11]) + text[at + 1:])
        assert layer.verify(source=False).returncode in (0, 1, 3)


def test_links_that_are_followed(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    links = os.path.join(scratch, "links")
    trees.put(links, {"far/__init__.py": "Z = 1\n"})
    os.symlink(links + "/far", source + "/far")
    out, manifest = (os.path.join(scratch, n) for n in ("out", "m.json"))
    pycfs.ok("export", "--python", harness.DEBIAN_PYTHON, "--follow-links",
             links, "--manifest", manifest, source, out)
    command = ["verify", out, "--manifest", manifest, "--source", source]
    assert pycfs.run(*command).returncode == 1
    assert pycfs.run(*command, "--follow-links", links).returncode == 0
    with open(manifest, encoding="utf-8") as f:
        assert links not in f.read()


def test_an_archive_that_leads_out(layer, scratch):
    """Nothing of it is written where it should not be."""
    layer.path = os.path.join(scratch, "evil.zip")
    with zipfile.ZipFile(layer.path, "w") as z:
        z.writestr("../evil", "x")
    result = layer.verify(source=False)
    assert result.returncode == 1
    assert not os.path.exists(os.path.join(scratch, "evil"))


def test_a_fifo_in_the_layer(layer):
    os.mkfifo(layer.unpacked() + "/pkg/fifo")
    result = layer.verify(source=False)
    assert result.returncode == 1 and "pkg/fifo" in result.stderr


def test_nothing_is_left_behind(layer, scratch):
    tmp = os.path.join(scratch, "tmp")
    os.mkdir(tmp)
    env = dict(os.environ, TMPDIR=tmp)
    assert layer.pycfs.run("verify", layer.path, "--manifest", layer.manifest,
                           env=env).returncode == 0
    assert os.listdir(tmp) == []


def test_where_a_manifest_may_lie(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    out = os.path.join(scratch, "out")
    for bad in (source + "/m.json", out + "/m.json"):
        result = pycfs.run("export", "--manifest", bad, source, out)
        assert result.returncode == 2 and "--manifest" in result.stderr
        assert not os.path.exists(out)


def test_two_files_of_one_name(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    one = os.path.join(scratch, "one.json")
    result = pycfs.run("export", "--manifest", one, "--sbom",
                       os.path.join(scratch, ".", "one.json"), source,
                       os.path.join(scratch, "out"))
    assert result.returncode == 2
    assert "--manifest and --sbom are both" in result.stderr
    assert not os.path.exists(one)


def test_an_export_that_fails_leaves_the_old_one(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    manifest = os.path.join(scratch, "m.json")
    trees.put(source, {"pkg/bad.py": "x = (\n"})
    trees.put(str(scratch), {"m.json": "old"})
    result = pycfs.run("export", "--python", harness.DEBIAN_PYTHON,
                       "--manifest", manifest, source,
                       os.path.join(scratch, "out"))
    assert result.returncode == 1
    with open(manifest, encoding="utf-8") as f:
        assert f.read() == "old"


def test_a_name_that_is_not_utf8(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    with open(os.fsencode(source) + b"/pkg/\xff.txt", "wb"):
        pass
    out = os.path.join(scratch, "out")
    result = pycfs.run("export", "--python", harness.DEBIAN_PYTHON,
                       "--manifest", os.path.join(scratch, "m.json"), source,
                       out)
    assert result.returncode == 1 and "not UTF-8" in result.stderr
    assert not os.path.exists(out)


def test_a_tar_on_stdout(pycfs, scratch):
    source = site(os.path.join(scratch, "site"))
    manifest, tar = (os.path.join(scratch, n) for n in ("m.json", "x.tar"))
    with open(tar, "wb") as f:
        subprocess.run([harness.program(), "export", "-q", "--cache",
                        pycfs.cache, "--python", harness.DEBIAN_PYTHON,
                        "--manifest", manifest, source, "-"], stdout=f,
                       check=True)
    assert read(manifest)["subject"][0]["digest"]["sha256"] == sha256(tar)
    assert pycfs.run("verify", tar, "--manifest", manifest, "--source",
                     source).returncode == 0


def test_without_a_manifest(pycfs, scratch):
    result = pycfs.run("verify", str(scratch))
    assert result.returncode == 2 and "--manifest FILE" in result.stderr
