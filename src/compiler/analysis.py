# SPDX-License-Identifier: MIT
#
# Runs after risks.py, in the same names. Its job() takes the place of that of
# bootstrap.py in workers that find risks.


# A field has no tab and no line feed in it. Bytes of a name that are no UTF-8
# stay as they are.
def clean(field):
    return ''.join(c if c.isprintable() or 0xdc80 <= ord(c) <= 0xdcff
                   else ' ' for c in str(field))


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
    except BaseException:
        pass
    return (0, 0, 0,
            '\n'.join(out).encode('utf-8', 'surrogateescape'))
