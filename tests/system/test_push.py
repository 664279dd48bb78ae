"""Files whose contents the daemon gives to the kernel before anybody has read
them."""
import os
import subprocess
import threading

import harness
import trees


def make_site(scratch, dirs=24, files=8):
    root = os.path.join(scratch, "pushed")
    for d in range(dirs):
        for f in range(files):
            trees.write(os.path.join(root, "p%02d" % d, "m%d.py" % f),
                        "x = %r\n" % ("%d-%d " % (d, f) * (f * 300 + 1)))
            trees.write(os.path.join(root, "p%02d" % d, "d%d.bin" % f),
                        "%d/%d " % (d, f) * (f * 2000))
    trees.age(root)
    return root


def walk(root):
    return harness.tree_bytes(root)


def test_a_copy_is_pushed_and_the_same(mount, scratch):
    site = make_site(scratch)
    with mount(site, "--no-ahead") as m:
        live = walk(m.path)
    with mount(site, "--immutable") as m:
        # twice: what is pushed has to be compiled before
        walk(m.path)
        m.quiet("cache_stored")
    with mount(site, "--immutable") as m:
        assert walk(m.path) == live
        n = len([p for p in live if p.endswith((b".pyc", b".bin"))])
        assert m.count("pushed") > n // 3
        assert m.count("reads") < n
        assert walk(m.path) == live


def test_listing_alone_pushes_nothing_below_the_top(mount, scratch):
    site = make_site(scratch)
    with mount(site, "--immutable") as m:
        walk(m.path)
        m.quiet("cache_stored")
    with mount(site, "--immutable") as m:
        subprocess.run(["find", m.path, "-size", "+0"], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        assert m.count("pushed") == 0


def test_a_live_mount_pushes_nothing(mount, scratch):
    site = make_site(scratch)
    with mount(site) as m:
        walk(m.path)
        walk(m.path)
        assert m.count("pushed") == 0


def test_many_readers_while_it_pushes(mount, scratch):
    """A READ holds the page that a push fills: nobody waits for ever."""
    site = make_site(scratch, dirs=40)
    with mount(site, "--immutable") as m:
        want = walk(m.path)
        m.quiet("cache_stored")
    with mount(site, "--immutable") as m:
        got = [None] * 6

        def read(i):
            got[i] = walk(m.path)

        threads = [threading.Thread(target=read, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert not any(t.is_alive() for t in threads)
        assert all(g == want for g in got)
        assert m.count("pushed") > 0
