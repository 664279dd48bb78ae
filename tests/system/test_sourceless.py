"""tools/sourceless-tests, on a package that is small enough for every run."""
import json
import os
import re
import subprocess
import sys

import pytest

import harness
import trees

TOOL = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                    "..", "..", "tools", "sourceless-tests")

SOURCES = {
    "sl/__init__.py": '"""A package."""\n',
    "sl/sums.py": (
        "import os\n"
        "HERE = os.path.dirname(__file__)\n"
        "def add(a, b):\n"
        '    """Adds."""\n'
        "    assert isinstance(a, int), a\n"
        "    return a + b\n"
        "def words():\n"
        "    with open(os.path.join(HERE, 'words.txt')) as f:\n"
        "        return f.read().split()\n"),
    "sl/words.txt": "one two\n",
    "sl/tests/__init__.py": "",
    # as helpers of tests are: neither test_*.py nor without asserts
    "sl/tests/helper.py": "def check(x):\n    assert x\n",
    "sl/tests/test_sums.py": (
        "import inspect, os, unittest\n"
        "from sl import sums\n"
        "from sl.tests import helper\n"
        "class Sums(unittest.TestCase):\n"
        "    def test_add(self):\n"
        "        self.assertEqual(sums.add(1, 2), 3)\n"
        "    def test_data(self):\n"
        "        self.assertEqual(sums.words(), ['one', 'two'])\n"
        "    def test_helper(self):\n"
        "        with self.assertRaises(AssertionError):\n"
        "            helper.check(0)\n"
        "    def test_own_source(self):\n"
        "        self.assertIn('a line', inspect.getsource(Sums))\n"
        "    def test_source(self):\n"
        "        self.assertIn('Adds', inspect.getsource(sums))\n"
        "    def test_doc(self):\n"
        "        self.assertEqual(sums.add.__doc__, 'Adds.')\n"
        "    def test_assert(self):\n"
        "        with self.assertRaises(AssertionError):\n"
        "            sums.add('a', 'b')\n"
        "    def test_wrong(self):\n"
        "        self.assertTrue(os.path.exists('/none/such'))\n"
        "    @unittest.skip('never')\n"
        "    def test_skipped(self):\n"
        "        pass\n"),
}

# What becomes of each test from source under -OO, and without source.
EXPECTED = {
    "test_add": ("ok", "ok"), "test_data": ("ok", "ok"),
    "test_helper": ("bad", "ok"), "test_own_source": ("ok", "ok"),
    "test_source": ("ok", "bad"), "test_doc": ("bad", "bad"),
    "test_assert": ("bad", "bad"), "test_wrong": ("bad", "bad"),
    "test_skipped": ("skipped", "skipped"),
}


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    for name, text in SOURCES.items():
        trees.write(os.path.join(root, name), text)
    trees.age(root)
    return root


@pytest.fixture
def tool(scratch):
    """tool(ARGUMENT...): exit status, stdout and stderr. It leaves nothing."""
    def run(*args):
        tmp = os.path.join(scratch, "tmp")
        os.makedirs(tmp, exist_ok=True)
        out = subprocess.run([sys.executable, TOOL, *map(str, args)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=300,
                             env={**os.environ, "TMPDIR": tmp})
        assert os.listdir(tmp) == []
        assert not harness.daemons(tmp)
        return out.returncode, out.stdout.decode(), out.stderr.decode()
    return run


def results_of(path):
    with open(path) as f:
        return {way: {name.rpartition(".")[2]: what
                      for name, what in tests.items()}
                for way, tests in json.load(f).items()}


def section(text, title):
    """The names below a heading of the comparison."""
    m = re.search(r"^%s: (\d+)\n((?:  .*\n)*)" % re.escape(title), text, re.M)
    assert m, text
    names = [line.rpartition(".")[2] for line in m.group(2).splitlines()]
    assert len(names) == int(m.group(1))
    return names


def check(text, path):
    got = results_of(path)
    assert got["a"] == {n: w[0] for n, w in EXPECTED.items()}, text
    assert got["b"] == {n: w[1] for n, w in EXPECTED.items()}, text
    assert got["c"] == got["b"], text
    assert section(text, "fail in every way, so for other reasons") == \
        ["test_assert", "test_doc", "test_wrong"]
    assert section(text, "pass under -OO, fail without source in both b and c"
                   ) == ["test_source"]
    assert section(text, "fail in b, but not in c") == []
    assert section(text, "pass in b, but not in c") == []
    row = re.search(r"^  c +pycfs +(\d+) +(\d+) +(\d+) +(\d+) ", text, re.M)
    assert row and row.groups() == ("9", "4", "1", "4"), text


def test_every_python(target, site, scratch, tool):
    path = os.path.join(scratch, "out.json")
    status, out, err = tool("--python", target.exe, "--site", site, "--json",
                            path, "--runner", "unittest", "sl")
    assert status == 0, out + err
    check(out, path)


@pytest.mark.parametrize("how", ["copy", "mounted"])
def test_pytest(how, site, scratch, tool):
    path = os.path.join(scratch, "out.json")
    status, out, err = tool("--python", harness.DEBIAN_PYTHON, "--site", site,
                            "--json", path, *["--" + how] * (how != "copy"),
                            "sl")
    assert status == 0, out + err
    check(out, path)


def test_what_pycfs_loses_is_told(site, scratch, tool):
    rules = os.path.join(scratch, "rules")
    trees.write(rules, "exclude words.txt\n")
    status, out, err = tool("--site", site, "--runner", "unittest", "--rules",
                            rules, "sl")
    assert status == 1, out + err
    assert section(out, "pass in b, but not in c") == ["test_data"]


def test_tests_that_are_not_there_are_lost(site, scratch, tool):
    rules = os.path.join(scratch, "rules")
    trees.write(rules, "exclude test_sums.py\n")
    status, out, err = tool("--site", site, "--runner", "pytest", "--rules",
                            rules, "sl", "sl/tests")
    assert status == 1, out + err
    assert len(section(out, "pass in b, but not in c")) == 4


def test_what_cannot_be_tried(site, scratch, tool):
    assert tool("--site", site, "none")[0] == 2
    assert tool("--site", site + "/none", "sl")[0] == 2
    assert tool()[0] == 2
    assert tool("--nonsense", "sl")[0] == 2
    assert tool("--python", "/none", "--site", site, "sl")[0] == 2
    bad = os.path.join(scratch, "rules")
    trees.write(bad, "nonsense\n")
    status, out, err = tool("--site", site, "--rules", bad, "sl")
    assert status == 2 and "nonsense" not in out and bad in err, err
    # nothing passed, so nothing was compared
    assert tool("--site", site, "--runner", "unittest", "sl", "none")[0] == 2


def test_help(tool):
    status, out, err = tool("--help")
    assert status == 0 and not err
    assert max(map(len, out.splitlines())) <= 80
