"""DEST of an export: what may be there before, what is there after a failure,
and that nothing is left beside it."""
import contextlib
import os
import pty
import random
import signal
import subprocess
import time

import pytest

import harness
import layers
import trees
from harness import wait_for
from layers import digest, left_over
from test_usage import refused

DESTS = ("out", "out.tar", "out.tar.gz", "out.tar.zst", "out.zip")


def force(dest):
    return ["--force"] if dest == "out" else []


@pytest.fixture
def place(scratch):
    """A directory with nothing but DEST."""
    path = os.path.join(scratch, "place")
    os.mkdir(path)
    return path


# what is there

@pytest.mark.parametrize("dest", DESTS)
def test_what_was_there_is_replaced(dest, pycfs, small, place):
    path = os.path.join(place, dest)
    pycfs.exported(small, path, "-O", "0")
    first = digest(path)
    inode = os.stat(path).st_ino
    pycfs.exported(small, path, *force(dest))
    assert digest(path) != first and os.stat(path).st_ino != inode
    assert os.listdir(place) == [dest]


def test_force_replaces_all_of_it(pycfs, small, place):
    out = os.path.join(place, "out")
    trees.write(os.path.join(out, "deep", "er", "theirs"), "x", 0o400)
    trees.write(os.path.join(out, "a.pyc"), "x")
    os.symlink("/", os.path.join(out, "link"))
    os.chmod(os.path.join(out, "deep", "er"), 0o500)
    before = digest(out)
    refused(pycfs.export(small, out), 1, out, "--force", "not empty")
    assert digest(out) == before
    pycfs.exported(small, out, "--force")
    assert sorted(os.listdir(out)) == ["a.pyc", "b.pyc", "c.pyc", "data.txt"]
    assert os.listdir(place) == ["out"]


def test_an_empty_directory_is_used(pycfs, small, place):
    out = os.path.join(place, "out")
    os.mkdir(out, 0o700)
    pycfs.exported(small, out + "/")
    assert "a.pyc" in os.listdir(out)
    assert os.stat(out).st_mode == os.stat(small).st_mode


def test_what_cannot_be_replaced(pycfs, small, place):
    at = os.path.join(place, "")
    trees.write(at + "file", "x")
    os.mkdir(at + "dir.zip")
    os.mkdir(at + "dir")
    os.symlink("dir", at + "link")
    os.symlink("file", at + "link.tar")
    before = digest(place)
    for force in ([], ["--force"]):
        refused(pycfs.export(small, at + "file", *force), 1, "not a directory")
        refused(pycfs.export(small, at + "link", *force), 1, "not a directory")
        refused(pycfs.export(small, at + "dir.zip", *force), 1,
                "not a regular file")
        refused(pycfs.export(small, at + "link.tar", *force), 1,
                "not a regular file")
        for dest in ("out", "out.zip"):
            refused(pycfs.export(small, at + "file/" + dest, *force), 1,
                    at + "file", "not a directory")
        refused(pycfs.export(small, ".", *force, cwd=at + "dir"), 1,
                "name of its own")
    refused(pycfs.export(os.path.join(place, "missing"), at + "out"), 1,
            at + "missing", "no such")
    refused(pycfs.export(at + "file", at + "out"), 1, at + "file",
            "not a directory")
    assert digest(place) == before


@pytest.mark.parametrize("name", [
    "x.tar.xz", "x.TAR.BZ2", "x.7z", "x.whl", "x.ZIP", "x.tar.lz4", "x.gz",
    "deep/er/x.txz"])
def test_an_ending_that_nobody_writes(name, pycfs, small, place):
    path = os.path.join(place, name)
    refused(pycfs.export(small, path), 2, path, ".tar, ", ".tar.gz, ",
            ".tar.zst, ", ".zip", "slash")
    assert os.listdir(place) == []
    # whoever wants a directory of that name can say so
    pycfs.exported(small, path + "/")
    assert "a.pyc" in os.listdir(path)


@pytest.mark.parametrize("name", ["python3.12", "v1.2.d", ".zip", "x.egg"])
def test_a_directory_with_a_dot(name, pycfs, small, place):
    pycfs.exported(small, os.path.join(place, name))
    assert "a.pyc" in os.listdir(os.path.join(place, name))


@pytest.mark.parametrize("dest", DESTS)
@pytest.mark.parametrize("way", ["{}/a/b c/", "./a/../a/", "{}//a/./b/",
                                 "a/"])
def test_missing_parents_are_made(way, dest, pycfs, small, place):
    os.makedirs(os.path.join(place, "a")) if ".." in way else None
    path = way.format(place) + dest
    run = pycfs.export(small, path, "-v", cwd=place, umask=0o027)
    assert run.returncode == 0 and os.path.lexists(os.path.join(place, path))
    made = ".." not in way
    assert ("was missing and is made" in run.stderr) == made
    if made:
        for top, _, _ in os.walk(os.path.join(place, "a")):
            if not top.endswith(dest) and dest not in top.split("/"):
                assert os.stat(top).st_mode & 0o777 == 0o750
    # quietly, and what is there is used the next time
    run = pycfs.export(small, path, *force(dest), "-v", cwd=place)
    assert run.returncode == 0 and "is made" not in run.stderr


@pytest.mark.parametrize("dest", DESTS)
def test_parents_go_if_the_export_fails(dest, pycfs, tree, place):
    trees.add_broken(tree)
    there = os.path.join(place, "there")
    os.mkdir(there)
    path = os.path.join(there, "a", "b", dest)
    assert pycfs.export(tree, path).returncode == 1
    assert os.listdir(place) == ["there"] and os.listdir(there) == []
    # but not what another has put into one of them
    other = os.path.join(there, "a", "other")

    def put():
        if os.path.isdir(os.path.dirname(other)):
            trees.write(other, "x")
            return True
        return False
    p = start(pycfs, "--python", harness.DEBIAN_PYTHON, "--no-cache", tree,
              path)
    wait_for(put, 20, "no parent was made", step=0.001)
    p.communicate(timeout=60)
    assert p.returncode == 1
    assert os.listdir(os.path.join(there, "a")) == ["other"]


def test_a_parent_that_is_a_link(pycfs, small, place):
    """One that leads nowhere is not followed, and nothing goes up from what is
    missing."""
    refused(pycfs.export(small, os.path.join(place, "no", "..", "out")), 1,
            "no/..", "no such")
    os.symlink("nowhere", os.path.join(place, "link"))
    os.mkdir(os.path.join(place, "dir"))
    os.symlink("dir", os.path.join(place, "good"))
    refused(pycfs.export(small, os.path.join(place, "link", "out")), 1,
            os.path.join(place, "link"))
    pycfs.exported(small, os.path.join(place, "good", "new", "out"))
    assert sorted(os.listdir(place)) == ["dir", "good", "link"]
    assert os.listdir(os.path.join(place, "dir", "new")) == ["out"]


@pytest.mark.root
def test_a_mount_point_is_not_replaced(pycfs, small, place):
    out = os.path.join(place, "out")
    os.mkdir(out)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", out], check=True)
    try:
        refused(pycfs.export(small, out, "--force"), 1, "mount point")
        assert os.listdir(out) == [] and os.listdir(place) == ["out"]
        pycfs.exported(small, os.path.join(out, "in it"))
    finally:
        subprocess.run(["umount", out], check=True)


def as_nobody(pycfs, *args):
    """Without any right of root's; the cache is its own."""
    cache = os.path.join(pycfs.scratch, "nobodys")
    os.makedirs(cache, exist_ok=True)
    if os.geteuid() != 0:
        return pycfs.run(*args)
    os.chown(cache, 65534, 65534)
    return pycfs.run(*args, env={"PYCFS_CACHE": cache}, prefix=[
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])


def test_a_parent_that_may_not_be_written(pycfs, small, place):
    os.chmod(place, 0o555)
    for dest in ("out", "out.zip"):
        path = os.path.join(place, dest)
        refused(as_nobody(pycfs, "export", "-q", small, path), 1, path, "permi")
    os.chmod(place, 0o777)
    assert os.listdir(place) == []


def test_without_root(pycfs, small, place):
    """Directories that cannot be written, and sources of other users."""
    os.chmod(place, 0o777)
    inner = os.path.join(small, "inner")
    trees.write(os.path.join(inner, "deep", "d.py"), "D = 1\n", 0o444)
    for path in (os.path.join(inner, "deep"), inner, small):
        os.utime(path, (1500000000, 1500000000))
        os.chmod(path, 0o555)
    out = os.path.join(place, "out")
    wanted = layers.facts(pycfs.exported(small, os.path.join(place, "root")))
    for _ in range(2):
        assert as_nobody(pycfs, "export", "--force", small,
                         out).returncode == 0
        layers.same(wanted, layers.facts(out))
        assert sorted(os.listdir(place)) == ["out", "root"]
    trees.write(os.path.join(small, "secret.txt"), "x", 0o000)
    if os.geteuid() == 0:
        refused(as_nobody(pycfs, "export", "-q", "--force", small, out), 1,
                "secret.txt", "permi")
    assert not left_over(place)
    layers.same(wanted, layers.facts(out))
    os.chmod(small, 0o755)


def test_places_within_each_other(pycfs, tree, scratch):
    before = digest(tree)
    inside = os.path.join(tree, "pkg", "out")
    link = os.path.join(scratch, "link")
    os.symlink(tree, link)
    for dest in (inside, inside + ".zip", tree, tree + "/",
                 os.path.join(link, "out"), os.path.join(tree, "x.tar")):
        refused(pycfs.export(tree, dest, "--force"), 2, dest, "is in")
    refused(pycfs.export(os.path.join(tree, "pkg"), tree, "--force"), 2,
            "would be replaced")
    refused(pycfs.export(os.path.join(link, "pkg"), tree, "--force"), 2,
            "would be replaced")
    refused(pycfs.export(".", "out.zip", cwd=tree), 2, "is in")
    assert digest(tree) == before
    # names that only begin alike
    pycfs.exported(tree, tree + "-beside")
    pycfs.exported(os.path.join(tree, "pkg"), os.path.join(scratch, "p.tar"))


def test_what_contradicts_itself(pycfs, small, place):
    at = os.path.join(place, "")
    for dest, options, words in (
            ("x.zip", ["--hardlink-dupes"], ["zip", "--hardlink-dupes"]),
            ("x", ["--print-digest"], ["--print-digest", "archive"]),
            ("x", ["--max-compressed-size", "1M"], ["--max-compressed-size"]),
            ("x.tar", ["--max-compressed-size", "1M"],
             ["--max-compressed-size"]),
            ("x.zip", ["--mtime", "2147483648"], ["2038"]),
            ("x.zip", ["--prefix-dir", "/opt"], ["--prefix-dir", "/opt"]),
            ("x", ["--prefix-dir", "a/../b"], ["--prefix-dir"]),
            ("x", ["--max-size", "lambada"], ["--max-size", "lambada"])):
        refused(pycfs.export(small, at + dest, *options), 2, *words)
    refused(pycfs.export(small, "-", "--json"), 2, "--json", "stdout")
    refused(pycfs.export(small, "-", "--max-compressed-size", "lambda"), 2,
            "--max-compressed-size")
    assert os.listdir(place) == []


# standard output

def test_no_tar_for_a_terminal(pycfs, small):
    master, slave = pty.openpty()
    p = subprocess.run(pycfs.command("export", small, "-"), stdout=slave,
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       env=pycfs.env(), timeout=30)
    os.close(slave)
    os.set_blocking(master, False)
    with pytest.raises(OSError):
        assert os.read(master, 100) == b"", "something was written"
        raise OSError
    os.close(master)
    assert p.returncode == 2 and b"terminal" in p.stderr
    assert p.stderr.count(b"\n") == 1


@pytest.mark.parametrize("how, word", [
    ("> /dev/full", "No space left"), (">&-", ""),
    ("| head -c 10 > /dev/null; exit ${PIPESTATUS[0]}", "Broken pipe")],
    ids=["full", "closed", "pipe"])
def test_output_that_nobody_takes(how, word, pycfs, tree):
    trees.write(os.path.join(tree, "big"), bytes(1 << 20))
    p = pycfs.run("export", "-q", "--exclude", trees.LONG_NAME,
                  tree, "-",
                  prefix=["bash", "-c", '"$@" ' + how, "bash"])
    refused(p, 1, "stdout", word)


# full disks

@pytest.mark.root
@pytest.mark.parametrize("limit", ["size=1M", "size=9M,nr_inodes=20"])
def test_a_full_disk(limit, pycfs, tree, place):
    trees.write(os.path.join(tree, "pkg", "noise.bin"),
                random.Random(1).randbytes(2 << 20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", place],
                   check=True)
    try:
        for dest in DESTS:
            path = os.path.join(place, dest)
            if "inodes" in limit and dest != "out":
                continue
            for old in (False, True):
                if old:
                    pycfs.exported(os.path.join(tree, "ns"), path)
                before = digest(path)
                run = pycfs.export(tree, path, "--exclude", "caf*",
                                   "--exclude", trees.LONG_NAME,
                                   *force(dest))
                refused(run, 1, path, "no space left")
                assert digest(path) == before
                assert os.listdir(place) == ([dest] if old else [])
            subprocess.run(["rm", "-rf", path], check=True)
    finally:
        subprocess.run(["umount", place], check=True)


# leftovers and others

def test_leftovers_of_killed_ones(pycfs, small, place):
    trees.write(os.path.join(place, ".out.pycfs-abcdef", "d", "x"), "x", 0o400)
    trees.write(os.path.join(place, ".out.zip.pycfs-222222"), "x")
    mine = [".out.pycfs-mine", ".out.pycfs-ABCDEF", "out.pycfs-abcdef",
            ".other.pycfs-abcdef", ".out.zip.pycfs-000000"]
    for name in mine:
        trees.write(os.path.join(place, name), "mine")
    pycfs.exported(small, os.path.join(place, "out"))
    pycfs.exported(small, os.path.join(place, "out.zip"))
    assert sorted(os.listdir(place)) == sorted([*mine, "out", "out.zip"])


@pytest.mark.parametrize("dest", ["out", "out.zip"])
def test_many_at_once(dest, pycfs, small, place):
    """To one DEST: every one succeeds, and none sweeps another's away."""
    path = os.path.join(place, dest)
    wanted = digest(pycfs.exported(small, path))
    for _ in range(5):
        running = [subprocess.Popen(
            pycfs.command("export", "-q", *force(dest), small, path),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=pycfs.env()) for _ in range(6)]
        said = [(p.communicate(timeout=60)[1], p.returncode) for p in running]
        assert {(b"", 0)} == set(said)
        assert digest(path) == wanted and os.listdir(place) == [dest]


# interrupted

@pytest.fixture
def slow(scratch):
    """SOURCE, one module of which takes long."""
    root = os.path.join(scratch, "slow")
    for n in range(30):
        trees.write(os.path.join(root, "m%02d.py" % n), "M = %d\n" % n)
    trees.write(os.path.join(root, "m15.py"), trees.slow(30000))
    return root


def start(pycfs, *args, **how):
    return subprocess.Popen(
        pycfs.command("export", *args), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env=pycfs.env(), **how)


def is_compiling(pycfs, place):
    return left_over(place) and any(
        w.cpu > 0.15 for w in harness.workers(pycfs.scratch))


def gone(pycfs):
    wait_for(lambda: not harness.daemons(pycfs.scratch), 10, "processes end")


@pytest.mark.parametrize("dest", ["out", "out.tar.gz", "-"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM,
                                 signal.SIGHUP])
def test_interrupted(sig, dest, pycfs, slow, place):
    path = dest if dest == "-" else os.path.join(place, dest)
    if dest == "out":
        trees.write(os.path.join(path, "old"), "old")
    p = start(pycfs, "--force", slow, path)
    wait_for(lambda: any(w.cpu > 0.15 for w in
                         harness.workers(pycfs.scratch)), 20, "it compiles")
    began = time.monotonic()
    p.send_signal(sig)
    assert p.wait(timeout=10) == -sig
    assert time.monotonic() - began < 2.5
    assert os.listdir(place) == (["out"] if dest == "out" else [])
    if dest == "out":
        assert os.listdir(path) == ["old"]
    gone(pycfs)


def test_control_c(pycfs, slow, place):
    """Of a terminal, which sends it to parent and child."""
    path = os.path.join(place, "out.zip")
    pid, master = pty.fork()
    if pid == 0:
        os.execve(harness.program(), pycfs.command("export", slow, path),
                  pycfs.env())
    wait_for(lambda: is_compiling(pycfs, place), 20, "it compiles")
    os.write(master, b"\x03")
    text = b""
    try:
        while True:
            text += os.read(master, 1000)
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    os.close(master)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT
    assert os.listdir(place) == []
    assert b"interrupted" in text.split(b"\r\033[K")[-1]
    gone(pycfs)


@pytest.mark.parametrize("sig", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_were_ignored_are(sig, pycfs, small, place):
    """As nohup(1) and a shell's & have it."""
    trees.write(os.path.join(small, "slow.py"), trees.slow(9000))
    path = os.path.join(place, "out.zip")
    p = start(pycfs, small, path,
              preexec_fn=lambda: signal.signal(sig, signal.SIG_IGN))
    wait_for(lambda: is_compiling(pycfs, place), 20, "it compiles")
    p.send_signal(sig)
    assert p.wait(timeout=30) == 0
    assert os.listdir(place) == ["out.zip"]


# killed

def victims(p):
    """The pycfs that was started, and the one that does the work."""
    return [p.pid] + [x.pid for x in harness.processes()
                      if x.parent == p.pid]


def state(path):
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return None
    return st.st_ino, st.st_mtime_ns


def a_killed_one(pycfs, moment, whom, path, *args):
    """Killed after `moment` seconds, or None: as soon as DEST changes."""
    before = state(path)
    p = start(pycfs, *args, path, stderr=subprocess.DEVNULL)
    if moment is None:
        while len(pids := victims(p)) < 2 and p.poll() is None:
            pass
        while state(path) == before and p.poll() is None:
            pass
    else:
        time.sleep(moment)
        pids = victims(p)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pids[min(whom, len(pids) - 1)], signal.SIGKILL)
    status = p.wait(timeout=30)
    assert status in (0, 1, -9), status
    gone(pycfs)
    return status


@pytest.mark.parametrize("dest", ["out", "out.zip"])
def test_killed_at_any_moment(dest, pycfs, scratch, place):
    """DEST is wholly what it was, or wholly what it becomes."""
    tree = trees.many(os.path.join(scratch, "site"), 300)
    path = os.path.join(place, dest)
    sets = [["-O", "0", "--mtime", "1500000000"],
            ["-O", "2", "--mtime", "1600000000"]]
    for options in (sets[0], sets[1], sets[0]):  # the last one: warm
        began = time.monotonic()
        pycfs.exported(tree, path, "--force", *options)
        most = 1.2 * (time.monotonic() - began)
    states = [digest(pycfs.exported(tree, path, "--force", *options))
              for options in sets]
    assert states[0] != states[1]
    r, ends = random.Random(dest), []
    for n in range(25):
        before = digest(path)
        to = 1 if before == states[0] else 0
        moment = None if n % 5 > 2 else r.uniform(0, most)
        ends.append(a_killed_one(pycfs, moment, n % 2, path, "--force",
                                 *sets[to], tree))
        now = digest(path)
        assert now in (before, states[to]), (n, ends[-1])
        assert ends[-1] != 0 or now == states[to], n
    assert len(left_over(place)) <= 2  # of the last two at most
    assert ends.count(0) < 20, "killed too late: %s" % ends
    pycfs.exported(tree, path, "--force", *sets[1])
    assert digest(path) == states[1] and os.listdir(place) == [dest]
