"""Native modules, made when a test needs one."""
import os
import subprocess

import harness

MODULE = r"""
#include <Python.h>
static int nobody_links_by_this(int a) { return a + %(n)d; }
int an_exported_name(int a) { return nobody_links_by_this(a) * 3; }
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "%(name)s", 0, -1, 0};
PyMODINIT_FUNC PyInit_%(name)s(void) { return PyModule_Create(&def); }
"""


def make(path, name, n=1):
    """A module for Debian's Python with symbols and debugging information."""
    source = path + ".c"
    with open(source, "w") as f:
        f.write(MODULE % {"name": name, "n": n})
    include = harness.python(harness.DEBIAN_PYTHON, "-c", "import sysconfig; "
                             "print(sysconfig.get_paths()['include'])").stdout
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-I", include.strip(),
                    "-o", path, source], check=True, timeout=60)
    os.unlink(source)
