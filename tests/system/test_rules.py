"""Rules: which files are shipped, and at which level modules are compiled. The
results are compared with git, and with the script that made a real layer."""
import json
import os
import random
import re
import shutil
import subprocess
import sysconfig

import pytest

import harness
import natives
import trees
from harness import copy, python, read
from test_usage import refused

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(os.path.dirname(HERE), "rules")
SECTION = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools",
                       "examples", "lambda", "section.rules")


def names(root):
    return sorted(os.fsdecode(p) for p in trees.listing(root))


def shipped(pycfs, source, *options):
    """Every name of a mount with these options, as bytes."""
    at = os.path.join(pycfs.scratch, "point")
    os.makedirs(at, exist_ok=True)
    run = subprocess.run(
        pycfs.command("run", "--python", harness.DEBIAN_PYTHON, "--no-cache",
                      "--jobs", "1", "--no-ahead", *options, source, at, "--",
                      "find", at, "-mindepth", "1", "-printf", "%P\\0"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, env=pycfs.env())
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split(b"\0")[:-1])


# as .gitignore

FILES = ["a", "b", "ab", "a.b", "A", ".a", "a b", "a*b", "[a]", "a\\b", "!a",
         "#a", "b]", "-", "a ", "\xe9"]
DIRS = ["a", "b", "ab", "a.b", "c", "A"]
PIECES = ["a", "b", "c", "ab", "A", ".", "*", "*", "?", "**", "[ab]", "[!a]",
          "[^b]", "[a-c]", "[]a]", "[!]a]", "[a-]", "[-a]", "[\\]b]", "\\a",
          "\\*", "\\[", "\\\\", " ", "[*]", "\xe9", "[\xc3\xa9]"]
CLASSES = ["[[:%s:]]" % name for name in (
    "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print",
    "punct", "space", "upper", "xdigit")] + ["[![:upper:]a]", "[[:space:]b-]"]


def random_tree(root, rng):
    """Directories up to four deep, links, empty ones; {path: is_dir}."""
    out = {}

    def fill(rel, depth):
        where = os.path.join(root, rel)
        for name in rng.sample(FILES, rng.randint(1, 5)):
            path = os.path.join(where, name)
            if rng.random() < 0.1:
                os.symlink(rng.choice(["a", "c", "."]), path)
            else:
                trees.write(path)
            out[os.path.join(rel, name)] = False
        for name in rng.sample(DIRS, rng.randint(0, 3)):
            path = os.path.join(rel, name)
            if depth == 0 or os.path.lexists(os.path.join(root, path)):
                continue
            os.mkdir(os.path.join(root, path))
            out[path] = True
            if rng.random() < 0.85:
                fill(path, depth - 1)

    os.mkdir(root)
    fill("", 3)
    return out


def random_pattern(rng, paths, pieces):
    if rng.random() < 0.5:  # a real path, or what may match it
        text = rng.choice(paths)
        for special in "\\[*?!#":
            text = text.replace(special, "\\" + special)
        if text.endswith(" "):
            text = text[:-1] + "\\ "
        parts = text.split("/")
        for i in range(len(parts)):
            if rng.random() < 0.3:
                parts[i] = rng.choice(["*", "**", "?", "*" + parts[i][-1:],
                                       parts[i][:1] + "*"])
        text = "/".join(parts)
    else:
        text = "/".join(
            "**" if rng.random() < 0.25 else
            "".join(rng.choices(pieces, k=rng.randint(1, 3)))
            for _ in range(rng.randint(1, 3)))
    if rng.random() < 0.2:
        text = "/" + text
    if rng.random() < 0.25 and not text.endswith("\\"):
        text += "/"
    return text


def well_formed(text):
    """What git takes for a pattern that can match, pycfs for one at all, and
    the same in a file of either; more than two stars have a test below."""
    return "***" not in text and not text.startswith(" ") and \
        "//" not in text and text.strip("/ ") != "" and \
        not text.startswith(("#", "!")) and \
        (not text.endswith((" ", " /")) or text.endswith("\\ "))


def random_rules(rng, paths, pieces):
    """[(whether it excludes, pattern)]"""
    out = []
    while not out or rng.random() < 0.65:
        text = random_pattern(rng, paths, pieces)
        if well_formed(text):
            out.append((rng.random() < 0.65, text))
    return out


def ignored(repository, root, rules, paths):
    """What git says about these paths, as bytes."""
    patterns = os.path.join(repository, "patterns")
    trees.write(patterns, "".join(
        "%s%s\n" % ("" if exclude else "!", text) for exclude, text in rules))
    run = subprocess.run(
        ["git", "-c", "core.excludesFile=" + patterns, "-c",
         "core.quotePath=false", "-c", "core.ignoreCase=false",
         "--git-dir", os.path.join(repository, ".git"), "--work-tree", root,
         "check-ignore", "--no-index", "-z", "--stdin"],
        input=b"".join(os.fsencode(p) + b"\0" for p in paths), cwd=root,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert run.returncode in (0, 1), run.stderr
    return set(run.stdout.split(b"\0")[:-1])


def visible(everything, hidden):
    """The paths that are left, without directories left empty by it."""
    out = {os.fsencode(p) for p in everything} - hidden
    by_depth = sorted((p for p, is_dir in everything.items() if is_dir),
                      key=lambda p: -p.count("/"))
    for d in map(os.fsencode, by_depth):
        children = {os.fsencode(p) for p in everything
                    if os.path.dirname(os.fsencode(p)) == d}
        if children and not children & out:
            out.discard(d)
    return out


@pytest.fixture
def repository(scratch):
    if not shutil.which("git"):
        (pytest.fail if harness.ON_A_CI else pytest.skip)("no git")
    path = os.path.join(scratch, "repository")
    subprocess.run(["git", "init", "-q", path], check=True, timeout=60)
    return path


def check_against_git(rng, pieces, cases, pycfs, scratch, repository):
    some = 0
    for i in range(cases):
        root = os.path.join(scratch, "t%d" % i)
        everything = random_tree(root, rng)
        paths = sorted(everything)
        rules = random_rules(rng, paths, pieces)
        hidden = ignored(repository, root, rules, paths)
        some += 0 < len(hidden) < len(paths)
        file = os.path.join(scratch, "rules")
        trees.write(file, "".join(
            rng.choice(["exclude %s\n", "include !%s\n"]) % text if exclude
            else rng.choice(["include %s\n", "exclude !%s\n"]) % text
            for exclude, text in rules))
        how = ["--rules", file] if rng.random() < 0.5 else [
            "--%s=%s" % ("exclude" if exclude else "include", text)
            for exclude, text in rules]
        got = shipped(pycfs, root, *how)
        assert got == visible(everything, hidden), (rules, paths)
        shutil.rmtree(root)
    assert some >= cases / 5, "only %d cases hid a part" % some


@pytest.mark.parametrize("seed", range(8))
def test_patterns_are_gitignores(seed, pycfs, scratch, repository):
    check_against_git(random.Random(seed), PIECES, 25, pycfs, scratch,
                      repository)


def test_classes_in_sets_are_gitignores(pycfs, scratch, repository):
    check_against_git(random.Random(99), CLASSES, 15, pycfs, scratch,
                      repository)


def test_more_stars_are_gitignores(pycfs, scratch, repository):
    root = os.path.join(scratch, "site")
    everything = {"a": True, "a/b": True, "b": True, "a/b/c": True, "c": True}
    for path in ("a/b/c/f", "a/f", "b/f", "c/f", "f", "a/b/f"):
        trees.write(os.path.join(root, path))
        everything[path] = False
    # Not within a name: there git takes three stars, against gitignore(5), for
    # any directories; we take them for one.
    for text in ("/***/b", "a/***", "/***/**", "***", "/****/f", "a/***/f"):
        hidden = ignored(repository, root, [(True, text)], sorted(everything))
        assert shipped(pycfs, root, "--exclude", text) == \
            visible(everything, hidden), text


@pytest.mark.parametrize("rules, left", [
    # a slash at the start or within binds a pattern to SOURCE
    (["exclude data.json"], {"pkg/data.json": False}),
    (["exclude /data.json"], {"pkg/data.json": True}),
    (["exclude pkg/*.json"], {"pkg/data.json": False, "pkg/core.pyc": True}),
    (["exclude sub/"], {"pkg/sub": False, "pkg/sub/deep.pyc": False}),
    (["exclude single/"], {"single.pyc": True}),
    # patterns are for names in SOURCE, not for names as shipped
    (["exclude *.pyc"], {"single.pyc": True, "sourceless.pyc": False}),
    (["exclude *.py"], {"single.pyc": False, "pkg/data.json": True,
                        "pkg/sub": False, "sourceless.pyc": True}),
    # the last match decides, but not within what is excluded
    (["exclude *.py", "include core.py"],
     {"pkg/core.pyc": True, "single.pyc": False}),
    (["exclude /pkg/", "include core.py"], {"pkg": False}),
    (["exclude /pkg/*", "include core.py"],
     {"pkg/core.pyc": True, "pkg/sub": False}),
    (["include core.py", "exclude *.py"], {"pkg/core.pyc": False}),
    # an exclusion brings no hidden thing back
    (["include *.pyo", "include __pycache__/"],
     {"pkg/old.pyo": False, "pkg/__pycache__": False}),
    (["exclude pkg/core.pyc"], {"pkg/core.pyc": True}),
])
def test_rules_by_hand(rules, left, pycfs, tree, scratch):
    file = os.path.join(scratch, "rules")
    trees.write(file, "\n".join(["# comment", "", "  \t", *rules]))
    got = shipped(pycfs, tree, "--rules", file)
    for path, there in left.items():
        assert (path.encode() in got) == there, path
    on_the_line = [word for rule in rules
                   for word in ("--" + rule.split()[0], rule.split()[1])]
    assert shipped(pycfs, tree, *on_the_line) == got


def test_order_over_files_and_options(pycfs, small, scratch):
    file = os.path.join(scratch, "rules")
    trees.write(file, "exclude *.py\r\ninclude b.py   \n")
    for options, modules in (
            (["--rules", file], {b"b.pyc"}),
            (["--rules", file, "--include", "c.py"], {b"b.pyc", b"c.pyc"}),
            (["--include", "c.py", "--rules", file], {b"b.pyc"}),
            (["--rules", file, "--exclude", "b.py"], set()),
            (["-o", "rules=%s,include=a.py" % file], {b"a.pyc", b"b.pyc"})):
        got = shipped(pycfs, small, *options)
        assert got == modules | {b"data.txt"}, options


def test_directories_left_empty(mount, scratch):
    root = os.path.join(scratch, "site")
    for name in ("gone/a.txt", "gone/deep/b.txt", "kept/a.txt",
                 "kept/c.py", "half/void/a.txt", "half/empty/", "only/py/m.py",
                 "cached/__pycache__/x.cpython-311.pyc", "link/a.txt"):
        path = os.path.join(root, name)
        if name.endswith("/"):
            os.makedirs(path)
        else:
            trees.write(path)
    os.symlink("../kept", os.path.join(root, "link", "to"))
    trees.age(root)
    with mount(root, "--exclude", "*.txt", "--exclude", "m.py") as m:
        assert names(m.path) == ["cached", "half", "half/empty", "kept",
                                 "kept/c.pyc", "link", "link/to"]
        for gone in ("gone", "gone/deep", "half/void", "only", "only/py"):
            with pytest.raises(FileNotFoundError):
                os.stat(m / gone)
        assert m.count("compiled") == 0
    with mount(root) as m:
        assert "cached" in names(m.path) and "gone/deep" in names(m.path)


def test_names_that_are_no_text(pycfs, scratch):
    root = os.fsencode(os.path.join(scratch, "site"))
    for name in (b"caf\xe9.py", b"caf\xc3\xa9.py", b"\xff\xfe.txt", b"x\n.py",
                 b"tab\t.txt"):
        trees.write(os.path.join(root, name))
    root = os.fsdecode(root)
    assert shipped(pycfs, root) == {b"caf\xe9.pyc", b"caf\xc3\xa9.pyc",
                                    b"\xff\xfe.txt", b"x\n.pyc", b"tab\t.txt"}
    assert shipped(pycfs, root, "--exclude", b"caf\xe9.py", "--exclude",
                   b"\xff*") == {b"caf\xc3\xa9.pyc", b"x\n.pyc", b"tab\t.txt"}
    # ? is a byte, as with git
    assert shipped(pycfs, root, "--exclude", "caf?.py") == {
        b"caf\xc3\xa9.pyc", b"\xff\xfe.txt", b"x\n.pyc", b"tab\t.txt"}


def test_special_files_and_collisions(mount, tree):
    special = trees.add_special(tree)
    os.makedirs(os.path.join(tree, "single.pyc"))
    trees.write(os.path.join(tree, "single.pyc", "inside.txt"))
    os.symlink("pkg", os.path.join(tree, "empty.pyc"))
    trees.write(os.path.join(tree, "fifo.pyc"), b"sourceless by its fifo\n")
    with mount(tree) as m:
        got = names(m.path)
        assert os.path.isfile(m / "single.pyc")
        assert os.path.isfile(m / "empty.pyc")
        assert not os.path.islink(m / "empty.pyc")
        assert read(m / "single.pyc")[:2] != b""
        log = m.log()
    assert not set(special) & set(got)
    assert "fifo.pyc" in got and "single.pyc/inside.txt" not in got
    for name in (*special, "single.pyc", "empty.pyc"):
        assert len([l for l in log.splitlines()
                    if ("%s: not shipped" % name) in l]) == 1, (name, log)
    # and what was excluded on purpose is not complained of
    with mount(tree, "--exclude", "fifo*", "--exclude", "socket") as m:
        assert "single.pyc" in names(m.path)
        assert "fifo:" not in m.log() and "socket:" not in m.log()


# levels

def test_optimize_for(mount, tree):
    with mount(tree, "--optimize-for", "0:/pkg/", "--optimize-for",
               "1:deep.py", "--optimize-for", "2:/pkg/core.py") as m:
        core, init = read(m / "pkg/core.pyc"), read(m / "pkg/__init__.pyc")
        deep, back = read(m / "pkg/sub/deep.pyc"), read(m / "link_up.pyc")
    assert b"Docstring of" not in core and b"asserts go" not in core
    assert b"A package." in init  # level 0 from its directory
    assert b"Doc." in deep  # 1
    assert b"Docstring of" not in back  # its name here decides
    with mount(tree, "-O", "2", "--optimize-for", "1:core.py") as m:
        core, init = read(m / "pkg/core.pyc"), read(m / "pkg/__init__.pyc")
    assert b"Docstring of" in core and b"asserts go" not in core
    assert b"A package." not in init
    with mount(tree, "--optimize-for", "0:core.py", "--optimize-for",
               "0:!/pkg/core.py") as m:
        assert b"Docstring of" not in read(m / "pkg/core.pyc")
    # each level is compileall's, bit by bit
    target = harness.newest()
    out = {}
    for level in (0, 1, 2):
        with mount(tree, "-O", level, python=target.exe) as m:
            out[level] = read(m / "pkg/core.pyc")
        other = (level + 1) % 3
        with mount(tree, "-O", other, "--optimize-for", "%d:core.py" % level,
                   python=target.exe) as m:
            assert read(m / "pkg/core.pyc") == out[level]
    assert len(set(out.values())) == 3


# bad ones

@pytest.mark.parametrize("text, line, words", [
    ("exclude a\nexclud b\n", 2, "exclude"),
    ("# one\n\nexclude\n", 3, "empty"),
    ("exclude [a\n", 1, "["),
    ("exclude a\\\n", 1, "backslash"),
    ("exclude a//b\n", 1, "slashes"),
    ("exclude /\n", 1, "empty"),
    ("include !\n", 1, "empty"),
    ("optimize 3 x\n", 1, "0, 1 or 2"),
    ("optimize 1\n", 1, "0, 1 or 2"),
    ("exclude x\noptimize 12 x\n", 2, "0, 1 or 2"),
    ("exclude x\nkeep-source\n", 2, "empty"),
    ("*.pyi\n", 1, "exclude"),
    ("exclude \0x\n", 1, "NUL"),
])
def test_rules_file_errors_name_the_line(text, line, words, pycfs, small,
                                         scratch):
    file = os.path.join(scratch, "bad.rules")
    trees.write(file, text)
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for how in (["--rules", file], ["-o", "rules=" + file]):
        result = pycfs.run("mount", "--python", harness.DEBIAN_PYTHON, *how,
                           small, at)
        refused(result, 2, "%s:%d: " % (file, line), words)


def test_rules_files_that_cannot_be_read(pycfs, small, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    big = os.path.join(scratch, "big")
    trees.write(big, b"# comment\n" * 110000)

    def run(*how):
        return pycfs.run("mount", "--python", harness.DEBIAN_PYTHON, *how,
                         small, at)

    refused(run("--rules", "/no/such/file"), 2, "/no/such/file", "no such")
    refused(run("--rules", scratch), 2, scratch, "directory")
    refused(run("--rules", big), 2, big, "1 MiB")
    refused(run("--rules", ""), 2, "rules")
    assert not harness.is_mounted(at)
    empty = os.path.join(scratch, "empty")
    trees.write(empty)
    assert shipped(pycfs, small, "--rules", empty) == \
        {b"a.pyc", b"b.pyc", b"c.pyc", b"data.txt"}


@pytest.mark.parametrize("option, value, words", [
    ("exclude", "[a", "[a"), ("include", "", "empty"),
    ("keep-source", "a\\", "backslash"), ("exclude", "!", "empty"),
    ("exclude", "a//b", "slashes"), ("optimize-for", "1:", "empty"),
    *(("optimize-for", v, "optimize-for") for v in ("3:x", "1", "x", ":x")),
    *(("owner", v, "owner") for v in (
        "root:root", "0", "0:", ":0", "-1:0", "4294967295:0", "0:0:0")),
    *(("mtime", v, "mtime") for v in ("-1", "now", "4294967296", "1.5", ""))])
def test_bad_values(option, value, words, pycfs, small, scratch):
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for how in (["--%s=%s" % (option, value)],
                ["-o", "%s=%s" % (option, value.replace("\\", "\\\\"))]):
        result = pycfs.run("mount", "--python", harness.DEBIAN_PYTHON, *how,
                           small, at)
        refused(result, 2, words)


def test_every_option_through_o(mount, tree):
    target = harness.newest()
    plain = ["--exclude", "*.json", "--exclude", "a,b", "--include",
             "/link_data.json", "--keep-source", "core.py", "--optimize-for",
             "0:deep.py", "--owner", "12:34", "--mtime", "1000000000",
             "--marshal", "cpython", "--invalidation-mode", "checked-hash",
             "--prefix", "/p,q", "--debug-ranges", "--on-error", "omit",
             "-O", "1"]
    packed = ("exclude=*.json,exclude=a\\,b,include=/link_data.json,"
              "keep_source=core.py,optimize-for=0:deep.py,owner=12:34,"
              "mtime=1000000000,marshal=cpython,"
              "invalidation-mode=checked-hash,prefix=/p\\,q,debug_ranges,"
              "on-error=omit,optimize=1")
    trees.write(os.path.join(tree, "a,b"), "excluded\n")
    trees.write(os.path.join(tree, "broken.py"), "(\n")
    found = []
    for options in (plain, ["-o", packed]):
        with mount(tree, *options, python=target.exe) as m:
            stats = {p: os.lstat(os.path.join(os.fsencode(m.path), p))
                     for p in trees.listing(m.path)}
            found.append((harness.tree_bytes(m.path), {
                p: (s.st_mode, s.st_uid, s.st_gid, s.st_mtime, s.st_size)
                for p, s in stats.items()}))
    assert found[0] == found[1]
    bytes_of, stat_of = found[0]
    assert b"a,b" not in bytes_of and b"broken.pyc" not in bytes_of
    assert b"pkg/data.json" not in bytes_of
    assert b"link_data.json" in bytes_of and b"pkg/core.py" in bytes_of
    assert bytes_of[b"single.pyc"][4:8] == b"\3\0\0\0"
    assert b"/p,q/single.py" in bytes_of[b"single.pyc"]
    assert b"Doc." in bytes_of[b"pkg/sub/deep.pyc"]
    assert {s[1:4] for s in stat_of.values()} == {(12, 34, 1000000000)}


# the recipe of a real layer

PACKAGES = ("attr", "attrs", "blinker", "jwt", "packaging", "pluggy", "yaml",
            "_yaml", "pyparsing", "cryptography", "iniconfig", "six.py",
            "py", "distro", "httplib2", "oauthlib", "toml", "_pytest",
            "networkx", "jinja2", "markupsafe", "pkg_resources")


def layer_tree(root):
    """What is installed here, bounded, and what a layer has besides."""
    os.mkdir(root)
    taken = 0
    site = sysconfig.get_path("purelib") if not os.path.isdir(
        "/usr/lib/python3/dist-packages") else "/usr/lib/python3/dist-packages"
    for name in sorted(os.listdir(site)):
        path = os.path.join(site, name)
        if name in PACKAGES and taken < 400:
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(root, name), symlinks=True,
                                ignore=shutil.ignore_patterns("__pycache__"))
                taken += sum(len(f) for _, _, f in os.walk(path))
            else:
                shutil.copy2(path, root)
        elif name.endswith(".dist-info"):
            shutil.copytree(path, os.path.join(root, name), symlinks=True)

    def w(name, data="VALUE = __name__\n"):
        trees.write(os.path.join(root, name), data)

    for name in ("botocore/__init__.py", "botocore/data/ec2/service.json",
                 "botocore-1.29.dist-info/METADATA", "setuptools/__init__.py",
                 "setuptools-66.dist-info/METADATA", "jsonschema/__init__.py",
                 "jsonschema/tests/test_a.py", "requests/__init__.py",
                 "requests-2.dist-info/METADATA", "urllib3/util/retry.py",
                 "certifi/core.py", "idna/core.py", "idna_ssl.py",
                 "charset_normalizer/md.py", "datadog/__init__.py",
                 "datadog/dogshell/__init__.py", "datadog/api/x.py",
                 "ddtrace/__init__.py", "ddtrace/vendor/botocore/kept.py",
                 "ddtrace/contrib/__init__.py", "ddtrace/contrib/patch.py",
                 "ddtrace/contrib/x/__init__.py", "ddtrace/contrib/x/patch.py",
                 "ddtrace/contrib/x/utils.py",
                 "ddtrace/contrib/pytest/__init__.py",
                 "ddtrace/contrib/pytest/patch.py",
                 "ddtrace/contrib/unittest/patch.py",
                 "ddtrace/contrib/internal/y/patch.py",
                 "ddtrace/contrib/internal/pytest/patch.py",
                 "ddtrace/patch.py", "ddtrace/appsec/_iast/_native.py",
                 "ddtrace/appsec/_asm.py", "ddtrace/appsec/sca/a.py",
                 "ddtrace/appsec/_shared/deep/er/a.py",
                 "ddtrace/ext/ci_visibility/api.py", "ddtrace/ext/ci.py",
                 "ddtrace/ext/test_visibility/api.py",
                 "ddtrace/internal/ci_visibility/a.py",
                 "ddtrace/internal/coverage/a.py",
                 "ddtrace/internal/test_visibility/a.py",
                 "ddtrace/internal/a.py", "ddtrace/testing/a.py",
                 "ddtrace/native/stubs/__init__.pyi",
                 "ddtrace/profiling/a.py", "tests/__init__.py"):
        w(name)
    for name in ("ddtrace/internal/_x.pyx", "ddtrace/internal/_x.pyi",
                 "ddtrace/internal/_x.c", "ddtrace/internal/_x.h",
                 "ddtrace/internal/_x.cpython-311-x86_64-linux-gnu.so",
                 "ddtrace/internal/_x.cpp", "ddtrace/internal/_x.cc",
                 "ddtrace/internal/_x.hpp", "ddtrace/py.typed",
                 "ddtrace/src/only/c/a.c", "other/kept.c", "other/kept.pyi",
                 "3f__mypyc.cpython-311-x86_64-linux-gnu.so", "bin/dog",
                 "bin/dogwrap", "bin/other", "ddtrace/profiling/b/stack.so",
                 "ddtrace-1.0.dist-info/RECORD",
                 "ddtrace-1.0.dist-info/WHEEL",
                 "ddtrace-1.0.dist-info/entry_points.txt",
                 "ddtrace-1.0.dist-info/LICENSE.BSD3",
                 "ddtrace-1.0.dist-info/licenses/NOTICE",
                 "ddtrace/vendor/z-1.dist-info/top_level.txt",
                 "ddtrace/vendor/z-1.dist-info/METADATA"):
        w(name, "no python\n")
    natives.make(os.path.join(root, "ddtrace/internal/_real.so"), "_real")
    w("ddtrace-1.0.dist-info/METADATA", "Name: ddtrace\nVersion: 1.0\n")
    trees.age(root)
    return root


def rename_ddtrace(root, version):
    info = os.path.join(root, "ddtrace-%s.dist-info" % version)
    os.rename(os.path.join(root, "ddtrace-1.0.dist-info"), info)
    trees.write(os.path.join(info, "METADATA"),
                "Name: ddtrace\nVersion: %s\n" % version)
    trees.age(root)


def hollow(root):
    """Directories in which there is no file."""
    return {os.path.relpath(d, root) for d, _, _ in os.walk(root)
            if not any(files for _, _, files in os.walk(d))}


@pytest.mark.parametrize("version", ["4.6.5", "4.8.0"])
def test_a_layers_recipe_as_rules(version, mount, scratch):
    target = harness.newest()
    root = layer_tree(os.path.join(scratch, "site"))
    rename_ddtrace(root, version)
    recipe = os.path.join(scratch, "recipe")
    subprocess.run(["cp", "-a", root, recipe], check=True, timeout=60)
    run = subprocess.run([os.path.join(RULES, "lambda-layer.sh"), target.exe,
                          recipe], stdin=subprocess.DEVNULL, timeout=240,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout
    with mount(root, "--rules", SECTION, "--profile", "strict", "--strip",
               "--strip-tool", "strip", python=target.exe) as m:
        out = copy(m, os.path.join(scratch, "out"))
        assert m.count("rejected") == 0
    ours, theirs = set(names(out)), set(names(recipe))
    tag = "cpython-%d%d" % target.minor
    kept = ["ddtrace/contrib", "ddtrace/contrib/x",
            "ddtrace/contrib/internal/y", "ddtrace/contrib/internal/pytest"] \
        if version < "4.7" else []
    licences = {n for n in ours if re.search(
        r"^[^/]*\.dist-info/(licenses$|licenses/|LICEN[CS]E)", n)}
    assert {"ddtrace-%s.dist-info/LICENSE.BSD3" % version,
            "ddtrace-%s.dist-info/licenses/NOTICE" % version} <= licences
    # What is better: the texts of licences ship; bytecode is where Python looks
    # for it beside a source that is kept; and no directory is empty.
    assert ours - theirs == licences | \
        {d + "/__pycache__" for d in kept} | \
        {"%s/__pycache__/patch.%s.pyc" % (d, tag) for d in kept}
    assert theirs - ours == hollow(recipe) | \
        {d + "/patch.pyc" for d in kept}
    assert hollow(recipe) and not hollow(out)
    # as meant, in case both are wrong
    for name in ("ddtrace/patch.pyc", "ddtrace/appsec/_asm.pyc",
                 "ddtrace/contrib/x/patch.py" + ("c" if not kept else ""),
                 "ddtrace/vendor/botocore/kept.pyc", "other/kept.c",
                 "ddtrace-%s.dist-info/METADATA" % version, "bin/other",
                 "ddtrace/vendor/z-1.dist-info/top_level.txt",
                 "datadog/api/x.pyc", "tests/__init__.pyc",
                 "ddtrace/internal/_real.so"):
        assert name in ours, name
    for name in ("botocore", "botocore-1.29.dist-info", "setuptools",
                 "jsonschema/tests", "ddtrace/appsec/_iast", "bin/dog",
                 "ddtrace/src", "ddtrace/internal/_x.c", "idna_ssl.pyc",
                 "ddtrace/contrib/pytest", "datadog/dogshell",
                 "ddtrace-%s.dist-info/RECORD" % version,
                 "3f__mypyc.cpython-311-x86_64-linux-gnu.so"):
        assert name not in ours, name
    real = "ddtrace/internal/_real.so"
    assert os.path.getsize(os.path.join(out, real)) < \
        0.8 * os.path.getsize(os.path.join(root, real))
    # what is no module is the same, and the code is
    subprocess.run(["find", recipe, "-depth", "-type", "d", "-empty",
                    "-delete"], check=True, timeout=60)
    a, b = harness.tree_bytes(recipe), harness.tree_bytes(out)
    for path in a:
        if not path.endswith(b".pyc"):
            assert a[path] == b[path], path
    for d in kept:
        os.unlink(os.path.join(recipe, d, "patch.pyc"))
    result = json.loads(python(
        target.exe, "-I", "-S", os.path.join(HERE, "codecmp.py"), recipe, out,
        timeout=120).stdout)
    assert result["differences"] == []
    assert result["files"] > 60, "too few packages are installed here"
    assert result["codes"] > 1000
