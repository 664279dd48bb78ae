"""Modules that do not compile, and modules that kill their worker."""
import errno
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import harness
import trees
from harness import copy, read


def code_of(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def lines_about(log, name):
    return [line for line in log.splitlines() if name in line]


def test_fail_is_listed_and_unreadable(mount, tree, scratch):
    trees.add_broken(tree)
    view = trees.expected(tree)
    with mount(tree) as m:
        assert trees.listing(m.path) == trees.shape(view)
        for name in trees.BROKEN:
            for _ in range(2):
                assert code_of(os.stat, m / (name + "c")) == errno.EIO, name
                assert code_of(read, m / (name + "c")) == errno.EIO, name
            assert code_of(os.stat, m / name) == errno.ENOENT, name
        assert m.count("rejected") == len(trees.BROKEN)
        # a copy tells
        cp = subprocess.run(["cp", "-a", m.path + "/.",
                             os.path.join(scratch, "out")],
                            stderr=subprocess.PIPE, timeout=60)
        assert cp.returncode != 0
        for name in trees.BROKEN:
            assert (name + "c").encode() in cp.stderr
        log = m.log()
    for name, (_, line, words) in trees.BROKEN.items():
        about = lines_about(log, name)
        assert len(about) == 1, about
        where = name if line is None else "%s:%d" % (name, line)
        assert where in about[0] and words in about[0], about
    assert sorted(trees.listing(os.path.join(scratch, "out"))) == sorted(
        p for p in view if p[:-1].decode("utf8", "replace")
        not in trees.BROKEN)


APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + b"\0" * 50


def test_what_a_mac_leaves_is_named(target, pycfs, scratch):
    """In the log, by an export and in a report; from the cache, too."""
    root = os.path.join(scratch, "site")
    for name, text in (("a.py", "x = 1\n"), ("p/._a.py", APPLE_DOUBLE),
                       ("p/._other.py", b"\0" + APPLE_DOUBLE),
                       ("p/other.py", APPLE_DOUBLE),
                       ("p/._good.py", "x = 1\n")):
        trees.write(os.path.join(root, name), text)
    trees.age(root)
    for _ in range(2):
        with pycfs.mount(root, python=target.exe) as m:
            assert code_of(read, m / "p/._a.pyc") == errno.EIO
            assert read(m / "p/._good.pyc")
            log = m.log()
        out = pycfs.export(root, os.path.join(scratch, "out"),
                           python=target.exe).stderr
        table = pycfs.ok("report", "--python", target.exe, root).stdout
        for text in (log, out, table):
            about = lines_about(text, "p/._a.py")
            assert len(about) == 1 and "AppleDouble" in about[0], text
            assert "p/._a.py: " in about[0]
            assert "--exclude '._*'" in about[0]
            # What it is shows in its bytes, whatever its name is.
            about = lines_about(text, "p/other.py")
            assert all("AppleDouble" in line for line in about), text
            assert text.count("AppleDouble") == 1 + len(about)
    # what it says helps
    os.unlink(os.path.join(root, "p", "other.py"))
    out = pycfs.exported(root, os.path.join(scratch, "out"), "--exclude",
                         "._*", python=target.exe)
    assert sorted(os.listdir(out)) == ["a.pyc"]


def test_source_ships_the_source(mount, tree, scratch):
    broken = trees.add_broken(tree)
    view = trees.expected(tree, broken, "source")
    with mount(tree, "--on-error", "source") as m:
        out = copy(m, os.path.join(scratch, "out"))
        assert code_of(os.stat, m / "broken.pyc") == errno.ENOENT
        assert trees.listing(m.path) == trees.shape(view)
        log = m.log()
    assert trees.listing(out) == trees.shape(view)
    for name in broken:
        assert read(os.path.join(out, name)) == trees.BROKEN[name][0]
        assert len(lines_about(log, name)) == 1


def test_omit_does_not_list_it(mount, tree, scratch):
    broken = trees.add_broken(tree)
    view = trees.expected(tree, broken, "omit")
    with mount(tree, "--on-error", "omit") as m:
        out = copy(m, os.path.join(scratch, "out"))
        assert trees.listing(m.path) == trees.shape(view)
        for name in broken:
            assert code_of(os.stat, m / (name + "c")) == errno.ENOENT
            assert code_of(os.stat, m / name) == errno.ENOENT
        log = m.log()
    assert trees.listing(out) == trees.shape(view)
    for name in broken:
        assert len(lines_about(log, name)) == 1


@pytest.mark.parametrize("policy", ["fail", "source", "omit"])
def test_without_a_listing_first(policy, mount, tree):
    trees.add_broken(tree)
    with mount(tree, "--on-error", policy, "--no-ahead") as m:
        wanted = errno.EIO if policy == "fail" else errno.ENOENT
        assert code_of(os.stat, m / "broken.pyc") == wanted
        assert code_of(os.stat, m / "broken.py") == \
            (0 if policy == "source" else errno.ENOENT)
        assert code_of(os.stat, m / "single.pyc") == 0
        assert code_of(os.stat, m / "single.py") == errno.ENOENT


def test_rejections_are_cached(mount, tree):
    trees.add_broken(tree)
    for first in (True, False):
        with mount(tree, "--no-ahead") as m:
            assert code_of(os.stat, m / "broken.pyc") == errno.EIO
            counters = m.counters()
            hits = counters["blob_hits"] + counters["stat_hits"]
            assert (counters["rejected"], hits > 0) == \
                ((1, False) if first else (0, True)), counters
            # every mount says it
            assert len(lines_about(m.log(), "broken.py:3")) == 1


def test_refusals_that_are_no_syntax_errors(target, mount, small):
    """RecursionError, ValueError and their like are results, too."""
    trees.write(os.path.join(small, "deep.py"),
                "x = " + "not " * 50000 + "1\n")
    trees.write(os.path.join(small, "codec.py"), "# coding: no-such-codec\n")
    trees.write(os.path.join(small, "indent.py"), "if 1:\nx = 1\n")
    trees.write(os.path.join(small, "big_int.py"),
                "x = 1\nx = " + "9" * 5000 + "\n")
    with mount(small, python=target.exe) as m:
        for name in ("deep", "codec", "indent"):
            assert code_of(os.stat, m / (name + ".pyc")) == errno.EIO, name
            assert len(lines_about(m.log(), name + ".py")) == 1
        # the limit on digits came in 3.8.14, 3.9.14, 3.10.7 and 3.11.0
        assert code_of(os.stat, m / "big_int.pyc") == errno.EIO
        assert "big_int.py" in m.log()
        assert len(read(m / "a.pyc")) > 16


def test_a_killed_worker_is_not_the_files_fault(mount, scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(12000))
    with mount(root, cache=os.path.join(scratch, "other")) as m:
        wanted = read(m / "slow.pyc")
        assert m.count("crashes") == 0
    with mount(root, "--jobs", "1") as m:
        reader = subprocess.Popen(["cat", m / "slow.pyc"],
                                  stdout=subprocess.PIPE)
        victim = harness.wait_for(
            lambda: next((w for w in harness.workers(m.path) if w.cpu > 0.3),
                         None), 20, "a worker is busy")
        os.kill(victim.pid, signal.SIGKILL)
        got = reader.communicate(timeout=60)[0]
        assert reader.returncode == 0 and got == wanted
        counters = m.counters()
        assert counters["crashes"] == 1 and counters["compiled"] == 1
        assert counters["spawned"] >= 2
        assert victim.pid not in [w.pid for w in harness.workers(m.path)]


def test_workers_killed_while_idle(mount, small):
    with mount(small, "--jobs", "2", "--no-ahead") as m:
        assert len(read(m / "a.pyc")) > 16
        for w in harness.workers(m.path):
            os.kill(w.pid, signal.SIGKILL)
        assert len(read(m / "b.pyc")) > 16
        assert len(read(m / "c.pyc")) > 16
        assert m.count("compiled") == 3 and m.count("rejected") == 0


def test_a_stalling_source_is_given_up(target, mount, small):
    trees.write(os.path.join(small, "stall.py"), trees.slow(100000))
    with mount(small, "--jobs", "2", "--timeout", "1",
               python=target.exe) as m:
        start = time.monotonic()
        reader = threading.Thread(target=code_of, args=(os.stat,
                                                        m / "stall.pyc"))
        reader.start()
        for name in "abc":
            assert len(read(m / (name + ".pyc"))) > 16
        assert reader.is_alive(), "the others had to wait for it"
        reader.join(20)
        assert code_of(os.stat, m / "stall.pyc") == errno.EIO
        took = time.monotonic() - start
        assert 0.9 < took < 15, took
        assert code_of(read, m / "stall.pyc") == errno.EIO
        counters = m.counters()
        assert counters["timeouts"] >= 1
        assert counters["compiled"] == 3
        about = lines_about(m.log(), "stall.py")
        assert len(about) == 1 and re.search(r"second|time", about[0]), about
        assert len(read(m / "a.pyc")) > 16
        harness.wait_for(lambda: all(w.state == "S" for w in
                                     harness.workers(m.path)), 10,
                         "no worker goes on with it")


def test_a_crashing_source_is_given_up(mount, small):
    """The compilers of 3.8 and 3.9 run out of stack on this."""
    olds = [p for p in harness.PYTHONS if p.minor in ((3, 8), (3, 9))]
    if not olds:
        pytest.skip("no 3.8 or 3.9 here")
    trees.write(os.path.join(small, "crash.py"),
                "x = a" + ".b" * 200000 + "\n")
    for target in olds:
        with mount(small, python=target.exe) as m:
            assert code_of(os.stat, m / "crash.pyc") == errno.EIO
            for name in "abc":
                assert len(read(m / (name + ".pyc"))) > 16
            assert code_of(read, m / "crash.pyc") == errno.EIO
            counters = m.counters()
            assert counters["crashes"] >= 1 and counters["compiled"] == 3
            assert len(lines_about(m.log(), "crash.py")) >= 1
            assert not [n for n in os.listdir(small) if "core" in n]


def test_given_up_is_tried_again_by_the_next_mount(mount, scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(15000))
    trees.age(root)
    with mount(root, "--timeout", "1") as m:
        assert code_of(os.stat, m / "slow.pyc") == errno.EIO
        assert m.count("timeouts") >= 1
    with mount(root, "--timeout", "100") as m:
        assert len(read(m / "slow.pyc")) > 1000
        assert m.count("compiled") == 1


def test_special_files_are_hidden(mount, tree):
    names = trees.add_special(tree)
    with mount(tree) as m:
        assert trees.listing(m.path) == trees.shape(trees.expected(tree))
        for name in names:
            assert name not in os.listdir(m.path)
            assert code_of(os.lstat, m / name) == errno.ENOENT
        assert code_of(os.lstat, m / "fifo.pyc") == errno.ENOENT
        log = m.log()
        assert all(len(lines_about(log, n)) >= 1 for n in names), log


def test_a_name_cannot_forge_a_log_line(mount, small):
    evil = "evil\npycfs: error: forged.py"
    trees.write(os.path.join(small, evil), "x = (\n")
    with mount(small) as m:
        assert code_of(os.stat, m / (evil + "c")) == errno.EIO
        log = m.log()
    assert "forged.py" in log
    assert not [x for x in log.splitlines() if x.startswith(
        "pycfs: error: forged")]


def sparse(path, size):
    with open(path, "wb") as f:
        f.truncate(size)


def test_too_large(mount, tree, scratch):
    """Refused by its size, unread; and that is forgotten with the option."""
    sparse(os.path.join(tree, "vast.py"), 900 << 20)
    trees.write(os.path.join(tree, "long.py"), "x = 1\n" + "#\n" * 60000)
    trees.age(tree)
    for _ in range(2):
        with mount(tree, "--no-ahead", "--max-source", "100K") as m:
            assert code_of(read, m / "vast.pyc") == errno.EIO
            assert code_of(os.stat, m / "long.pyc") == errno.EIO
            assert m.count("source_reads") == 0
            assert m.serving().rss_mb() < 100
            read(m / "single.pyc")
            log = m.log()
        about = lines_about(log, "vast.py")
        assert len(about) == 1
        assert "943718400 bytes" in about[0] and "102400" in about[0]
        assert "--max-source" in about[0]
        with mount(tree, "--no-ahead") as m:
            assert len(read(m / "long.pyc")) > 16
            assert code_of(read, m / "vast.pyc") == errno.EIO
    with mount(tree, "--on-error", "omit") as m:
        assert code_of(os.stat, m / "vast.pyc") == errno.ENOENT


def test_export_of_what_is_too_large(tree, scratch, pycfs):
    sparse(os.path.join(tree, "vast.py"), 65 << 20)
    dest = os.path.join(scratch, "out")
    r = pycfs.export(tree, dest)
    assert r.returncode == 1 and not os.path.exists(dest)
    assert "vast.py" in r.stderr and "68157440 bytes" in r.stderr
    assert "--max-source" in r.stderr
    # read now, and refused for what is in it
    r = pycfs.export(tree, dest, "--max-source", "66M")
    assert r.returncode == 1 and "null bytes" in r.stderr
    r = pycfs.exported(tree, dest, "--on-error", "omit")
    assert os.path.exists(os.path.join(dest, "single.pyc"))
    assert not os.path.exists(os.path.join(dest, "vast.pyc"))
