"""A source that changes under a mount; and one that must not, under
--immutable."""
import errno
import mmap
import os
import shutil

import pytest

import harness
import trees
from harness import copy, read, wait_for

NOTICED = 2.5  # seconds


def value(path):
    """VALUE of the module in a .pyc of Debian's 3.11."""
    run = harness.python(
        harness.DEBIAN_PYTHON, "-I", "-S", "-c",
        "import marshal, sys; d = {}; "
        "exec(marshal.loads(open(sys.argv[1], 'rb').read()[16:]), d); "
        "print(d['VALUE'])", path)
    return run.stdout.strip()


def bytes_or_none(path):
    try:
        return read(path)
    except FileNotFoundError:
        return None


def becomes(path, wanted, what):
    """read(path) is what `wanted` accepts, soon."""
    return wait_for(lambda: wanted(bytes_or_none(path)), NOTICED, what)


@pytest.fixture
def site(scratch):
    root = os.path.join(scratch, "site")
    trees.write(os.path.join(root, "m.py"), "VALUE = 'one'\n")
    trees.write(os.path.join(root, "data"), "one")
    trees.write(os.path.join(root, "sub", "n.py"), "VALUE = 'sub'\n")
    trees.age(root)
    return root


def test_new_bytes_are_seen(mount, site):
    """Of the same length, too: only the bytes tell."""
    with mount(site) as m:
        one = read(m / "m.pyc")
        assert value(m / "m.pyc") == "one"
        for text in ("two", "six", "a longer value", ""):
            trees.write(os.path.join(site, "m.py"), "VALUE = %r\n" % text)
            becomes(m / "m.pyc", lambda b: repr(text)[1:-1].encode() in b
                    and b != one, text)
            assert value(m / "m.pyc") == text
            assert os.stat(m / "m.pyc").st_size == len(read(m / "m.pyc"))
            one = read(m / "m.pyc")
        assert read(m / "data") == b"one"


def test_quick_changes_in_place(mount, site):
    """Same size, same second, the same inode: fingerprints can lie."""
    path = os.path.join(site, "m.py")
    with mount(site) as m:
        for i in range(100, 130):
            with open(path, "r+") as f:
                f.write("VALUE = %d  \n" % i)
            if i % 3 == 0:
                bytes_or_none(m / "m.pyc")
        wait_for(lambda: value(m / "m.pyc") == "129", NOTICED, "the last")


def test_data_files_change(mount, site):
    with mount(site) as m:
        assert read(m / "data") == b"one"
        trees.write(os.path.join(site, "data"), "two and more")
        becomes(m / "data", lambda b: b == b"two and more", "new data")
        trees.write(os.path.join(site, "data"), "six and more")
        becomes(m / "data", lambda b: b == b"six and more", "same length")


def test_what_is_mapped_stays_when_it_is_replaced(mount, site):
    """As a shared library that is in use while pip puts another in place."""
    path = os.path.join(site, "data")
    old, new = b"old" * 100000, b"new" * 200000
    trees.write(path, old)
    with mount(site) as m:
        with open(m / "data", "rb") as f:
            mapped = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        with open(m / "data", "rb", buffering=0) as f:
            trees.write(path + "~", new)
            os.rename(path + "~", path)
            becomes(m / "data", lambda b: b == new, "new")
            assert f.read() == old
        if os.fork() == 0:  # it may be killed by SIGBUS
            os._exit(mapped[:] != old)
        assert os.wait()[1] == 0
        mapped.close()


def test_names_come_and_go(mount, site):
    with mount(site) as m:
        assert sorted(os.listdir(m.path)) == ["data", "m.pyc", "sub"]
        assert bytes_or_none(m / "new.pyc") is None
        trees.write(os.path.join(site, "new.py"), "VALUE = 'new'\n")
        wait_for(lambda: "new.pyc" in os.listdir(m.path), NOTICED, "listed")
        becomes(m / "new.pyc", bool, "readable")
        os.unlink(os.path.join(site, "m.py"))
        wait_for(lambda: "m.pyc" not in os.listdir(m.path), NOTICED, "gone")
        becomes(m / "m.pyc", lambda b: b is None, "gone")
        shutil.rmtree(os.path.join(site, "sub"))
        trees.write(os.path.join(site, "sub"), "a file now")
        wait_for(lambda: os.path.isfile(m / "sub"), NOTICED, "a file")
        assert read(m / "sub") == b"a file now"
        os.unlink(os.path.join(site, "sub"))
        trees.write(os.path.join(site, "sub", "n.py"), "VALUE = 'again'\n")
        wait_for(lambda: os.path.isdir(m / "sub"), NOTICED, "a directory")
        becomes(m / "sub/n.pyc", lambda b: b and b"again" in b, "again")
        os.rename(os.path.join(site, "sub"), os.path.join(site, "moved"))
        becomes(m / "moved/n.pyc", lambda b: b and b"again" in b, "moved")
        wait_for(lambda: not os.path.exists(m / "sub"), NOTICED, "old name")


def test_a_source_appears_beside_a_sourceless_module(mount, tree):
    with mount(tree) as m:
        before = read(m / "sourceless.pyc")
        assert before == read(os.path.join(tree, "sourceless.pyc"))
        trees.write(os.path.join(tree, "sourceless.py"), "VALUE = 'src'\n")
        becomes(m / "sourceless.pyc", lambda b: b and b"src" in b, "compiled")
        os.unlink(os.path.join(tree, "sourceless.py"))
        becomes(m / "sourceless.pyc", lambda b: b == before, "itself again")


def test_a_link_that_turns(mount, tree):
    with mount(tree) as m:
        before = read(m / "link_mod.pyc")
        os.unlink(os.path.join(tree, "link_mod.py"))
        trees.write(os.path.join(tree, "elsewhere.py"), "VALUE = 'other'\n")
        os.symlink("elsewhere.py", os.path.join(tree, "link_mod.py"))
        becomes(m / "link_mod.pyc", lambda b: b and b"other" in b, "turned")
        # the target changes, the link does not
        trees.write(os.path.join(tree, "elsewhere.py"), "VALUE = 'third'\n")
        becomes(m / "link_mod.pyc", lambda b: b and b"third" in b, "target")
        assert before not in (read(m / "link_mod.pyc"),)


@pytest.mark.parametrize("policy", ["fail", "source", "omit"])
def test_broken_and_mended(policy, mount, site):
    def state(m):
        try:
            b = read(m / "m.pyc")
            return b"one" in b or b"mended" in b
        except OSError as e:
            return e.errno

    with mount(site, "--on-error", policy) as m:
        assert state(m) is True
        for text in ("VALUE = 'one\n", "VALUE = (\n"):
            trees.write(os.path.join(site, "m.py"), text)
            wanted = errno.EIO if policy == "fail" else errno.ENOENT
            wait_for(lambda: state(m) == wanted, NOTICED, policy)
            if policy == "source":
                becomes(m / "m.py", lambda b: b == text.encode(), "source")
            trees.write(os.path.join(site, "m.py"), "VALUE = 'mended'\n")
            wait_for(lambda: state(m) is True, NOTICED, "mended")
            assert value(m / "m.pyc") == "mended"
            wait_for(lambda: "m.py" not in os.listdir(m.path), NOTICED,
                     "no source")


def test_a_change_while_compiling(mount, scratch):
    """Bytes and what they were made from never get mixed."""
    root = os.path.join(scratch, "site")
    path = os.path.join(root, "m.py")
    trees.write(path, trees.slow(9000))
    with mount(root) as m:
        import threading
        t = threading.Thread(target=lambda: bytes_or_none(m / "m.pyc"))
        t.start()
        wait_for(lambda: any(w.cpu > 0.2 for w in harness.workers(m.path)),
                 20, "a worker is busy")
        trees.write(path, "VALUE = 'after'\n")
        t.join(60)
        wait_for(lambda: value(m / "m.pyc") == "after", NOTICED, "after")
    with mount(root) as m:
        assert value(m / "m.pyc") == "after"
    trees.write(path, trees.slow(9000))
    with mount(root) as m:
        assert value(m / "m.pyc") == "9000"


def test_immutable_serves_right_bytes(mount, tree, scratch):
    with mount(tree) as m:
        live = copy(m, os.path.join(scratch, "live"))
    for name in ("cold", "warm"):
        cache = os.path.join(scratch, "immutable")
        with mount(tree, "--immutable", cache=cache) as m:
            out = copy(m, os.path.join(scratch, name))
            again = copy(m, os.path.join(scratch, name + "2"))
            assert m.count("rejected") == 0
            if name == "warm":
                assert m.count("compiled") == 0
        for got in (out, again):
            assert harness.tree_bytes(got) == harness.tree_bytes(live)


def test_immutable_with_broken_ones(mount, tree, scratch):
    broken = trees.add_broken(tree)
    for policy in ("source", "omit"):
        with mount(tree, "--immutable", "--on-error", policy) as m:
            out = copy(m, os.path.join(scratch, policy))
        assert trees.listing(out) == trees.shape(
            trees.expected(tree, broken, policy))
