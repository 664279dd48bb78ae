"""Checks the layer that tools/quickstart has made. The Python that the layer
was compiled for runs this.

usage: quickstart.py SOURCE LAYER LOG

Prints how many modules and bytes there are, and imports packages from LAYER.
LOG is the log of the mount. Fails if a source is in the layer, if a module is
missing for which the log gives no reason, or if a package can be imported from
the sources but not from the layer.
"""
import os
import subprocess
import sys

PACKAGES = 12
IMPORT = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
m = __import__(sys.argv[2])
print(getattr(m, "__file__", None) or list(m.__path__)[0])
"""


def walk(root):
    for top, dirs, files in os.walk(root):
        for name in files:
            path = os.path.join(top, name)
            yield os.path.relpath(path, root), path


def is_module(root, path):
    """Whether a source becomes a module: it is a file, or a symlink to a file
    below `root`."""
    if not os.path.islink(path):
        return os.path.isfile(path)
    return os.path.isfile(path) and \
        os.path.realpath(path).startswith(root + "/")


def megabytes(n):
    return "%.1f MB" % (n / 1e6)


def size(root, pycache=True):
    return sum(os.lstat(path).st_size for rel, path in walk(root)
               if pycache or "__pycache__" not in rel.split(os.sep))


def try_import(root, name):
    """Imports a package, and returns its file and "", or None and the last
    line of the error."""
    try:
        run = subprocess.run(
            [sys.executable, "-S", "-OO", "-c", IMPORT, root, name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, cwd="/")
    except subprocess.TimeoutExpired:
        return None, "no end after 60 s"
    if run.returncode == 0:
        return run.stdout.decode(errors="replace").splitlines()[-1], ""
    lines = run.stderr.decode(errors="replace").splitlines()
    return None, lines[-1] if lines else "status %d" % run.returncode


def largest_packages(layer):
    """The top-level packages of the layer, those with most modules first."""
    found = {}
    for rel, _ in walk(layer):
        name = rel.split(os.sep)[0]
        if rel.endswith(".pyc") and os.sep in rel and name.isidentifier() \
                and os.path.exists(os.path.join(layer, name, "__init__.pyc")):
            found[name] = found.get(name, 0) + 1
    return sorted(found, key=lambda n: -found[n])


def main(source, layer, log_path):
    source, layer = os.path.realpath(source), os.path.realpath(layer)
    problems = []
    with open(log_path, errors="replace") as f:
        log = f.read().splitlines()

    wanted = {rel + "c" for rel, path in walk(source)
              if rel.endswith(".py") and "__pycache__" not in rel.split(os.sep)
              and len(os.path.basename(os.fsencode(rel))) < 255
              and is_module(source, path)}
    there = dict(walk(layer))
    sources = [rel for rel, path in there.items() if rel.endswith(".py")
               and not os.path.islink(path)]
    for rel in sources:
        problems.append("a source is in the layer: " + rel)

    lost = sorted(wanted - set(there))
    unsaid = []
    for rel in lost:
        why = [line for line in log if rel[:-1] in line]
        if not why:
            unsaid.append(rel)
            problems.append("missing, and the log does not say why: " + rel)
    print("%d modules of %d, %d other files, no source" % (
        len(wanted) - len(lost), len(wanted),
        len([r for r in there if r not in wanted])))
    if len(lost) > len(unsaid):
        print("left out, because they do not compile:")
        for rel in lost:
            if rel not in unsaid:
                line = next(x for x in log if rel[:-1] in x)
                print("  " + line.split(": ", 2)[-1])

    bare, full, new = size(source, False), size(source), size(layer)
    print("sources alone:              %s" % megabytes(bare))
    if full > bare:
        print("sources with __pycache__:   %s" % megabytes(full))
    else:
        print("sources with __pycache__:   there is none")
    print("layer:                      %s (%d %% of the sources alone%s)" % (
        megabytes(new), round(100 * new / max(bare, 1)),
        ", %d %% of both" % round(100 * new / full) if full > bare else ""))

    imported, neither = [], []
    for name in largest_packages(layer):
        if len(imported) == PACKAGES or len(neither) == 20:
            break
        file, why = try_import(layer, name)
        if file and file.startswith(layer + "/") and file.endswith(".pyc"):
            imported.append(name)
            continue
        if file:
            problems.append("%s was imported from %s" % (name, file))
            continue
        if try_import(source, name)[0]:
            problems.append("%s imports from the sources, not from the layer:"
                            " %s" % (name, why))
        else:
            neither.append(name)
    print("imported from the layer:    " + (", ".join(imported) or "nothing"))
    if neither:
        print("import from neither place:  " + ", ".join(neither))
    if not imported:
        problems.append("no package could be imported")
    for problem in problems[:20]:
        print("FAILED: " + problem, file=sys.stderr)
    if len(problems) > 20:
        print("FAILED: and %d more" % (len(problems) - 20), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
