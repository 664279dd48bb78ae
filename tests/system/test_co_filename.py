"""co_filename of a code object is the path of the source, byte for byte, in
every locale."""
import os

import pytest

import harness
import trees

NAMES = [b"plain", "caf\u00e9".encode(), b"caf\xe9", "\U0001f40d".encode(),
         b"\xed\xb3\xa9", b"\xff\xfe"]

# co_filename of each module below the directory, in hexadecimal.
TELL = """
import marshal, os, sys
for top, _, files in os.walk(os.fsencode(sys.argv[1])):
    for name in files:
        with open(os.path.join(top, name), "rb") as f:
            code = marshal.loads(f.read()[16:])
        print(code.co_filename.encode("utf-8", "surrogateescape").hex())
"""

# As in a root with nothing but a Python: no locale with UTF-8 in it.
WITHOUT_LOCALES = ["unshare", "--mount", "sh", "-c",
                   'mount -t tmpfs none /usr/lib/locale && exec "$@"', "sh"]


@pytest.mark.root
@pytest.mark.parametrize("py", harness.PYTHONS, ids=repr)
def test_without_locales(py, pycfs, scratch):
    site = os.path.join(scratch, "site")
    for name in NAMES:
        trees.write(os.path.join(os.fsencode(site), b"in " + name,
                                 name + b".py"), "def f():\n    pass\n")
    seen = []
    for prefix in [], WITHOUT_LOCALES:
        to = pycfs.exported(site, os.path.join(scratch, "to%d" % len(seen)),
                            "--no-cache", python=py.exe, prefix=prefix)
        seen.append(harness.tree_bytes(to))
        names = harness.python(py.exe, "-c", TELL, to).stdout.splitlines()
        assert sorted(map(bytes.fromhex, names)) == sorted(
            b"/site-packages/in " + name + b"/" + name + b".py" for name in NAMES)
    assert seen[0] == seen[1]
