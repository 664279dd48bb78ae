# SPDX-License-Identifier: MIT
"""The cases of tools/risk-check."""
import collections

# packages: names in a site-packages that are copied
# program: Python code, which exits with 0 if the packages work
# file, rule, grade, says: the finding that is expected, in a line of the file
#     that contains the text `says`
# debs: the Debian packages that have the packages
Case = collections.namedtuple(
    "Case", "name packages program file rule grade says debs")


def grammar(name, packages, program, file, says, debs):
    return Case(name, packages, program, file, "doc-grammar", 2, says, debs)


PIP = """
import os, subprocess, sys
d = os.path.join(os.environ["SCRATCH"], "project")
os.makedirs(d, exist_ok=True)
with open(os.path.join(d, "pyproject.toml"), "w") as f:
    f.write('[build-system]\\nrequires = []\\nbuild-backend = "backend"\\n'
            'backend-path = ["."]\\n'
            '[project]\\nname = "x"\\nversion = "1"\\n')
with open(os.path.join(d, "backend.py"), "w") as f:
    f.write("import zipfile\\n"
            "def build_wheel(to, settings=None, metadata=None):\\n"
            "    name = 'x-1-py3-none-any.whl'\\n"
            "    z = zipfile.ZipFile(to + '/' + name, 'w')\\n"
            "    z.writestr('x-1.dist-info/METADATA', 'Metadata-Version: "
            "2.1\\\\nName: x\\\\nVersion: 1\\\\n')\\n"
            "    z.writestr('x-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\\\n"
            "Root-Is-Purelib: true\\\\nTag: py3-none-any\\\\n')\\n"
            "    z.writestr('x-1.dist-info/RECORD', '')\\n"
            "    z.close()\\n"
            "    return name\\n")
sys.exit(subprocess.run([sys.executable, "-m", "pip", "-q", "wheel",
                         "--no-index", "--no-build-isolation", "--no-deps",
                         "-w", d + "/out", d]).returncode)
"""

CASES = [
    Case("sympy.vector", ["sympy", "mpmath"], "import sympy.vector",
         "sympy/vector/basisdependent.py", "doc-at-import", 3,
         "evalf.__doc__ +=", ["python3-sympy", "python3-mpmath"]),
    Case("sympy.physics.vector", ["sympy", "mpmath"],
         "import sympy.physics.vector",
         "sympy/physics/vector/printing.py", "doc-imported", 3,
         "init_printing.__doc__.split", ["python3-sympy", "python3-mpmath"]),
    Case("numpy", ["numpy"], "import numpy; numpy.zeros(2)",
         "numpy/core/overrides.py", "caller-doc", 2,
         "add_docstring(implementation", ["python3-numpy"]),
    Case("pygments.cmdline", ["pygments"],
         "import sys; from pygments.cmdline import main\n"
         "sys.exit(main(['pygmentize', '-H', 'lexer', 'python']))",
         "pygments/cmdline.py", "doc-in-function", 2, "dedent(cls.__doc__)",
         ["python3-pygments"]),
    Case("stomp", ["stomp", "docopt.py"],
         "import sys, stomp.__main__ as m\n"
         "sys.argv = ['stomp', '--version']\n"
         "m.main()",
         "stomp/__main__.py", "docopt", 3, "docopt(__doc__",
         ["python3-stomp", "python3-docopt"]),
    grammar("jsonpath_ng", ["jsonpath_ng"],
            "import jsonpath_ng; jsonpath_ng.parse('$.a[*].b')",
            "jsonpath_ng/parser.py", "def p_jsonpath_binop", []),
    grammar("jsonpath_rw", ["jsonpath_rw", "ply"],
            "import jsonpath_rw; jsonpath_rw.parse('$.a[*].b')",
            "jsonpath_rw/parser.py", "def p_jsonpath_binop",
            ["python3-jsonpath-rw", "python3-ply", "python3-six",
             "python3-decorator"]),
    grammar("pycparser", ["pycparser", "ply"],
            "from pycparser.c_parser import CParser\n"
            "CParser(lex_optimize=False, yacc_optimize=False)"
            ".parse('int x;')",
            "pycparser/c_parser.py", "def p_translation_unit_or_empty",
            ["python3-pycparser", "python3-ply"]),
    grammar("thriftpy", ["thriftpy", "ply"],
            "import thriftpy.contrib.tracking",
            "thriftpy/parser/parser.py", "def p_start",
            ["python3-thriftpy", "python3-ply"]),
    grammar("lesscpy", ["lesscpy", "ply"],
            "import io, lesscpy\n"
            "lesscpy.compile(io.StringIO('a { b: c; }'))",
            "lesscpy/lessc/parser.py", "def p_tunit",
            ["python3-lesscpy", "python3-ply", "python3-six"]),
    grammar("calmjs.parse", ["calmjs", "ply"],
            "from calmjs.parse.parsers.es5 import Parser\n"
            "Parser(yacc_optimize=False, lex_optimize=False)"
            ".parse('var a = 1;')",
            "calmjs/parse/parsers/es5.py", "def p_empty",
            ["python3-calmjs.parse", "python3-ply"]),
    grammar("plyara", ["plyara", "ply"],
            "from plyara import Plyara\n"
            "assert Plyara().parse_string('rule a { condition: true }')\n",
            "plyara/core.py", "def t_RBRACE",
            ["python3-plyara", "python3-ply"]),
    Case("yaql", ["yaql", "ply"], "import yaql.language.utils",
         "yaql/language/utils.py", "doc-imported", 3,
         "t_KEYWORD_STRING.__doc__.strip()",
         ["python3-yaql", "python3-ply"]),
    Case("cairocffi", ["cairocffi", "xcffib"],
         "import cairocffi.ffi_build",
         "cairocffi/ffi_build.py", "load-source", 3,
         "spec_from_file_location(",
         ["python3-cairocffi", "python3-xcffib"]),
    Case("scapy.contrib", ["scapy"],
         "import sys; from scapy.main import list_contrib\n"
         "sys.exit(not list_contrib(ret=True))",
         "scapy/main.py", "discover-py", 3, 'mod.endswith(".py")',
         ["python3-scapy"]),
    Case("cfnlint", ["cfnlint"],
         "import os, sys, cfnlint.helpers as h\n"
         "sys.exit(not h.load_plugins(os.path.dirname(h.__file__) + "
         "'/rules/functions'))",
         "cfnlint/helpers.py", "discover-py", 2, "fnmatch.filter(", []),
    Case("num2words", ["num2words", "docopt.py"],
         "import sys; from num2words import num2words\n"
         "sys.exit(num2words(12.5) != 'twelve point five')",
         "num2words/base.py", "assert-caught", 2, "assert int(value)",
         ["python3-num2words", "python3-docopt"]),
    Case("pip", ["pip"], PIP,
         "pip/_vendor/pyproject_hooks/_in_process/__init__.py",
         "resource-py", 3, "_in_process.py", []),
]
