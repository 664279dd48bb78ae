"""What --sbom lists, and that it is CycloneDX 1.5."""
import json
import os
import re

import pytest

import harness
import layers
import trees
from harness import read

PYTHON = ["--python", harness.DEBIAN_PYTHON]
# What has no business in a layer's list: everything but code.
THIN = ["--exclude", "**/*.dist-info/*", "--exclude", "*.egg-info"]


# the format, as far as a list like this uses it

def only(what, required, optional=""):
    keys = set(what)
    assert set(required.split()) <= keys
    assert keys <= set(required.split()) | set(optional.split())


def check_licences(licences):
    """Either licences with an identifier or a name, or one expression."""
    assert licences
    if "expression" in licences[0]:
        assert len(licences) == 1
        only(licences[0], "expression")
        assert re.fullmatch(r"[\w .()+:-]+", licences[0]["expression"])
        return
    for licence in licences:
        only(licence, "license")
        assert len(licence["license"]) == 1
        only(licence["license"], "", "id name")
        assert all(isinstance(v, str) and v
                   for v in licence["license"].values())


def check_component(c, kind):
    only(c, "type name", "bom-ref version purl licenses")
    assert c["type"] == kind and c["name"]
    for key in ("name", "bom-ref", "version", "purl"):
        assert isinstance(c.get(key, ""), str)
    if "licenses" in c:
        check_licences(c["licenses"])
    if kind == "library":
        name, _, version = c["purl"].partition("@")
        assert re.fullmatch(r"pkg:pypi/[a-z0-9%A-F-]+", name)
        assert re.fullmatch(r"[\w.~%-]*", version)
        if re.fullmatch(r"[\w.-]+", c["name"]):
            assert name == "pkg:pypi/" + re.sub(r"[-_.]+", "-",
                                                c["name"]).lower()


def check_bom(text):
    """The components of a CycloneDX 1.5."""
    bom = json.loads(text.decode())  # UTF-8, with no lone surrogate
    json.dumps(bom, ensure_ascii=False).encode()
    only(bom, "bomFormat specVersion",
         "serialNumber version metadata components")
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert bom["version"] == 1 and type(bom["version"]) is int
    only(bom["metadata"], "", "tools")
    only(bom["metadata"]["tools"], "", "components")
    for tool in bom["metadata"]["tools"]["components"]:
        check_component(tool, "application")
    for c in bom["components"]:
        check_component(c, "library")
    refs = [c["bom-ref"] for c in bom["components"]]
    assert refs == sorted(set(refs), key=os.fsencode)
    return {c["name"]: c for c in bom["components"]}


# a site-packages

def wheel(root, name, version, headers="", files=None, called=None):
    """A distribution with a module, or with these files."""
    info = "%s-%s.dist-info" % (called or name, version)
    if files is None:
        files = [name.lower() + ".py"]
    for f in files:
        trees.write(os.path.join(root, f), "X = 1\n")
    trees.write(os.path.join(root, info, "METADATA"),
                "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s\nText.\n"
                "License: of the description\n" % (name, version, headers))
    trees.write(os.path.join(root, info, "RECORD"), "".join(
        "%s,,\n" % f for f in [*files, info + "/METADATA", info + "/RECORD"]))


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    wheel(root, "Said", "1.0", "License: MIT\n"
          "Classifier: License :: OSI Approved :: MIT License\n")
    wheel(root, "expressed", "2.0+local.1", "License: BSD\n"
          "License-Expression: Apache-2.0 OR (MIT AND BSD-3-Clause)\n"
          "Classifier: License :: OSI Approved :: BSD License\n")
    wheel(root, "one", "1", "License-Expression: apache-2.0\n")
    wheel(root, "Zope.Inter__Face", "5.4", files=["zi/__init__.py"],
          called="zope.inter_face")
    wheel(root, "classified", "1!3",
          "Classifier: License :: OSI Approved\n"
          "Classifier: License :: OSI Approved :: BSD License\n"
          "Classifier: License :: OSI Approved :: "
          "Mozilla Public License 2.0 (MPL 2.0)\n"
          "Classifier: Programming Language :: Python\n")
    wheel(root, "long", "1", "License: Copyright me\n        All rights.\n"
          "        \n        More.\nClassifier: License :: Public Domain\n")
    wheel(root, "unknown", "1", "License: UNKNOWN\n")
    wheel(root, "odd", "1", "License: \x1b[31m<b>\x07\n")
    wheel(root, "onlydata", "1", files=["onlydata.txt"])
    wheel(root, "nothing", "1", files=[])  # nothing but metadata
    trees.write(os.path.join(root, "egg", "__init__.py"), "")
    trees.write(os.path.join(root, "egg-0.5-py3.11.egg-info", "PKG-INFO"),
                "Name: egg\nVersion: 0.5\nLicense: Zlib\n")
    trees.write(os.path.join(root, "flat.py"), "")
    trees.write(os.path.join(root, "flat-1.2.egg-info"),
                "Name: flat\r\nVersion: 1.2\r\nLicense: ISC\r\n")
    trees.write(os.path.join(root, "nobodys.py"), "")
    # Of two kinds of metadata that of the wheel counts.
    wheel(root, "both-ways", "3", "License: 0BSD\n", files=["both_ways.py"],
          called="both_ways")
    trees.write(os.path.join(root, "Both_Ways-3-py3.11.egg-info", "PKG-INFO"),
                "Name: Both_Ways\nVersion: 3\nLicense: Zlib\n")
    trees.age(root)
    return root


LICENCES = {
    "Said": [{"license": {"id": "MIT"}}],
    "expressed": [{"expression": "Apache-2.0 OR (MIT AND BSD-3-Clause)"}],
    "one": [{"license": {"id": "Apache-2.0"}}],
    "Zope.Inter__Face": None,
    "classified": [{"license": {"name": "BSD License"}},
                   {"license": {"id": "MPL-2.0"}}],
    "long": [{"license": {"name": "Public Domain"}}],
    "unknown": None,
    "odd": [{"license": {"name": "?[31m<b>?"}}],
    "onlydata": None,
    "egg": [{"license": {"id": "Zlib"}}],
    "flat": [{"license": {"id": "ISC"}}],
    "both-ways": [{"license": {"id": "0BSD"}}],
}


def export(pycfs, site, dest, *options, **how):
    sbom = dest + ".json"
    pycfs.exported(site, dest, "--sbom", sbom, *options, **how)
    return check_bom(read(sbom))


@pytest.mark.parametrize("rules", [[], THIN], ids=["whole", "thin"])
def test_it_has_what_ships(rules, pycfs, site, scratch):
    """Also where rules hide the metadata."""
    found = export(pycfs, site, os.path.join(scratch, "x.zip"), *rules)
    assert {n: c.get("licenses") for n, c in found.items()} == LICENCES
    assert found["expressed"]["purl"] == "pkg:pypi/expressed@2.0%2Blocal.1"
    assert found["classified"]["version"] == "1!3"
    assert found["Zope.Inter__Face"]["purl"] == "pkg:pypi/zope-inter-face@5.4"


def test_it_lacks_what_does_not_ship(pycfs, site, scratch):
    dest = os.path.join(scratch, "x.tar")
    found = export(pycfs, site, dest, "--exclude", "/said.py", "--exclude",
                   "egg/")
    assert set(LICENCES) - set(found) == {"Said", "egg"}
    assert b"said.pyc" not in layers.names(dest)


def test_a_report_has_the_same(pycfs, site, scratch):
    dest = os.path.join(scratch, "x")
    export(pycfs, site, dest, *THIN)
    of_report = os.path.join(scratch, "report.json")
    pycfs.ok("report", "-q", *PYTHON, *THIN, "--sbom", of_report, site)
    assert read(of_report) == read(dest + ".json")


def test_it_is_reproducible(pycfs, site, scratch):
    """Neither a time nor a random number, nor what the machine has."""
    one = os.path.join(scratch, "one.zip")
    export(pycfs, site, one)
    two = os.path.join(scratch, "two.tar.gz")
    export(pycfs, site, two, "-j", "1", "--no-cache", "--prefix-dir", "opt")
    assert read(one + ".json") == read(two + ".json")


def test_metadata_of_anybody(pycfs, scratch):
    """It is bounded, and its names are names."""
    site = os.path.join(scratch, "site")
    wheel(site, "../../etc", "$(id)", files=["evil.py"], called="evil")
    wheel(site, "many", "1", "".join(
        "Classifier: License :: Mine %d\n" % i for i in range(500)))
    wheel(site, "wide", "1", "License: %s\n" % ("x" * 5000))
    wheel(site, "large", "1", "X: %s\n" % ("x" * (1 << 20)) + "License: MIT\n")
    wheel(site, "nul", "1", "License: a\0b\nLicense-Expression: GPL; rm -rf\n")
    wheel(site, "gone", "1", "License: MIT\n")
    os.unlink(os.path.join(site, "gone-1.dist-info", "METADATA"))
    os.symlink("/etc/passwd", os.path.join(site, "gone-1.dist-info",
                                           "METADATA"))
    os.makedirs(os.path.join(site, "dir-1.dist-info", "METADATA"))
    trees.write(os.path.join(site, "dir.py"), "")
    odd = os.fsencode(site) + b"/caf\xe9"
    with open(odd + b".py", "wb"):
        pass
    os.mkdir(odd + b"-1.dist-info")
    trees.write(os.path.join(os.fsdecode(odd) + "-1.dist-info", "RECORD"),
                b"caf\xe9.py,,\n")
    found = export(pycfs, site, os.path.join(scratch, "x.tar"), "--on-lost",
                   "warn")
    assert set(found) == {"evil", "many", "wide", "large", "nul", "gone",
                          "dir", "caf?"}
    assert found["evil"]["version"] == "$(id)"
    assert found["evil"]["purl"] == "pkg:pypi/evil@%24%28id%29"
    assert len(found["many"]["licenses"]) == 32
    assert len(found["wide"]["licenses"][0]["license"]["name"]) == 1000
    assert "licenses" not in found["large"]  # its headers are too long
    assert found["nul"]["licenses"] == [{"license": {"name": "GPL; rm -rf"}}]
    assert "licenses" not in found["gone"]


def test_it_is_in_its_place_at_once(pycfs, site, scratch):
    """Where the export fails, the old one stays."""
    dest = os.path.join(scratch, "x.zip")
    sbom = os.path.join(scratch, "new", "s.json")
    assert pycfs.export(site, dest, "--sbom", sbom, "--max-size",
                        "5").returncode == 3
    assert not os.path.exists(os.path.dirname(sbom))
    run = pycfs.export(site, dest, "--sbom", sbom, "--json")
    assert run.returncode == 0 and json.loads(run.stdout)["sbom"] == sbom
    old = read(sbom)
    trees.write(os.path.join(site, "broken.py"), "(\n")
    wheel(site, "later", "1")
    assert pycfs.export(site, dest, "--sbom", sbom).returncode == 1
    assert read(sbom) == old and os.listdir(os.path.dirname(sbom)) == ["s.json"]


@pytest.mark.parametrize("where", ["site/s.json", "dest/s.json", "dest"])
def test_places_that_are_refused(where, pycfs, site, scratch):
    run = pycfs.export(site, os.path.join(scratch, "dest"), "--sbom",
                       os.path.join(scratch, where))
    assert run.returncode == 2 and "--sbom" in run.stderr
    assert not os.path.exists(os.path.join(scratch, "dest"))
