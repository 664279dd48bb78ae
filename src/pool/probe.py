# SPDX-License-Identifier: MIT
#
# Asks an interpreter what it is. python_probe.c runs it as `python -I -S -c`,
# isolated and without site, so that none of the user's code runs. It prints
# ten lines: "pycfs", the implementation, the magic number, the hexversion, the
# version, the cache tag, the canary of canary.py, whose text comes before this
# one, the home, the path of libpython (empty: there is none), and that of the
# program itself (empty: it can hold no worker).
#
# Every Python must be able to run it, also one that is too old for us, so that
# the user is told its version.
import sys
from posix import readlink
from _frozen_importlib_external import MAGIC_NUMBER


# The files that this process has mapped.
def mapped():
    found = []
    try:
        with open('/proc/self/maps') as maps:
            for line in maps:
                path = line.rstrip('\n').partition('/')
                found.append(path[1] + path[2])
    except OSError:
        pass
    return found


def last(path):
    return path.rpartition('/')[2]


def find(files):
    name = 'libpython%d.%d%s.so' % (sys.version_info[:2] +
                                    (sys.abiflags,))
    # The interpreter itself may have it mapped.
    for path in files:
        if last(path).startswith(name):
            return path
    # Else it is where such a build puts it. sysconfig knows that, but is asked
    # last: importing it takes longer than all the rest.
    arch = getattr(sys.implementation, '_multiarch', '')
    places = [sys.base_prefix + '/lib/' + arch,
              sys.base_prefix + '/lib', sys.base_prefix + '/lib64']
    names = [name + '.1.0', name]
    for asked in (False, True):
        if asked:
            from sysconfig import get_config_var as var
            places = [var('LIBDIR'), var('LIBPL')]
            names.insert(0, var('INSTSONAME'))
        for place in places:
            for n in names:
                path = '%s/%s' % (place, n)
                # INSTSONAME is libpythonX.Y.a where it is static only.
                if '.so' in path:
                    try:
                        open(path, 'rb').close()
                        return path
                    except OSError:
                        pass
    return ''


# Only the loaders of glibc and musl start it with an object before its
# libraries. In glibc 2.33 and before the file is called libc-2.33.so; that of
# musl is loader and C library at once, and named as either.
def program(files):
    for path in files:
        if last(path) in ('libc.so.6', 'libc.so') or \
                last(path).startswith(('libc-2.', 'ld-musl-')):
            try:
                return readlink('/proc/self/exe')
            except OSError:
                pass
    return ''


# As PYTHONHOME has it: prefix, or prefix:exec_prefix.
home = sys.base_prefix
if sys.base_exec_prefix != home:
    home += ':' + sys.base_exec_prefix
files = mapped()
name = sys.implementation.name
# A free-threaded build (3.13 and later).
if 't' in sys.abiflags:
    name += '-t'
print('pycfs', name, int.from_bytes(MAGIC_NUMBER, 'little'),
      sys.hexversion, ' '.join(sys.version.split()),
      sys.implementation.cache_tag, canary(), home, find(files),
      program(files), sep='\n')
