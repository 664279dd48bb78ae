# SPDX-License-Identifier: MIT
"""Finds what breaks in a module without its source, docstrings or asserts.

analyse(source, path) returns findings (line, rule, grade, detail), rules() the
table of all rules, and remedy(rule, path) the line of a rules file that
prevents a finding. The grades are 3, breaks; 2, may break; 1, to know.

This runs in the compiler's worker, on every Python from 3.8, where the sandbox
leaves no file system: it imports only modules that are loaded there already,
and never raises. It builds the syntax tree of a module only if the bytes of its
source contain one of a few words, because most modules contain none. What
expressions are made of, and paths, are in risk_paths.py.

Names are followed through plain assignments only. Grade 3 is for code that
cannot work, because it computes with a docstring that is None or reads a file
that is not shipped. If that depends on the caller or on another module, the
grade is 2.

The pattern * in a remedy is for every module: the one that has the finding is
not the one that has to change.
"""
import ast
import builtins
import sys

# The compiler has risk_paths.py and this file as one text.
if "Paths" not in globals():
    from risk_paths import *

# Two lines for each rule: its name, grade and remedy, and behind "; " packages
# or issues in which it was seen; then the reason, as users read it.
TABLE = """
getsource 2 keep-source {top}; django/django#17860, dbos, tyro, pscript
  reads the source of an object: OSError without it
caller-source 2 keep-source *; google/openhtf#230, torch.jit, dill
  reads the source of what others give it: theirs is needed
caller-file 2 keep-source *; theskumar/python-dotenv#499, frames as files
  looks for the file of who calls it, which is not shipped
own-name 2 keep-source {path}; pyinstaller/pyinstaller#9134, bobo, lazy_loader
  takes for granted that the name of its own file ends in .py
opens-data 2 include {name}; scientific-python/lazy-loader#47
  opens a file that a rule hides
linecache 1 keep-source {top}; tracebacks keep file and line
  shows source lines: there are none, the text is empty
loader-source 2 keep-source {top}; SourcelessFileLoader.get_source
  asks a loader for source: the answer is None
open-own-file 2 keep-source {path}; triton, hashes of a program's own text
  reads its own file, which is bytecode now
open-py 3 keep-source {near}; cv2, cairocffi
  reads a .py file of its package, which is not shipped
resource-py 3 keep-source {near}; pip, pyproject_hooks, ansible
  asks for a .py file as package data, which is not shipped
py-exists 2 keep-source {near}; ddtrace, sam2
  asks whether a .py file of its package is there: it is not
copies-tree 2 keep-source {near}; templates of projects: django, pyramid, nikola
  copies a directory of its own: modules in it are bytecode
parser-tables 2 keep-source {near}; astropy.units, PLY writes them as .py
  names a .py file for the tables of its parser
discover-py 2 keep-source {near}; OctoPrint, searxng, ddtrace, cfnlint, scapy
  finds modules by the name *.py: it finds none
exec-file 1 keep-source {near}; cv2/config.py
  executes the text of a file: one of this package must stay source
run-path 2 keep-source {near}; runpy.run_path
  runs a .py file by its path, which is not shipped
load-source 2 keep-source {near}; cairocffi/ffi_build.py
  imports a .py file by its path, which is not shipped
run-script 2 keep-source {near}; pip, pyqtgraph, crossbar
  starts a program from a .py file, which is not shipped
jit-source 3 keep-source {path}; pytorch/pytorch#25415, triton
  compiles functions from their source when they are defined
jit-may 2 keep-source {path}; tensorflow autograph, numba/numba#4908
  compiles from source when called, or finds its cache by the source
attribute-docs 2 keep-source {path}; pydantic/pydantic#6563
  takes docstrings of attributes from the source: it silently finds none
doc-at-import 3 optimize 1 {path}; numpy, scipy/scipy#2952, rpyc, sunpy
  computes with a docstring of its own when imported: it is None
doc-imported 2 optimize 1 {top}; sympy.physics.vector, yaql
  computes with another module's docstring when imported
doc-in-decorator 3 optimize 1 {top}; huggingface/transformers#38323, sunpy
  a decorator computes with the docstring of what it decorates
caller-doc 2 optimize 1 *; pyexcel/pyexcel#270, docrep
  computes with the docstring of what others give it: theirs is needed
doc-in-function 2 optimize 1 {docs}; pandas, bitstring, pygments.cmdline
  computes with a docstring, which is None
doc-unless-oo 3 optimize 1 {whose}; numpy/numpy#13248, add_docstring
  computes with a docstring unless the interpreter itself runs with -OO
docopt 3 optimize 1 {path}; internetarchive, stomp
  parses its docstring as command line usage
doc-as-text 1 optimize 1 {path}; argparse takes None
  shows its docstring as help: the help will be empty
doc-grammar 3 optimize 1 {path}; dabeaz/ply#225, eliben/pycparser#445
  its grammar is in docstrings (PLY, SPARK)
assert-effect 2 optimize 0 {path}; dpkp/kafka-python#1348
  an assert does something: levels 1 and 2 drop it
assert-caught 2 optimize 0 {path}; dateutil, num2words, jedi
  an assert decides what happens next: levels 1 and 2 drop it
assert-result 2 optimize 0 {path}; pandas.testing, webtest.lint, wtforms
  asserts are what it checks with: levels 1 and 2 drop them
debug-branch 1 optimize 0 {path}; compile(optimize=1)
  behaves differently at levels 1 and 2: if __debug__
optimize-flag 1 optimize 1 {path}; sys.flags is not how a file was compiled
  asks how the interpreter was started
alembic 2 keep-source {dir}; alembic.ini
  a migration: found as *.py unless alembic.ini says sourceless=true
"""
MAX_FINDINGS, MAX_SOURCE = 50, 2 << 20

# No syntax tree is built for a source that has none of these words, unless
# wanted() finds something else in it.
WORDS = [w.encode() for w in """
__doc__ getdoc docopt getsource findsource linecache get_source .py' .py"
__debug__ flags.optimize run_path load_source SourceFileLoader execfile jit
triton taichi tf.function alembic use_attribute_docstrings prim_func gtscript
GenericParser warp.kernel dace co_filename getsourcefile (docstring
(docstr .py$ 'py' "py" inspect.stack inspect.getfile getframeinfo
getouterframes extract_stack .stack() ).origin spec.origin typer
fastapi lextab= tabmodule= """.split()] + [
    b"def p_", b"def t_", b"== __file__", b"import click", b"import stack", b"import getfile"]
# Methods with a side effect: they change their object or consume input, or
# their work is needed.
EFFECTS = frozenset("""pop popleft popitem read readline readexactly readinto
recv send sendall write setdefault append appendleft acquire connect login
execute register unregister consume expect accept advance skip fetchone commit
start launch wait_for initialize init setup""".split())
# Functions likewise.
WORKERS = frozenset("""os.system subprocess.call subprocess.check_call
subprocess.run""".split())
# Likewise, of those in which a file's name is used.
FILE_WORDS = [w.encode() for w in "open .read_ .py 3] 3: exists isfile copy + "
              .split()]
ASSERTED = [b"next(", b":=", b"subprocess.", b"os.system("] + [
    b".%s(" % e.encode() for e in sorted(EFFECTS)]
# How the names of functions begin that check something for their callers, and
# names of modules of such functions.
CHECKS = "assert_", "check_", "verify_", "lint_"
LINTERS = frozenset(["lint", "linter"])
CHECKERS = LINTERS | {"testing", "_testing", "asserters", "assertions"}
CHECKING = [b"def %s" % c.encode() for c in CHECKS]
# How attributes are called that say how much there may be of something.
LIMITS = "max_", "min_", "limit"
# The standard library is not in SOURCE, so that it keeps its docstrings.
STDLIB = getattr(sys, "stdlib_module_names", None) or frozenset("""
abc argparse array ast asyncio base64 bisect builtins calendar cmd code codecs
collections concurrent configparser contextlib copy csv ctypes dataclasses
datetime decimal distutils doctest email enum fnmatch fractions functools glob
gzip hashlib heapq html http importlib inspect io ipaddress itertools json
logging math multiprocessing numbers operator optparse os pathlib pickle
pkgutil platform pprint pydoc queue random re select shlex shutil signal socket
sqlite3 ssl statistics string struct subprocess sys tarfile tempfile textwrap
threading time tkinter tokenize traceback types typing unittest urllib uuid
warnings weakref xml zipfile zlib""".split())
# Names of exceptions. "*" stands for `except:` without a name.
ANY_ERROR = frozenset(["Exception", "BaseException", "*"])
# Code that catches one of these is prepared for a source that is missing.
NO_SOURCE = ANY_ERROR | {"OSError", "IOError", "EnvironmentError", "TypeError"}
# Functions and decorators that compile from source, and the rule for each.
JIT = dict.fromkeys("""torch.jit.script torch.jit.script_method triton.jit
torch.jit.interface taichi.kernel taichi.func warp.kernel warp.func
cupyx.jit.rawkernel tvm.script.tir.prim_func dace.program
gt4py.gtscript.stencil gt4py.cartesian.gtscript.stencil
""".split(), "jit-source")
JIT["tensorflow.function"] = "jit-may"
NUMBA = frozenset("jit njit vectorize guvectorize generated_jit".split())
READERS = frozenset("open io.open codecs.open tokenize.open".split())
RUNNERS = ("subprocess.", "asyncio.create_subp", "os.exec", "os.spawn",
           "os.system", "os.popen")
RESOURCES = frozenset("""pkgutil.get_data importlib.resources.path
pkg_resources.resource_string pkg_resources.resource_filename
pkg_resources.resource_stream importlib.resources.read_text
importlib.resources.read_binary importlib.resources.open_text
importlib.resources.open_binary""".split())
EXISTS = frozenset("""os.path.exists os.path.isfile os.path.lexists os.stat
os.path.getmtime os.access""".split())
COPIERS = frozenset("shutil.copy shutil.copy2 shutil.copyfile".split())
# Words in the name of a directory of which the files are copied.
TEMPLATES = ("templat", "skel", "scaffold", "boilerplate", "project", "starter")
# Functions that import or execute a module whose name or path they are given.
IMPORTERS = frozenset("""import_module __import__ load_source exec execfile
spec_from_file_location SourceFileLoader run_path load_module exec_module
find_module""".split())
MATCHERS = ("match", "search", "fullmatch", "findall")
# Functions that take text and fail if they are given None.
TEXT = frozenset("""dedent cleandoc len fill wrap indent write Template loads
safe_load fromstring literal_eval read_string iter add_docstring
_add_docstring""".split())
# Those of them that do nothing if the interpreter runs with -OO.
ADDERS = ("add_docstring", "_add_docstring")
# Parts of the names of functions that take a docstring, to do something to it.
DOC_WORK = ("doc", "dedent", "trim", "strip", "usage")
# What a parameter is called that is a docstring. "doc" may be any document.
DOC_PARAMS = ("docstring", "doc_string", "docstr", "__doc__")

# Decorators of these modules make help of docstrings.
SHOWS = {"click": frozenset(["command", "group"]),
         "typer": frozenset(["command", "callback"]),
         "fastapi": frozenset("get post put delete patch options".split())}

TRIES = (ast.Try, getattr(ast, "TryStar", ast.Try))
# What to call on a number for a comparison.
ORDER = {ast.Lt: "__lt__", ast.LtE: "__le__", ast.Gt: "__gt__",
         ast.GtE: "__ge__", ast.Eq: "__eq__", ast.NotEq: "__ne__"}
EVENTS = DEFS + TRIES + (ast.Call, ast.AugAssign, ast.BinOp, ast.Attribute,
                         ast.Subscript, ast.Compare, ast.Assert, ast.If,
                         ast.For, ast.List, ast.Tuple)
# Nodes that have no child worth visiting.
DULL = frozenset([ast.Name, ast.Constant]).union(*(
    t.__subclasses__() for t in (ast.expr_context, ast.operator, ast.cmpop,
                                 ast.unaryop, ast.boolop)))
# What Module.collect() notes of a node's kind, and where it has to look closer.
NOTED = frozenset(DEFS + (
    ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.AsyncFor,
    ast.comprehension, ast.withitem, ast.Import, ast.ImportFrom, ast.Return,
    ast.Call, ast.If, ast.IfExp, ast.While, ast.BoolOp))
PARTED = frozenset(SCOPES + TRIES + (ast.With, ast.AsyncWith, ast.If,
                                     ast.IfExp))
EVENT_TYPES = frozenset(EVENTS)
# The functions, by the ends of their names, for which Module.call() asks of what
# their arguments are made; besides RESOURCES, COPIERS and RUNNERS.
TAKE_PATHS = LISTERS | {"as_file", "get_template", "select_template", "copytree",
                        "run_path", "set_executable", "chdir"}
def read_table():
    """{rule: (grade, reason, remedy, evidence)} of TABLE."""
    out = {}
    lines = TABLE.strip().split("\n")
    for head, reason in zip(lines[::2], lines[1::2]):
        left, _, evidence = head.partition("; ")
        name, grade, line = left.split(" ", 2)
        out[name] = (int(grade), reason.strip(), line, evidence)
    return out


RULES = read_table()


def rules():
    """[(rule, grade, reason, remedy, evidence)], by rule, for the manual."""
    return [(name,) + row for name, row in sorted(RULES.items())]


def remedy(rule, path, detail=""):
    """Returns the line of a rules file that prevents a finding of `rule` in the
    module `path`, which is relative to SOURCE. In TABLE, {path} stands for the
    module, {top} for its top-level package, or the module itself if it is in
    none, {dir} for its directory, and {name} for the name in `detail`, or, if
    that begins with a *, for all names that end in the rest of it. {near} is
    the pattern that `detail` is if it begins with a slash; if it is the name of
    a file, that name anywhere in the package; else {dir}. {whose} is {top} if
    the docstring is that of a caller, else {path}; {docs} is {path} if it is
    the module's own, else {top}."""
    path = escaped(path.strip("/"))
    star = detail[:1] if detail.startswith("*") else ""
    first, slash, _ = path.partition("/")
    parent = path.rpartition("/")[0]
    near = "{dir}"
    if detail.startswith("/"):
        near = detail
    elif detail.endswith(".py") and not set(detail) & set(" *?[\\({%") and \
            detail.rpartition("/")[2] != ".py":
        near = "/" + first + "/**/" + detail if slash else "/" + detail
    return (RULES[rule][2].replace("{near}", near)
            .replace("{whose}", "{top}" if detail.endswith(" of a caller")
                     else "{path}")
            .replace("{docs}", "{path}" if detail.startswith("__doc__")
                     else "{top}")
            .replace("{path}", "/" + path)
            .replace("{top}", "/" + first + slash)
            .replace("{name}", star + escaped(detail[len(star):]))
            .replace("{dir}", "/" + parent + "/" if parent else "/" + path))


def analyse(source, path):
    """Returns [(line, rule, grade, detail)] of a module, by line. `source` is
    its bytes and `path` is relative to SOURCE."""
    try:
        if len(source) > MAX_SOURCE or not wanted(source, path):
            return []
        # The module has compiled before, so that it is not nested so deeply
        # that ast.parse() would fail.
        return Module(ast.parse(source), source, path).judge()
    except BaseException:
        return []


def wanted(source, path=""):
    """Whether a source may have findings, by a look at its bytes."""
    if b"assert " in source and is_checker(path):
        return True
    if any(word in source for word in WORDS):
        return True
    if any(word in source for word in (b"__file__", b"splitext")) and any(
            word in source for word in FILE_WORDS):
        return True
    at = source.find(b"assert ")
    if at >= 0 and (b"except" in source and b"AssertionError" in source or
                    any(word in source for word in CHECKING) or
                    b"self.max_" in source or b"self.min_" in source):
        return True
    while at >= 0:
        text = source[at:at + 240]
        if any(word in text for word in ASSERTED):
            return True
        # A call of a function of this module.
        name, called, _ = text[7:70].partition(b"(")
        if called and b"def %s(" % name.rpartition(b".")[2] in source:
            return True
        at = source.find(b"assert ", at + 7)
    return False


def children(node):
    """Those of ast.iter_child_nodes() that are worth visiting; it takes a
    third of the time, which is most of what a module takes."""
    out = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            out += [n for n in value
                    if isinstance(n, ast.AST) and type(n) not in DULL]
        elif isinstance(value, ast.AST) and type(value) not in DULL:
            out.append(value)
    return out


def docstring(node):
    """The docstring of a module, class or function, "" if it has none."""
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    return string(first.value) if isinstance(first, ast.Expr) else ""


def doc_key(node):
    """Returns "x.__doc__" for an expression that is the docstring of x, however
    it is written, "__doc__" for the docstring of the module or class itself,
    and None for any other expression."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        return key(node) if name == "__doc__" else None
    if isinstance(node, ast.Call) and node.args:
        name = dotted(node.func)
        # pydoc.getdoc() returns "" if there is none.
        if last(name) == "getdoc" and len(node.args) == 1 and \
                name != "pydoc.getdoc" or (
                    name == "getattr" and string(node.args[1:2] and
                                                 node.args[1]) == "__doc__"):
            return key(node.args[0]) + ".__doc__"
        if last(name) == "get" and len(node.args) == 1 and \
                string(node.args[0]) == "__doc__":
            return key(node.func.value) + ".__doc__"
    if isinstance(node, ast.Subscript) and subscript(node) == "__doc__":
        return key(node.value) + ".__doc__"
    return None


def lacks_doc(test):
    """The docstrings of which a condition asks whether they are missing."""
    out, todo = [], [test]
    while todo:
        t = todo.pop()
        if isinstance(t, ast.BoolOp) and isinstance(t.op, ast.Or):
            todo += t.values
        elif isinstance(t, ast.UnaryOp) and isinstance(t.op, ast.Not):
            out.append(t.operand)
        elif isinstance(t, ast.Compare) and isinstance(
                t.ops[0], (ast.Is, ast.Eq)) and isinstance(
                    t.comparators[0], ast.Constant) and \
                not t.comparators[0].value:
            out.append(t.left)
    return [n for n in out if isinstance(n, ast.Name) or doc_key(n)]


def made_of_docs(nodes):
    """Whether each of the expressions has a docstring in it."""
    return all(any(doc_key(n) for n in ast.walk(node)) for node in nodes)


def caught_by(handlers):
    """The names of the exceptions that the handlers of a `try` catch."""
    out = []
    for t in [h.type for h in handlers]:
        out += ["*"] if t is None else [
            last(dotted(n)) for n in getattr(t, "elts", [t])]
    return frozenset(out)


def suppressed(node):
    """The names of the exceptions that a `with contextlib.suppress()` catches.
    """
    calls = [i.context_expr for i in node.items
             if isinstance(i.context_expr, ast.Call)]
    return frozenset(last(dotted(a)) for c in calls for a in c.args
                     if last(dotted(c.func)) == "suppress")


def least_grade(path):
    """Returns the highest grade that findings in the module `path` can have: 1
    for tests and for modules that only run in a source tree, such as setup.py;
    2 in a directory `testing`, which may be for others' tests; else 3."""
    parts = path.strip("/").split("/")
    name = parts[-1]
    tests = {"test", "tests", "_tests"}.intersection(parts[:-1])
    if tests or name.startswith("test_") or name.endswith(
            "_test.py") or name in ("conftest.py", "setup.py", "tests.py"):
        return 1
    return 2 if "testing" in parts[:-1] else 3


def is_checker(path, names=CHECKERS):
    """Whether a module is there to check something for its callers."""
    parts = path.strip("/").rpartition(".py")[0].split("/")
    return parts[-1].endswith("_checks") or not names.isdisjoint(parts[-2:])


def keeps_limit(node):
    """Whether it compares a length with a limit of the object."""
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left] + node.comparators
    return any(isinstance(s, ast.Call) and key(s.func) == "len"
               for s in sides) and any(
        isinstance(s, ast.Attribute) and key(s.value) == "self" and
        s.attr.startswith(LIMITS) for s in sides)


class Module(Paths):
    """The syntax tree of a module, and the findings in it."""

    def __init__(self, tree, source, path):
        self.tree = tree
        self.path = path
        self.limit = least_grade(path)
        self.knows_pyc = b".pyc" in source
        # PLY with its option "optimize" reads tables that were generated
        # before, and needs no docstrings.
        self.optimize = b"optimize" in source
        self.asks_debug = b"__debug__" in source
        self.has_limits = b"self.m" in source
        self.tables = any(w in source for w in (
            b"optimize", b"lextab=", b"tabmodule="))
        self.imports = {}  # name: (full name, whether it is of this package)
        self.modules = set()  # full names of all that is imported
        self.defs = {}  # "f" or "C.f": node of the function or class
        # Decorators of functions that have a docstring: {name: True if it is
        # called, @name(), False if it is not, @name}
        self.decorators = {}
        self.importing = False  # whether it calls a function of IMPORTERS
        # What judge() looks at: (node, its scope, the exceptions that are
        # caught around it, whether it is in `if __name__ == ...`). Among the
        # exceptions are (test, whether it is true) of conditions around it, if
        # the module has the word "optimize".
        self.events = []
        self.calls = {}  # what Paths needs
        self.methods = {}  # name: nodes of all methods of that name
        self.scopes = {}  # id() of the node of a function or class: its Scope
        self.needs = {}  # id() of a function's node: parameters that have to
        # be text, because it computes with them
        self.passed = []  # docstrings that are given to functions of this
        # module: (function's node, its parameter, arguments of doc())
        self.checked = set()  # id() of scopes of which an assert is told
        self.shows = frozenset()  # decorators that show docstrings
        self.memo = {}  # results of made_of()
        self.found = {}  # {(line, rule): (grade, detail)}
        self.top = Scope(tree, None)
        self.collect()

    # Reading the syntax tree, once.

    def collect(self):
        """Fills the tables above. Without recursion, because a syntax tree may
        be deeper than Python's stack."""
        stack = [(self.tree, self.top, frozenset(), False)]
        while stack:
            node, scope, caught, main = stack.pop()
            kind = type(node)
            if kind in EVENT_TYPES:
                self.events.append((node, scope, caught, main))
            if kind in NOTED:
                self.note(node, scope)
            if kind not in PARTED:
                stack += [(n, scope, caught, main) for n in children(node)]
                continue
            # The children that are in another scope, or where other exceptions
            # are caught, than the rest of them.
            inner = []
            if isinstance(node, SCOPES):
                inner = node.body if isinstance(node.body, list) else \
                    [node.body]
                sees = (Scope(node, scope), caught if isinstance(
                    node, ast.ClassDef) else frozenset(
                        c for c in caught if isinstance(c, tuple)), main)
                self.scopes[id(node)] = sees[0]
            elif isinstance(node, TRIES):
                inner = node.body
                sees = scope, caught | caught_by(node.handlers), main
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                inner = node.body
                sees = scope, caught | suppressed(node), main
            elif isinstance(node, (ast.If, ast.IfExp)):
                inner = node.body if isinstance(node, ast.If) else [node.body]
                name = dotted(getattr(node.test, "left", None))
                sees = (scope, caught | {(node.test, True)}
                        if self.optimize else caught,
                        main or name == "__name__")
            rest = set(map(id, inner))
            if self.optimize and isinstance(node, (ast.If, ast.IfExp)):
                caught |= {(node.test, False)}
            stack += [(n, scope, caught, main) for n in children(node)
                      if id(n) not in rest]
            if not (isinstance(node, ast.If) and last(dotted(node.test)) in
                    ("TYPE_CHECKING", "__debug__")):
                stack += [(n,) + sees for n in inner]

    def note(self, node, scope):
        """Records the names, imports and tests in one node."""
        if isinstance(node, ast.Assign):
            for t in node.targets:
                scope.assign(t, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            if node.value:
                scope.assign(node.target, node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            scope.assign(node.target, node.iter)
            for t in getattr(node, "ifs", ()):
                self.guard(t, scope)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            scope.assign(node.optional_vars, node.context_expr)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self.note_import(node)
        elif isinstance(node, ast.Return):
            scope.returned.add(key(node.value))
        elif isinstance(node, ast.Call):
            name = dotted(node.func) or ""
            self.importing |= last(name) in IMPORTERS
            # What the caller asks for may be tables.
            self.tables |= last(name) in ("lex", "yacc") and any(
                k.arg is None for k in node.keywords)
            if name.rpartition(".")[0] in ("", "self", "cls"):
                self.calls.setdefault(last(name), []).append((node, scope))
        elif isinstance(node, DEFS):
            at = scope.node.name + "." if isinstance(
                scope.node, ast.ClassDef) else ""
            self.defs.setdefault(at + node.name, node)
            if at:
                self.methods.setdefault(node.name, []).append(node)
            if not scope.inside and docstring(node):
                for d in node.decorator_list:
                    self.decorators[dotted(getattr(d, "func", d))] = \
                        isinstance(d, ast.Call)
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            self.guard(node.test, scope)
            if self.optimize and isinstance(node, ast.If) and isinstance(
                    node.body[-1], (ast.Return, ast.Raise)):
                scope.left.append(node.test)
        elif isinstance(node, ast.BoolOp):
            self.guard(node, scope)

    def note_import(self, node):
        base = getattr(node, "module", None) or ""
        own = getattr(node, "level", 0) > 0 or \
            base.split(".")[0] == self.path.strip("/").split("/")[0]
        for a in node.names:
            full = base + "." + a.name if base else a.name
            self.modules.add(full)
            if isinstance(node, ast.Import) and not a.asname:
                full = a.name.partition(".")[0]
            self.imports[a.asname or full.rpartition(".")[2]] = full, own

    def guard(self, test, scope):
        """Records which expressions a condition tests: whether they are true,
        None, equal to something or of a type."""
        todo = [test]
        while todo:
            t = todo.pop()
            if isinstance(t, ast.BoolOp):
                todo += t.values
            elif isinstance(t, ast.UnaryOp):
                todo.append(t.operand)
            elif isinstance(t, ast.NamedExpr):
                todo += [t.target, t.value]
            elif isinstance(t, ast.Compare):
                if isinstance(t.ops[0], (ast.Is, ast.IsNot, ast.Eq,
                                         ast.NotEq)):
                    todo += [t.left] + t.comparators
                elif string(t.left) == "__doc__":
                    scope.guards.add(key(t.comparators[0]) + ".__doc__")
            elif isinstance(t, ast.Call) and \
                    dotted(t.func) in ("isinstance", "bool"):
                todo += t.args[:1]
            else:
                # Also record the last two names, because np.f.__doc__ may be
                # used where f.__doc__ was tested, and the other way round.
                name = doc_key(t) or key(t)
                scope.guards |= {name, ".".join(name.split(".")[-2:])}

    # Judging what was read.

    def judge(self):
        """Returns the findings, the worst ones if there are too many."""
        tops = {name.partition(".")[0] for name in self.modules}
        for name, shows in SHOWS.items():
            self.shows |= shows if name in tops else frozenset()
        for node, *where in sorted(self.events, key=lambda e: e[0].lineno):
            if isinstance(node, ast.Call):
                self.call(node, *where)
                self.doc_call(node, *where)
            elif isinstance(node, ast.Attribute):
                if not node.attr.startswith("__"):
                    self.doc(node, node.value, "." + node.attr, *where)
                if self.full(node) == "sys.flags.optimize":
                    self.add(node, "optimize-flag", 1, "sys.flags.optimize")
            elif isinstance(node, ast.Subscript):
                self.doc(node, node.value, "[]", *where)
                if cuts_suffix(node.slice):
                    self.own_name(node, node.value, where[0])
            elif isinstance(node, ast.AugAssign):
                self.doc(node, node.target, "+=", *where)
                if isinstance(node.op, ast.Add):
                    self.doc(node, node.value, "+", *where)
            elif isinstance(node, ast.BinOp):
                if isinstance(node.op, ast.Mod):
                    self.doc(node, node.left, "%", *where)
                elif isinstance(node.op, ast.Add):
                    self.doc(node, node.left, "+", *where)
                    self.doc(node, node.right, "+", *where)
                    if string(node.right).isalnum():
                        self.own_name(node, node.left, where[0])
            elif isinstance(node, ast.Compare):
                self.compare(node, *where)
            elif isinstance(node, ast.For):
                self.doc(node, node.iter, "in", *where)
            elif isinstance(node, (ast.List, ast.Tuple)):
                self.command(node, where[0])
            elif isinstance(node, DEFS):
                self.definition(node, where[0])
            else:
                self.asserts(node)
                if isinstance(node, ast.Assert):
                    self.assert_checks(node, where[0])
                if isinstance(node, ast.If) and any(
                        isinstance(n, ast.Raise) for n in node.body):
                    for n in lacks_doc(node.test):
                        self.doc(node, n, "or raise", *where, tested=True)
        for function, name, args in self.passed:
            if name in self.needs.get(id(function), ()):
                self.doc(*args)
        top = self.top.values
        if "revision" in top and "down_revision" in top and any(
                n.split(".")[0] == "alembic" for n in self.modules):
            self.add(top["revision"][0], "alembic", 2, "revision")
        worst = sorted(self.found.items(), key=lambda f: (-f[1][0], f[0]))
        return sorted((line, rule) + f for (line, rule), f
                      in worst[:MAX_FINDINGS])

    def add(self, node, rule, grade, detail):
        """Records a finding, unless its line has a worse one of this rule."""
        grade = min(grade, self.limit)
        at = (node.lineno, rule)
        if grade > self.found.get(at, (0,))[0]:
            self.found[at] = grade, "".join(
                c if " " <= c <= "~" else "?" for c in detail[:MAX_DETAIL])

    def at_import(self, scope):
        """Whether the code of a scope runs when the module is imported. It does
        outside functions, and in a function that is used in this module as a
        decorator @f, or that is returned by the decorator f in @f()."""
        if not scope.inside:
            return True
        name, outer = getattr(scope.node, "name", None), scope.parent
        if outer.parent is None:
            return name in self.decorators
        return name in outer.returned and outer.parent is self.top and \
            self.decorators.get(outer.node.name, False)

    # Rules about sources.

    def call(self, node, scope, caught, main):
        """Finds calls that need a source."""
        full = self.full(node.func)
        name = last(full)
        soft = bool(caught & NO_SOURCE)
        now = not main and self.at_import(scope)
        of = getattr(node.func, "value", None)
        args = node.args + [None, None]
        asked = name in TAKE_PATHS or full in RESOURCES or \
            full in COPIERS or full.startswith(RUNNERS)
        made = [self.made_of(a, scope) if asked else 0 for a in args]
        if full in ("inspect.getsource", "inspect.getsourcelines",
                    "inspect.findsource", "dill.source.getsource"):
            given = not now and self.given(args[0], scope)
            self.add(node, "caller-source" if given else "getsource",
                     2 + now - soft, key(node))
        elif full == "inspect.getsourcefile":
            tested = any(node in v and n in scope.guards
                         for n, v in scope.values.items())
            self.add(node, "getsource", 2 - (soft or tested), key(node))
        elif full in ("linecache.getline", "linecache.getlines"):
            self.add(node, "linecache", 1, key(node))
        elif name == "get_source" and len(node.args) == 1 and \
                "loader" in key(node.func).lower():
            kept = any(node in v and name in scope.guards
                       for name, v in scope.values.items())
            self.add(node, "loader-source", 2 - (soft or kept), key(node))
        elif full in RESOURCES:
            if any(m & PY for m in made[1:]):
                self.add(node, "resource-py", 3 - soft, literals(node))
            self.opens(node, node.args[-1] if node.args else None, scope, soft)
        elif name == "as_file" and made[0] & (OWN | PY) == OWN | PY:
            self.add(node, "resource-py", 3 - soft, self.near(args[0], scope))
        elif name in ("get_template", "select_template") and made[0] & PY:
            self.add(node, "resource-py", 2 - soft, literals(node))
        elif full in COPIERS and made[0] & (OWN | PY | LISTED) == OWN | PY:
            self.add(node, "open-py", 3 - soft, self.near(args[0], scope))
        elif full in COPIERS and made[0] & (FRAME | SELF):
            self.add(node, "open-own-file", 2 - soft, key(args[0]))
        elif full == "shutil.copytree" and made[0] & OWN:
            self.copies(node, args[0], scope)
        elif full in READERS:
            self.reads(node, args[0], node.args[1:2], scope, now, soft, main)
        elif of and name in ("read_text", "read_bytes", "open"):
            mode = node.args[:1] if name == "open" else []
            self.reads(node, of, mode, scope, now, soft, main)
        elif full in EXISTS or of and name in ("exists", "is_file"):
            of = args[0] if full in EXISTS else of
            out = self.made_of(of, scope)
            if out & (OWN | PY) == OWN | PY:
                self.add(node, "py-exists", 2 - (
                    self.knows_pyc or "setup.py" in literals(of)),
                         self.near(of, scope))
            elif out & (FRAME | BESIDE) or out & (MOD | PY) == MOD | PY:
                self.add(node, "caller-file", 2, key(of))
            self.opens(node, of, scope, False)
        elif full == "runpy.run_path":
            self.by_path(node, "run-path", made[0], soft, args[0], scope)
        elif full == "imp.load_source" or name in (
                "SourceFileLoader", "spec_from_file_location"):
            for k in node.keywords:
                if k.arg in ("location", "path"):
                    args[1:2] = [k.value]
            self.by_path(node, "load-source", self.made_of(args[1], scope),
                         soft, args[1], scope)
        elif full in ("exec", "execfile"):
            text = args[0]
            if isinstance(text, ast.Call) and dotted(text.func) == "compile":
                text = (text.args + [None])[0]
            if full == "execfile" or isinstance(text, ast.Call) and last(
                    key(text.func)) in ("read", "read_text"):
                own = self.made_of(getattr(getattr(
                    text, "func", None), "value", None), scope) & (OWN | SELF)
                self.add(node, "exec-file", 1 + (own == OWN), key(node))
        elif full.startswith(RUNNERS) or name == "set_executable":
            out = 0
            for m in made:
                out |= m
            if out & (OWN | EXE) and "setup.py" not in literals(node):
                paths = [n for a in args for n in getattr(a, "elts", [a])
                         if self.made_of(n, scope) & PY]
                self.by_path(node, "run-script", out, soft or not out & EXE,
                             paths[0] if len(paths) == 1 else node, scope)
        elif name in ("fnmatch", "fnmatchcase") or full == "fnmatch.filter":
            self.discovers(node, args[1], args[0], scope, main)
        elif name == "endswith":
            self.discovers(node, args[0], of, scope, main)
        elif name in LISTERS and any("*" in s for s in strings(args[0])):
            self.discovers(node, args[0], node, scope, main)
        elif name in LISTERS | {"chdir"}:
            if (made[0] or self.made_of(of, scope)) & BESIDE:
                self.add(node, "caller-file", 2 - soft, key(node))
        elif name in MATCHERS or name in ("map", "filter") and \
                getattr(args[0], "attr", "") in MATCHERS:
            regex, subject = args[:2]
            if full != "re." + name:
                if name in MATCHERS:
                    regex, subject = of, regex
                else:
                    of = regex = regex.value
                values, _ = scope.find(key(of)) if of else ([], None)
                if len(values) == 1:
                    regex = values[0]
                regex = regex.args[0] if isinstance(
                    regex, ast.Call) and regex.args else None
            if any(ends_in_py(s) for s in strings(regex)):
                self.discovers(node, None, subject, scope, main)
        if name in ("replace", "endswith", "rstrip", "removesuffix") and of:
            ends = strings(args[0])
            if ".py" in ends and not any(e.startswith(".pyc") for e in ends):
                self.own_name(node, of, scope)
        elif full.startswith("re.") and any(
                ends_in_py(s) for s in strings(args[0])):
            for a in node.args[1:]:
                self.own_name(node, a, scope)
        self.jit(node, node, now)
        for k in node.keywords:
            if k.arg in ("lextab", "tabmodule") and string(k.value):
                path = self.path.strip("/").rpartition("/")
                self.add(node, "parser-tables", 2, "/" + path[0] + path[1] +
                         string(k.value).rpartition(".")[2] + ".py")
            if k.arg == "use_attribute_docstrings" and key(k.value) == "True":
                self.add(node, "attribute-docs", 2, k.arg)

    def command(self, node, scope):
        """Finds a list of arguments that begins with a Python and a .py file
        of this package."""
        if len(node.elts) > 1 and isinstance(node.ctx, ast.Load) and last(
                key(node.elts[0])).lstrip("_") in ("executable", "python"):
            out = self.made_of(node.elts[1], scope)
            if out & OWN:
                self.by_path(node, "run-script", out, False, node.elts[1],
                             scope)

    def by_path(self, node, rule, out, soft, path, scope):
        """Adds a finding if a path, made of `out`, is that of a .py file."""
        if out & PY:
            self.add(node, rule, (3 if out & OWN else 2) - bool(soft),
                     self.near(path, scope))

    def copies(self, node, path, scope):
        """Adds a finding for a directory of this package that is copied."""
        where = self.pattern(path, scope)
        sure = any(t in (where + key(path)).lower() for t in TEMPLATES)
        self.add(node, "copies-tree", 1 + sure,
                 where + "/" if where else key(path))

    def reads(self, node, path, mode, scope, now, soft, main):
        """Finds a call that opens `path` for reading, if that is a source."""
        mode = mode + [k.value for k in node.keywords if k.arg == "mode"]
        mode = "".join(map(string, mode))
        if set(mode) & set("wax+"):
            return
        out = self.made_of(path, scope)
        soft = soft or main or "b" in mode or \
            last(dotted(node.func)) == "read_bytes"
        if out & SELF:
            self.add(node, "open-own-file", 2 + now - soft, key(path))
        elif out & (OWN | PY | LISTED) == OWN | PY:
            self.add(node, "open-py", 3 - soft, self.near(path, scope))
        elif out & THEIRS:
            self.add(node, "caller-source", 2 - soft, key(path))
        elif out & (FRAME | BESIDE):
            self.add(node, "caller-file", 2 - soft, key(path))
        elif out & (OWN | LISTED) == OWN | LISTED and any(
                t in (self.pattern(path, scope) + key(path)).lower()
                for t in TEMPLATES):
            self.add(node, "copies-tree", 2 - soft, key(path))
        self.opens(node, path, scope, soft)

    def opens(self, node, path, scope, soft):
        """Notes the name of a data file that is opened or looked for. Whether
        there is one that a rule hides, the report knows."""
        for name in self.ends_of(path, scope):
            if not name.endswith((".py", ".pyc")):
                self.add(node, "opens-data", 2 - bool(soft), name)

    def own_name(self, node, of, scope):
        """Adds a finding if `of` is the name of this module's file, of which
        something is done that is right for .py alone."""
        out = self.made_of(of, scope)
        if out & (NAMED | THEIRS):
            self.add(node, "own-name" if out & NAMED else "caller-file",
                     2 - self.knows_pyc, key(node))

    def given(self, node, scope):
        """Whether an object comes from who calls this function."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        name = getattr(node, "id", None)
        _, where = scope.find(name)
        if where is None or name not in where.params:
            return False
        # A base class or a metaclass is given the classes that are made of it.
        outer = getattr(where.parent, "node", None)
        return name not in ("self", "cls", "mcs") or \
            getattr(where.node, "name", "") == "__init_subclass__" or any(
                last(key(b)).endswith(("type", "Meta"))
                for b in getattr(outer, "bases", ()))

    def discovers(self, node, pattern, names, scope, main):
        """Finds a search for *.py: `names` are compared with `pattern`, or with
        a regular expression for .py if that is None."""
        out = self.made_of(names, scope)
        ends = strings(pattern)
        py = any(s.endswith(".py") for s in ends) or \
            out & LISTED and "py" in ends or pattern is None
        if not py or any(s.endswith(("pyc", ".so", ".pyd")) for s in ends):
            return
        grade = int(self.importing)
        if out & LISTED:
            grade = 3 if out & OWN else 1 + self.importing
        if grade > 1:
            grade = 1 if main else grade - self.knows_pyc
        path = self.near(names, scope, ".py") if out & OWN else ""
        self.add(node, "discover-py", grade, path if path.startswith("/")
                 else literals(node))

    def compare(self, node, scope, caught, main):
        """Finds comparisons with a docstring, or with ".py"."""
        for op, right in zip(node.ops, node.comparators):
            if isinstance(op, (ast.In, ast.NotIn)):
                self.doc(node, right, "in", scope, caught, main)
            if isinstance(op, (ast.Eq, ast.In, ast.NotEq)) and \
                    not {".py", "py"}.isdisjoint(strings(right)):
                self.discovers(node, right, node.left, scope, main)
            if isinstance(op, (ast.In, ast.NotIn)) and string(
                    node.left).endswith(".py") and self.made_of(
                        right, scope) & LISTED:
                self.discovers(node, node.left, right, scope, main)
            if isinstance(op, (ast.Eq, ast.NotEq)):
                for one, other in (node.left, right), (right, node.left):
                    if string(other) in (".py", "py"):
                        if isinstance(one, ast.Subscript):
                            one = (getattr(one.value, "args", []) + [one])[0]
                        elif getattr(one, "attr", "") == "suffix":
                            one = one.value
                    if string(other).endswith(("py")):
                        self.own_name(node, one, scope)
                both = self.made_of(node.left, scope) | \
                    self.made_of(right, scope)
                if both & FRAME and both & (NAMED | THEIRS):
                    self.add(node, "caller-file", 2, key(node))
                elif "__file__" in (key(node.left), key(right)) and all(
                        isinstance(s, (ast.Name, ast.Attribute))
                        for s in (node.left, right)):
                    self.add(node, "own-name", 2 - self.knows_pyc,
                             "__file__")

    def jit(self, node, call, now):
        """Finds a function or decorator that compiles from source."""
        full = self.full(getattr(call, "func", call))
        if full in JIT:
            rule = JIT[full]
            self.add(node, rule, RULES[rule][0] - (not now), full)
        elif full.startswith("numba.") and last(full) in NUMBA:
            for k in getattr(call, "keywords", ()):
                if k.arg == "cache" and key(k.value) == "True":
                    self.add(node, "jit-may", 2, full + "(cache=True)")

    def definition(self, node, scope):
        """Finds decorators that compile from source, and functions whose
        docstring is a rule of a grammar."""
        text, prefix = docstring(node), node.name[:2]
        for d in node.decorator_list:
            self.jit(d, d, self.at_import(scope))
            name = self.full(getattr(d, "func", d))
            if text and last(name) in self.shows:
                self.add(node, "doc-as-text", 1, "@" + key(getattr(
                    d, "func", d)))
        if prefix not in ("p_", "t_") or not text or \
                any(rule == "doc-grammar" for _, rule in self.found):
            return
        parts = [p for name in self.modules for p in name.split(".")]
        words = text.split(None, 2) + ["", ""]
        ply = "tokens" in self.top.values or "tokens" in scope.values or \
            not {"ply", "_ply", "yacc", "lex"}.isdisjoint(parts)
        if prefix == "p_" and (ply or "GenericParser" in parts) and (
                words[1] in (":", "::=") or words[0].endswith(":")) or \
                prefix == "t_" and ply and not any(
                    "TOKEN" in key(d) for d in node.decorator_list):
            self.add(node, "doc-grammar", 3 - self.tables,
                     node.name + ": " + words[0])

    # Rules about asserts.

    def asserts(self, node):
        """Finds asserts with a side effect or that are caught, and __debug__.
        `node` is an assert, an `if` or a `try`."""
        if isinstance(node, TRIES):
            if "AssertionError" in caught_by(node.handlers):
                self.caught(node)
            return
        if isinstance(node, ast.If):
            if self.asks_debug and any(
                    isinstance(n, ast.Name) and n.id == "__debug__"
                    for n in ast.walk(node.test)):
                self.add(node, "debug-branch", 1, "if __debug__")
            return
        for n in ast.walk(node.test):
            if isinstance(n, ast.NamedExpr):
                self.add(node, "assert-effect", 2, n.target.id + " := ...")
            elif isinstance(n, ast.Call):
                iterator = dotted(n.func) == "next" and n.args and \
                    dotted(n.args[0])
                if iterator or isinstance(n.func, ast.Attribute) and \
                        n.func.attr in EFFECTS or \
                        self.full(n.func) in WORKERS or \
                        self.changes(n.func):
                    self.add(node, "assert-effect", 2, key(n))

    def assert_checks(self, node, scope):
        """Finds the first assert that is the work of its function: of one that
        is there to check and returns nothing, or what keeps to a limit."""
        while not scope.function and scope.parent:
            scope = scope.parent
        name = getattr(scope.node, "name", "")
        if self.has_limits and not name.startswith("__") and any(
                keeps_limit(n) for n in ast.walk(node.test)):
            self.add(node, "assert-result", 2, name)
        if name.startswith("_") or not name or id(scope) in self.checked:
            return
        # Who asks a linter looks at nothing that it returns.
        if is_checker(self.path, LINTERS) or not scope.returned - {
                key(None)} and (name.startswith(CHECKS) or
                                is_checker(self.path)):
            self.checked.add(id(scope))
            self.add(node, "assert-result", 2, name)

    def changes(self, function):
        """Whether a function or method of this module that is called in an
        assert changes its object or a global variable."""
        name = dotted(function) or ""
        nodes = self.methods.get(last(name), []) if "." in name else \
            [self.defs.get(name)]
        todo = [n for node in nodes[:4] if isinstance(node, DEFS[:2])
                for n in node.body]
        for n in todo:
            if isinstance(n, ast.Global) or isinstance(
                    n, ast.Attribute) and isinstance(
                        n.ctx, ast.Store) and key(n.value) == "self":
                return True
            if not isinstance(n, SCOPES):
                todo += ast.iter_child_nodes(n)
        return False

    def caught(self, node):
        """Finds the first assert in a `try` that catches AssertionError."""
        todo = list(node.body)
        for n in todo:
            if isinstance(n, ast.Assert):
                self.add(n, "assert-caught", 2, "except AssertionError")
                return
            if not isinstance(n, SCOPES):
                todo += [c for c in ast.iter_child_nodes(n)
                         if isinstance(c, ast.stmt)]

    # Rules about docstrings.

    def doc(self, node, of, op, scope, caught, main, tested=False):
        """Adds a finding if `of`, the operand of an operation that fails for
        None, is a docstring; `tested` if the operation is a test for None."""
        grade, rule, name = self.judge_doc(of, scope, main, tested)
        if grade:
            error = "AttributeError" if op[0] == "." else "TypeError"
            soft = error in caught or not caught.isdisjoint(ANY_ERROR)
            if op.startswith(ADDERS) or any(
                    self.without_oo(*c) for c in caught
                    if isinstance(c, tuple)) or any(
                        self.without_oo(t, False) for t in scope.left):
                op += " of a caller" if rule == "caller-doc" else ""
                rule = "doc-unless-oo"
            self.add(node, rule, grade - soft, name + " " + op)

    def without_oo(self, test, wanted):
        """Whether a condition does not have the value `wanted` if the
        interpreter runs with -OO."""
        value = self.with_oo(test, 0)
        return value is not None and bool(value) != wanted

    def with_oo(self, node, depth):
        """The value of an expression, made of sys.flags.optimize and constants,
        if the interpreter runs with -OO; None if it is made of others, too."""
        if depth > 9:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, int) else None
        if self.full(node) == "sys.flags.optimize":
            return 2
        if isinstance(node, ast.Name):
            values = self.top.values.get(node.id, [])
            return self.with_oo(values[0], depth + 1) if len(values) == 1 \
                else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            value = self.with_oo(node.operand, depth + 1)
            return None if value is None else not value
        if isinstance(node, ast.Compare) and type(node.ops[0]) in ORDER:
            values = [self.with_oo(n, depth + 1)
                      for n in [node.left] + node.comparators[:1]]
            return None if None in values else getattr(
                int(values[0]), ORDER[type(node.ops[0])])(int(values[1]))
        if isinstance(node, ast.BoolOp):
            # One operand that decides is enough.
            decides = isinstance(node.op, ast.Or)
            values = [self.with_oo(n, depth + 1) for n in node.values]
            known = [bool(v) for v in values if v is not None]
            if decides in known:
                return decides
            return None if None in values else not decides
        return None

    def judge_doc(self, of, scope, main, tested=False):
        """Returns (grade, rule, name) for the use of an expression that is a
        docstring; grade 0 if it is none, or is tested before."""
        names = {doc_key(of)}
        if isinstance(of, ast.Name) and of.id != "__doc__":
            values, where = scope.find(of.id)
            if where is scope and scope.function and of.id in scope.params \
                    and not values and (tested or of.id not in scope.guards):
                self.needs.setdefault(id(scope.node), set()).add(of.id)
                return 2 * (of.id in DOC_PARAMS), "caller-doc", of.id
            docs = [v for v in values if doc_key(v)]
            # Other values may be made of it, as in d = f.__doc__; d = d.strip()
            if len(docs) != 1 or not all(
                    v is docs[0] or any(getattr(n, "id", "") == of.id
                                        for n in ast.walk(v))
                    for v in values[:9]):
                return 0, "", ""
            names = {of.id, doc_key(docs[0])}
            of = docs[0]
        name = doc_key(of)
        names.add(".".join((name or "").split(".")[-2:]))
        if not name or not tested and any(names & s.guards
                                          for s in scope.up()):
            return 0, "", ""
        sure, rule = self.owner(of, name, scope)
        if not sure:
            return 0, "", ""
        if main or not self.at_import(scope):
            base = name[:-len(".__doc__")].partition(".")[0].partition("(")[0]
            given = base and self.given(ast.Name(base), scope)
            return 2, "caller-doc" if given else "doc-in-function", name
        if scope.inside:
            return 3, "doc-in-decorator", name
        return 1 + sure, rule, name

    def owner(self, of, name, scope):
        """Returns how sure it is that the docstring `name` will be None, from 0
        to 2, and the rule by whose docstring it is: the module's own, or an
        imported one."""
        own = "doc-at-import"
        if name == "__doc__":
            places = [s for s in scope.up() if not s.function]
            if name in scope.params or not all(made_of_docs(
                    s.values.get(name, [])) for s in places):
                return 0, own
            return 2 * any(docstring(s.node) for s in places) or \
                name in self.imports, own
        if not made_of_docs(scope.values.get(name, [])):
            return 0, own
        base = name[:-len(".__doc__")]
        first = base.partition(".")[0].partition("(")[0]
        values, where = scope.find(first)
        if where is not None and where.function:
            return 1, own
        if len(values) == 1 and base == first:
            base = key(values[0])  # f = g
        at = getattr(scope.node, "name", "") + "." + base
        node = self.defs.get(at) or self.defs.get(base)
        if node is not None:
            made = {last(self.full(getattr(d, "func", d)))
                    for d in node.decorator_list}
            if made & {"dataclass", "define", "attrs"} or not docstring(node):
                return 0, own
            return 1 if made & {"wraps", "setter"} else 2, own
        if first in self.imports:
            module, ours = self.imports[first]
            if not ours and module.partition(".")[0] in STDLIB:
                return 0, own
            # A module with a name like _ufuncs may be written in C, and then
            # keeps its docstrings.
            ours = ours and "(" not in base and "._" not in "." + module
            return 1 + ours, "doc-imported"
        kept = where is None and hasattr(builtins, first) and \
            first not in ("getattr", "type", "super", "vars", "globals")
        return int(not kept), own

    def doc_call(self, node, scope, caught, main):
        """Finds calls with a docstring as an argument."""
        full = self.full(node.func)
        if full in ("docopt.docopt", "docopt"):
            for a in node.args[:1]:
                if self.judge_doc(a, scope, main)[0]:
                    self.add(node, "docopt", 3, key(node))
        elif last(full) in TEXT or full.startswith("re."):
            for a in node.args[:4]:
                self.doc(node, a, last(full) + "()", scope, caught, main)
        elif last(full) in ("join", "replace") and isinstance(
                node.func, ast.Attribute):
            for a in node.args[:2]:
                for n in getattr(a, "elts", [a])[:9]:
                    self.doc(node, n, last(full) + "()", scope, caught, main)
        else:
            self.doc_given(node, full, scope, caught, main)
        shown = node.args if full == "print" else []
        shown = shown + [k.value for k in node.keywords if k.arg in
                         ("description", "usage", "epilog", "help")]
        for t in shown:
            if dotted(t) == "__doc__" and self.owner(t, "__doc__", scope)[0] \
                    or doc_key(t) not in (None, "__doc__") and \
                    self.judge_doc(t, scope, main)[0]:
                self.add(node, "doc-as-text", 1, doc_key(t))

    def doc_given(self, node, full, scope, caught, main):
        """Finds calls of other functions with a docstring as an argument: of
        this module, and of others if they are called as if they took one."""
        name, skip = dotted(node.func) or "", 0
        if name.startswith(("self.", "cls.")):
            skip = 1
            for s in scope.up():
                if isinstance(s.node, ast.ClassDef):
                    name = s.node.name + "." + last(name)
                    break
        function = self.defs.get(name)
        where = self.scopes.get(id(function))
        if where is not None and where.function:
            a = function.args
            params = [p.arg for p in a.posonlyargs + a.args][skip:]
            given = list(zip(node.args, params)) + [
                (k.value, k.arg) for k in node.keywords]
            for value, param in given[:9]:
                if isinstance(value, ast.Name) or doc_key(value):
                    self.passed.append((function, param, (
                        node, value, full + "()", scope, caught, main)))
        elif self.imports.get(name.partition(".")[0], ("", False))[1]:
            works = any(w in last(full).lower() for w in DOC_WORK)
            for value in node.args[:2]:
                grade, rule, doc = self.judge_doc(value, scope, main)
                if rule != "caller-doc" and grade and (
                        works or grade == 3 and last(full).islower()):
                    soft = not caught.isdisjoint(ANY_ERROR)
                    self.add(node, rule, 2 - soft, doc + " " + full + "()")
