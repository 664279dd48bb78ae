"""Completion of command lines, tried in bash, zsh and fish."""
import os
import pty
import re
import select
import shlex
import subprocess
import time

import pytest

import harness

BUILD = os.path.join(os.path.dirname(harness.program()), "src", "cli")
VERBS = {"mount", "run", "umount", "export", "report", "cache",
         "check", "traceback", "verify"}


def answer(*command, env=None, cwd=None):
    result = subprocess.run(command, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=60, encoding="utf-8", cwd=cwd,
                            env=dict(os.environ, **env or {}))
    assert (result.returncode, result.stderr) == (0, ""), command
    return result.stdout.splitlines()


def bash(*words, **how):
    """What bash offers for the last of the words, which readline also splits
    at each "="."""
    words = [w for word in ("pycfs",) + words
             for w in re.split("(=)", word) if w or not word]
    return answer("bash", "--norc", "-c", """
source %s/pycfs.bash
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_pycfs
printf '%%s\\n' "${COMPREPLY[@]}"
""" % (shlex.quote(BUILD), " ".join(map(shlex.quote, words))), **how)


def fish(line, **how):
    out = answer("fish", "--no-config", "-c", """
source %s/pycfs.fish
complete -C%s
""" % (shlex.quote(BUILD), shlex.quote(line)), **how)
    return [row.split("\t")[0] for row in out]


@pytest.fixture
def place(scratch):
    os.makedirs(os.path.join(scratch, "place", "directory"))
    open(os.path.join(scratch, "place", "dispatch"), "w").close()
    return os.path.join(scratch, "place")


def options_of(pycfs, verb):
    text = pycfs.ok(verb, "--help").stdout
    return set(re.findall(r"^  .{4}(--[a-z-]+)", text, re.M))


@pytest.mark.parametrize("shell,name", [("bash", "pycfs.bash"),
                                        ("zsh", "_pycfs"),
                                        ("fish", "pycfs.fish")])
def test_syntax(shell, name):
    assert answer(shell, "-n", os.path.join(BUILD, name)) == []


def test_bash_verbs():
    assert set(bash("")) == VERBS | {"--help", "--version"}
    assert bash("mo") == ["mount"]
    assert bash("nonsense", "") == [""]


def test_bash_options(pycfs):
    for verb in VERBS:
        assert set(bash(verb, "--")) == options_of(pycfs, verb)
    assert bash("mount", "SOURCE", "--marsh") == ["--marshal"]
    assert "-O" in bash("mount", "-")


@pytest.mark.parametrize("words", [
    ["mount", "--marshal", ""], ["mount", "--marshal="],
    ["export", "--force", "SOURCE", "--marshal", ""]], ids=" ".join)
def test_bash_choices(words):
    assert bash(*words) == ["canonical", "cpython"]


def test_bash_values(place):
    assert bash("mount", "--marshal=cp") == ["cpython"]
    assert bash("mount", "-O", "") == ["0", "1", "2"]
    assert bash("mount", "--jobs", "") == [""]
    assert bash("cache", "") == ["stat", "gc", "verify", "compact",
                                 "clear", "keygen", "push", "pull",
                                 "remote"]
    assert bash("cache", "--max-size", "1G", "v") == ["verify"]
    assert bash("cache", "--max-size=1G", "v") == ["verify"]
    assert bash("cache", "stat", "") == [""]
    assert bash("mount", "di", cwd=place) == ["directory"]
    assert sorted(bash("export", "S", "di", cwd=place)) == \
        ["directory", "dispatch"]
    assert sorted(bash("mount", "--rules", "di", cwd=place)) == \
        ["directory", "dispatch"]


def test_bash_commands(place):
    """After --, and all options are the command's."""
    path = {"PATH": place}
    os.chmod(os.path.join(place, "dispatch"), 0o755)
    env = "/usr/bin/env"
    assert "env" in bash("run", "S", "M", "--", "en")
    assert bash("run", "S", "M", "--", env, "--marshal", "x") == [""]
    assert "dispatch" in bash("run", "S", "M", "--", "dis",
                              env=dict(path, PATH=place + ":/usr/bin:/bin"))


def test_bash_pythons(scratch):
    where = os.path.join(scratch, "bin")
    os.mkdir(where)
    for name in ("python3.9", "python3.12", "python3.12-config", "python3"):
        os.symlink("/bin/true", os.path.join(where, name))
    os.makedirs(os.path.join(scratch, "versions", "3.12.1", "bin"))
    os.symlink("/bin/true", os.path.join(scratch, "versions", "3.12.1", "bin",
                                         "python3"))
    env = {"PATH": where + ":/bin", "PYENV_ROOT": scratch}
    found = bash("mount", "--python", "3", env=env, cwd=where)
    assert {"3.9", "3.12", "3.12.1"} <= set(found)
    assert "3.12-config" not in found
    env = {"PATH": where + ":/usr/bin:/bin", "PYENV_ROOT": scratch}
    found = fish("pycfs mount --python 3", env=env, cwd=where)
    assert {"3.9", "3.12", "3.12.1"} <= set(found)
    assert "3.12-config" not in found


def test_fish(pycfs, place):
    assert fish("pycfs mo") == ["mount"]
    assert set(fish("pycfs ")) == VERBS
    assert set(fish("pycfs cache ")) == {
        "stat", "gc", "verify", "compact", "clear", "keygen", "push", "pull",
        "remote"}
    assert fish("pycfs mount --marshal ") == ["canonical", "cpython"]
    for verb in VERBS:
        assert set(fish("pycfs %s --" % verb)) == options_of(pycfs, verb)
    assert fish("pycfs mount --jobs ", cwd=place) == []
    assert fish("pycfs mount --rules di", cwd=place) == ["directory/",
                                                         "dispatch"]
    assert fish("pycfs mount di", cwd=place) == ["directory/"]


class Zsh:
    """An interactive one: completion needs its line editor."""

    def __init__(self, where):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(where)
            os.execvpe("zsh", ["zsh", "-f", "-i"],
                       {"PATH": where + ":/usr/bin:/bin", "TERM": "vt100",
                        "PYENV_ROOT": where,
                        "HOME": where, "PS1": "READY ", "COLUMNS": "200",
                        "LC_ALL": "C.UTF-8", "ZDOTDIR": where})
        self.wait("READY ")
        self.send("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D;"
                  " LISTMAX=1000; unsetopt list_ambiguous;"
                  " stty cols 200 rows 1000;"
                  " echo SET''UP\n" % shlex.quote(BUILD))
        self.wait("SETUP")

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self, *words, seconds=30):
        """What it says until all the words are in it."""
        out, end = "", time.monotonic() + seconds
        while not all(w in out for w in words):
            left = end - time.monotonic()
            ready, _, _ = select.select([self.fd], [], [], max(left, 0))
            assert ready, "%r is not in %r" % (words, out)
            out += os.read(self.fd, 65536).decode(errors="replace")
            out = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\0", "", out)
        return out

    def complete(self, line, *words):
        """Types the line and a tab; waits for the words to be shown."""
        self.send(line + "\t")
        out = self.wait(*words)
        self.send("\x15")  # the line is gone
        return out

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def zsh(place):
    shell = Zsh(place)
    yield shell
    shell.close()


def test_zsh(zsh, place):
    os.symlink("/bin/true", os.path.join(place, "python3.9"))
    os.symlink("/bin/true", os.path.join(place, "python3.99-config"))
    os.makedirs(os.path.join(place, "versions", "3.98.1"))
    zsh.complete("pycfs mo", "mount ")
    zsh.complete("pycfs ", "unmount a view", "mount, run COMMAND, unmount")
    zsh.complete("pycfs cache ", "stat", "gc", "verify", "compact", "clear")
    zsh.complete("pycfs mount --marshal ", "canonical", "cpython",
                 "as CPython happens to write it")
    zsh.complete("pycfs mount --marshal=can", "canonical")
    zsh.complete("pycfs mount --max", "--max")
    zsh.complete("pycfs export SOURCE --", "--hardlink-dupes", "--max-size",
                 "write equal files once, and hard links to it")
    zsh.complete("pycfs mount direc", "directory/")
    out = zsh.complete("pycfs mount --python 3", "3.9 ", "3.98.1")
    assert "3.99" not in out
    out = zsh.complete("pycfs export --rules di", "dispatch")
    assert "error" not in out
