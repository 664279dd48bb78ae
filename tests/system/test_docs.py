"""Runs every command that the documents show, as it is written there.

It is a failure if a command is neither run nor listed in NOT_RUN, and if a
table below has an entry that is in no document.
"""
import glob
import os
import re
import shutil
import subprocess

import pytest

import harness
import trees

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
MANUAL = sorted(os.path.relpath(p, TOP)
                for p in glob.glob(TOP + "/src/cli/man/*.[1578]")
                if not p.endswith("mount.fuse.pycfs.8"))
MARKDOWN = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md",
            "tools/README.md"]

# What is shown as code and is no command, by how its first line begins.
NOT_COMMANDS = {
    "RUN --mount=type=cache": "of a Containerfile; tests/containers has more",
    "/opt/app/site-packages /srv/site fuse.pycfs": "a line of fstab(5)",
    "location /pycfs/ {": "of nginx.conf(5); test_remote_http.py has the same",
}

# Programs that are not run here: why. Their options are looked up instead.
NOT_RUN = {
    "apt-get": "changes the machine",
    "meson": "tests run in what it built; test_install.py installs",
    "python3": "writes into Python's own library",
    "tool/bin/pip": "tests/slow/newcomer runs it in an empty Debian",
    "tool/bin/pycfs": "tests/slow/newcomer runs it in an empty Debian",
    "tools/bench": "measures; test_bench.py runs it",
    "tools/cells": "makes three Debians, takes minutes",
    "tools/coldstart": "measures; test_bench.py runs it",
    "tools/e2e": "makes a Debian, takes minutes",
    "tools/examples/base-image": "makes images; tests/containers runs it",
    "tools/examples/stdlib/ship": "test_stdlib.py runs it",
    "tools/faults": "takes minutes; tests/faults has the short form",
    "tools/fleet": "measures, takes minutes; test_remote.py tries it",
    "tools/fuzz": "takes minutes, needs clang; tests/fuzz replays its inputs",
    "tools/install-deps": "changes the machine",
    "tools/make-deb": "takes a minute; tests/slow/deb runs it",
    "tools/make-image": "takes a minute; tests/containers runs it",
    "tools/make-tarball": "takes a minute; tests/slow/tarball runs it",
    "tools/make-wheel": "takes a minute; tests/slow/wheel runs it",
    "tools/portable": "takes a minute; tests/slow/wheel runs it",
    "tools/parity": "all Pythons take a minute; test_parity_tool.py runs it",
    "tools/quickstart": "changes the machine; tools/e2e runs it",
    "tools/survey": "takes an hour, and Debian's packages",
    "tools/test": "this is run by it",
}

# What must have been done before, by how the first command begins.
BEFORE = {
    "pycfs export site-packages layer.zip": "rm */doc.py",
    "pycfs check": "rm */doc.py && pycfs export site-packages layer.zip",
    "pycfs cache gc": "pycfs export site-packages layer.zip",
    "pycfs cache stat": "pycfs export site-packages layer.zip",
    "pycfs cache clear": "pycfs export site-packages layer.zip",
    "pycfs cache push": "pycfs cache keygen ci signing.key > ci.pub",
    "pycfs export --remote": "pycfs cache keygen ci signing.key > ci.pub && "
        "pycfs cache push --remote file:///mnt/pycfs --remote-sign "
        "signing.key site-packages",
    "find /mnt/pycfs": "mkdir /mnt/pycfs",
    "pycfs traceback": "pycfs export --force --sources src.tar.zst "
        "site-packages layer.zip && touch app.log",
    "pycfs verify": "pycfs export --manifest layer.json site-packages "
        "layer.zip",
    "pycfs umount /mnt": "pycfs mount site-packages /mnt",
    "pycfs report /mnt/site --json": "pycfs mount site-packages /mnt/site",
    "pycfs report --diff last.json":
        "pycfs report --json site-packages > last.json",
}

# What a text in backquotes that begins as a command leaves to the reader.
STANDS_FOR = {
    "pycfs help VERB": "pycfs help mount",
    # mount(8) passes nothing of the environment on to the view.
    "mount -t fuse.pycfs SOURCE MOUNTPOINT -o python=3.12,optimize=1":
        "mount -t fuse.pycfs SOURCE MOUNTPOINT "
        "-o python=3.12,optimize=1,cache=$PYCFS_CACHE",
}

# Parts of the messages that stand for what this machine, or a user, has.
VALUES = [
    "/mnt", "/home/u", "(mode 0777)", "3.11.2", "python3", "3.11",
    ".pycfs-cache", "/builds/project/", "bad.py:1:7: ", "35", "bad.pyc",
    "Py_GetVersion", "numpy.libs/libopenblas.so", "eu-strip",
]

# Messages of other programs, none of which the tests can rely on.
FOREIGN = {
    "buildah": ["error in copier subprocess: changing to intended-new-root "
                "directory", ": chdir", ": permission denied"],
    "coreutils": ["ls: cannot access '", "cp: cannot stat '"],
    "CPython": ["SyntaxError: invalid syntax"],
    "fusermount3": ["fusermount3: mount failed: ", "option allow_other only "
                    "allowed if 'user_allow_other' is set in /etc/fuse.conf"],
}

# Options of other programs that the documents name.
FOREIGN_OPTIONS = {
    "buildah": {"--isolation", "--timestamp", "--from"},
    "CPython": {"--enable-shared"},
    "docker": {"--build-context", "--cap-add", "--device", "--mount",
               "--no-cache"},
    "pip": {"--no-index"},
    "py-spy": {"--full-filenames"},
    "strip": {"--strip-unneeded"},
    "tar": {"--sort"},
    "uv": {"--compile-bytecode"},
    "pycfs-compiler": {"--self-test"},
}


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return f.read()


def plain(name):
    """A document, without the marks of roff that commands have in them."""
    text = read(name)
    if not name.endswith(".md"):
        for was, now in (r"\-", "-"), (r"\(ti", "~"), (r"\e", "\\"):
            text = text.replace(was, now)
    return text


def squeezed(text):
    return " ".join(text.split())


def blocks_of(name):
    """[(line, lines)] of what a document shows as code."""
    text = plain(name)
    if name.endswith(".md"):
        assert "```" not in text, name + ": code is indented here"
        found = re.finditer(r"(?<=\n\n)(?:    .*\n)+", text)
    else:
        found = re.finditer(r"(?<=^\.EX\n)(?:.*\n)+?(?=\.EE$)", text, re.M)
    indent = 4 if name.endswith(".md") else 0
    return [(text.count("\n", 0, m.start()) + 1,
             [l[indent:] for l in m.group().splitlines()]) for m in found]


def quoted(name):
    """[(line, words)] that a document has in backquotes or bold."""
    if name.endswith(".md"):
        text = re.sub(r"(?m)^    .*$", "", read(name))
        pattern = r"`([^`]+)`"
    else:
        text = plain(name)
        pattern = r'^\.B "?(.+?)"?$|\\fB(.+?)\\fR'
    return [(text.count("\n", 0, m.start()) + 1,
             squeezed(m.group(1) or m.group(2)))
            for m in re.finditer(pattern, text, re.M)]


def is_command(text):
    return re.match(r"(pycfs|pycfs-compiler|meson) |tools/", text)


def first_words(command):
    """The programs that a line of shell starts."""
    return [part.split()[0] for part in re.split(r" (?:&&|\||--) ", command)]


def commands_of(lines):
    """The commands of a block: lines joined, without words beside them."""
    joined = re.sub(r"\\\n +", "", "\n".join(lines)).splitlines()
    return [re.split(r" {3,}", line)[0] for line in joined]


def collect():
    scripts, files = [], {}
    for name in MARKDOWN + MANUAL:
        for line, lines in blocks_of(name):
            where = "%s:%d" % (os.path.basename(name), line)
            if squeezed(lines[0]).startswith(tuple(NOT_COMMANDS)):
                continue
            title = re.fullmatch(r"# ([\w.-]+)", lines[0])
            if title:
                files.setdefault(title.group(1), {})[name] = \
                    "\n".join(lines) + "\n"
            else:
                scripts.append((where, name, commands_of(lines)))
        for line, text in quoted(name):
            if is_command(text):
                where = "%s:%d" % (os.path.basename(name), line)
                scripts.append((where, name, [text]))
    return scripts, files


SCRIPTS, FILES = collect()
COMMANDS = [c for _, _, script in SCRIPTS for c in script]


def mentions(command):
    """It names a program or a place, and does nothing."""
    return len(command.split()) == (2 if command.startswith("pycfs ") else 1) \
        and not command.startswith(("pycfs -", "pycfs-"))


def skipped(command):
    return first_words(command)[0] in NOT_RUN


RUN = [s for s in SCRIPTS
       if not any(skipped(c) or mentions(c) for c in s[2])]

SETUP = """
export PATH="$1/bin:$PATH"
mount -t tmpfs none /mnt
mount -t overlay -o lowerdir="$1/usr:/usr" none /usr
cd "$1/work"
"""


def version():
    """The one of the documents, if it is here."""
    return min((p.minor for p in harness.PYTHONS),
               key=lambda minor: (minor != (3, 12), -minor[1]))


@pytest.fixture
def sandbox(pycfs, small, scratch):
    """A directory in which the names that the documents use exist."""
    at = os.path.join(scratch, "work")
    site = os.path.join(at, "site-packages")
    trees.write(os.path.join(small, "doc.py"),
                '"""What it does."""\n__doc__ += "now"\n')
    os.makedirs(os.path.join(at, "MOUNTPOINT"))
    os.makedirs(os.path.join(at, "rootfs", "site"))
    shutil.copytree(small, site)
    for name in ("SOURCE", "SITE_PACKAGES",
                 "venv/lib/python%d.%d/site-packages" % version()):
        shutil.copytree(small, os.path.join(at, name))
    shutil.copy(os.path.join(TOP, "tools", "examples", "layer.rules"), at)
    build, program = os.path.split(harness.program())
    for path, to in (("bin/pycfs", program),
                     ("bin/pycfs-compiler", "pycfs-compiler"),
                     ("usr/sbin/mount.fuse.pycfs", program)):
        path = os.path.join(scratch, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(os.path.join(build, to), path)
    return at


@pytest.mark.root
@pytest.mark.parametrize("where,name,script", RUN,
                         ids=[where for where, _, _ in RUN])
def test_it_works_as_written(where, name, script, sandbox, pycfs, scratch):
    for title in FILES:
        if name in FILES[title]:
            trees.write(os.path.join(sandbox, title), FILES[title][name])
    lines = [SETUP]
    if "/mnt/site" in "".join(script):
        lines.append("mkdir /mnt/site")
    lines += [what for begin, what in BEFORE.items()
              if script[0].startswith(begin)]
    lines += [STANDS_FOR.get(command, command) for command in script]
    text = "\n".join(lines).replace("3.12", "%d.%d" % version())
    # Its daemons end with it: they are in a namespace of its processes.
    result = subprocess.run(
        ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", "bash",
         "-euxo", "pipefail", "-c", text, "bash", scratch],
        env=pycfs.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=60)
    said = result.stdout.decode(errors="replace")
    assert result.returncode == 0, "%s:\n%s" % (where, said)
    pycfs.clean(said)
    made = [os.path.join(sandbox, d) for d in ("layer", "rootfs/site")]
    for layer in filter(os.path.isdir, made):
        names = [n for _, _, names in os.walk(layer) for n in names]
        if names:
            assert "a.pyc" in names and "a.py" not in names, names


def test_every_command_is_known():
    """What is neither run nor said why not: add it to a table above."""
    known = ("pycfs", "pycfs-compiler", "cp", "find", "mkdir", "mount", "sh",
             "tar")
    for where, _, script in SCRIPTS:
        not_run = [c for c in script if skipped(c) or mentions(c)]
        assert not_run in ([], script), where + ": run all of it, or nothing"
        for command in script:
            for word in first_words(command):
                assert word in known or word in NOT_RUN or \
                    mentions(command) and is_command(command), \
                    "%s: %s" % (where, command)


def test_the_tables_have_nothing_else():
    words = {w for c in COMMANDS for w in first_words(c)}
    assert set(NOT_RUN) <= words
    for begin in list(BEFORE) + list(STANDS_FOR):
        assert any(c.startswith(begin) for c in COMMANDS), begin
    firsts = [squeezed(lines[0]) for name in MARKDOWN + MANUAL
              for _, lines in blocks_of(name)]
    for begin in NOT_COMMANDS:
        assert any(f.startswith(begin) for f in firsts), begin
    options = {o for name in MARKDOWN + MANUAL for o in options_in(name)}
    for foreign in FOREIGN_OPTIONS.values():
        assert foreign <= options
    said = " ".join(text for _, text in messages())
    for part in VALUES + [p for parts in FOREIGN.values() for p in parts]:
        assert part in said, part


def test_what_is_mentioned_exists(pycfs):
    verbs = re.findall(r"^  ([a-z]+) ", pycfs.ok("--help").stdout, re.M)
    for command in filter(mentions, COMMANDS):
        if command.startswith("pycfs "):
            assert command.split()[1] in verbs, command
        elif command not in NOT_RUN:
            assert glob.glob(os.path.join(TOP, command)), command


def suites():
    return {suite for path in glob.glob(TOP + "/tests/**/meson.build",
                                        recursive=True)
            for suite in re.findall(r"suite : '(\w+)'", read(path))}


def options_of_meson():
    given = set(re.findall(r"option\('(\w+)'", read("meson_options.txt")))
    return {"-D" + name for name in given} | suites() | \
        {"--buildtype", "--suite", "-C"}


def usage(program):
    """--help of a program in Python; all of a script."""
    text = read(program)
    if "python3" not in text.splitlines()[0]:
        return text
    return harness.python(os.path.join(TOP, program), "--help").stdout


def test_what_is_not_run_has_these_options():
    meson = options_of_meson()
    says = {}
    for command in filter(skipped, COMMANDS):
        for part in command.split(" && "):
            program = part.split()[0]
            options = set(re.findall(r"(?<= |\[)--?[A-Za-z][\w-]*", part))
            if program == "meson":
                options |= set(re.findall(r"--suite (\w+)", part))
                assert options <= meson, command
            if not program.startswith("tools/"):
                continue
            assert os.access(os.path.join(TOP, program), os.X_OK), program
            if program not in says:
                says[program] = usage(program)
            for option in options:
                assert re.search(r"(?<![\w-])%s\b" % option,
                                 says[program]), command


def test_the_suites_are_these():
    table = re.findall(r"^\| `(\w+)` \|", read("CONTRIBUTING.md"), re.M)
    assert suites() == set(table)


def options_in(name):
    text = re.sub(r"\\f[BIR]", "", plain(name))
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))


@pytest.mark.parametrize("name", MARKDOWN + MANUAL)
def test_every_option_exists(name, pycfs):
    known = set().union({"--help", "--version"}, *FOREIGN_OPTIONS.values())
    for verb in ("mount", "run", "umount", "export", "report", "cache",
                 "check", "traceback", "verify"):
        known |= set(re.findall(r"--[a-z][a-z-]*",
                                pycfs.ok(verb, "--help").stdout))
    for command in filter(skipped, COMMANDS):
        known |= set(re.findall(r"(?<= |\[)--[a-z][a-z-]*", command))
    assert options_in(name) <= known


# the messages of pycfs-troubleshooting(7)

def messages():
    """[(line, text)]: what that page quotes of what programs print."""
    text = plain("src/cli/man/pycfs-troubleshooting.7")
    out = []
    for m in re.finditer(r"\\fB(.+?)\\fR", text, re.S):
        words = squeezed(m.group(1))
        program = re.match(r"(pycfs|docker|buildah|RUN|-\S+) |tools/", words)
        if len(words.split()) > 2 and not program:
            out.append((text.count("\n", 0, m.start()) + 1, words))
    return out


def literals():
    """The parts between conversions of every string of the sources."""
    out = set()
    for path in glob.glob(TOP + "/src/**/*.[ch]", recursive=True):
        text = re.sub(r'"\s*\n\s*"', "", read(path))
        for m in re.finditer(r"""/\*.*?\*/|'\\?.'|"((?:[^"\\]|\\.)*)\"""",
                             text, re.S):
            string = (m.group(1) or "").replace('\\"', '"')
            parts = re.split(r"%[-.*\d]*(?:[lhzj]*[a-z]|%)|\\n", string)
            out |= {part.strip(" :()") for part in parts}
    return out


def as_far_as(text, known):
    """How much of `text` can be put together from what is known; its end may
    be cut short."""
    reached = {0}
    for i in range(len(text)):
        if i in reached:
            reached |= {i + len(k) for k in known if text.startswith(k, i)}
            if text[i] in " :,'\"/()[]0123456789":
                reached.add(i + 1)
            if len(text) - i > 8 and any(k.startswith(text[i:])
                                         for k in known):
                reached.add(len(text))
    return max(reached)


def test_messages_are_what_the_programs_say():
    known = literals() | set(VALUES)
    known |= {os.strerror(n) for n in range(1, 134)}
    known |= {p for parts in FOREIGN.values() for p in parts}
    known = {k for k in known if len(k) > 3 or k in VALUES}
    found = messages()
    assert len(found) > 10
    for line, text in found:
        text = text.replace("... ", "", 1)
        got = as_far_as(text, known)
        assert got == len(text), "README.md:%d: %s<here>%s" % (
            line, text[:got], text[got:])


# links

def anchors(name):
    """What GitHub makes of headings."""
    text = re.sub(r"(?m)^    .*$", "", read(name))
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
            for h in re.findall(r"(?m)^#+ (.+)$", text)}


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)]+)\)", read(name)):
        path, _, anchor = target.partition("#")
        assert not path or os.path.exists(
            os.path.join(TOP, os.path.dirname(name), path)), target
        assert not anchor or anchor in anchors(path or name), target


@pytest.mark.parametrize("name", MARKDOWN)
def test_files_that_are_named_exist(name):
    for _, text in quoted(name):
        if re.fullmatch(r"(src|include|tests|tools)/[\w./*-]+", text):
            path = text.replace("NAME", "*").replace("TARGET", "*")
            assert glob.glob(os.path.join(TOP, path)), text
        elif re.fullmatch(r"test_\w+\.(py|c)", text):
            assert glob.glob(TOP + "/tests/*/" + text), text


@pytest.mark.parametrize("name", MARKDOWN)
def test_the_text_is_narrow(name):
    lines = read(name).splitlines()
    most = 100 if name == "README.md" else 80
    for n, line in enumerate(lines, 1):
        assert len(line) <= most or line.startswith("|"), "%s:%d" % (name, n)
    assert name != "README.md" or len(lines) <= 200
    for _, lines in blocks_of(name):
        assert max(map(len, lines)) <= 76, lines[0]
