"""Two builds of one Python differ in the date that sys.version has, and
compile alike: what one has compiled is there for the other."""
import os
import re
import shutil
import subprocess

import trees

DATE = re.compile(rb"\b([A-Z][a-z]{2} [ 123]\d 20\d\d)\b")


def another_day(target, top):
    """A copy of `target` that says it was built on another day; its path."""
    say = ("import sys; print(sys.version.replace('\\n', ''));"
           "print(sys.executable); print([l.split()[-1] for l in open('/proc/self/maps')"
           " if '/libpython3' in l][:1])")
    version, exe, library = subprocess.run(
        [target.exe, "-I", "-S", "-c", say], check=True, text=True,
        stdout=subprocess.PIPE).stdout.splitlines()
    date = DATE.search(version.encode()).group(1)
    # The date is in libpython, or in an interpreter that does without.
    library = library.strip("[]'")
    part = os.path.realpath(library or exe)
    os.mkdir(top)
    copy = os.path.join(top, os.path.basename(library or "python3"))
    with open(part, "rb") as f:
        data = f.read()
    assert data.count(date + b"\0") == 1, (part, date)
    with open(copy, "wb") as f:
        f.write(data.replace(date + b"\0", b"Feb 30 2001\0"))
    shutil.copymode(part, copy)
    if not library:
        return copy
    shim = os.path.join(top, "python3")
    trees.write(shim, "#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s \"$@\"\n"
                % (top, exe), 0o755)
    return shim


def test_another_build(target, pycfs, tree, scratch):
    other = another_day(target, os.path.join(scratch, "other"))
    said = subprocess.run([other, "-S", "-c",
                           "import sys; print(sys.version)"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "Feb 30 2001" in said
    first = pycfs.export(tree, os.path.join(scratch, "a.tar"), "-v",
                         "--exclude", trees.LONG_NAME, python=target.exe)
    assert first.returncode == 0, first.stderr
    assert "0 modules compiled" not in first.stderr
    second = pycfs.export(tree, os.path.join(scratch, "b.tar"), "-v",
                          "--exclude", trees.LONG_NAME, python=other)
    assert second.returncode == 0, second.stderr
    assert re.search(r"\(0 modules compiled", second.stderr), second.stderr
    with open(os.path.join(scratch, "a.tar"), "rb") as a, \
            open(os.path.join(scratch, "b.tar"), "rb") as b:
        assert a.read() == b.read()
