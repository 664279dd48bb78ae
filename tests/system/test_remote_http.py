"""Compiled modules shared by way of a store that speaks HTTP."""
import os
import signal
import time

import pytest

import harness
import stores
from harness import copy, read, tree_bytes
from test_remote import N, Fleet, first, site  # noqa: F401: fixtures

LOST = "going on without it"


@pytest.fixture
def fleet(pycfs, scratch):
    return Fleet(pycfs, scratch)


@pytest.fixture
def nginx(scratch):
    os.mkdir(os.path.join(scratch, "nginx"))
    with stores.nginx(os.path.join(scratch, "nginx")) as n:
        yield n


def test_a_second_machine_compiles_nothing(fleet, site, nginx):
    fleet.url = nginx.url
    pushed = fleet.push(site)
    assert pushed["compiled"] == N and pushed["unpushed"] == 0
    assert len(nginx.objects()) == pushed["pushed"]
    plain = fleet.export(site, remote=())
    second = fleet.export(site)
    assert second.compiled == 0, second.said
    assert second.hits == second.asked and second.bytes == plain.bytes


def test_as_bazel_remote_has_it(fleet, site, nginx):
    fleet.url = nginx.url + "?layout=bazel"
    pushed = fleet.push(site)
    assert fleet.export(site).compiled == 0
    names = [os.path.relpath(p, nginx.top + "/data/x")
             for p in nginx.objects()]
    assert len(names) == pushed["pushed"]
    assert all(n.startswith("ac/") and len(n) == 3 + 64 for n in names)


def test_a_warm_machine_asks_nothing_and_starts_nothing(
        fleet, site, nginx, mount):
    fleet.url = nginx.url
    fleet.push(site)
    cache = fleet.machine()
    fleet.export(site, cache=cache)
    before = len(nginx.requests())
    assert fleet.export(site, cache=cache).asked == 0
    with mount(site, *fleet.reads(), cache=cache) as m:
        read(m / "solo0.pyc")
        assert not [p for p in harness.processes()
                    if p.exe.endswith("pycfs-remote")]
    assert len(nginx.requests()) == before


def test_a_reader_writes_nothing(fleet, site, nginx):
    fleet.url = nginx.url
    assert fleet.export(site).compiled == N
    assert nginx.objects() == []
    assert not [r for r in nginx.requests() if '"GET ' not in r]


def test_https(fleet, site, scratch):
    """Its certificate has to be one that is known."""
    stem = stores.make_certificate(os.path.join(scratch, "tls"))
    os.mkdir(os.path.join(scratch, "nginx"))
    with stores.nginx(os.path.join(scratch, "nginx"),
                      certificate=stem) as nginx:
        fleet.url = nginx.url
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fleet.pycfs, "env", lambda **more: {
                **harness.Pycfs.env(fleet.pycfs, **more),
                "PYCFS_REMOTE_CA": stem + ".crt"})
            fleet.push(site)
            assert fleet.export(site).compiled == 0
        got = fleet.export(site)
        assert got.compiled == N and "certificate" in got.stderr
        assert got.stderr.count(LOST) == 1


TOKEN = "0123-a-secret-token"
ASKS = ('if ($http_authorization != "Bearer %s") { return 401; }' % TOKEN)


def test_a_token_is_sent_and_shown_to_nobody(fleet, site, scratch, mount):
    os.mkdir(os.path.join(scratch, "nginx"))
    token = os.path.join(scratch, "token")
    with open(token, "w") as f:
        f.write(TOKEN + "\n")
    env = harness.Pycfs.env
    with stores.nginx(os.path.join(scratch, "nginx"), more=ASKS) as nginx, \
            pytest.MonkeyPatch.context() as patch:
        fleet.url = nginx.url
        got = fleet.export(site)
        assert got.compiled == N and "PYCFS_REMOTE_TOKEN" in got.stderr
        assert got.stderr.count(LOST) == 1
        patch.setattr(fleet.pycfs, "env", lambda **more: env(
            fleet.pycfs, **{"PYCFS_REMOTE_TOKEN_FILE": token, **more}))
        fleet.push(site)
        with mount(site, *fleet.reads(), "-v", "--immutable",
                   cache=fleet.machine()) as m:
            copy(m, os.path.join(scratch, "out"))
            assert m.count("compiled") == 0
            helper = [p for p in harness.processes()
                      if p.exe.endswith("pycfs-remote")]
            assert len(helper) == 1
            lines = [b" ".join(p.args) for p in harness.daemons(m.path)]
            lines += [b" ".join(p.args) for p in helper]
            lines.append(read("/proc/self/mountinfo"))
            status = read("/proc/%d/status" % helper[0].pid).decode()
            log = m.log
        lines.append(log().encode())
        assert not [x for x in lines if TOKEN.encode() in x]
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status


def test_a_token_does_not_go_over_http_to_others(pycfs, site, fleet, scratch):
    r = pycfs.run("export", "--remote", "http://example.org/x",
                  "--remote-trust", fleet.public, site,
                  os.path.join(scratch, "never"),
                  env={"PYCFS_REMOTE_TOKEN": TOKEN})
    assert r.returncode == 2 and "use https" in r.stderr
    assert TOKEN not in r.stderr


@pytest.mark.parametrize("url", [
    "https://user:secret@h/p", "http://h/p?x=1", "http:///p", "http://h/a b",
    "http://h/p#f", "ftp://h/p", "https://"])
def test_wrong_urls(url, pycfs, site, fleet, scratch):
    r = pycfs.run("export", "--remote", url, "--remote-trust", fleet.public,
                  site, os.path.join(scratch, "never"))
    assert r.returncode == 2, r.stderr
    assert "secret" not in r.stderr


def aws(fleet, patch, secret="the/secret+key", **more):
    env = harness.Pycfs.env
    patch.setattr(fleet.pycfs, "env", lambda **other: env(fleet.pycfs, **{
        "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": secret, **more,
        **other}))


@pytest.mark.parametrize("token", [None, "a+session/token=="])
def test_s3(token, fleet, site):
    """Signed as an independent client signs; a wrong key is said once."""
    more = {"AWS_SESSION_TOKEN": token} if token else {}
    with stores.S3("AKID", "the/secret+key", token) as s3, \
            pytest.MonkeyPatch.context() as patch:
        fleet.url = "s3://bucket/a/b?endpoint=%s&region=eu-west-1" % \
            s3.endpoint
        aws(fleet, patch, **more)
        pushed = fleet.push(site)
        assert len(s3.objects) == pushed["pushed"] > 0 == s3.refused
        assert all(p.startswith("/bucket/a/b/pycfs1/") for p in s3.objects)
        assert fleet.export(site).compiled == 0
        aws(fleet, patch, secret="another", **more)
        got = fleet.export(site)
        assert got.compiled == N and s3.refused > 0
        assert "AWS_ACCESS_KEY_ID" in got.stderr
        assert got.stderr.count(LOST) == 1 and "another" not in got.stderr
        patch.undo()
        got = fleet.export(site)
        assert got.compiled == N and "no credentials" in got.stderr
        s3.shutdown()


def test_s3_settings_of_the_environment(fleet, site):
    with stores.S3("AKID", "the/secret+key") as s3, \
            pytest.MonkeyPatch.context() as patch:
        fleet.url = "s3://bucket"
        aws(fleet, patch, AWS_ENDPOINT_URL=s3.endpoint,
            AWS_DEFAULT_REGION="us-west-2")
        fleet.push(site)
        assert s3.objects and fleet.export(site).compiled == 0
        s3.shutdown()


WRONG = {
    "silence": stores.silence,
    "drip": stores.drip,
    "reset": stores.reset,
    "flood": stores.flood,
    "nonsense": stores.nonsense,
    "empty": stores.body(b""),
    "short": stores.body(b"PXC1" + bytes(200), 100000),
    "rubbish": stores.body(b"PXC1" + os.urandom(5000)),
    "401": stores.status("401 Unauthorized"),
    "403": stores.status("403 Forbidden"),
    "429": stores.status("429 Too Many Requests", "Retry-After: 1"),
    "429 later": stores.status("429 Too Many Requests", "Retry-After: 3600"),
    "500": stores.status("500 Internal Server Error"),
    "503": stores.status("503 Service Unavailable"),
    "507": stores.status("507 Insufficient Storage"),
    "file": stores.status("302 Found", "Location: file:///etc/passwd"),
    "elsewhere": stores.status("301 Moved", "Location: http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_store_that_is_wrong_costs_nothing_but_time(
        how, fleet, first, site):
    """Bytes and status are those of a run without it; it is said once, unless
    a second went by before that was known."""
    plain = first.plain
    with stores.Wrong(WRONG[how]) as server:
        fleet.url = server.url
        began = time.monotonic()
        # Waits until that is known, where it would have compiled all by then.
        got = fleet.export(site, "--remote-wait", "1000")
        took = time.monotonic() - began
        server.shutdown()
    assert got.bytes == plain.bytes and got.compiled == N
    assert got.stderr.count(LOST) <= 1
    if how not in ("silence", "drip", "429") and took < 1:
        assert got.stderr.count(LOST) == 1, got.stderr
    assert server.n > 0
    # That it hangs is what this would show.
    assert took < 20


@pytest.mark.parametrize("how", ["507", "401", "silence", "nonsense"])
def test_a_signer_says_what_is_not_stored(how, fleet, site):
    with stores.Wrong(WRONG[how]) as server:
        fleet.url = server.url
        pushed = fleet.push(site, "--remote-finish", "3", status=1)
        assert pushed["unpushed"] > 0 and pushed["pushed"] == 0
        signs = ("--remote", fleet.url, "--remote-sign", fleet.key,
                 "--remote-finish", "1")
        assert fleet.export(site, remote=signs).compiled == N
        server.shutdown()


def test_nobody_listens(fleet, site):
    fleet.url = "http://127.0.0.1:%d/x" % stores.free_port()
    got = fleet.export(site)
    assert got.compiled == N and got.stderr.count(LOST) == 1
    fleet.url = "http://no.such.host.invalid/x"
    got = fleet.export(site)
    assert got.compiled == N and got.stderr.count(LOST) == 1


def test_the_helper_is_killed(fleet, site, nginx, mount):
    """It is started again."""
    fleet.url = nginx.url
    fleet.push(site)
    with mount(site, *fleet.reads(), "--no-ahead",
               cache=fleet.machine()) as m:
        for name, lost in ("solo0", "solo150"), ("solo50", "solo100"):
            before = m.count("remote_modules")
            read(m / (name + ".pyc"))
            assert m.count("remote_modules") == before + 1
            helper, = [p for p in harness.processes()
                       if p.exe.endswith("pycfs-remote")]
            os.kill(helper.pid, signal.SIGKILL)
            harness.wait_for(
                lambda: not harness.Process(helper.pid).alive, 5, "it ends")
            # The first question that meets that is lost, and costs a compile.
            read(m / (lost + ".pyc"))
        assert m.count("compiled") <= 2
    harness.wait_for(lambda: not [p for p in harness.processes()
                                  if p.exe.endswith("pycfs-remote")],
                     10, "the helper ends with the daemon")


def test_the_store_is_restarted(fleet, site, nginx, mount):
    fleet.url = nginx.url
    fleet.push(site)
    with mount(site, *fleet.reads(), "--no-ahead",
               cache=fleet.machine()) as m:
        read(m / "solo0.pyc")
        nginx.stop()
        nginx.start()
        read(m / "solo50.pyc")
        assert m.count("remote_modules") == 2 and m.count("compiled") == 0
        assert tree_bytes(m) and m.count("compiled") == 0
