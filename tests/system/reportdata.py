"""Makes data as in the page of `pycfs report --html`, and such a page."""
import json
import os
import random
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PARTS = ("page.css", "theme.js", "model.js", "verdict.js", "treemap.js",
         "lists.js", "page.js")
NAMES = """async base cache client codec common compat config core data decorator
 engine error event ext field filter format handler helper index io json
 loader log meta mixin model node option parser path plugin query registry
 render request response router schema server session signal socket sql state
 stream task template test token transport tree type util validator version
 view worker writer xml""".split()
RULES = [("getsource", 3, "inspect.getsource() reads this file",
          "keep-source /%s"),
         ("doc", 2, "computes with __doc__", "optimize 1 /%s"),
         ("file-name", 3, "opens __file__ as text", "keep-source /%s"),
         ("assert", 1, "asserts have effects", "optimize 0 /%s")]

NATIVE = re.compile(r"\.so(\.[0-9]+)*$")  # as report/model.js has it
# Names that would do harm if they became markup, or that cannot be shown.
ODD = ["<img src=x onerror=document.title='broken'>.py",
       "</script><script>document.title='broken'</script>.py",
       "quote\"'&amp;.py", "bytes\udcff\udc80.py", "turn\u202eyp.exe.py",
       "line\nfeed.py", "__proto__", "constructor", "caf\u00e9.py"]


def make(files=30000, seed=1):
    """A layer of about as many files."""
    rng = random.Random(seed)
    out, dists, risks, known = [], [], [], set()

    def add(dist, path, kind, size, risk=0):
        e = {"path": path, "dist": dist, "kind": kind, "source_bytes": 0,
             "bytes": size, "deflate_bytes": int(size * .35) + 2,
             "zstd_bytes": int(size * .37) + 9, "pycache_bytes": 0,
             "risk": risk}
        if kind == "module":
            e["source_bytes"] = size
            e["bytes"] = int(size * rng.uniform(.6, 1.25)) + 60
            e["pycache_bytes"] = int(size * rng.uniform(1.1, 1.6)) + 100
            e["deflate_bytes"] = int(e["bytes"] * rng.uniform(.35, .5))
            e["zstd_bytes"] = int(e["deflate_bytes"] * 1.05)
        out.append(e)

    while len(out) < files:
        at = len(dists)
        # One in a dozen is large, as packages are.
        large = rng.random() < .08
        name = rng.choice(NAMES) + rng.choice(["", "x", "lib", "kit"]) + \
            str(at)
        dists.append({"name": name.capitalize(), "version": "%d.%d.%d" % (
            rng.randrange(9), rng.randrange(20), rng.randrange(9))})
        for sub in range(rng.randrange(15, 60) if large
                         else rng.randrange(1, 9)):
            below = "/".join([name] + rng.sample(NAMES, min(sub, 1) +
                                                 (rng.random() < .3)))
            for stem in rng.sample(NAMES, rng.randrange(3, 45)):
                path = "%s/%s" % (below, stem)
                if path in known:
                    continue
                known.add(path)
                risk = 0
                if rng.random() < .02:
                    rule, risk, why, remedy = rng.choice(RULES)
                    risks.append({
                        "path": path + ".py", "line": rng.randrange(1, 900),
                        "rule": rule, "grade": risk, "reason": why,
                        "remedy": remedy % (path + ".py")})
                add(at, path + ".pyc", "module",
                    int(rng.lognormvariate(8.2, 1.3)), risk)
        if rng.random() < .12:
            add(at, "%s/_speed.cpython-312-x86_64-linux-gnu.so" % name, "file",
                int(rng.lognormvariate(12.5, 1.2)))
        add(at, "%s-1.0.dist-info/METADATA" % name, "file", 4000)
        add(at, "%s-1.0.dist-info/RECORD" % name, "record", 9000)
    dists.append({"name": ODD[0], "version": ""})
    for i, name in enumerate(ODD):
        module = name.endswith(".py")
        path = "odd/" + (name + "c" if module else name)
        add(len(dists) - 1, path, "module" if module else "file",
            40000 + i, 1)
        risks.append({"path": "odd/" + name, "line": 7, "rule": "doc",
                      "grade": 1, "reason": name,
                      "remedy": "optimize 1 /odd/" + name})
    return finish(out, dists, risks)


def finish(files, dists, risks):
    sums = ("bytes", "deflate_bytes", "zstd_bytes", "source_bytes",
            "pycache_bytes")

    def total(some):
        t = {key: sum(e[key] for e in some) for key in sums}
        modules = [e for e in some if e["kind"] == "module"]
        t["files"] = len(some)
        t["modules"] = len(modules)
        t["bytecode_bytes"] = sum(e["bytes"] for e in modules)
        t["other_files"] = len(some) - len(modules)
        t["other_bytes"] = t["bytes"] - t["bytecode_bytes"]
        t["native_bytes"] = sum(e["bytes"] for e in some
                                if NATIVE.search(e["path"]))
        return t

    of = [[] for _ in dists]
    for e in files:
        of[e["dist"]].append(e)
    for d, some in zip(dists, of):
        d.update(total(some), risk=max(e["risk"] for e in some))
    totals = total(files)
    pycache = totals.pop("pycache_bytes")
    plain = totals["source_bytes"] + totals["other_bytes"]
    hidden = [{"path": files[i]["path"][:-4] + ".pyi", "bytes": 100 + i,
               "why": "excluded by *.pyi (rule 3)"}
              for i in range(0, min(4000, len(files)), 9)]
    empty = [e["path"] for e in files if e["path"].endswith("base.pyc")]
    duplicates = [{"bytes": 190, "paths": empty},
                  {"bytes": 5000, "paths": empty[:2]}]
    totals.update(
        baseline_source_bytes=plain, baseline_pycache_bytes=plain + pycache,
        hidden_files=len(hidden),
        hidden_bytes=sum(h["bytes"] for h in hidden), failed=2,
        duplicate_bytes=190 * (len(empty) - 1) + 5000)
    return {
        "version": 1, "pycfs": "0.1.0",
        "source": "/srv/app/venv/lib/python3.12/site-packages",
        "python": "3.12.1", "optimize": 2, "debug_ranges": False,
        "totals": totals, "distributions": dists, "files": files,
        "hidden": hidden, "duplicates": duplicates, "risks": risks,
        "failed": [{"path": "odd/py2.py", "line": 12, "column": 7,
                    "message": "Missing parentheses in call to 'print'"},
                   {"path": "odd/" + ODD[0], "line": 1, "column": 0,
                    "message": "source code cannot contain null bytes"}]}


def embed(*args):
    return subprocess.run([os.path.join(TOP, "tools", "embed"), *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60)


def arrays(c):
    """{name: bytes} of the C that tools/embed makes."""
    return {m.group(1): bytes(map(int, re.findall(r"\d+", m.group(2))))
            for m in re.finditer(
                r"^const unsigned char (\w+)\[\d+\] = \{([^}]*)\}", c, re.M)}


def parts(scratch):
    """What comes before the data, and what comes after it."""
    out = os.path.join(scratch, "page.c")
    report = os.path.join(TOP, "src", "report", "page")
    r = embed("px_report_page", out, os.path.join(report, "page.html"),
              *(os.path.join(report, name) for name in PARTS))
    assert (r.returncode, r.stderr) == (0, "")
    with open(out) as f:
        found = arrays(f.read())
    return found["px_report_page_head"], found["px_report_page_tail"]


def page(scratch, data, name="report.html"):
    """Writes the page as pycfs does; its path."""
    head, tail = parts(scratch)
    text = data if isinstance(data, str) else json.dumps(data)
    out = os.path.join(scratch, name)
    with open(out, "wb") as f:
        f.write(head + b'<script id="data" type="application/json">' +
                text.replace("<", "\\u003c").encode() + b"</script>\n" + tail)
    return out
