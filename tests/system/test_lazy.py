"""Which modules are compiled, and when. The tests read the counters of the
daemon."""
import os
import signal
import subprocess
import threading

import pytest

import harness
import trees
from harness import copy, read


@pytest.mark.parametrize("how", ["ls", "find", "listdir", "scandir", "fts"])
def test_a_listing_compiles_nothing(how, mount, tree):
    with mount(tree) as m:
        if how == "ls":
            out = subprocess.run(["ls", "-1U", "--color=never", m.path],
                                 stdout=subprocess.PIPE, timeout=30,
                                 check=True).stdout
            assert b"single.pyc" in out
        elif how == "find":
            out = subprocess.run(["find", m.path, "-type", "f"],
                                 stdout=subprocess.PIPE, timeout=30,
                                 check=True).stdout
            assert b"core.pyc" in out
        elif how == "listdir":
            assert "single.pyc" in os.listdir(m.path)
            assert "core.pyc" in os.listdir(m / "pkg")
        elif how == "scandir":
            assert len(trees.listing(m.path)) > 40
        else:
            assert list(os.fwalk(m.path))  # opens every directory
        assert m.quiet("compiled") == 0
        counters = m.counters()
        assert counters["source_reads"] == 0
        assert counters["readdirs"] > 0


def test_mounting_and_what_is_no_module_compile_nothing(mount, tree):
    with mount(tree) as m:
        assert read(m / "pkg/data.json") == b'{"key": "value"}\n'
        assert os.stat(m / "bin/script.sh").st_size > 0
        assert os.readlink(m / "link_data.json") == "pkg/data.json"
        assert not os.path.exists(m / "no_such_module.pyc")
        assert m.quiet("compiled") == 0


def test_one_stat_compiles_one(mount, tree):
    with mount(tree, "--no-ahead") as m:
        size = os.stat(m / "pkg/core.pyc").st_size
        assert size > 1000
        assert m.quiet("compiled") == 1
        assert len(read(m / "pkg/core.pyc")) == size
        os.stat(m / "pkg/core.pyc")
        assert m.quiet("compiled") == 1
        os.stat(m / "single.pyc")
        assert m.quiet("compiled") == 2
        assert m.count("ahead") == 0


def test_one_read_compiles_one(mount, tree):
    with mount(tree, "--no-ahead") as m:
        assert len(read(m / "single.pyc")) > 16
        assert m.quiet("compiled") == 1


def test_one_stat_starts_its_siblings_and_no_others(mount, tree):
    with mount(tree) as m:
        os.stat(m / "pkg/core.pyc")
        # pkg/__init__.py, __main__.py, core.py; not pkg/sub, not the top
        assert m.quiet("compiled") == 3
        assert m.count("ahead") == 2


def test_a_copy_compiles_each_once(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 300)
    with mount(root) as m:
        out = copy(m, os.path.join(scratch, "out"))
        assert m.count("compiled") == 300
        copy(m, os.path.join(scratch, "again"))
        counters = m.counters()
    assert counters["compiled"] == 300
    assert counters["rejected"] == counters["crashes"] == 0
    assert len(trees.listing(out)) == 300 + 6 + 1


@pytest.mark.parametrize("ahead", [True, False])
def test_parallel_readers_share_one_compile(ahead, mount, scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(8000))
    with mount(root, "--jobs", "4", *([] if ahead else ["--no-ahead"])) as m:
        readers = [subprocess.Popen(["cat", m / "slow.pyc"],
                                    stdout=subprocess.PIPE)
                   for _ in range(8)]
        outs = [r.communicate(timeout=60)[0] for r in readers]
        assert [r.returncode for r in readers] == [0] * 8
        counters = m.counters()
    assert len(set(outs)) == 1 and len(outs[0]) > 10000
    assert counters["compiled"] == 1


def test_parallel_stats_of_many(mount, scratch):
    root = trees.many(os.path.join(scratch, "site"), 200)
    paths = sorted(trees.modules(root))
    errors = []

    def walk(m, order):
        try:
            for path in order:
                os.stat(os.path.join(os.fsencode(m.path), path))
        except OSError as e:
            errors.append(e)

    with mount(root, "--jobs", "3") as m:
        threads = [threading.Thread(target=walk, args=(m, order))
                   for order in (paths, paths[::-1], paths[::2] + paths[1::2],
                                 paths[100:] + paths[:100])]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert not errors and not any(t.is_alive() for t in threads)
        assert m.count("compiled") == 200


def test_a_slow_module_starves_nobody(mount, scratch):
    """Others are served while one compiles, even with every FUSE thread's
    worth of readers waiting for slow ones."""
    root = os.path.join(scratch, "site")
    for i in range(12):
        trees.write(os.path.join(root, "slow%d" % i, "m.py"),
                    trees.slow(30000 + i))
    trees.write(os.path.join(root, "quick", "q.py"), "Q = 1\n")
    trees.write(os.path.join(root, "quick", "data"), "data")
    warm = os.path.join(root, "warm", "w.py")
    trees.write(warm, "W = 1\n")
    trees.age(root)
    with mount(root, "--jobs", "2", "--timeout", "120") as m:
        wanted = read(m / "warm/w.pyc")
        readers = [subprocess.Popen(["cat", m / ("slow%d/m.pyc" % i)],
                                    stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
                   for i in range(12)]
        try:
            harness.wait_for(
                lambda: sum(w.cpu > 0.3 for w in harness.workers(m.path)) == 2,
                20, "both workers are busy")
            got = subprocess.run(["cat", m / "quick/data", m / "warm/w.pyc"],
                                 stdout=subprocess.PIPE, timeout=3)
            assert got.stdout == b"data" + wanted
            assert subprocess.run(["ls", m / "quick"], timeout=3,
                                  stdout=subprocess.PIPE).stdout == \
                b"data\nq.pyc\n"
            assert all(r.poll() is None for r in readers)
        finally:
            os.kill(m.serving().pid, signal.SIGTERM)
            for r in readers:
                r.wait(10)
        m.gone()


def test_who_waits_can_be_killed(mount, scratch):
    """Ctrl-C on a cp must not wait for a slow module."""
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "slow.py"), trees.slow(40000))
    with mount(root, "--jobs", "1") as m:
        for sig in (signal.SIGINT, signal.SIGKILL):
            reader = subprocess.Popen(["cat", m / "slow.pyc"],
                                      stdout=subprocess.DEVNULL)
            harness.wait_for(
                lambda: any(w.cpu > 0.3 for w in harness.workers(m.path)),
                20, "the worker is busy")
            reader.send_signal(sig)
            try:
                assert reader.wait(3) == -sig
            finally:
                if reader.poll() is None:
                    os.kill(m.serving().pid, signal.SIGTERM)
                    reader.wait(10)
        os.kill(m.serving().pid, signal.SIGTERM)
        m.gone()
