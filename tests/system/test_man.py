"""The manual: its pages can be rendered, and have the same texts as --help."""
import os
import re
import subprocess

import pytest

import harness

BUILD = os.path.join(os.path.dirname(harness.program()), "src", "cli")
VERBS = ["mount", "run", "umount", "export", "report", "cache",
         "check", "traceback", "verify"]
PAGES = ["pycfs.1", "pycfs-rules.5", "pycfs-remote.7", "pycfs-reproducible.7",
         "pycfs-troubleshooting.7"] + ["pycfs-%s.1" % v for v in VERBS]


def page(name):
    return os.path.join(BUILD, name)


def run(*command, env=None, **how):
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **env or {}), timeout=60,
                          encoding="utf-8", **how)


def rendered(name):
    """What a reader sees at 80 columns, and what groff says of it."""
    return run("groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=80n",
               page(name))


def squeezed(text):
    return " ".join(text.split())


def options_of(text):
    """The long options that `pycfs VERB --help` lists, and their values."""
    return re.findall(r"^  (?:-\w,|   ) --([a-z-]+)(?: ([^ \n]+))?", text,
                      re.M)


def test_the_verbs_are_these(pycfs):
    listed = re.findall(r"^  ([a-z]+) ", pycfs.ok("--help").stdout, re.M)
    assert sorted(listed) == sorted(VERBS)


@pytest.mark.parametrize("name", PAGES)
def test_it_renders(name):
    result = rendered(name)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) > 20 and max(map(len, lines)) <= 80
    text = result.stdout
    headings = ["NAME", "DESCRIPTION", "SEE ALSO"]
    if name != "pycfs-umount.1" and not name.endswith(".7"):
        headings.append("EXAMPLES")
    for heading in headings:
        assert "\n%s\n" % heading in text, heading
    for file in "@FILE", "@ci.pub":  # of --remote-trust, and no template's
        text = text.replace(file, "")
    assert "@" not in text and "\\f" not in text
    assert "\u2010" not in text, "a word is hyphenated"


@pytest.mark.parametrize("name", PAGES)
def test_groff_and_mandoc_find_no_fault(name):
    man = run("man", "--warnings", "--encoding=UTF-8", "-l", page(name),
              env={"MANWIDTH": "80", "MAN_KEEP_STDERR": "1"})
    assert (man.returncode, man.stderr) == (0, "")
    # There is no date, so that a page does not depend on when it was made.
    lint = run("mandoc", "-Tlint", "-Wwarning", page(name))
    assert [l for l in lint.stdout.splitlines() if "missing date" not in l] \
        == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_there(verb, pycfs):
    text = rendered("pycfs-%s.1" % verb).stdout
    options = options_of(pycfs.ok(verb, "--help").stdout)
    assert len(options) > 1
    section = re.search(r"^OPTIONS\n(?: .*\n|\n)*", text, re.M).group()
    for name, value in options:
        assert re.search(r"^ {7}(-\w, )?--%s%s(?: |$)"
                         % (name, value and " " + re.escape(value)), section,
                         re.M), name
    # and no other
    assert len(re.findall(r"^ {7}(?:-\w, )?--[a-z]", section, re.M)) == \
        len(options)


def test_choices_are_there(pycfs):
    text = squeezed(rendered("pycfs-mount.1").stdout)
    for words in ("0, 1 (no asserts), 2 (no docstrings either; default)",
                  "unchecked-hash (default), checked-hash, timestamp",
                  "canonical (the same bytes everywhere; default), cpython"):
        assert words in text, words


@pytest.mark.parametrize("verb", VERBS)
def test_it_begins_as_help_does(verb, pycfs):
    text = squeezed(rendered("pycfs-%s.1" % verb).stdout)
    usage = re.match(r"usage: ((?:.+\n)+)\n((?:.+\n)+)",
                     pycfs.ok(verb, "--help").stdout)
    assert "SYNOPSIS " + squeezed(usage.group(1)) in text
    if verb != "cache":  # whose page has a list in its place
        assert squeezed(usage.group(2)) in text


def test_the_verbs_refer_to_their_pages():
    text = squeezed(rendered("pycfs.1").stdout)
    for verb in VERBS:
        assert "pycfs %s " % verb in text and "pycfs-%s(1)" % verb in text


def test_pages_that_are_referred_to_exist():
    for name in PAGES:
        found = re.findall(r"\b(pycfs[a-z-]*)\((\d)\)",
                           rendered(name).stdout)
        assert found
        for other in found:
            assert os.path.exists(page(".".join(other))), (name, other)


def test_the_helper_of_mount_has_a_page():
    assert harness.read(page("mount.fuse.pycfs.8")) == \
        b".so man1/pycfs-mount.1\n"


def made(epoch):
    docgen = os.path.join(BUILD, "docgen")
    template = os.path.join(os.path.dirname(__file__), "..", "..", "src",
                            "cli", "man", "pycfs.1")
    result = run(docgen, template, env={"SOURCE_DATE_EPOCH": epoch})
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_date_is_that_of_the_source():
    first, second = made("1700000000"), made("1600000000")
    assert '"2023-11-14"' in first
    assert first.replace("2023-11-14", "2020-09-13") == second


def test_a_template_that_is_wrong(scratch):
    template = os.path.join(scratch, "page")
    for line, says in (("@nonsense x", "nonsense"), ("@options x", "'x'"),
                       ("@include page", "itself"), ("@include no", "no")):
        with open(template, "w") as f:
            print(line, file=f)
        result = run(os.path.join(BUILD, "docgen"), template)
        assert result.returncode == 1 and says in result.stderr, line
