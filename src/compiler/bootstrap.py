# SPDX-License-Identifier: MIT
#
# Runs once in each worker, before the sandbox closes. py.c takes job() from its
# names, which compiles one module, and version, cache_tag, canary_text, magic and
# hexversion. The text of canary.py comes before this one.
#
# Afterwards nothing can be opened, but a source may still need a codec for its
# coding cookie, or unicodedata for \N{...} and identifiers. So extension modules
# are loaded now. Modules written in Python are only opened, and read and
# compiled when they are imported: few sources need any of them, and importing
# all would take longer than starting Python does (several times as long where
# Python has no __pycache__). What is not found now does not exist for the
# sources, as on a system without it.
#
# The names in here matter: CPython interns them, and up to 3.10 that shows in
# the bytes that it writes for modules with the same names.
import gc, sys, marshal, _imp, warnings
from importlib import import_module
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
import encodings, os

warnings.simplefilter('ignore')


def load(name):
    try:
        import_module(name)
    except (ImportError, OSError):
        pass


for name in ('unicodedata _multibytecodec _codecs_cn _codecs_hk '
             '_codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw '
             'binascii zlib _bz2 _struct _heapq').split():
    load(name)

# By the module's name: its open file, and whether it is a package.
descriptors = {}


# Finder and loader of these modules.
class Later:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in descriptors:
            return ModuleSpec(name, Later,
                              is_package=descriptors[name][1])

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        fd = descriptors.pop(module.__name__)[0]
        parts = [os.read(fd, 65536)]
        while parts[-1]:
            parts.append(os.read(fd, 65536))
        exec(compile(b''.join(parts), '<later>', 'exec', 0, True),
             module.__dict__)


# Descriptors that are given back at the end, so that some are left for loading
# extension modules. Empty: descriptors have run out, and what would be opened
# is imported at once.
spare = []


def later(name, path):
    for end in '.py', os.sep + '__init__.py':
        if not spare:
            return load(name)
        try:
            fd = os.open(path + end, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError:
            while spare:
                os.close(spare.pop())
            return load(name)
        descriptors[name] = fd, end != '.py'
        return


try:
    while len(spare) < 8:
        spare.append(os.dup(2))
except OSError:
    while spare:
        os.close(spare.pop())
codecs = encodings.__path__[0]
try:
    names = sorted(os.listdir(codecs))
except OSError:
    names = []
for name in names:
    module = 'encodings.' + name[:-3]
    if name.endswith('.py') and module not in sys.modules and \
            name != '__init__.py':
        later(module, os.path.join(codecs, name[:-3]))
# What these codecs import, in one version of Python or another.
for name in ('stringprep base64 struct quopri bz2 _compression '
             'threading _weakrefset compression '
             'compression._common compression._common._streams '
             'compression.bz2 re re._casefix re._compiler '
             're._constants re._parser sre_compile sre_constants '
             'sre_parse enum types functools heapq collections '
             'collections.abc keyword operator reprlib copyreg '
             '_collections_abc').split():
    if name not in sys.modules:
        later(name, os.path.join(os.path.dirname(codecs),
                                 *name.split('.')))
while spare:
    os.close(spare.pop())
# Nothing else can be imported any more.
sys.path[:] = []
sys.meta_path[:] = [f for f in sys.meta_path
                    if getattr(f, '__name__', '') != 'PathFinder']
sys.meta_path.append(Later)
sys.path_hooks[:] = []
magic = int.from_bytes(MAGIC_NUMBER, 'little')


# The 16 bytes that pyc.h describes; they are made here because the signature of
# _imp.source_hash differs between versions.
def header(source, mode, mtime):
    if mode == 0:
        field = (mtime.to_bytes(4, 'little') +
                 (len(source) & 0xffffffff).to_bytes(4, 'little'))
    else:
        field = _imp.source_hash(magic, source)
    return MAGIC_NUMBER + mode.to_bytes(4, 'little') + field


# A line or column for the result frame; 0: none.
def number(n):
    if not isinstance(n, int) or not 0 < n < 1 << 31:
        return 0
    return n


def text(s):
    return str(s).encode('utf-8', 'backslashreplace')[:4000]


# Code objects have no cycles, so the collector would find nothing in them. What
# refers to tracebacks may have some: job() collects those now and then.
gc.collect()
gc.freeze()
gc.disable()
n_jobs = 0


# Compiles one module. Returns (status, line, column, data); status is that of
# enum px_frame_status (frame.h): 0 with a .pyc, 1 with the reason why CPython
# rejects the source, 2 with why it could not tell.
def job(source, name, optimize, mode, mtime):
    global n_jobs
    n_jobs += 1
    if n_jobs % 256 == 0:
        gc.collect()
    try:
        code = compile(source, name, 'exec', dont_inherit=True,
                       optimize=optimize)
        # In 3.14 py_compile holds a second reference to the code object while
        # it writes it, and FLAG_REF shows that (Python/marshal.c, w_ref).
        # Before, each local variable that is passed on is such a reference;
        # since 3.15 there is none.
        also = code if sys.version_info[:2] == (3, 14) else None
        return 0, 0, 0, header(source, mode, mtime) + marshal.dumps(code)
    # Before 3.12 the parser says only that when it gives up on a source, so
    # that nobody can tell whether the source is the reason.
    except MemoryError as e:
        if 'Parser stack overflowed' in str(e):
            return 1, 0, 0, text('MemoryError: %s' % e)
        return (2, 0, 0, b'MemoryError: nested too deeply for '
                b'the parser, or out of memory')
    # An allocation failed and CPython set no exception.
    except SystemError as e:
        return 2, 0, 0, text('SystemError: %s' % e)
    # What is said of a source must not depend on its name, as equal sources are
    # compiled once: 3.14 says "Non-UTF-8 code starting with '\xe9' in file NAME
    # on line 1".
    except SyntaxError as e:
        said = str(e.msg).replace(' in file ' + name, '')
        return (1, number(e.lineno), number(e.offset),
                text('%s: %s' % (type(e).__name__, said)))
    except Exception as e:
        return 1, 0, 0, text('%s: %s' % (type(e).__name__, e))


version = text(' '.join(sys.version.split()))
cache_tag = text(sys.implementation.cache_tag)
hexversion = sys.hexversion
canary_text = text(canary())
del CANARY, canary
