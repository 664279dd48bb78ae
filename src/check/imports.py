# SPDX-License-Identifier: MIT
#
# Runs in the Python that is to run a layer, once for each thing that is tried,
# and tells what became of it. pycfs starts it as `python -I -S -B -c TEXT TREE
# COMMAND`. On its stdin is what to do, one thing a line; on descriptor 3 it writes
# a message for each step.
#
#   message ::= be32 length, that many bytes: fields with NUL between them
#
#   list     TREE's modules and entry points:
#              M top name    a module, and the top-level name that it belongs to
#              E dist text   an entry point: "group: name = module:attr"
#   import   each line is "INDEX M name" or "INDEX E group: name = module:attr":
#              B index       it is tried now
#              R index       it worked
#              F index type text file line function files
#                            it failed, and where in TREE, if it was there
#              T text        at the end: a fact about what TREE's modules have,
#                            for comparison with those of another tree
#   junit    the line is a directory in which there may be JUnit files:
#              O text        a test in them, and its outcome
#
# What is imported may do anything to this process, and close or write to the
# socket: whoever reads it takes nothing of it for granted. The imports of this
# text are those that Python has made when it starts, as what is tried must not
# find more modules than it would elsewhere.
import os
import sys

TREE, COMMAND = sys.argv[1:3]
WHERE = TREE + os.sep


def send(*fields):
    data = '\0'.join([str(f).replace('\0', '\\0') for f in fields])
    data = data.encode('utf-8', 'backslashreplace')[:1 << 20]
    data = len(data).to_bytes(4, 'big') + data
    while data:
        data = data[os.write(3, data):]


def receive():
    parts = []
    while True:
        part = os.read(0, 65536)
        if not part:
            return b''.join(parts).decode('utf-8',
                                          'surrogateescape').split('\n')[:-1]
        parts.append(part)


# ----------------------------------------------------------------- listing

SKIPPED = ('__main__', 'test', 'tests')


def modules(top, directory, prefix):
    """All modules below a package's directory."""
    import pkgutil
    seen = set()
    for module in sorted(pkgutil.iter_modules([directory]),
                         key=lambda m: m.name):
        if module.name in SKIPPED:
            continue
        name = prefix + module.name
        seen.add(module.name)
        send('M', top, name)
        if module.ispkg:
            modules(top, os.path.join(directory, module.name), name + '.')
    namespaces(directory, prefix, seen, top)


def namespaces(directory, prefix, seen, top=None):
    """Directories without __init__ that have modules: parts of namespaces.
    What is right in one is a top-level name of its own."""
    import pkgutil
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name in seen or name in SKIPPED or not name.isidentifier() or \
                name == '__pycache__' or not os.path.isdir(path) or \
                os.path.islink(path):
            continue
        if top is None:
            tops(path, prefix + name + '.')
        elif any(pkgutil.iter_modules([path])):
            modules(top, path, prefix + name + '.')


def tops(directory, prefix):
    import pkgutil
    seen = set()
    for module in sorted(pkgutil.iter_modules([directory]),
                         key=lambda m: m.name):
        seen.add(module.name)
        if module.name == '__main__' or prefix and module.name in SKIPPED:
            continue
        name = prefix + module.name
        send('M', name, name)
        if module.ispkg:
            modules(name, os.path.join(directory, module.name), name + '.')
    namespaces(directory, prefix, seen)


def entry_points():
    from importlib import metadata
    for dist in metadata.distributions(path=[TREE]):
        name = str(dist.metadata['Name'])
        for point in dist.entry_points:
            text = '%s: %s = %s' % (point.group, point.name, point.value)
            if '\n' not in text:
                send('E', name, text)


# --------------------------------------------------------------- importing

def relative(file):
    """The source of a file of TREE, as the developer knows it."""
    if file.startswith(WHERE):
        file = file[len(WHERE):]
    return file[:-1] if file.endswith('.pyc') else file


def place(error):
    """Where in TREE it came from: the last frame that is there, and the files
    of all of them."""
    found = ('', 0, '')
    files = []
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        module = trace.tb_frame.f_globals.get('__file__')
        if type(module) is str and module.startswith(WHERE):
            file = module
        if file.startswith(WHERE):
            file = relative(file)
            found = (file, trace.tb_lineno, trace.tb_frame.f_code.co_name)
            if '\n' not in file:
                files = [file] + [f for f in files if f != file]
        trace = trace.tb_next
    return found + ('\n'.join(files[:6]),)


def load(text):
    from importlib import import_module
    if text.startswith('M '):
        import_module(text[2:])
        return
    value = text.partition(' = ')[2].partition('[')[0].strip()
    module, _, attribute = value.partition(':')
    thing = import_module(module.strip())
    for name in filter(None, attribute.strip().split('.')):
        thing = getattr(thing, name)


def attempt(index, text):
    send('B', index)
    try:
        load(text)
    except BaseException as e:
        cause = e
        try:
            said = str(e)
        except Exception:
            said = '?'
        send('F', index, type(e).__name__, said.replace(WHERE, '')[:2000],
             *place(cause))
    else:
        send('R', index)


CONTAINERS = (list, tuple, dict, set, frozenset)


def facts():
    """What each module of TREE has: names, types, sizes of containers. Values
    may be of any class, so that nothing of theirs is called."""
    for name, module in sorted((n, m) for n, m in list(sys.modules.items())
                               if type(n) is str):
        try:
            file = vars(module).get('__file__')
            names = dict(vars(module))
        except TypeError:
            continue
        if type(file) is not str or not file.startswith(WHERE):
            continue
        send('T', name)
        for attribute in sorted(n for n in names if type(n) is str):
            if attribute.startswith('_'):
                continue
            value = names[attribute]
            kind = type(value)
            size = ' %d' % len(value) if kind in CONTAINERS else ''
            send('T', '%s.%s: %s%s' % (name, attribute, kind.__name__, size))


def outcomes(directory):
    """Of the tests in the JUnit files in there."""
    from xml.etree import ElementTree
    for top, _, names in os.walk(directory):
        for name in sorted(names):
            if not name.endswith('.xml'):
                continue
            try:
                root = ElementTree.parse(os.path.join(top, name)).getroot()
            except (ElementTree.ParseError, OSError, ValueError):
                continue
            if root.tag not in ('testsuites', 'testsuite'):
                continue
            for case in root.iter('testcase'):
                how = [c.tag for c in case
                       if c.tag in ('failure', 'error', 'skipped')]
                text = '%s.%s: %s' % (case.get('classname'), case.get('name'),
                                      how[0] if how else 'passed')
                send('O', text.replace('\n', ' '))


def main():
    tasks = receive()
    if COMMAND == 'junit':
        outcomes(tasks[0])
        return
    sys.path.insert(0, TREE)
    if COMMAND == 'list':
        tops(TREE, '')
        entry_points()
        send('.')
        return
    # As site would have it: the names that programs of a shell use, and lines
    # of .pth files, which some namespace packages need.
    import site
    for ready in (site.setquit, site.setcopyright, site.sethelper):
        ready()
    try:
        site.addsitedir(TREE)
    except Exception:
        pass
    for task in tasks:
        index, _, text = task.partition(' ')
        attempt(index, text)
    facts()
    send('.')


main()
# Threads and exit handlers of what was imported are not waited for.
os._exit(0)
