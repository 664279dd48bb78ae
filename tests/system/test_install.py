"""What `meson install` installs, and that it works when its prefix is moved.
"""
import os
import re
import shutil
import struct
import subprocess
import tempfile

import pytest

import harness
import trees

BUILD = os.path.dirname(harness.program())
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLES = os.path.join(TOP, "tools", "examples")

FILES = {
    "bin/pycfs",
    "libexec/pycfs/pycfs-compiler",
    "libexec/pycfs/pycfs-compiler.so",
    "libexec/pycfs/pycfs-remote",
    "sbin/mount.fuse.pycfs",
    "share/bash-completion/completions/pycfs.bash",
    "share/doc/pycfs/LICENSE",
    "share/doc/pycfs/README.md",
    "share/doc/pycfs/SECURITY.md",
    "share/fish/vendor_completions.d/pycfs.fish",
    "share/man/man1/pycfs-cache.1",
    "share/man/man1/pycfs-export.1",
    "share/man/man1/pycfs-mount.1",
    "share/man/man1/pycfs-report.1",
    "share/man/man1/pycfs-run.1",
    "share/man/man1/pycfs-check.1",
    "share/man/man1/pycfs-traceback.1",
    "share/man/man1/pycfs-verify.1",
    "share/man/man1/pycfs-umount.1",
    "share/man/man1/pycfs.1",
    "share/man/man5/pycfs-rules.5",
    "share/man/man7/pycfs-remote.7",
    "share/man/man7/pycfs-reproducible.7",
    "share/man/man7/pycfs-troubleshooting.7",
    "share/man/man8/mount.fuse.pycfs.8",
    "share/zsh/site-functions/_pycfs",
}


def run(*command, **how):
    result = subprocess.run(command, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            timeout=120, encoding="utf-8", **how)
    assert result.returncode == 0, (command, result.stdout)
    return result.stdout


@pytest.fixture(scope="module")
def prefix():
    """The installation, moved to where nobody expects it."""
    with tempfile.TemporaryDirectory(prefix="pycfs-test-") as top:
        root = os.path.join(top, "root")
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        options = run("meson", "introspect", "--buildoptions", BUILD)
        was = re.search(r'"name": "prefix", "value": "([^"]+)"', options)
        moved = os.path.join(top, "moved")
        os.rename(root + was.group(1), moved)
        yield moved


@pytest.fixture
def installed(prefix, scratch):
    return shutil.copytree(prefix, os.path.join(scratch, "prefix"),
                           symlinks=True)


def files_of(top):
    return {os.path.relpath(os.path.join(d, f), top)
            for d, _, files in os.walk(top) for f in files
            if not d.endswith("__pycache__")}


def test_what_is_installed(installed):
    extra = {"share/doc/pycfs/examples/" + name for name in
              files_of(EXAMPLES)}
    assert files_of(installed) == FILES | extra
    assert os.readlink(os.path.join(installed, "sbin/mount.fuse.pycfs")) == \
        "../bin/pycfs"
    for name in FILES | extra:
        path = os.path.join(installed, name)
        mode = os.stat(path).st_mode & 0o777
        runs = name.startswith(("bin/", "libexec/", "sbin/")) or \
            harness.read(path).startswith(b"#!")
        assert mode == (0o755 if runs else 0o644), name


def test_it_works_where_it_was_moved_to(installed, pycfs, small, scratch):
    program = os.path.join(installed, "bin", "pycfs")
    at = os.path.join(scratch, "mnt")
    os.mkdir(at)
    for front in ([], ["env", "PATH=/usr/bin:/bin"]):
        compilers = run(*front, program, "run", "--no-cache", "--python",
                        harness.DEBIAN_PYTHON, small, at, "--", "sh", "-c",
                        'cat "$1"/a.pyc >/dev/null && '
                        "readlink /proc/[0-9]*/exe; true", "sh", at,
                        env=pycfs.env())
        assert os.path.join(installed, "libexec/pycfs/pycfs-compiler") in \
            compilers.splitlines()


def test_without_a_compiler(installed, pycfs, small, scratch):
    """It says so; the environment has no word in it."""
    os.remove(os.path.join(installed, "libexec/pycfs/pycfs-compiler"))
    result = subprocess.run(
        [os.path.join(installed, "bin", "pycfs"), "export", small,
         os.path.join(scratch, "out")],
        env=pycfs.env(PATH=BUILD + ":/usr/bin:/bin"), timeout=30,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert b"pycfs-compiler is missing" in result.stderr


def of_a_newer_glibc(compiler):
    """Its own bytes, but for one version that it asks the C library for."""
    program = harness.read(compiler)
    asked = max(re.findall(rb"\0(GLIBC_2\.\d\d)\0", program))
    hashes = []
    for name in (asked, b"GLIBC_9.99"):
        h = 0
        for c in name:  # the System V ABI's, which a loader compares first
            h = (h << 4) + c
            h = (h ^ (h & 0xf0000000) >> 24) & 0x0fffffff
        hashes.append(struct.pack("<I", h))
    return program.replace(asked, b"GLIBC_9.99").replace(*hashes)


@pytest.mark.parametrize("change, message", [
    (lambda compiler: b"#!/lib/ld-of-another-libc\n",
     "the loader that it names is missing: this pycfs is for systems with "
     "another C library (glibc, musl)"),
    (of_a_newer_glibc, "the glibc of this system is too old for it"),
], ids=["none", "old"])
def test_without_the_glibc_it_needs(installed, pycfs, small, scratch, change,
                                    message):
    compiler = os.path.join(installed, "libexec/pycfs/pycfs-compiler")
    changed = change(compiler)
    with open(compiler, "wb") as f:
        f.write(changed)
    out = os.path.join(scratch, "out")
    result = subprocess.run(
        [os.path.join(installed, "bin", "pycfs"), "export", "--python",
         harness.DEBIAN_PYTHON, small, out], env=pycfs.env(), timeout=60,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")
    assert result.returncode == 1
    assert message in result.stderr
    assert "is the package" not in result.stderr
    assert not os.path.exists(out)


@pytest.mark.root
def test_the_fstab_example(installed, pycfs, tree, scratch):
    """By mount -a, in a mount namespace that has the installation in /usr."""
    with open(os.path.join(EXAMPLES, "fstab"), encoding="utf-8") as f:
        text = f.read()
    source, at = re.search(r"^(/\S+) (/\S+) fuse\.pycfs ", text, re.M).groups()
    here = os.path.join(scratch, "mnt")
    os.mkdir(here)
    fstab = os.path.join(scratch, "fstab")
    trees.write(fstab, text.replace(source, tree).replace(at, here))
    assert text.count(" fuse.pycfs ") == 1
    text = harness.read(fstab).decode().replace(
        " fuse.pycfs ", " fuse.pycfs no-cache,")
    trees.write(fstab, text)
    out = run("unshare", "-m", "sh", "-euc", """
mount -t overlay -o lowerdir="$1":/usr overlay /usr
mount -a -T "$2"
findmnt -n -o FSTYPE,OPTIONS "$3"
cat "$3/single.pyc" >/dev/null
mount -a -T "$2"
umount "$3"
! findmnt "$3"
""", "sh", installed, fstab, here, env=pycfs.env())
    assert out.startswith("fuse.pycfs ro,") and "allow_other" in out
    harness.wait_for(lambda: not harness.daemons(here), 10, "the daemon ends")


def test_the_systemd_example():
    """The name of a unit must be that of its mount point, too."""
    for name in ("srv-site.mount", "srv-site.automount"):
        path = os.path.join(EXAMPLES, "systemd", name)
        assert run("systemd-analyze", "verify", "--man=no", path) == ""


def test_the_rules_example(pycfs, tree, scratch):
    out = pycfs.exported(tree, os.path.join(scratch, "out"), "--rules",
                         os.path.join(EXAMPLES, "layer.rules"))
    assert os.path.exists(os.path.join(out, "pkg", "core.pyc"))
