"""`pycfs cache stat, gc, verify`, on a cache that exports have filled."""
import json
import os
import signal
import subprocess

import pytest

import trees
from harness import DEBIAN_PYTHON

MARK = b"pycfs-test-mark"


def cache(pycfs, *args, rc=0):
    p = pycfs.run("cache", *args)
    assert p.returncode == rc, (p.stdout, p.stderr)
    return p.stdout + p.stderr


def fill(pycfs, scratch, names, source="x = %r\n"):
    site = os.path.join(scratch, "site-" + names[0])
    os.makedirs(site)
    for name in names:
        with open(os.path.join(site, name + ".py"), "w") as f:
            f.write(source % name)
    trees.age(site)
    pycfs.exported(site, os.path.join(scratch, "out-" + names[0]))
    return site


def stat(pycfs):
    return json.loads(cache(pycfs, "stat", "--json"))


def test_stat_tells_profiles_apart(pycfs, scratch):
    site = fill(pycfs, scratch, ["a", "b", "c"])
    s = stat(pycfs)
    assert s["modules"] == 3 and s["notes"] == 0 and s["rejected"] == 0
    assert [p["modules"] for p in s["profiles"]] == [3]
    assert "level 2" in s["profiles"][0]["profile"]
    assert s["profiles"][0]["bytes"] == s["bytes"]
    assert (s["served"], s["added"]) == (0, 3)
    pycfs.exported(site, os.path.join(scratch, "warm"))
    s = stat(pycfs)
    assert (s["served"], s["added"]) == (3, 3)
    pycfs.exported(site, os.path.join(scratch, "other"), "-O", "0")
    s = stat(pycfs)
    assert sorted(p["modules"] for p in s["profiles"]) == [3, 3]
    assert (s["served"], s["added"]) == (3, 6)
    text = cache(pycfs, "stat")
    assert "6 modules" in text and "33.3 %" in text
    assert "level 0" in text and "level 2" in text


def report(pycfs, site, *options):
    p = pycfs.run("report", "--python", DEBIAN_PYTHON, site, "--json",
                  *options)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def test_a_report_keeps_sizes_alone(pycfs, scratch):
    """Not the bytecode that Python would write, which nobody ships; but of the
    same source elsewhere it is not made anew to learn its size."""
    names = ["m%d" % i for i in range(20)]
    site = fill(pycfs, scratch, names, "x = %r\n" + trees.slow(1500))
    with open(os.path.join(site, "slow.py"), "w") as f:
        f.write(trees.slow(16000))  # seconds
    trees.age(site)
    pycfs.exported(site, os.path.join(scratch, "all"))
    before = stat(pycfs)
    first = report(pycfs, site)
    after = stat(pycfs)
    assert after["modules"] == before["modules"] == 21
    assert [p["profile"] for p in after["profiles"]] == \
        [p["profile"] for p in before["profiles"]]
    assert after["bytes"] - before["bytes"] < 21 * 1000
    copy = os.path.join(scratch, "copy")
    subprocess.run(["cp", "-a", site, copy], check=True)
    again = report(pycfs, copy, "--timeout", "1")
    assert [f["pycache_bytes"] for f in again["files"]] == \
        [f["pycache_bytes"] for f in first["files"]]
    assert stat(pycfs)["modules"] == 21


def test_gc_by_size(pycfs, scratch):
    site = fill(pycfs, scratch, ["d%d" % i for i in range(20)])
    before = stat(pycfs)
    limit = before["bytes"] // 2
    cache(pycfs, "gc", "--max-size", str(limit))
    after = stat(pycfs)
    assert 0 < after["modules"] < 20 and after["bytes"] <= limit
    # what is gone is compiled anew, the rest is not
    p = pycfs.export(site, os.path.join(scratch, "again"), "--json")
    assert json.loads(p.stdout)["compiled"] == 20 - after["modules"]


def test_gc_by_age_keeps_what_is_young(pycfs, scratch):
    fill(pycfs, scratch, ["a", "b"])
    assert cache(pycfs, "gc", "--max-age", "0").startswith("0 entries removed")
    assert stat(pycfs)["modules"] == 2


def test_gc_needs_a_bound(pycfs, scratch):
    fill(pycfs, scratch, ["a"])
    assert "--max-age" in cache(pycfs, "gc", rc=2)
    assert "verify" in cache(pycfs, "tidy", rc=2)


def test_compact(pycfs, scratch, mount):
    names = ["c%d" % i for i in range(40)]
    site = fill(pycfs, scratch, names, "x = %r\ny = '" + "y" * 20000 + "'\n")
    before = stat(pycfs)
    cache(pycfs, "gc", "--max-size", str(before["bytes"] // 4))
    left = stat(pycfs)
    assert left["disk_bytes"] >= before["disk_bytes"]
    with mount(site) as m:
        out = json.loads(cache(pycfs, "compact", "--json"))
        assert out["disk_bytes_before"] == left["disk_bytes"]
        assert out["disk_bytes"] < left["disk_bytes"] / 2
        for name in names:  # the mount goes on
            assert os.stat(m / (name + ".pyc")).st_size > 20000
    after = stat(pycfs)
    assert after["modules"] == left["modules"] > 0
    assert after["disk_bytes"] == out["disk_bytes"]
    assert sorted(os.listdir(pycfs.cache))[0] == "CACHEDIR.TAG"
    assert len(os.listdir(pycfs.cache)) == 2
    p = pycfs.export(site, os.path.join(scratch, "again"), "--json")
    assert json.loads(p.stdout)["compiled"] == 40 - after["modules"]
    assert "bytes on disk" in cache(pycfs, "compact")


def test_verify_finds_a_flipped_bit(pycfs, scratch):
    fill(pycfs, scratch, ["a", "b", "c"],
         "x = %r\ny = '" + MARK.decode() * 400 + "'\n")
    assert cache(pycfs, "verify") == \
        "3 entries checked, 0 damaged and removed\n"
    data = subprocess.run(["find", pycfs.cache, "-name", "data.mdb"],
                          capture_output=True, text=True).stdout.strip()
    with open(data, "r+b") as f:
        at = f.read().index(MARK)
        f.seek(at)
        f.write(b"Q")
    assert cache(pycfs, "verify", rc=1) == \
        "3 entries checked, 1 damaged and removed\n"
    assert json.loads(cache(pycfs, "verify", "--json")) == {
        "version": 1, "checked": 2, "damaged": 0}


def test_a_full_stdout_is_an_error(pycfs, scratch):
    fill(pycfs, scratch, ["a"])
    with open("/dev/full", "w") as full:
        p = subprocess.run(pycfs.command("cache", "stat"), stdout=full,
                           stderr=subprocess.PIPE, timeout=60,
                           env=pycfs.env())
    assert p.returncode == 1 and b"No space" in p.stderr


@pytest.mark.parametrize("verb", [
    ["cache", "stat"],
    ["report", "--python", DEBIAN_PYTHON, "SITE"]], ids=["stat", "report"])
def test_a_reader_that_has_enough(verb, pycfs, scratch):
    """`pycfs cache stat | head`: it ends as any program does, in silence."""
    site = fill(pycfs, scratch, ["a"])
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        p = subprocess.run(
            pycfs.command(*(site if a == "SITE" else a for a in verb)),
            stdout=pipe, stderr=subprocess.PIPE, timeout=60, env=pycfs.env())
    assert (p.returncode, p.stderr) == (-signal.SIGPIPE, b"")
