# SPDX-License-Identifier: MIT
#
# Runs after risks.py, in the same names. Its job() takes the place of that of
# bootstrap.py in workers that find risks.


# A field has no tab and no line feed in it. Bytes of a name that are no UTF-8
# stay as they are.
def clean(field):
    return ''.join(c if c.isprintable() or 0xdc80 <= ord(c) <= 0xdcff
                   else ' ' for c in str(field))


# The statements that import, without a syntax tree, which would take as long as
# compiling. Each is LINE, "!" if it is done whenever the module is imported and
# nothing catches its error, else "?", and "a.b" or "a.b:c,d" for `from a.b
# import c, d`. What is imported for type checkers alone is left out.
def imports(source, name):
    package = name.strip('/').split('/')[:-1]
    out, at, number, size = [], 0, 1, 0
    if b'import' not in source or len(source) > MAX_SOURCE:
        return out
    text = without_texts(source.decode('ascii', 'replace').replace('\r', ''))
    if 'TYPE_CHECKING' in text:
        text = without_checks(text)
    while size < MAX_IMPORTS:
        found = text.find('import', at)
        if found < 0:
            return out
        start = text.rfind('\n', 0, found) + 1
        while text.endswith('\\', at, start - 1):
            start = text.rfind('\n', 0, start - 1) + 1
        number += text.count('\n', at, start)
        line, at = statement_at(text, start)
        if line.startswith(('import ', 'from ')):
            mark = '?' if text[start] in ' \t' else '!'
            out += ['%d%s%s' % (number, mark, item)
                    for item in names(line, package)]
            size += len(line)
        number += text.count('\n', start, at)
    return out


# Characters of all statements of a module; those behind are not looked at.
MAX_IMPORTS = 200000


# A statement that begins on the line at `start`, on one line, and where the
# next line begins.
def statement_at(text, start):
    line = ''
    while start < len(text) and len(line) < 20000:
        end = text.find('\n', start)
        end = len(text) if end < 0 else end
        part = text[start:end].partition('#')[0].strip()
        line, start = line + ' ' + part, end + 1
        if part.endswith('\\'):
            line = line[:-1]
        elif line.count('(') <= line.count(')') or not line.lstrip(
                ).startswith('from '):
            break
    return line.strip(), min(start, len(text))


# The text without the statements that an `if TYPE_CHECKING:` is for.
def without_checks(text):
    out, checking = [], None
    for line in text.split('\n'):
        rest = line.lstrip()
        if rest and checking is not None and len(line) - len(rest) <= checking:
            checking = None
        if checking is None and rest.startswith('if ') and \
                'TYPE_CHECKING' in rest:
            checking = len(line) - len(rest)
        out.append('' if checking is not None else line)
    return '\n'.join(out)


# The text with nothing in its strings of three quotes but the line feeds.
def without_texts(text):
    out, at = [], 0
    where = {quotes: -1 for quotes in ('"""', "'''")}
    while True:
        for quotes, found in where.items():
            if found < at:
                found = text.find(quotes, at)
                where[quotes] = len(text) if found < 0 else found
        start = min(where.values())
        if start == len(text):
            return ''.join(out) + text[at:]
        end = text.find(text[start:start + 3], start + 3)
        end = len(text) if end < 0 else end + 3
        out += [text[at:start], '""', '\n' * text.count('\n', start, end)]
        at = end


# What a statement imports, in the package `package`.
def names(statement, package):
    statement = statement.partition(';')[0].strip()
    if statement.startswith('import '):
        found = [n.split() for n in statement[7:].split(',')]
        return [n[0] for n in found if n and dotted_name(n[0])]
    base, word, what = statement[5:].replace('import*', 'import *').replace(
        'import(', 'import (').partition(' import ')
    base = base.strip()
    level = len(base) - len(base.lstrip('.'))
    base = base[level:].strip()
    if level > len(package) + 1 or level == 0 and not base:
        return []
    above = package[:len(package) + 1 - level] if level else []
    base = '.'.join(above + ([base] if base else []))
    found = [n.split() for n in what.replace('(', ' ').replace(
        ')', ' ').split(',')]
    found = [n[0] for n in found if n and dotted_name(n[0])]
    if not word or not dotted_name(base):
        return []
    return ['%s:%s' % (base, ','.join(found)) if found else base]


def dotted_name(text):
    return all(p.isidentifier() for p in text.split('.'))


# The findings, a line each: grade, line, rule, reason, detail and remedy, with a
# tab between them. A remedy is a pattern of the module's exact name, in which a
# question mark stands for any byte.
def job(source, name, optimize, mode, mtime):
    out = []
    try:
        for line, rule, grade, detail in analyse(source, name):
            out.append('\t'.join([*map(clean, (
                grade, line, rule, RULES[rule][1], detail)),
                remedy(rule, name, detail).translate({9: '?', 10: '?'})]))
        found = imports(source, name)
        if found:
            out.append('%d\t0\timports\t\t%s\t' % (
                least_grade(name), ' '.join(found)))
    except BaseException:
        pass
    return (0, 0, 0,
            '\n'.join(out).encode('utf-8', 'surrogateescape'))
