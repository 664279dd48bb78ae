# SPDX-License-Identifier: MIT
"""What the expressions of a module are made of, for risks.py.

Names are followed through plain assignments only. Class Paths says of a path
whether it is near the module, has a name in .py, and so on, and which pattern
of a rules file stands for it.
"""
import ast

MAX_DETAIL = 200  # bytes of a finding's text
# Functions whose results are, or have, the names of files of code.
FRAMES = frozenset("""inspect.stack inspect.getframeinfo inspect.getouterframes
inspect.getinnerframes inspect.trace inspect.getfile inspect.getabsfile
inspect.getsourcefile traceback.extract_stack traceback.extract_tb""".split())
LISTERS = frozenset("listdir walk scandir iterdir glob iglob rglob".split())
SPLITTERS = frozenset("""dirname splitext split rsplit partition rpartition
""".split())
# Functions and methods that return a path which is made of their arguments.
PASSING = LISTERS | SPLITTERS | frozenset("""join joinpath Path PurePath
abspath realpath normpath fspath str resolve absolute expanduser with_name
sorted list set tuple filter map enumerate reversed chain iter files open
as_posix lower relpath format relative_to fsdecode basename""".split())
# Methods that return a path which is made of their object, whatever their
# arguments are.
CHANGED = frozenset("replace rstrip strip lower decode with_suffix".split())
# Bytes of a file's name that is looked for among those that rules hide.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                  "0123456789._-+*")

# What made_of() finds in an expression that is a path, as bits:
OWN = 1  # it is in the directory of this module, or below it
PY = 2  # it has a string that ends in .py
EXE = 4  # it is the Python interpreter
SELF = 8  # it is the file of this module
MOD = 16  # it is the file of another module
LISTED = 32  # it is a name from the listing of a directory
NAMED = 64  # it is, or ends in, the name of the file of this module
FRAME = 128  # it is the file of a frame or code object
THEIRS = 256  # it is, or ends in, the name of the file of another module
BESIDE = 512  # it is in the directory of the file of a frame or code object
FILE = SELF | NAMED | FRAME | THEIRS

DEFS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SCOPES = DEFS + (ast.Lambda,)
# Where the parts are of which an expression of this type is made.
PARTS = {ast.JoinedStr: "values", ast.FormattedValue: "value",
         ast.List: "elts", ast.Tuple: "elts", ast.BoolOp: "values",
         ast.ListComp: "elt", ast.GeneratorExp: "elt", ast.SetComp: "elt",
         ast.Subscript: "value", ast.Starred: "value", ast.Await: "value"}


def escaped(path):
    """A pattern that matches this path alone."""
    for c in "\\*?[ ":
        path = path.replace(c, "\\" + c)
    return path


def dotted(node):
    """Returns "a.b.c" for an expression that is such a name, else None."""
    parts = []
    while isinstance(node, ast.Attribute) and len(parts) < 8:
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id] + parts[::-1])


def last(name):
    """Returns "c" for the name "a.b.c"."""
    return (name or "").rpartition(".")[2]


def key(node, depth=0):
    """Returns a text for an expression by which it can be looked up and shown.
    Small expressions that are equal have the same text; the parts of a larger
    one that are left out are "..."."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant):
        return repr(node.value)[:40]
    if depth < 6 and isinstance(node, ast.Attribute):
        return key(node.value, depth + 1) + "." + node.attr
    if depth < 6 and isinstance(node, ast.Call):
        return "%s(%s)" % (key(node.func, depth + 1), ", ".join(
            key(a, depth + 1) for a in node.args[:4]))
    return "..." if depth else type(node).__name__


def string(node):
    """The value of a constant that is a string, else ""."""
    value = getattr(node, "value", None)
    return value if isinstance(node, ast.Constant) and \
        isinstance(value, str) else ""


def strings(node):
    """The constant strings in which an expression ends, and in which the
    arguments of a call or the members of a tuple end."""
    out = []
    for n in getattr(node, "elts", [node]):
        while isinstance(n, ast.BinOp):
            n = n.right
        if isinstance(n, ast.JoinedStr) and n.values:
            n = n.values[-1]
        args = n.args if isinstance(n, ast.Call) else [n]
        out += [s for s in map(string, args) if s]
    return out


def literals(node):
    """The strings in an expression that end in .py, as text for a finding; if
    there are none, the expression itself."""
    out = [string(n)[-60:].lstrip("/") for n in ast.walk(node)
           if string(n).endswith(".py")]
    return " ".join(out[:4]) or key(node)


def ends_in_py(regex):
    """Whether a regular expression matches names that end in .py alone."""
    return regex.replace("\\Z", "").rstrip("$)").endswith(".py")


def subscript(node):
    """The string "b" of a["b"], "" if there is another subscript."""
    # Python 3.8 has a node ast.Index around it.
    return string(getattr(node.slice, "value", None) if type(
        node.slice).__name__ == "Index" else node.slice)


def cuts_suffix(node):
    """Whether a slice takes or leaves the last three bytes."""
    ends = [getattr(node, "upper", None), getattr(node, "lower", None)]
    return any(isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub) and
               getattr(e.operand, "value", 0) == 3 for e in ends)


class Scope:
    """The names that are assigned in a module, class or function."""

    def __init__(self, node, parent):
        self.node = node
        self.parent = parent
        self.function = not isinstance(node, (ast.Module, ast.ClassDef))
        # Whether it is a function, or in one.
        self.inside = self.function or bool(parent and parent.inside)
        self.values = {}  # name: list of the expressions assigned to it
        self.guards = set()  # expressions that are tested, as by `if x:`
        self.returned = set()  # expressions that are returned
        self.left = []  # conditions under which a function returns early
        self.params = set()  # names of parameters
        if self.function:
            a = node.args
            self.params = {p.arg for p in a.posonlyargs + a.args +
                           a.kwonlyargs + [a.vararg, a.kwarg] if p}

    def assign(self, target, value):
        todo = [target]
        while todo:
            t = todo.pop()
            if isinstance(t, (ast.Name, ast.Attribute)):
                self.values.setdefault(key(t), []).append(value)
            else:
                todo += getattr(t, "elts", [])

    def up(self):
        """This scope and all scopes around it."""
        while self is not None:
            yield self
            self = self.parent

    def find(self, name):
        """Returns the expressions that are assigned to a name, and the scope in
        which they are; [] and None if it is not assigned here."""
        for s in self.up():
            if name in s.values or name in s.params:
                return s.values.get(name, []), s
        return [], None


class Paths:
    """Answers about paths, for a class that has their module's path as `path`,
    {name: (full name, whether it is of this package)} of what is imported as
    `imports`, {name: [(call, its scope)]} of functions and of methods of self
    as `calls`, and an empty dictionary as `memo`."""

    def full(self, node):
        """Returns the dotted name of a function with the names that it is
        imported by replaced: "inspect.getsource" for `gs`, after `from inspect
        import getsource as gs`; ".f" for a method of any other expression."""
        name = dotted(node)
        if name is None:
            return "." + getattr(node, "attr", "")
        first, dot, rest = name.partition(".")
        return self.imports.get(first, (first,))[0] + dot + rest

    def made_of(self, node, scope, depth=0):
        """Returns of what an expression that is a path is made: OWN, PY and so
        on. Results are stored, so that it takes linear time in all."""
        at = (id(node), id(scope))
        if node is None or depth > 60:
            return 0
        if at not in self.memo:
            self.memo[at] = 0  # ends the recursion for x = x + ".py"
            out = self.made_of_parts(node, scope, depth + 1)
            self.memo[at] = out & ~FILE if out & (PY | LISTED) else out
        return self.memo[at]

    def made_of_parts(self, node, scope, depth):
        if isinstance(node, ast.Constant):
            return PY if string(node).endswith(".py") else 0
        out, parts, clear, beside = 0, [], 0, False
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = key(node)
            if name in ("__file__", "__path__"):
                return OWN | SELF | NAMED if name == "__file__" else OWN
            if last(name) == "co_filename":
                return FRAME
            if last(name) in ("__file__", "__path__"):
                return MOD | (THEIRS if last(name) == "__file__" else 0)
            if self.full(node) == "sys.executable":
                return EXE
            if last(name) == "origin" and "spec" in name:
                return MOD | THEIRS
            values, where = scope.find(name)
            for value in values[:4]:
                out |= self.made_of(value, where, depth)
            for value, at in self.given_as(name, where):
                out |= self.made_of(value, at, depth)
            parts = [getattr(node, "value", None)]
            if last(name) in ("parent", "parents", "stem", "suffix"):
                clear = FILE
            elif last(name) == "name":
                clear = SELF | FRAME
            elif last(name) in ("f_globals", "f_locals", "lineno", "function"):
                clear = FRAME
            beside = last(name) in ("parent", "parents")
        elif isinstance(node, ast.Call):
            full = self.full(node.func)
            name = last(full)
            if full in FRAMES:
                return FRAME
            if full.endswith("resources.files"):
                return OWN
            parts = [getattr(node.func, "value", None)]
            beside = name in ("dirname", "split", "with_name", "with_suffix",
                              "splitext")
            if name in PASSING:
                parts += node.args[:1] if name in SPLITTERS else node.args
            elif name not in CHANGED:
                return 0
            out = LISTED if name in LISTERS else 0
            if name == "basename":
                clear = SELF | FRAME
            elif name in SPLITTERS or name in ("with_suffix", "with_name") or \
                    name in ("join", "joinpath") and node.args[1:]:
                clear = FILE
            if name == "with_suffix" and ".py" in map(string, node.args):
                out |= PY
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
            clear = FILE if isinstance(node.op, ast.Div) else 0
            beside = isinstance(node.op, ast.Div)
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.Subscript) and subscript(node) == "__file__":
            return MOD | THEIRS
        elif type(node) in PARTS:
            parts = getattr(node, PARTS[type(node)])
            parts = parts if isinstance(parts, list) else [parts]
        for part in parts:
            out |= self.made_of(part, scope, depth)
        return (out | BESIDE if beside and out & FRAME else out) & ~clear

    def given_as(self, name, scope):
        """[(expression, its scope)]: what calls in this module give a function
        as the parameter `name`. `scope` is that of the function."""
        if scope is None or name not in scope.params or not isinstance(
                scope.node, DEFS[:2]):
            return []
        a, out = scope.node.args, []
        params = [p.arg for p in a.posonlyargs + a.args]
        at = params.index(name) if name in params else len(params)
        at -= params[:1] in (["self"], ["cls"])
        for call, where in self.calls.get(scope.node.name, ())[:4]:
            out += [(value, where) for value in call.args[at:at + 1]]
            out += [(k.value, where) for k in call.keywords if k.arg == name]
        return out

    # Where files are, as patterns for rules.

    def pattern(self, node, scope):
        """The pattern of a path for a rule, "/pkg/plugins/*.py", with * for
        what is not constant; "" if its directory is not that of this module or
        near it."""
        path = self.place(node, scope) or ""
        out = []
        for part in path.split("/"):
            if part == ".." and not out:
                return ""
            if part == "..":
                out.pop()
            elif part not in ("", "."):
                out.append("**" if part == "**" else part.replace("**", "*"))
        path = "/" + "/".join(out)
        fits = len(out) > 1 or out and out[0].endswith(".py") and \
            not out[0].startswith("*")
        return path if fits and len(path) < MAX_DETAIL and out[-1] != "**" \
            and PLAIN.issuperset(path.replace("/", "")) else ""

    def near(self, node, scope, ending=""):
        """The text for a finding about a .py file: its pattern, or literals.
        `ending` is what the name of each file in a listing has to end in."""
        path = self.pattern(node, scope)
        if ending and path.rpartition("/")[2] == "*":
            path += ending
        return path if path.endswith(".py") else literals(node)

    def text(self, node, scope, depth=0):
        """The text of an expression, with * for what is not constant."""
        if string(node):
            return string(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and \
                depth < 9:
            return self.text(node.left, scope, depth + 1) + \
                self.text(node.right, scope, depth + 1)
        if isinstance(node, ast.JoinedStr):
            return "".join(string(n) or "*" for n in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return string(node.left).replace("%s", "*") or "*"
        if isinstance(node, ast.Call) and last(dotted(node.func)) == "join":
            return "/".join(self.text(a, scope, depth + 1)
                            for a in node.args) if depth < 9 else "*"
        values = scope.find(key(node))[0] if isinstance(node, ast.Name) else []
        return string(values[0]) or "*" if len(values) == 1 else "*"

    def place(self, node, scope, depth=0):
        """A path relative to SOURCE, with * for what is not constant, for an
        expression that begins with that of this module; else None."""
        if depth > 30:
            return None
        deeper = depth + 1
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = key(node)
            if name == "__file__":
                return escaped(self.path.strip("/"))
            if name == "__path__":
                return escaped(self.path.strip("/").rpartition("/")[0])
            values, where = scope.find(name)
            if values:
                return self.place(values[0], where, deeper) \
                    if len(values) == 1 else None
            given = self.given_as(name, where)
            if len(given) == 1:
                return self.place(*given[0], deeper)
            if isinstance(node, ast.Attribute):
                path = self.place(node.value, scope, deeper)
                return path.rpartition("/")[0] if path is not None and \
                    node.attr == "parent" else path
        elif isinstance(node, ast.Subscript):
            inner = node.value
            if isinstance(inner, ast.Attribute) and inner.attr == "parents":
                path = self.place(inner.value, scope, deeper)
                up = getattr(node.slice, "value", None)
                up = getattr(up, "value", up)
                if path is None or not isinstance(up, int) or up > 9:
                    return None
                for _ in range(up + 1):
                    path = path.rpartition("/")[0]
                return path
            return self.place(inner, scope, deeper)
        elif isinstance(node, ast.JoinedStr) and node.values:
            path = self.place(node.values[0], scope, deeper)
            return None if path is None else path + "".join(
                string(n) or "*" for n in node.values[1:])
        elif isinstance(node, ast.FormattedValue):
            return self.place(node.value, scope, deeper)
        elif isinstance(node, ast.BinOp):
            if string(node.left).startswith("%s"):  # "%s/x.py" % here
                path = (getattr(node.right, "elts", None) or [node.right])[0]
                path = self.place(path, scope, deeper)
                return None if path is None else path + string(
                    node.left)[2:].replace("%s", "*")
            path = self.place(node.left, scope, deeper)
            if path is not None and isinstance(node.op, (ast.Add, ast.Div)):
                slash = "/" if isinstance(node.op, ast.Div) else ""
                return path + slash + self.text(node.right, scope)
        elif isinstance(node, ast.Call):
            return self.place_of_call(node, scope, deeper)
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self.place(node.elt, scope, deeper)
        return None

    def place_of_call(self, node, scope, depth):
        """place() of a call of a function in PASSING."""
        full = self.full(node.func)
        name, args = last(full), node.args
        of = getattr(node.func, "value", None)
        if full.endswith("resources.files"):
            package = string(args[0]) if args else ""
            return package.replace(".", "/") or \
                escaped(self.path.strip("/").rpartition("/")[0])
        if name not in PASSING or name == "filter" and not args[1:]:
            return None if name not in CHANGED or name == "with_suffix" else \
                self.place(of, scope, depth)
        if name in ("filter", "map"):
            return self.place(args[1], scope, depth) if args[1:] else None
        # A function has the path as its first argument, a method as its object.
        method = name in ("joinpath", "with_name", "iterdir", "rglob",
                          "resolve", "absolute", "as_posix") or not args or \
            name == "glob" and full != "glob.glob"
        path = self.place(of if method else args[0], scope, depth)
        if path is None:
            return None
        rest = [self.text(a, scope) for a in (args if method else args[1:])]
        if name in ("join", "joinpath", "glob", "rglob"):
            path += "/**/" if name == "rglob" else "/"
            return path + "/".join(rest) if rest and method or \
                name == "join" else path.rstrip("/")
        if name in ("dirname", "with_name"):
            path = path.rpartition("/")[0]
            return path + "/" + rest[0] if name == "with_name" and rest \
                else path
        if name in ("listdir", "scandir", "iterdir", "walk"):
            return path + ("/**/*" if name == "walk" else "/*")
        return path

    def ends_of(self, node, scope, depth=0):
        """The names in which a path may end, as far as they are constant: "x.y"
        or, if only the ending is, "*.y"."""
        out = []
        if isinstance(node, (ast.Name, ast.Attribute)) and depth < 5:
            values, where = scope.find(key(node))
            for v in values[:4]:
                out += self.ends_of(v, where, depth + 1)
        elif isinstance(node, ast.Call):
            name = last(self.full(node.func))
            if name == "with_suffix":
                out = ["*" + s for s in map(string, node.args)]
            elif name in PASSING and name not in LISTERS | SPLITTERS:
                of = getattr(node.func, "value", None)
                out = self.ends_of(node.args[-1] if node.args else of, scope,
                                   depth + 1)
        elif isinstance(node, ast.BinOp):
            ends = self.ends_of(node.right, scope, depth + 1)
            star = "*" if isinstance(node.op, ast.Add) else ""
            out = [star + e if e.startswith(".") else e for e in ends
                   if isinstance(node.op, (ast.Add, ast.Div))]
        elif isinstance(node, ast.IfExp) and depth < 5:
            out = self.ends_of(node.body, scope, depth + 1) + \
                self.ends_of(node.orelse, scope, depth + 1)
        elif isinstance(node, ast.JoinedStr) and node.values:
            end = string(node.values[-1])
            out = [end.rpartition("/")[2] if "/" in end else "*" + end]
        elif string(node):
            out = [string(node).rstrip("/").rpartition("/")[2]]
        return [s for s in out if s.strip("*.") and PLAIN.issuperset(s)]
