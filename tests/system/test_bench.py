"""tools/bench and tools/coldstart: every case yields plausible figures, and no
file, mount or process is left."""
import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest

import harness
import trees

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "tools")
CASES = {"cold", "warm", "second", "stream", "changed", "import", "latency",
         "ready", "export"}


def start(tool, *args, pycfs=None):
    return subprocess.Popen(
        [sys.executable, os.path.join(TOOLS, tool), *map(str, args)],
        env=dict(os.environ, PYCFS=pycfs or harness.program()),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)


def finish(p, status=0, timeout=120):
    with p:
        try:
            out, err = p.communicate(timeout=timeout)
        finally:
            p.kill()
    assert p.returncode == status, err + out[-3000:]
    return out, err


def run(tool, *args, status=0):
    return finish(start(tool, *args), status)


def target():
    return harness.DEBIAN_PYTHON if any(
        p.exe == harness.DEBIAN_PYTHON for p in harness.PYTHONS) \
        else harness.newest().exe


def test_help():
    for tool in ("bench", "coldstart"):
        out, err = run(tool, "--help")
        assert err == "" and max(map(len, out.splitlines())) <= 80
        assert "--json" in out and "PYCFS" in out
    assert {line.split(":")[0] for line in run("bench", "--list")[0]
            .splitlines() if line[0] != " "} == CASES


def test_usage():
    for args, word in ((["--case", "none"], "none"),
                       (["--rounds", "0"], "--rounds"),
                       (["--python", "/etc/hostname"], "/etc/hostname"),
                       (["--source", "/no/such"], "/no/such")):
        out, err = run("bench", *args, status=2)
        assert out == "" and word in err and "Traceback" not in err
    assert "/no/such" in run("coldstart", "--site", "/no/such", status=2)[1]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """The long ones, side by side: their times mean nothing here."""
    top = tmp_path_factory.mktemp("bench")
    small = top / "small"
    for name in ("a", "b", "c"):
        trees.write(str(small / (name + ".py")), "x = '%s'\n" % name)
    trees.write(str(small / "broken.py"), "def\n")
    trees.write(str(small / "data.txt"), "data\n")
    lossy = str(top / "lossy-pycfs")
    trees.write(lossy, "#!%s\nimport os, sys\na = sys.argv[1:]\n"
                "if a[0] == 'run' and '--immutable' not in a:\n"
                "    a[1:1] = ['--exclude', 'data.txt']\n"
                "os.execv(%r, ['pycfs'] + a)\n" % (
                    sys.executable, harness.program()), 0o755)
    for name in ("every", "lossy", "coldstart"):
        os.mkdir(top / name)
    how = ["--python", target(), "--work"]
    p = {"every": start("bench", "--quick", "--modules", 60, "--jobs", 1,
                        "--json", *how, top / "every"),
         "lossy": start("bench", "--quick", "--case", "warm", "--source",
                        small, *how, top / "lossy", pycfs=lossy),
         "coldstart": start("coldstart", "--rounds", 1, "--no-drop",
                            "--mounted", "--json", "--import",
                            "email.message,json", *how, top / "coldstart")}

    def result(name, status=0):
        out = finish(p[name], status)
        assert os.listdir(top / name) == []
        return out

    yield result
    for one in p.values():
        one.kill()


def distinct(modules):
    """How many different sources the tree of so many modules has."""
    sys.path.insert(0, TOOLS)
    import benchtree
    with tempfile.TemporaryDirectory() as top:
        stdlib = next(p.stdlib for p in harness.PYTHONS if p.exe == target())
        benchtree.generate(top, modules, stdlib)
        paths = trees.modules(top)
        assert len(paths) == modules
        return len({harness.read(os.path.join(top, os.fsdecode(source)))
                    for source in paths.values()})


def test_every_case(started):
    """With --quick, nothing is repeated: one round of each."""
    out = json.loads(started("every")[0])
    assert out["version"] == 1 and out["failures"] == []
    assert out["machine"]["cores"] > 0 and out["settings"]["rounds"] == 1
    skipped = {s["name"] for s in out["skipped"]}
    assert all(s.startswith("export") or s == "squashfuse" for s in skipped)
    assert {f["case"] for f in out["figures"]} == CASES
    figures = {f["name"]: f for f in out["figures"]}
    for f in figures.values():
        assert len(f["values"]) == 1 and f["modules"] == 60, f
        assert 0 < f["min"] <= f["median"] <= f["max"] < 60, f
    assert "cold-j1" in figures and figures["recipe"]["cpu"] > 0
    assert figures["cold"]["ratios"]["recipe"] == pytest.approx(
        figures["cold"]["median"] / figures["recipe"]["median"])
    tree, = out["trees"]
    cold, warm = tree["footprints"]["cold"], tree["footprints"]["warm"]
    # Empty modules are alike, and compiled once.
    assert cold["counters"]["compiled"] == distinct(60)
    assert cold["worker_rss_mib"]
    assert warm["counters"]["compiled"] == 0
    assert 0 < warm["daemon_private_mib"] < warm["daemon_rss_mib"]
    assert cold["cache_bytes"] > 0 < cold["compiled_bytes_per_cpu_s"]
    changed = [n for n in tree["notes"] if "changed" in n]
    assert changed == ["1 modules of one package changed, 1 compiled"]
    targets = {t["name"]: t for t in out["targets"]}
    assert targets["cold / recipe"]["reached"] in (True, False)


def test_source_and_failure(started):
    """A tree as given, with what does not compile; then a copy that lacks a
    file fails alone."""
    out, err = started("lossy", 2)
    assert "4 modules in 5 files" in out
    assert "note: 1 modules do not compile: excluded" in out
    lines = {line.split()[0]: line
             for line in reversed(out.splitlines()) if line}
    assert "FAILED" in lines["warm-live"] and "of native" in lines["warm"]
    assert err == ("bench: warm-live, 4 modules: a copy has 3 modules and 0 "
                   "other files, not 3 and 1\n")


def test_it_cleans_up_when_stopped(scratch):
    with start("bench", "--quick", "--case", "cold", "--work", scratch,
               "--python", target()) as p:
        def mounted():
            return [m for m in harness.mounts() if m.startswith(scratch)]

        harness.wait_for(mounted, 60, "something is mounted")
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 2
        assert "stopped" in p.stderr.read()
        assert mounted() == [] and os.listdir(scratch) == []


def test_coldstart(started):
    out = json.loads(started("coldstart")[0])
    results = {r["tree"]: r for r in out["results"]}
    assert list(results) == ["bare", "source", "compileall", "pycfs", "mount"]
    assert {r["kernel"] for r in results.values()} == {"kept"}
    for name, r in results.items():
        assert r["q1"] <= r["median"] <= r["q3"] and len(r["values"]) == 1
        assert r["import"] == ["email.message", "json"]
        assert name == "bare" or r["modules"] > 10
    assert results["pycfs"]["ratio"] and results["pycfs"]["less"] < 100
