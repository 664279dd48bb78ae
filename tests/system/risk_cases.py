"""Small modules, and what src/compiler/risks.py must find in them.

Each case begins with RULE GRADE LINE and the path of the module, and then has
its text. GRADE 0 means that the rule must not be found, at whatever grade;
LINE is 0 then. Findings of other rules do not matter.
"""
CASES = []


def case(head, text, path="pkg/mod.py"):
    rule, grade, line = head.split()
    CASES.append((rule, int(grade), int(line), path, text))


def cases(rule, *pairs):
    """Pairs of "GRADE LINE" and text."""
    for head, text in zip(pairs[::2], pairs[1::2]):
        case(rule + " " + head, text)


cases(
    "getsource",
    "3 2", "import inspect\nT = inspect.getsource(f)\n",
    "3 2", "from inspect import getsourcelines as g\nT = g(f)\n",
    "2 3", "import inspect\ndef f():\n    return inspect.getsource(g)\n",
    "2 3", "import inspect as i\ndef f(self):\n"
           "    return i.findsource(self.g)\n",
    "1 4", "import inspect\ndef f():\n    try:\n"
           "        return inspect.getsource(g)\n"
           "    except (OSError, TypeError):\n        return ''\n",
    "2 2", "import inspect\nF = inspect.getsourcefile(f)\n",
    "1 2", "import inspect\nF = inspect.getsourcefile(f)\nif not F:\n"
           "    F = 'none'\n",
    "0 0", "import inspect\ndef f(x):\n    return inspect.getsource(x)\n",
    "3 3", "import inspect\ndef deco(f):\n    f.text = inspect.getsource(f)\n"
           "    return f\n@deco\ndef g():\n    'doc'\n",
    "0 0", "def getsource(x):\n    return x\ngetsource(1)\n",
    "0 0", "import inspect\nT = inspect.signature(len)  # not getsource\n")

cases(
    "linecache",
    "1 2", "import linecache\nprint(linecache.getline('x', 1))\n",
    "1 2", "from linecache import getlines\ngetlines('x')\n",
    "0 0", "import linecache\nlinecache.checkcache()\n")

cases(
    "caller-source",
    "2 1", "T = open(m.__file__).read()\n",
    "2 1", "T = open(find_spec('m').origin).read()\n",
    "1 3", "try:\n    x = 1\n    T = open(m.__file__).read()\n"
           "except OSError:\n    pass\n",
    "0 0", "T = open(m.__file__ + '.txt', 'w')\n",
    "2 3", "import inspect\ndef f(x):\n    return inspect.getsource(x)\n",
    "2 3", "import inspect as i\ndef f(x):\n    return i.findsource(x)\n",
    "1 4", "import inspect\ndef f(x):\n    try:\n"
           "        return inspect.getsource(x)\n"
           "    except (OSError, TypeError):\n        return ''\n",
    "2 4", "import inspect\ndef f(x):\n    try:\n"
           "        return inspect.getsource(x)\n"
           "    except KeyError:\n        return ''\n",
    "1 4", "import inspect, contextlib\ndef f(x):\n"
           "    with contextlib.suppress(OSError):\n"
           "        return inspect.getsource(x)\n",
    "2 3", "import inspect\ndef f(x):\n"
           "    return inspect.getsource(x.run)\n",
    "0 0", "import inspect\ndef f(self):\n"
           "    return inspect.getsource(self)\n")

cases(
    "caller-file",
    "2 3", "import os\nD = os.path.dirname(f()['__file__'])\n"
           "if os.path.exists(D + '/tab.py'): x()\n",
    "2 2", "import os, sys\nif os.path.exists(f.f_code.co_filename): pass\n",
    "2 3", "import sys\nf = sys._getframe(1)\n"
           "T = open(f.f_code.co_filename).read()\n",
    "1 3", "try:\n    x = 1\n    T = open(f.f_code.co_filename).read()\n"
           "except OSError:\n    pass\n",
    "2 3", "import os\nD = os.path.dirname(f.f_code.co_filename)\n"
           "T = open(os.path.join(D, 'data'))\n",
    "2 2", "import inspect\nT = open(inspect.stack()[1].filename).read()\n",
    "2 3", "import inspect, os\nF = inspect.getframeinfo(f)\n"
           "if os.path.exists(F.filename): x()\n",
    "2 3", "import os, traceback\nF = traceback.extract_stack()[-2][0]\n"
           "N = os.listdir(os.path.dirname(F))\n",
    "2 1", "while f.f_code.co_filename == __file__: f = f.f_back\n",
    "2 1", "N = module.__file__[:-3]\n",
    "2 1", "if m.__file__.endswith('.py'): x()\n",
    "0 0", "import inspect\nF = inspect.stack()[1].function\nT = open(F)\n",
    "0 0", "import os\nD = os.path.dirname(m.__file__)\n"
           "T = open(os.path.join(D, 'data'))\n",
    "0 0", "print(f.f_code.co_filename)\n")

cases(
    "own-name",
    "2 2", "import os\nif os.path.splitext(__file__)[1] == '.py': x()\n",
    "2 2", "from pathlib import Path\nif Path(__file__).suffix == '.py': x()\n",
    "0 0", "import os\nif os.path.splitext(p)[1] == '.py': x()  # __file__\n",
    "2 2", "import os\nN = os.path.basename(__file__)[:-3]\n",
    "2 1", "if __file__[-3:] == '.py': pass\n",
    "2 2", "import re\nT = re.sub(r'\\.py$', '.txt', __file__)\n",
    "2 2", "import os\nif os.path.basename(__file__) != 'x.py': x()\n",
    "2 2", "from pathlib import Path\nif Path(__file__).name == 'x.py': x()\n",
    "2 1", "if not __file__.endswith('.py'): x()\n",
    "2 1", "STUB = __file__ + 'i'\n",
    "2 1", "DATA = __file__.replace('.py', '.txt')\n",
    "1 2", "C = '.pyc'\nif __file__.endswith('.py'): x()\n",
    "0 0", "if __file__.endswith(('.py', '.pyc')): x()\n",
    "0 0", "import os\nN = os.path.splitext(os.path.basename(__file__))[0]\n"
           "T = N + 'x.py'\n",
    "0 0", "from pathlib import Path\nT = Path(__file__).with_suffix('.txt')\n",
    "0 0", "import os\nT = os.path.join(os.path.dirname(__file__), 'a.py')\n"
           "if T[:-3]: pass\n",
    "0 0", "print(__file__ + ' is here')\n")

cases(
    "opens-data",
    "2 2", "import os\nT = open(os.path.join(os.path.dirname(__file__), "
           "'a.txt'))\n",
    "2 2", "from pathlib import Path\n"
           "T = (Path(__file__).parent / 'a.txt').read_text()\n",
    "2 2", "from pathlib import Path\n"
           "T = Path(__file__).with_suffix('.txt').read_text()\n",
    "2 4", "import os\ndef f(name):\n"
           "    stub = os.path.splitext(name)[0] + '.pyi'\n"
           "    return os.path.exists(stub)  # __file__\n",
    "2 2", "import os\nif os.path.exists(f'{os.path.splitext(n)[0]}.pyi'): x()\n",
    "2 2", "import os\nT = open(f'{os.path.dirname(__file__)}/a.txt')\n",
    "1 4", "import os  # __file__\ndef f():\n    try:\n"
           "        return open('a.txt')\n    except OSError:\n"
           "        return ''\n",
    "0 0", "T = open(__file__ % 'a.py')\n",
    "0 0", "T = open('/dev/null', 'w')  # __file__\n",
    "0 0", "T = open('a.txt', 'w')  # __file__\n")

cases(
    "loader-source",
    "2 2", "def f(loader, name):\n    return loader.get_source(name)\n",
    "2 2", "def f(name):\n    return __loader__.get_source(name)\n",
    "1 2", "def f(loader, name):\n    s = loader.get_source(name)\n"
           "    return s if s is not None else ''\n",
    "1 3", "def f(name):\n    try:\n"
           "        return __loader__.get_source(name)\n"
           "    except Exception:\n        pass\n",
    "0 0", "def f(self, environment, name):\n"
           "    return self.loader.get_source(environment, name)\n")

cases(
    "open-own-file",
    "2 2", "import shutil\nshutil.copy(__file__, '/tmp')\n",
    "3 1", "T = open(__file__).read()\n",
    "3 2", "from pathlib import Path\nT = Path(__file__).read_text()\n",
    "3 3", "import os\nme = os.path.abspath(__file__)\nT = open(me).read()\n",
    "2 2", "def f():\n    with open(__file__) as t:\n"
           "        return t.read()\n",
    "2 1", "T = open(__file__, 'rb').read()\n",
    "1 3", "def f():\n    try:\n        return open(__file__).read()\n"
           "    except OSError:\n        return ''\n",
    "0 0", "import os\nT = open(os.path.dirname(__file__) + '/t.txt')\n",
    "0 0", "from pathlib import Path\n"
           "T = (Path(__file__).parent / 'VERSION').read_text()\n",
    "0 0", "open(__file__, 'w')\n")

cases(
    "open-py",
    "3 2", "from importlib.resources import files\n"
           "T = (files('pkg') / 'conf.py').read_text()\n",
    "3 2", "import importlib_resources as resources\n"
           "T = resources.files('pkg').joinpath('conf.py').open()\n",
    "3 2", "import os, shutil\n"
           "shutil.copy(os.path.dirname(__file__) + '/t.py', 'x')\n",
    "0 0", "import shutil\nshutil.copy('t.py', 'x')  # __file__\n",
    "0 0", "from importlib.resources import files  # .py'\n"
           "T = (files('pkg') / 'conf.json').read_text()\n",
    "3 3", "import os\nhere = os.path.dirname(__file__)\n"
           "T = open(os.path.join(here, 'conf.py')).read()\n",
    "3 2", "from pathlib import Path\n"
           "T = (Path(__file__).parent / 'conf.py').read_text()\n",
    "3 4", "import os\ndef f(n):\n    d = os.path.dirname(__file__)\n"
           "    exec(open(f'{d}/conf.py').read())\n",
    "2 4", "import os\ndef f():\n    try:\n"
           "        return open(os.path.dirname(__file__) + '/c.py')\n"
           "    except OSError:\n        return None\n",
    "0 0", "T = open('setup.py')\n",
    "0 0", "import os\nopen(os.path.dirname(__file__) + '/out.py', 'w')\n",
    "0 0", "import os\nopen(os.path.dirname(__file__) + '/conf.json')\n")

cases(
    "resource-py",
    "3 2", "from importlib.resources import files, as_file\n"
           "with as_file(files('pkg') / 's.py') as p: pass\n",
    "2 1", "T = env.get_template('project.py')\n",
    "0 0", "from importlib.resources import files, as_file  # .py'\n"
           "with as_file(files('pkg') / 's.so') as p: pass\n",
    "0 0", "T = env.get_template('project.html')  # .py'\n",
    "3 2", "import pkgutil\nT = pkgutil.get_data('pkg', 'script.py')\n",
    "3 3", "from importlib import resources\ndef f():\n"
           "    return resources.read_text('pkg', 'script.py')\n",
    "3 2", "import pkg_resources as r\nT = r.resource_string('p', 's.py')\n",
    "0 0", "import pkgutil  # .py'\n"
           "T = pkgutil.get_data('pkg', 'data.json')\n",
    "0 0", "def get_data(a, b): pass\nT = get_data('pkg', 'script.py')\n")

cases(
    "py-exists",
    "1 3", "import os\nD = os.path.dirname(__file__)\n"
           "X = os.path.exists(D + '/x.py') or os.path.exists(D + '/x.pyc')\n",
    "1 2", "import os\nX = os.path.exists(os.path.join(os.path.dirname(__file__), "
           "'..', 'setup.py'))\n",
    "2 3", "import os\ndef f():\n    return os.path.isfile(os.path.join("
           "os.path.dirname(__file__), 'patch.py'))\n",
    "2 3", "from pathlib import Path\ndef f(n):\n"
           "    return (Path(__file__).parent / (n + '.py')).exists()\n",
    "0 0", "import os\ndef f(d):\n    return os.path.exists(d + '/x.py')\n",
    "0 0", "import os\nos.path.exists(os.path.dirname(__file__) + '/x.txt')\n")

cases(
    "discover-py",
    "3 4", "import os, re\nfor n in os.listdir(__path__[0]):\n"
           "    # names\n    if re.match(r'[a-z]+\\.py$', n):\n        pass\n",
    "3 4", "import os, re\nP = re.compile('^(.*)\\\\.py$')\n"
           "for n in os.listdir(__path__[0]):\n    m = P.match(n)\n",
    "3 3", "import os\nfor n in os.listdir(__path__[0]):\n"
           "    if n.partition('.')[2] == 'py':\n        pass\n",
    "3 3", "import os\nfor n in os.listdir(__path__[0]):\n"
           "    if n.split('.')[-1] != 'py':\n        continue\n",
    "3 3", "import os\nfor d, _, f in os.walk(os.path.dirname(__file__)):\n"
           "    if '__init__.py' in f:\n        pass\n",
    "0 0", "import os, re  # .py$\nfor n in os.listdir(__path__[0]):\n"
           "    if re.match(r'.*\\.pyc?$', n):\n        pass\n",
    "0 0", "import os\nfor n in os.listdir(__path__[0]):\n"
           "    if n.split('.')[-1] in ('py', 'pyc'):\n        pass\n",
    "3 3", "import os, re\nN = os.listdir(os.path.dirname(__file__))\n"
           "X = map(re.compile('(.*)\\\\.py$').match, N)\n",
    "3 3", "import os\nfor n in os.listdir(__path__[0]):\n"
           "    if n.rpartition('.')[2] == 'py':\n        pass\n",
    "3 4", "import os\ndef f(d):\n    for n in os.listdir(d):\n"
           "        if n.endswith('.py'):\n            yield n\n"
           "X = list(f(os.path.dirname(__file__)))\n",
    "3 5", "import os\nclass C:\n    def f(self, d):\n"
           "        for n in os.listdir(d):\n"
           "            if n.endswith('.py'): yield n\n"
           "    def g(self):\n        self.f(d=__path__[0])\n",
    "0 0", "if name == 'py': pass\n",
    "3 3", "import os\nfor n in os.listdir(os.path.dirname(__file__)):\n"
           "    if n.endswith('.py'):\n        pass\n",
    "3 2", "import glob, os\n"
           "M = glob.glob(os.path.dirname(__file__) + '/*.py')\n",
    "3 3", "from pathlib import Path\nhere = Path(__file__).parent\n"
           "M = [p.stem for p in here.rglob('*.py')]\n",
    "3 2", "import os\nM = [n[:-3] for n in os.listdir(__path__[0]) if "
           "n[-3:] == '.py']\n",
    "3 5", "import os\ndef f():\n    for d, _, fs in os.walk(__path__[0]):\n"
           "        for n in fs:\n"
           "            if os.path.splitext(n)[1] == '.py':\n"
           "                yield n\n",
    "2 4", "import os, importlib\ndef f(d):\n    for n in os.listdir(d):\n"
           "        if n.endswith('.py'):\n"
           "            importlib.import_module(n[:-3])\n",
    "2 3", "import fnmatch, os\ndef f(d):\n"
           "    for n in fnmatch.filter(os.listdir(d), '*.py'):\n"
           "        __import__(n)\n",
    "1 4", "import os\ndef f(d):\n    for n in os.listdir(d):\n"
           "        if n.endswith('.py'):\n            print(n)\n",
    "2 4", "import os\n# or .pyc\nfor n in os.listdir(__path__[0]):\n"
           "    if n.endswith('.py'):\n        pass\n",
    "0 0", "import os\nfor n in os.listdir(__path__[0]):\n"
           "    if n.endswith(('.py', '.pyc')):\n        pass\n",
    "0 0", "def f(n):\n    return n.endswith('.py')\n",
    "0 0", "import glob\nM = glob.glob('*.txt')  # .py'\n")

cases(
    "exec-file",
    "1 1", "exec(open(p).read())  # .py'\n",
    "1 1", "exec(compile(open(p).read(), p, 'exec'))  # .py'\n",
    "1 1", "execfile('x.py')\n",
    "2 3", "import os\nP = os.path.join(os.path.dirname(__file__), n)\n"
           "exec(open(P).read())\n",
    "1 1", "exec(open(__file__).read())\n",
    "0 0", "exec('x = 1')  # .py'\n",
    "0 0", "exec(code, globals())  # .py'\n")

cases(
    "run-path",
    "3 2", "import runpy, os\n"
           "runpy.run_path(os.path.dirname(__file__) + '/x.py')\n",
    "2 3", "from runpy import run_path\ndef f():\n    run_path('x.py')\n",
    "0 0", "import runpy\nrunpy.run_path(__file__)\n",
    "0 0", "import runpy\ndef f(path):\n    runpy.run_path(path)\n")

cases(
    "load-source",
    "3 3", "import os\nfrom importlib.util import spec_from_file_location\n"
           "s = spec_from_file_location('c', os.path.join("
           "os.path.dirname(__file__), 'c.py'))\n",
    "3 2", "import importlib.util as u, pathlib\n"
           "s = u.spec_from_file_location('c', location="
           "pathlib.Path(__file__).with_name('c.py'))\n",
    "2 3", "import imp\ndef f(d):\n    imp.load_source('c', d + '/c.py')\n",
    "0 0", "import importlib.util as u\ndef f(p):\n"
           "    return u.spec_from_file_location('c', p)  # .py'\n")

cases(
    "run-script",
    "3 2", "import os, sys\nos.system(sys.executable + ' ' + "
           "os.path.dirname(__file__) + '/w.py')\n",
    "3 4", "import os, subprocess, sys\ndef f():\n"
           "    w = os.path.join(os.path.dirname(__file__), 'worker.py')\n"
           "    subprocess.Popen([sys.executable, w])\n",
    "2 3", "import subprocess, sys\ndef f():\n"
           "    subprocess.run([sys.executable, '-u', 'worker.py'])\n",
    "3 3", "import os, sys\ndef f():\n    os.execv(sys.executable, "
           "[sys.executable, os.path.dirname(__file__) + '/w.py'])\n",
    "0 0", "import subprocess, sys\n"
           "subprocess.run([sys.executable, 'setup.py', 'build'])\n",
    "0 0", "import subprocess, sys\n"
           "subprocess.run([sys.executable, __file__])  # .py'\n",
    "0 0", "import subprocess, sys\n"
           "subprocess.run([sys.executable, '-m', 'pkg'])  # .py'\n")

cases(
    "jit-source",
    "3 2", "import torch\n@torch.jit.script\ndef f(x): return x\n",
    "3 2", "from torch import jit\n@jit.script\ndef f(x): return x\n",
    "3 2", "import triton\n@triton.jit\ndef f(x): return x\n",
    "3 2", "import triton\n@triton.jit(debug=True)\ndef f(x): return x\n",
    "3 2", "import torch\ng = torch.jit.script(f)\n",
    "2 3", "import torch\ndef f(m):\n    return torch.jit.script(m)\n",
    "0 0", "import torch\n@torch.jit.ignore\ndef f(x): return x\n",
    "0 0", "import jax\n@jax.jit\ndef f(x): return x\n",
    "0 0", "import torch\nm = torch.jit.load('x')\n")

cases(
    "jit-may",
    "2 2", "import numba\n@numba.njit(cache=True)\ndef f(x): return x\n",
    "2 2", "from numba import jit\n@jit(cache=True)\ndef f(x): return x\n",
    "2 2", "import tensorflow as tf\n@tf.function\ndef f(x): return x\n",
    "0 0", "import numba\n@numba.njit\ndef f(x): return x\n",
    "0 0", "import numba\n@numba.njit(cache=False)\ndef f(x): return x\n")

cases(
    "attribute-docs",
    "2 1", "c = ConfigDict(use_attribute_docstrings=True)\n",
    "0 0", "c = ConfigDict(use_attribute_docstrings=False)\n")

cases(
    "doc-at-import",
    "3 2", "'doc'\n__doc__ += 'more'\n",
    "3 2", "'doc'\n__doc__ = __doc__.format(x=1)\n",
    "3 2", "'doc %s'\n__doc__ = __doc__ % 1\n",
    "3 3", "def f():\n    'doc'\nf.__doc__ += 'more'\n",
    "3 3", "class C:\n    'doc'\n    __doc__ += 'more'\n",
    "3 4", "class C:\n    def m(self):\n        'doc'\n"
           "    m.__doc__ += 'more'\n",
    "3 3", "def f():\n    'doc'\nD = f.__doc__.strip()\n",
    "3 3", "def f():\n    'doc'\nD = 'a' + f.__doc__\n",
    "3 3", "def f():\n    'doc'\nD = f.__doc__[1:]\n",
    "3 4", "import textwrap\ndef f():\n    'doc'\n"
           "D = textwrap.dedent(f.__doc__)\n",
    "3 3", "import inspect\n'no doc'\nif 'x' in inspect.getdoc(g): pass\n"
           "def g():\n    'doc'\n",
    "3 4", "def f():\n    'doc'\nd = f.__doc__\nE = d.strip()\n",
    "3 4", "def f():\n    'doc'\ng = f\ng.__doc__ += 'more'\n",
    "3 5", "def f():\n    'doc'\nd = f.__doc__\nd = d\nd = d.strip()\n",
    "3 3", "def f():\n    'doc'\nD = ' '.join(['a', f.__doc__])\n",
    "3 3", "def f():\n    'doc'\nD = T.replace('x', f.__doc__)\n",
    "3 4", "'doc'\ndef s(text):\n    return text.strip()\nD = s(__doc__)\n",
    "3 4", "'doc'\ndef s(a, text):\n    return text.strip()\n"
           "D = s(1, text=__doc__)\n",
    "3 3", "def f():\n    'doc'\nif not f.__doc__:\n"
           "    raise ValueError\n",
    "3 3", "def f():\n    'doc'\nif f.__doc__ is None or 1:\n"
           "    raise ValueError\n",
    "2 3", "'doc'\nfrom .text import dedent_doc\nD = dedent_doc(__doc__)\n",
    "0 0", "'doc'\nfrom text import dedent_doc\nD = dedent_doc(__doc__)\n",
    "2 3", "'doc'\nfrom .text import shown\nD = shown(__doc__)\n",
    "3 3", "def f():\n    'doc'\nfor c in f.__doc__: pass\n",
    "0 0", "'doc'\nfrom .text import Page\nD = Page(__doc__)\n",
    "0 0", "from .text import shown\nD = shown(__doc__)\n",
    "0 0", "'doc'\ndef s(text):\n    return text and text.strip()\n"
           "D = s(__doc__)\n",
    "0 0", "'doc'\ndef s(text):\n    return text\nD = s(__doc__)\n",
    "0 0", "def f():\n    'doc'\nd = f.__doc__\nd = ''\nd = d.strip()\n",
    "0 0", "def f():\n    'doc'\nif f.__doc__:\n    raise ValueError\n",
    "0 0", "def f():\n    'doc'\nD = pydoc.getdoc(f).strip()\n",
    "2 5", "def f():\n    'doc'\nfor g in (f, f):\n    D = 1\n"
           "    g.__doc__ += 'more'\n",
    "2 4", "def f():\n    'doc'\ntry:\n    f.__doc__ += 'more'\n"
           "except TypeError:\n    pass\n",
    "0 0", "def f():\n    'doc'\nif f.__doc__:\n    f.__doc__ += 'more'\n",
    "0 0", "def f():\n    'doc'\nif f.__doc__ is not None:\n"
           "    f.__doc__ += 'more'\n",
    "0 0", "def f():\n    'doc'\nif __debug__:\n    f.__doc__ += 'more'\n",
    "0 0", "def f():\n    'doc'\nD = (f.__doc__ or '') + 'more'\n",
    "0 0", "def f():\n    'doc'\nD = f.__doc__ and f.__doc__.strip()\n",
    "0 0", "def f():\n    'doc'\nD = f.__doc__.strip() if f.__doc__ else ''\n",
    "0 0", "def f():\n    'doc'\nf.__doc__ = 'new'\nf.__doc__ += 'more'\n",
    "0 0", "__doc__ = 'new'\n__doc__ += 'more'\n",
    "0 0", "D = len.__doc__.strip()\n",
    "0 0", "import threading\nD = threading.Thread.__doc__.strip()\n",
    "0 0", "def f():\n    'doc'\ndef g(): pass\ng.__doc__ = f.__doc__\n",
    "0 0", "def f():\n    'doc'\nD = '%s' % f.__doc__\n",
    "0 0", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    'doc'\n"
           "D = C.__doc__.strip()\n")

UNLESS = "import sys\ndef f():\n    'doc'\n%sf.__doc__ += 'more'\n"
cases(
    "doc-unless-oo",
    "3 4", UNLESS % "if sys.flags.optimize < 2: ",
    "3 4", UNLESS % "if not sys.flags.optimize: ",
    "3 4", UNLESS % "if X and 1 >= sys.flags.optimize: ",
    "3 4", UNLESS % "if sys.flags.optimize != 2: ",
    "3 7", UNLESS % "if sys.flags.optimize == 2:\n    pass\nelse:\n    ",
    "3 5", UNLESS % "OO = sys.flags.optimize > 1\nif not OO: ",
    "2 5", "import sys\ndef f(g):\n    if sys.flags.optimize > 1:\n"
           "        return g\n    g.__doc__ += 'more'\n",
    "3 3", "def f():\n    'doc'\nadd_docstring(g, f.__doc__)\n",
    "2 2", "def f(g, h):\n    add_docstring(g, h.__doc__)\n",
    "0 0", UNLESS % "if sys.flags.optimize: ",
    "0 0", UNLESS % "if X or sys.flags.optimize < 2: ",
    "0 0", UNLESS % "if sys.flags.debug: ",
    "0 0", UNLESS % "if sys.flags.optimize < 2: pass\n",
    "0 0", UNLESS % "if sys.flags.optimize < 2: pass\nelse: ",
    "0 0", "def f():\n    'doc'\nadd_docstring(g, 'doc')  # __doc__\n")

cases(
    "doc-imported",
    "3 2", "from .a import f\nD = f.__doc__.strip()\n",
    "3 2", "from pkg.a import f\nD = f.__doc__.strip()\n",
    "2 2", "from other.a import f\nD = f.__doc__.strip()\n",
    "2 2", "from ._ufuncs import f\nD = f.__doc__.strip()\n",
    "0 0", "from functools import partial\nD = partial.__doc__.strip()\n",
    "0 0", "from .a import f\nD = f.__doc__\n")

cases(
    "doc-in-decorator",
    "3 2", "def deco(f):\n    f.__doc__ += 'more'\n    return f\n"
           "@deco\ndef g():\n    'doc'\n",
    "3 3", "def deco(n):\n    def inner(f):\n        f.__doc__ %= n\n"
           "        return f\n    return inner\n"
           "@deco(1)\ndef g():\n    'doc %s'\n",
    "0 0", "def deco(f):\n    f.__doc__ += 'more'\n    return f\n",
    "0 0", "def deco(f):\n    if f.__doc__:\n        f.__doc__ += 'more'\n"
           "    return f\n@deco\ndef g():\n    'doc'\n",
    "0 0", "def deco(f):\n    def w(): return f.__doc__.strip()\n"
           "    return w\n@deco\ndef g():\n    'doc'\n")

cases(
    "caller-doc",
    "2 2", "def f(g):\n    return g.__doc__.split()\n",
    "2 2", "def f(g):\n    return getattr(g, '__doc__').split()\n",
    "2 3", "def f(g):\n    d = g.__doc__\n    return d.split()\n",
    "1 3", "def f(g):\n    try:\n        return g.__doc__.split()\n"
           "    except AttributeError:\n        return []\n",
    "0 0", "def f(g):\n    return (g.__doc__ or '').split()\n",
    "0 0", "def f(g):\n    if not g.__doc__:\n        return []\n"
           "    return g.__doc__.split()\n",
    "2 3", "class M(type):\n    def __new__(mcs, name, bases, ns):\n"
           "        ns['__doc__'] = ns['__doc__'] + 'more'\n",
    "2 3", "class M(type):\n    def __init__(cls, name, bases, ns):\n"
           "        cls.__doc__ += 'more'\n",
    "2 3", "class M:\n    def __init_subclass__(cls):\n"
           "        cls.__doc__ += 'more'\n",
    "2 2", "def f(g):\n    if not g.__doc__:\n        raise ValueError\n",
    "2 2", "def f(docstring):\n    return docstring.split()\n",
    "0 0", "def f(docstring):\n    return docstring and docstring.split()\n",
    "0 0", "def f(ns):\n    if '__doc__' in ns:\n"
           "        ns['__doc__'] += 'more'\n",
    "0 0", "def f(g):\n    return g.__doc__\n",
    "0 0", "class C:\n    def help(self):\n"
           "        return self.__doc__ + ''\n")

cases(
    "doc-in-function",
    "2 2", "def f():\n    return g.__doc__.split()\n",
    "2 3", "'doc'\ndef usage():\n    print(__doc__ % 1)\n",
    "2 2", "def f():\n    return getattr(g, '__doc__').split()\n",
    "2 3", "def f():\n    d = g.__doc__\n    return d.split()\n",
    "2 3", "class C:\n    def help(self):\n        return self.__doc__ + ''\n",
    "2 3", "'doc'\nif __name__ == '__main__':\n    print(__doc__.strip())\n",
    "1 3", "def f():\n    try:\n        return g.__doc__.split()\n"
           "    except AttributeError:\n        return []\n",
    "0 0", "def f(g):\n    return (g.__doc__ or '').split()\n",
    "0 0", "def f(g):\n    if not g.__doc__:\n        return []\n"
           "    return g.__doc__.split()\n",
    "0 0", "def f(g):\n    d = g.__doc__\n    return d.split() if d else []\n",
    "0 0", "def f(g):\n    return isinstance(g.__doc__, str) and "
           "g.__doc__.split()\n",
    "0 0", "def f(g):\n    return g.__doc__\n",
    "0 0", "def usage():\n    print(__doc__ % 1)\n")

cases(
    "docopt",
    "3 4", "'Usage: x'\nfrom docopt import docopt\ndef main():\n"
           "    return docopt(__doc__)\n",
    "3 3", "'Usage: x'\nimport docopt\nA = docopt.docopt(__doc__)\n",
    "0 0", "'Usage: x'\nfrom docopt import docopt\nA = docopt(USAGE)\n")

cases(
    "doc-as-text",
    "1 3", "import click\n@click.command()\ndef f():\n    'doc'\n",
    "1 5", "import typer\napp = typer.Typer()\n# help\n@app.command()\n"
           "def f():\n    'doc'\n",
    "1 4", "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\n"
           "def f():\n    'doc'\n",
    "0 0", "import click\n@click.command()\ndef f(): pass\n",
    "0 0", "import flask\n@app.get('/')\ndef f():\n    'doc'\n",
    "1 3", "'doc'\nimport argparse\n"
           "p = argparse.ArgumentParser(description=__doc__)\n",
    "1 2", "'doc'\nprint(__doc__)\n",
    "1 3", "class C:\n    def f(self, p):\n"
           "        p.add(help=self.__doc__)\n",
    "0 0", "import argparse\np = argparse.ArgumentParser("
           "description='x')  # __doc__\n")

cases(
    "doc-grammar",
    "3 2", "import ply.yacc as yacc\ndef p_expr(p):\n"
           "    'expr : expr PLUS term'\n",
    "3 3", "from ..ply import yacc\nclass P:\n    def p_expr(self, p):\n"
           "        '''\n        expr : a\n             | b\n        '''\n",
    "3 2", "from ply import lex\ndef t_NUM(t):\n    r'[0-9]+'\n    return t\n",
    "2 2", "from ply import lex\ndef t_NUM(t):\n    r'[0-9]+'\n    return t\n"
           "lex.lex(optimize=True)\n",
    "2 2", "from ply import lex\ndef t_NUM(t):\n    r'[0-9]+'\n    return t\n"
           "def f(**how):\n    lex.lex(**how)\n",
    "2 2", "from ply import lex\ndef t_NUM(t):\n    r'[0-9]+'\n    return t\n"
           "lex.lex(lextab='tab')\n",
    "3 2", "tokens = ['NUM']\ndef t_NUM(t):\n    r'[0-9]+'\n    return t\n",
    "3 3", "from spark_parser import GenericParser\nclass P(GenericParser):\n"
           "    def p_expr(self, args):\n        'expr ::= term'\n",
    "0 0", "def p_expr(p):\n    'expr : expr PLUS term'  # yacc\n",
    "0 0", "import ply.yacc\ndef p_value(x):\n    'The p value of x.'\n",
    "0 0", "from ply import lex\n@lex.TOKEN(NUM)\ndef t_NUM(t):\n"
           "    'A number'\n    return t\n")

cases(
    "assert-effect",
    "2 1", "assert lock.acquire()\n",
    "2 1", "assert self.consume('(') is not None\n",
    "2 2", "import subprocess\nassert subprocess.call(x) == 0\n",
    "2 6", "class C:\n    def load(self):\n        self.x = 1\n"
           "        return 1\n    def f(self):\n        assert self.load()\n",
    "2 4", "def load():\n    global X\n    X = 1\nassert load()\n",
    "2 5", "class C:\n    def load(self):\n        self.x = 1\n"
           "def f(c):\n    assert c.load()\n",
    "0 0", "class C:\n    def load(self):\n        return self.x\n"
           "    def f(self):\n        assert self.load()\n",
    "0 0", "def load():\n    x = 1\n    return x\nassert load()\n",
    "2 1", "assert stack.pop() == 1\n",
    "2 1", "assert next(it) == 1\n",
    "2 1", "assert (m := match(x))\n",
    "2 2", "def f(s):\n    assert s.read(4) == b'abcd'\n",
    "0 0", "assert isinstance(next(iter(x)), int)\n",
    "0 0", "assert d.get('x')\n")

cases(
    "assert-caught",
    "2 2", "try:\n    assert x\nexcept AssertionError:\n    x = 1\n",
    "2 3", "try:\n    if 1:\n        assert x\n"
           "except (ValueError, AssertionError):\n    x = 1\n",
    "0 0", "try:\n    raise AssertionError\nexcept AssertionError: pass\n"
           "assert x\n",
    "0 0", "try:\n    assert x\nexcept ValueError:\n    pass\n"
           "# AssertionError\n",
    "0 0", "try:\n    def f():\n        assert x\n"
           "except AssertionError:\n    pass\n")

cases(
    "assert-result",
    "2 2", "def assert_equal(a, b):\n    assert a == b\n",
    "2 3", "def check_it(a):\n    for x in a:\n        assert x\n",
    "2 4", "class C:\n    def check_it(self):\n        'doc'\n"
           "        assert self.x\n",
    "2 3", "class C:\n    def add(self, x):\n"
           "        assert len(self.all) < self.max_entries, 'full'\n",
    "0 0", "def check_it(a):\n    assert a\n    return a\n",
    "0 0", "def _check_it(a):\n    assert a\n",
    "0 0", "def other(a):\n    assert a\n",
    "0 0", "class C:\n    def __init__(self):\n"
           "        assert len(self.x) < self.max_x\n",
    "0 0", "class C:\n    def add(self, x):\n"
           "        assert self.max_x\n",
    "0 0", "def check_it(a):\n    def inner():\n        assert a\n"
           "    return inner\n")
case("assert-result 2 3", "def f(a):\n    def g(b):\n        assert b\n"
     "        return b\n    return g\n", "pkg/lint.py")
case("assert-result 2 3", "class C:\n    def _add(self, x):\n"
     "        assert not self.max_n or len(self.all) < self.max_n\n"
     "        return x\n")
case("assert-result 2 2", "def any_name(a):\n    assert a\n",
     "pkg/_testing/x.py")
case("assert-result 1 2", "def check_a(a):\n    assert a\n",
     "pkg/tests/x.py")
case("assert-result 0 0", "def any_name(a):\n    assert a\n", "pkg/x.py")

cases(
    "debug-branch",
    "1 1", "if __debug__:\n    x = 1\nelse:\n    x = 2\n",
    "1 1", "if not __debug__:\n    x = 1\n",
    "0 0", "x = 1  # __debug__\n")

cases(
    "optimize-flag",
    "1 2", "import sys\nif sys.flags.optimize: pass\n",
    "1 2", "from sys import flags\nx = flags.optimize > 1\n",
    "0 0", "x = y.flags.optimizer\n")

cases(
    "alembic",
    "2 2", "from alembic import op\nrevision = 'a'\ndown_revision = 'b'\n",
    "0 0", "from alembic import op\nrevision = 'a'\n")

cases(
    "copies-tree",
    "2 2", "import os, shutil\nshutil.copytree(os.path.join("
           "os.path.dirname(__file__), 'templates'), 'x')\n",
    "1 2", "import os, shutil\nshutil.copytree(os.path.join("
           "os.path.dirname(__file__), 'static'), 'x')\n",
    "2 5", "import os\nT = os.path.join(os.path.dirname(__file__), 'skeleton')\n"
           "def f():\n    for n in os.listdir(T):\n"
           "        x = open(os.path.join(T, n)).read()\n",
    "0 0", "import shutil\nshutil.copytree('templates', 'x')  # __file__\n",
    "0 0", "import os\nT = os.path.join(os.path.dirname(__file__), 'skeleton')\n"
           "T = open(os.path.join(T, 'x')).read()\n")

cases(
    "parser-tables",
    "2 1", "P = parsing.yacc(tabmodule='tab', package='x')\n",
    "2 1", "P = parsing.lex(lextab='tab')\n",
    "0 0", "P = parsing.lex(lextab=None)\n",
    "0 0", "P = parsing.lex(tables='tab')  # lextab=\n")

# The patterns that remedies are for: (rule, path, source, pattern).
HERE = "import os\nfrom pathlib import Path\nD = os.path.dirname(__file__)\n"
REMEDIES = [
    ("open-py", "pkg/a/m.py", "open(D + '/c.py')", "/pkg/a/c.py"),
    ("open-py", "pkg/a/m.py", "open(os.path.join(D, '..', 'x', n + '.py'))",
     "/pkg/x/*.py"),
    ("open-py", "pkg/a/m.py", "open(f'{D}/x/{n}.py')", "/pkg/a/x/*.py"),
    ("open-py", "pkg/a/m.py", "(Path(__file__).parents[1] / 'c.py').open()",
     "/pkg/c.py"),
    ("open-py", "pkg/a/m.py", "Path(__file__).with_name('c.py').read_text()",
     "/pkg/a/c.py"),
    ("open-py", "m.py", "open(os.path.join(D, 'c.py'))", "/c.py"),
    ("open-py", "pkg/m.py", "open('%s/x/c.py' % D)", "/pkg/x/c.py"),
    ("open-py", "pkg/[a]/m.py", "open(D + '/c.py')", "/pkg/**/c.py"),
    ("py-exists", "pkg/m.py", "os.path.isfile(g(D) or D + '/patch.py')",
     "/pkg/**/patch.py"),
    ("discover-py", "pkg/m.py", "M = list(Path(__file__).parent.glob('*.py'))",
     "/pkg/*.py"),
    ("discover-py", "pkg/m.py", "M = list(Path(__file__).parent.rglob('*.py'))",
     "/pkg/**/*.py"),
    ("discover-py", "pkg/m.py", "import glob\nM = glob.glob(D + '/p/*.py')",
     "/pkg/p/*.py"),
    ("discover-py", "pkg/m.py", "for n in os.listdir(D):\n"
     "    if n.endswith('.py'): x()", "/pkg/*.py"),
    ("discover-py", "pkg/m.py", "for d, _, f in os.walk(D + '/p'):\n"
     "    for n in f:\n        if n[-3:] == '.py': x()", "/pkg/p/**/*.py"),
    ("discover-py", "pkg/m.py", "for n in os.listdir(g(D)):\n"
     "    if n.endswith('.py'): __import__(n)", "/pkg/"),
    ("copies-tree", "pkg/m.py", "import shutil\n"
     "shutil.copytree(D + '/templates', x)", "/pkg/templates/"),
    ("parser-tables", "pkg/a/m.py", "lex(lextab='p.tab')", "/pkg/a/tab.py"),
    ("load-source", "pkg/m.py", "import imp\n"
     "imp.load_source('c', os.path.join(D, 'c.py'))", "/pkg/c.py"),
    ("run-script", "pkg/m.py", "import subprocess, sys\n"
     "subprocess.run([sys.executable, '-u', D + '/w.py'])", "/pkg/w.py"),
    ("resource-py", "pkg/m.py", "import pkgutil\n"
     "pkgutil.get_data('pkg', 's/x.py')", "/pkg/**/s/x.py"),
]

# Tests are not shipped, or should not be.
GETSOURCE = "import inspect\nT = inspect.getsource(f)\n"
for path in ("pkg/tests/a.py", "pkg/test/a.py", "conftest.py", "pkg/test_a.py"):
    case("getsource 1 2", GETSOURCE, path)
case("getsource 2 2", GETSOURCE, "pkg/testing/x/a.py")
for path in ("pkg/contest/a.py", "tests.d/a.py", "pkg/latest.py"):
    case("getsource 3 2", GETSOURCE, path)

cases(
    "run-script",
    "3 5", "import os, sys\nMAIN = os.path.join(os.path.dirname(__file__), "
           "'__main__.py')\ndef f(self):\n    return run(\n"
           "        (self._executable, MAIN, 'x'))\n",
    "3 2", "import os, sys\nargs = [sys.executable, os.path.dirname(__file__)"
           " + '/run.py']\n",
    "0 0", "import sys\nargs = [sys.executable, 'setup.py']\n",
    "0 0", "import os, sys\nargs = [sys.executable, "
           "os.path.dirname(__file__) + '/x.sh']\n")

cases(
    "own-name",
    "2 2", "def f(filename, line):\n    if filename == __file__:\n"
           "        return line\n",
    "0 0", "def f(x):\n    return x == '__file__' or __file__ == 'x'\n")
