"""--strip: what a tool makes of a library is shipped if a loader finds the
same in it, and nothing else is."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

import harness
import layers
import natives
import trees
from harness import read

PYTHON = harness.DEBIAN_PYTHON
TOOLS = "strip", "llvm-strip", "eu-strip"
# Tries what the sandbox is there for, and says what it could do.
HOSTILE = """#!/usr/bin/python3 -IS
import os, sys
if "--version" in sys.argv:
    print("hostile 1")
    sys.exit()
done = []
def attempt(name, what, *args):
    try:
        what(*args)
        done.append(name)
    except (OSError, MemoryError):
        pass
import _socket
attempt("write", open, "%(file)s", "w")
attempt("read", open, "%(secret)s")
attempt("passwd", open, "/etc/passwd")
attempt("unlink", os.unlink, "%(secret)s")
attempt("mkdir", os.mkdir, "%(file)s.d")
attempt("socket", _socket.socket)
attempt("fork", os.fork)
attempt("kill", os.kill, os.getppid(), 9)
attempt("memory", bytes, 9 << 30)
attempt("input", os.truncate, "/proc/self/fd/3", 0)
attempt("flood", os.truncate, "/proc/self/fd/4", 700 << 20)
print("could: " + " ".join(done), file=sys.stderr)
sys.exit(1)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("library") / "native.so")
    natives.make(path, "native")
    return path


@pytest.fixture
def site(scratch, library):
    root = os.path.join(scratch, "site")
    trees.put(root, {
        "pure.py": "X = 1\n",
        "text.so": "no ELF file\n",
        "d-1.dist-info/METADATA": "Name: d\nVersion: 1\n",
        "d-1.dist-info/RECORD":
            "native.so,sha256=x,1\nsub/libz.so.1.2,sha256=y,2\n"
            "text.so,sha256=z,3\npure.py,sha256=w,4\n",
        "sub/note.txt": "note\n",
    })
    shutil.copy(library, os.path.join(root, "native.so"))
    shutil.copy(library, os.path.join(root, "sub", "libz.so.1.2"))
    shutil.copy(library, os.path.join(root, "sub", "program"))
    trees.age(root)
    return root


def read_elf(path, *options):
    done = subprocess.run(["readelf", "-W", *options, path], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout.replace(os.fsencode(path), b"")


def by_hand(library, scratch):
    path = os.path.join(scratch, "by-hand.so")
    subprocess.run(["strip", "--strip-unneeded", "-o", path, library],
                   check=True)
    return path


def export(pycfs, site, dest, *options, tool="strip", status=0, cache="c"):
    shutil.rmtree(dest, ignore_errors=True)
    r = pycfs.export(site, dest, "--cache", os.path.join(pycfs.scratch, cache),
                     *(("--strip-tool", tool) if tool else ()), *options,
                     python=PYTHON)
    assert r.returncode == status, r.stderr
    return r


def left(result):
    """{file: why it was not stripped}"""
    return dict(re.findall(r"warning: (\S+): not stripped: (.*)",
                           result.stderr))


def imports(tree):
    return harness.python(
        PYTHON, "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); "
        "import native, pure; print(native.__name__, pure.X)", tree).stdout


@pytest.mark.parametrize("tool", TOOLS)
def test_a_library_is_the_same_to_a_loader(pycfs, scratch, site, library, tool):
    dest = os.path.join(scratch, "out")
    r = export(pycfs, site, dest, "--strip", tool=tool)
    assert "2 files were stripped" in r.said and not left(r)
    made = os.path.join(dest, "native.so")
    for options in ("-n",), ("--dyn-syms",), ("-lW",), ("-d",):
        assert read_elf(made, *options) == read_elf(library, *options) or \
            options == ("-lW",)
    assert b"nobody_links_by_this" in read_elf(library, "-s")
    assert b"nobody_links_by_this" not in read_elf(made, "-s")
    assert os.path.getsize(made) <= \
        1.03 * os.path.getsize(by_hand(library, scratch))
    assert imports(dest).split() == ["native", "1"]
    assert read(dest + "/text.so") == read(site + "/text.so")
    # Neither a rule nor its name says that this one is to be.
    assert read(dest + "/sub/program") == read(library)


def test_with_the_same_tool_the_bytes_are_its_own(pycfs, scratch, site,
                                                  library):
    dest = os.path.join(scratch, "out")
    export(pycfs, site, dest, "--strip")
    hand = read(by_hand(library, scratch))
    assert read(dest + "/native.so") == hand
    assert read(dest + "/sub/libz.so.1.2") == hand


@pytest.mark.parametrize("options", [(), ("--no-cache",)])
def test_mount_export_and_archive_show_the_same(pycfs, scratch, site, mount,
                                                options):
    dest, tar = (os.path.join(scratch, n) for n in ("out", "out.tar"))
    export(pycfs, site, dest, "--strip", *options)
    export(pycfs, site, tar, "--strip", *options)
    unpacked = layers.unpack(tar, tar + ".d")
    with mount(site, "--strip", "--strip-tool", "strip", *options) as m:
        for name in "native.so", "sub/libz.so.1.2", "sub/program":
            want = read(os.path.join(dest, name))
            assert os.path.getsize(m / name) == len(want)
            assert read(m / name) == want
            assert read(os.path.join(unpacked, name)) == want
            assert os.path.getsize(m / name) == len(want)
        assert imports(m.path).split() == ["native", "1"]


def test_rules_decide(pycfs, scratch, site):
    dest = os.path.join(scratch, "out")
    full, bare = (os.path.getsize(site + "/native.so"), None)

    def sizes(*rules, options=()):
        trees.put(scratch, {"rules": "\n".join(rules) + "\n"})
        export(pycfs, site, dest, "--rules", scratch + "/rules", *options)
        return [os.path.getsize(os.path.join(dest, n)) < full for n in (
            "native.so", "sub/libz.so.1.2", "sub/program")]

    strip = ("--strip",)
    assert sizes("strip /native.so") == [True, False, False]
    assert sizes("strip sub/") == [False, True, True]
    assert sizes("strip *", "no-strip sub/") == [True, False, False]
    assert sizes("no-strip sub/", "strip *") == [True, True, True]
    assert sizes("strip *", "strip !sub/") == [True, False, False]
    assert sizes("no-strip native.so", options=strip) == [False, True, False]
    assert sizes("strip program", options=strip) == [True, True, True]
    assert sizes("# nothing", options=strip) == [True, True, False]


def test_a_record_has_no_hash_of_what_is_stripped(pycfs, scratch, site):
    dest = os.path.join(scratch, "out")
    export(pycfs, site, dest, "--strip")
    rows = read(dest + "/d-1.dist-info/RECORD").decode().splitlines()
    assert sorted(rows) == sorted([
        "native.so,,", "sub/libz.so.1.2,,", "text.so,sha256=z,3",
        "pure.pyc,,"])


@pytest.fixture
def odd(scratch, site, library):
    """Libraries that must not be stripped, and why."""
    data = read(library)
    trees.put(site, {
        "cut.so": data[:9000],
        "data.so": data + b"what a program finds by its own size",
        "junk.so": data[:20] + bytes(range(256)) * 20,
        "head.so": data[:30],
        "arm.so": data[:18] + b"\xb7\x00" + data[20:],
    })
    shutil.copy(library, site + "/moved.so")
    subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/" + 200 * "x",
                    site + "/moved.so"], check=True)
    trees.age(site)
    return {"cut.so": "damaged", "junk.so": "damaged",
            "data.so": "data behind its last section",
            "moved.so": "patchelf", "arm.so": "ELF machine 183"}


def test_what_must_not_be_stripped_is_left_and_said(pycfs, scratch, site, odd):
    dest = os.path.join(scratch, "out")
    for _ in range(2):  # the second time the cache knows it
        why = left(export(pycfs, site, dest, "--strip"))
        assert set(why) == set(odd)
        for name, text in odd.items():
            assert text in why[name]
            assert read(os.path.join(dest, name)) == \
                read(os.path.join(site, name))
    # What GNU's does not do, another does.
    why = left(export(pycfs, site, dest, "--strip", tool=None))
    assert set(why) == set(odd) - {"arm.so"}
    assert os.path.getsize(dest + "/arm.so") < os.path.getsize(site + "/arm.so")


def put_tool(scratch, text):
    path = os.path.join(scratch, "tool")
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)
    return path


def test_a_tool_can_reach_nothing_else(pycfs, scratch, site):
    os.chmod(scratch, 0o755)
    trees.put(scratch, {"secret": "s"})
    tool = put_tool(scratch, HOSTILE % {"file": scratch + "/made",
                                        "secret": scratch + "/secret"})
    os.chmod(scratch + "/secret", 0o644)
    dest = os.path.join(scratch, "out")
    why = left(export(pycfs, site, dest, "--strip", tool=tool))
    assert why["native.so"].strip() == "could:"
    assert os.path.exists(scratch + "/secret")
    assert read(dest + "/native.so") == read(site + "/native.so")


@pytest.mark.parametrize("does, reason", [
    ("cat", "makes no ELF file"),
    ("head -c 100 /proc/self/fd/3 >&4", "makes no ELF file"),
    ("sed s/PyInit_native/PyInit_nativf/ /proc/self/fd/3 >&4",
     "would change what is loaded"),
    ("cat /dev/zero >&4", "signal 25"),
    ("echo no such thing >&2; exit 3", "no such thing"),
    ("exit 3", "status 3"),
])
def test_what_a_tool_makes_is_not_believed(pycfs, scratch, site, does, reason):
    os.chmod(scratch, 0o755)
    # A shell would have to start those programs, which it may not.
    words = does.split(";")
    script = "#!/usr/bin/python3 -IS\n" + PRETEND % repr(
        [w.strip() for w in words])
    tool = put_tool(scratch, script)
    dest = os.path.join(scratch, "out")
    why = left(export(pycfs, site, dest, "--strip", tool=tool))
    assert reason in why["native.so"]
    assert read(dest + "/native.so") == read(site + "/native.so")
    assert imports(dest).split() == ["native", "1"]


PRETEND = """import os, sys
if "--version" in sys.argv:
    print("pretend 1")
    sys.exit()
data = open("/proc/self/fd/3", "rb").read()
for word in %s:
    if word.startswith("head"):
        os.write(4, data[:100])
    elif word.startswith("sed"):
        os.write(4, data.replace(b"PyInit_native", b"PyInit_nativf"))
    elif word.startswith("cat /dev/zero"):
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        while True:
            os.write(4, bytes(1 << 24))
    elif word.startswith("echo"):
        print(word[5:-4], file=sys.stderr)
    elif word.startswith("exit"):
        sys.exit(3)
"""


def test_a_tool_that_was_ended_is_tried_again(pycfs, scratch, site):
    """What it could not do by chance is not kept; what it does not, is."""
    os.chmod(scratch, 0o755)
    time.sleep(2.1)  # what has changed just now is not kept either
    once = "#!/usr/bin/python3 -IS\nimport os, signal, sys\n" \
        "if '--version' in sys.argv:\n    print('moody 1')\n    sys.exit()\n"
    dest = os.path.join(scratch, "out")
    flood = "signal.signal(25, signal.SIG_DFL)\n" \
        "while True:\n    os.write(4, bytes(1 << 24))\n"
    work = "os.execv('%s', sys.argv)\n" % shutil.which("strip")
    tool = put_tool(scratch, once + flood)
    assert "native.so" in left(export(pycfs, site, dest, "--strip", tool=tool))
    put_tool(scratch, once + work)
    assert not left(export(pycfs, site, dest, "--strip", tool=tool))
    put_tool(scratch, once.replace("moody 1", "moody 2") + "sys.exit(1)\n")
    assert "native.so" in left(export(pycfs, site, dest, "--strip", tool=tool))
    put_tool(scratch, once.replace("moody 1", "moody 2") + work)
    assert "native.so" in left(export(pycfs, site, dest, "--strip", tool=tool))


def test_without_a_tool_nothing_begins(pycfs, scratch, site):
    dest = os.path.join(scratch, "out")
    r = export(pycfs, site, dest, "--strip", tool="nonesuch", status=2)
    assert "cannot strip with nonesuch" in r.stderr
    export(pycfs, site, dest, tool="/bin/false")  # not asked for
    r = export(pycfs, site, dest, "--strip", tool="/bin/false", status=2)
    assert "says no version" in r.stderr
    r = export(pycfs, site, dest, "--strip", tool=scratch, status=2)
    assert "cannot strip with %s: Is a directory" % scratch in r.stderr
    empty = os.path.join(scratch, "empty")
    os.mkdir(empty)
    r = pycfs.run("export", "--strip", "--python", PYTHON, site, dest,
                  env=pycfs.env(PATH=empty))
    assert r.returncode == 2 and "install binutils" in r.stderr
    assert not os.path.exists(dest)


def test_what_was_stripped_once_is_found_again(pycfs, scratch, site, library):
    """By a tool that works once: afterwards it only says its version."""
    real = shutil.which("strip")
    once = "#!/usr/bin/python3 -IS\nimport os, sys\n" \
        "if '--version' in sys.argv:\n    print('once 1')\n    sys.exit()\n%s"
    os.chmod(scratch, 0o755)
    tool = put_tool(scratch, once % "os.execv('%s', sys.argv)\n" % real)
    first, second = (os.path.join(scratch, n) for n in ("first", "second"))
    time.sleep(2.1)  # what has changed just now may change again unseen
    export(pycfs, site, first, "--strip", tool=tool)
    put_tool(scratch, once % "sys.exit(1)\n")
    r = export(pycfs, site, second, "--strip", tool=tool)
    assert not left(r) and "2 files were stripped" in r.said
    assert read(second + "/native.so") == read(first + "/native.so")
    # Nor is it stripped again once it was installed anew.
    shutil.copytree(site, site + "2")
    r = export(pycfs, site + "2", second, "--strip", tool=tool)
    assert not left(r) and read(second + "/native.so") == \
        read(first + "/native.so")
    # A library that has changed is another one.
    natives.make(site + "/native.so", "native", 7)
    assert set(left(export(pycfs, site, second, "--strip", tool=tool))) == \
        {"native.so"}


def kept(pycfs):
    where = os.path.join(pycfs.scratch, "c", "files-v1")
    return [os.path.join(where, n) for n in os.listdir(where)]


def cache(pycfs, *words):
    r = pycfs.run("cache", "--cache", os.path.join(pycfs.scratch, "c"),
                  *words)
    return r, (json.loads(r.stdout) if "--json" in words else None)


def test_a_damaged_result_is_made_again(pycfs, scratch, site):
    dest = os.path.join(scratch, "out")
    export(pycfs, site, dest, "--strip")
    good = read(dest + "/native.so")
    path, = kept(pycfs)
    for damage in (good[:-1] + b"?", b"", good + b"x", good[:100]):
        os.chmod(path, 0o600)
        with open(path, "wb") as f:
            f.write(damage)
        export(pycfs, site, dest, "--strip")
        assert read(dest + "/native.so") == good == read(path)
    # Somebody else's is none.
    os.chmod(path, 0o666)
    export(pycfs, site, dest, "--strip")
    assert read(dest + "/native.so") == good
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.unlink(path)
    os.symlink(site + "/pure.py", path)
    export(pycfs, site, dest, "--strip")
    assert read(dest + "/native.so") == good


def test_the_cache_counts_and_keeps_them(pycfs, scratch, site):
    export(pycfs, site, os.path.join(scratch, "out"), "--strip")
    size = os.path.getsize(kept(pycfs)[0])
    _, stat = cache(pycfs, "stat", "--json")
    assert (stat["stripped"], stat["stripped_bytes"]) == (1, size)
    assert "1 stripped file of %d bytes" % size in cache(pycfs, "stat")[0].stdout
    _, before = cache(pycfs, "verify", "--json")
    with open(kept(pycfs)[0], "ab") as f:
        f.write(b"x")
    r, after = cache(pycfs, "verify", "--json")
    assert r.returncode == 1 and not kept(pycfs)
    assert (after["checked"], after["damaged"]) == (before["checked"], 1)
    export(pycfs, site, os.path.join(scratch, "out"), "--strip")
    os.utime(kept(pycfs)[0], (1, 1))
    cache(pycfs, "gc", "--max-age", "5")
    assert not kept(pycfs)
    export(pycfs, site, os.path.join(scratch, "out"), "--strip")
    cache(pycfs, "compact")
    assert len(kept(pycfs)) == 1
    cache(pycfs, "clear")
    assert not kept(pycfs)


def test_they_have_a_bound(pycfs, scratch, site):
    for n in range(4):
        natives.make("%s/more%d.so" % (site, n), "more%d" % n, n + 2)
    dest = os.path.join(scratch, "out")
    r = export(pycfs, site, dest, "--strip", "--cache-size", "40K")
    assert "6 files were stripped" in r.said
    assert 1 <= len(kept(pycfs)) <= 2
    # What was evicted is made again.
    again = os.path.join(scratch, "again")
    export(pycfs, site, again, "--strip")
    assert harness.tree_bytes(dest) == harness.tree_bytes(again)


def test_a_manifest_says_by_what(pycfs, scratch, site):
    tar, manifest = (os.path.join(scratch, n) for n in ("l.tar", "l.json"))
    export(pycfs, site, tar, "--strip", "--manifest", manifest)
    verify = ("verify", tar, "--manifest", manifest, "--source", site,
              "--python", PYTHON)
    with open(manifest) as f:
        said = json.load(f)
    build = said["predicate"]["buildDefinition"]
    assert "GNU strip" in \
        build["resolvedDependencies"][1]["annotations"]["version"]
    assert build["externalParameters"]["options"]["strip"] == "true"
    pycfs.ok(*verify, "--strip-tool", "strip")
    r = pycfs.run(*verify, "--strip-tool", "llvm-strip")
    assert r.returncode in (0, 3) and "were stripped by GNU strip" in r.stderr
    shutil.copy(by_hand(site + "/native.so", scratch), scratch + "/x.so")
    natives.make(site + "/native.so", "native", 9)
    r = pycfs.run(*verify, "--strip-tool", "strip")
    assert r.returncode == 3
    assert "native.so was made of another source" in r.stdout


def test_the_report_compares_with_what_is_not_stripped(pycfs, scratch, site):
    def report(*options):
        r = pycfs.ok("report", "--json", "--python", PYTHON, *options, site)
        return json.loads(r.stdout)

    os.unlink(site + "/sub/program")
    natives.make(site + "/sub/libz.so.1.2", "other", 77)
    plain, bare = report(), report("--strip", "--strip-tool", "strip")
    a, b = plain["totals"], bare["totals"]
    assert a["stripped"] == a["stripped_bytes"] == 0 and b["stripped"] == 2
    assert a["native_bytes"] - b["native_bytes"] == b["stripped_bytes"] > 0
    # But for RECORD, which has no hash of what is stripped.
    for name in "baseline_source_bytes", "baseline_pycache_bytes":
        assert 0 <= a[name] - b[name] < 40
    assert b["archives"]["layer"]["gzip_bytes"] < \
        a["archives"]["layer"]["gzip_bytes"]
    assert abs(b["archives"]["pip"]["gzip_bytes"] -
               a["archives"]["pip"]["gzip_bytes"]) < 300
    text = pycfs.ok("report", "--python", PYTHON, "--strip", site).stdout
    assert "2 files stripped, of " in text


def test_a_library_is_exchanged_under_a_mount(pycfs, scratch, site, mount):
    with mount(site, "--strip", "--strip-tool", "strip") as m:
        old = read(m / "native.so")
        natives.make(site + "/new.so", "native", 12345)
        os.rename(site + "/new.so", site + "/native.so")
        harness.wait_for(lambda: read(m / "native.so") != old, 10,
                         "the old library is still there")
        assert os.path.getsize(m / "native.so") == len(read(m / "native.so"))
        hand = by_hand(site + "/native.so", scratch)
        assert read(m / "native.so") == read(hand)
        assert imports(m.path).split() == ["native", "1"]


def test_times_follow_the_bytes_that_ship(pycfs, scratch, site):
    dest, other = (os.path.join(scratch, n) for n in ("out", "other"))
    export(pycfs, site, dest, "--strip", "--mtime", "content")
    export(pycfs, site, other, "--mtime", "content")
    at = [os.stat(d + "/native.so").st_mtime for d in (dest, other)]
    assert at[0] != at[1]
    assert at[0] == os.stat(dest + "/sub/libz.so.1.2").st_mtime
