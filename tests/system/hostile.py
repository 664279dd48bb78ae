"""Sources that are made to break a compiler: {name: bytes}, always the same.

The tests compile those of small() for every Python. Those of large() are slow
or need gigabytes of memory. Most of them have made some version of CPython
crash, hang or run out of memory.
"""

import os
from encodings import aliases

M61 = (1 << 61) - 1  # hash(n) == hash(n + M61) on 64 bits


def lines(*parts):
    return ("\n".join(parts) + "\n").encode()


def nested(head, n, tail="", core="a"):
    return ("x = " + head * n + core + tail * n + "\n").encode()


def ladder(head, n, core="pass"):
    """One block in another."""
    return lines(*(" " * i + head % {"i": i} for i in range(n)),
                 " " * n + core)


def doubling(n):
    """Each finally is compiled twice, and so is what is in it."""
    return "".join("%stry: a\n%sfinally:\n" % (" " * i, " " * i)
                   for i in range(n)).encode() + b" " * n + b"b\n"


def nesting():
    out = {}
    for n in (90, 300, 6000, 100000):
        out["round_%d" % n] = nested("(", n, ")")
        out["square_%d" % n] = nested("[", n, "]")
        out["curly_%d" % n] = nested("{1:", n, "}")
        out["call_%d" % n] = nested("f(", n, ")")
        out["index_%d" % n] = nested("a[", n, "]")
        out["open_%d" % n] = b"x = " + b"(" * n
        out["mixed_%d" % n] = nested("([{", n // 3, "}])")
    for n in (80, 900, 3000, 30000):
        out["minus_%d" % n] = nested("-", n)
        out["tilde_%d" % n] = nested("~", n)
        out["not_%d" % n] = nested("not ", n)
        out["ternary_%d" % n] = nested("1 if a else ", n)
        out["power_%d" % n] = nested("a**", n)
        out["attribute_%d" % n] = nested("", n, ".b")
        out["calls_%d" % n] = nested("", n, "()")
        out["plus_%d" % n] = nested("a+", n)
        out["less_%d" % n] = nested("a<", n)
        out["and_%d" % n] = nested("a and ", n)
        out["star_%d" % n] = nested("*", n)
        out["decorator_%d" % n] = b"@a\n" * n + b"def f(): pass\n"
        out["elif_%d" % n] = (b"if a: pass\n" + b"elif a: pass\n" * n)
        out["chain_%d" % n] = b"x = " * n + b"1\n"
    # quadratic or worse in the symbol tables
    for n in (50, 250):
        out["lambda_%d" % n] = nested("lambda:", n)
        out["walrus_%d" % n] = nested("(x:=", min(n, 100), ")")
    out["lambda_7000"] = nested("lambda:", 7000)
    for n in (15, 25, 99, 101):
        out["if_%d" % n] = ladder("if a:", n)
        out["for_%d" % n] = ladder("for a in b:", n)
        out["try_%d" % n] = ladder("if a:", n) + b"try: a\n" + b"finally: b\n"
        out["with_%d" % n] = ladder("with a as b:", n)
        out["def_%d" % n] = ladder("def f%(i)d():", n, "return f0")
        out["class_%d" % n] = ladder("class C%(i)d:", n)
        out["async_%d" % n] = ladder("async def f%(i)d(a=1):", n, "await a")
    out["finally_15"] = doubling(15)
    for n in (4, 12):
        out["generator_%d" % n] = nested("[a for a in ", n, "]")
        out["generators_%d" % n] = nested("[", n, " for a in b for c in d]")
    out["generator_140"] = nested("(a for a in ", 140, ")")
    return out


def strings():
    out = {}
    for n in (1, 2, 3, 100, 160):
        # from 3.12 on quotes may be used again
        out["fstring_%d" % n] = b"x = " + b"f'{" * n + b"1" + b"}'" * n + b"\n"
        out["format_%d" % n] = b"x = f'" + b"{a:" * n + b"}" * n + b"'\n"
    out["fields"] = b"x = f'" + b"{a}" * 10000 + b"'\n"
    out["fstrings"] = b"x = (" + b"f'{a}' " * 10000 + b")\n"
    out["fstring_open"] = b"x = f'" + b"{" * 10000 + b"\n"
    out["fstring_lambda"] = b"x = f'{(lambda x:1)}{lambda x:1}'\n"
    out["fstring_nul"] = b"x = f'{\0}'\n"
    out["fstring_comment"] = b"x = f'''{\na # }\n}'''\n"
    out["fstring_eq"] = b"x = f'{a=!r:>{w}}{a!x}'\n"
    out["pieces"] = b"x = (" + b"'a' " * 100000 + b")\n"
    out["pieces_bytes"] = b"x = (" + b"b'a' " * 100000 + b")\n"
    out["escapes"] = b"x = '" + b"\\x41\\u0041\\U00000041" * 20000 + b"'\n"
    out["names"] = b"x = '" + b"\\N{SNOWMAN}" * 5000 + b"'\n"
    out["no_such_name"] = b"x = '\\N{NO SUCH CHARACTER}'\n"
    out["beyond"] = b"x = '\\U00110000'\n"
    out["surrogates"] = b"x = '\\ud800', '\\udc00', '\\ud800\\udc00'\n"
    out["surrogate_attribute"] = b"x = {'\\ud800': a}; y = f'{x}\\udfff'\n"
    out["bad_escapes"] = b"x = '" + b"\\q\\8\\777" * 3000 + b"'\n"
    out["unterminated"] = b"x = '''" + b"a\n" * 20000
    out["unterminated_line"] = b"x = '" + b"a" * 1000000 + b"\n"
    out["docstring"] = b'"""' + b"d" * 1000000 + b'"""\n'
    out["megabyte_line"] = b"x = '" + b"a" * 200000 + b"'\n"
    out["megabyte_astral"] = b"x = '" + "\U0001f40d".encode() * 200000 + b"'\n"
    out["megabyte_bytes"] = b"x = b'" + b"\\xff" * 300000 + b"'\n"
    out["megabyte_comment"] = b"#" * 200000 + b"\nx = 1\n"
    out["megabyte_name"] = b"a" * 1000000 + b" = 1\n"
    return out


def constants():
    out = {
        "repeat_str": b"x = 'a' * 10**9\n",
        "repeat_bytes": b"x = b'a' * 10**9\n",
        "repeat_tuple": b"x = (0,) * 10**9\n",
        "repeat_nested": b"x = ('a' * 4096,) * 4096, ((0,) * 200,) * 200\n",
        "repeat_again": b"x = 'a' * 4096 * 4096 * 4096 * 4096\n",
        "repeat_negative": b"x = 'a' * -10**9, (0,) * -1\n",
        "shift": b"x = 1 << 10**9\n",
        "shift_again": b"x = 1 << 100 << 100 << 100 << 10**6 << 10**6\n",
        "power": b"x = 10 ** 10 ** 8\n",
        "power_tower": b"x = 9 ** 9 ** 9 ** 9\n",
        "power_float": b"x = 9.0 ** 9 ** 9, 1e308 * 10, -0.0 ** 0\n",
        "power_negative": b"x = 0 ** -1, 1 / 0, 1 % 0, 1 // 0\n",
        "power_complex": b"x = 1j ** 1000000, (1+1j) ** 1e9\n",
        "product": b"x = " + b" * ".join([b"9" * 4000] * 500) + b"\n",
        "format_wide": b"x = '%1000000000d' % (1,)\n",
        "format_wide_f": b"x = f'{1:1000000000}'\n",
        "subscript": b"x = 'abc'[10**9], (1, 2)[5], 'abc'[0]\n",
        "digits": b"x = " + b"9" * 1000000 + b"\n",
        "digits_4301": b"x = " + b"9" * 4301 + b"\n",
        "digits_hex": b"x = 0x" + b"f" * 1000000 + b"\n",
        "digits_oct": b"x = 0o" + b"7" * 300000 + b"\n",
        "digits_bin": b"x = 0b" + b"1" * 300000 + b"\n",
        "digits_float": b"x = 0." + b"1" * 1000000 + b"e-1000000\n",
        "digits_exponent": b"x = 1e" + b"9" * 100000 + b", 1e400, 1e-400\n",
        "digits_complex": b"x = " + b"1" * 4000 + b"j\n",
        "digits_underscores": b"x = " + b"1_" * 2000 + b"1, 1__1\n",
        "digits_leading": b"x = 0" + b"0" * 30000 + b"\n",
        "digits_octal_like": b"x = 0777\n",
    }
    out["list"] = b"x = [" + b"1," * 20000 + b"]\n"
    out["tuple"] = b"x = (" + b"1," * 40000 + b")\n"
    out["names_list"] = b"x = [" + b"a," * 40000 + b"]\n"
    out["distinct"] = b"x = [" + b",".join(
        b"%d" % i for i in range(40000)) + b"]\n"
    out["dict"] = b"x = {" + b",".join(
        b"'k%d':%d" % (i, i) for i in range(20000)) + b"}\n"
    out["set"] = b"x = y in {" + b",".join(
        b"%d" % i for i in range(20000)) + b"}\n"
    out["statements"] = b"a = 1\n" * 30000
    out["semicolons"] = b"a;" * 30000 + b"\n"
    out["identifiers"] = b"".join(b"n%d = 1\n" % i for i in range(20000))
    out["unpack"] = b"x = [" + b"*a," * 20000 + b"]\n"
    out["targets"] = b",".join([b"a"] * 20000) + b" = b\n"
    out["targets_star"] = b",".join([b"a"] * 300) + b", *c, d = b\n"
    out["arguments"] = b"f(" + b"a," * 20000 + b")\n"
    out["keywords"] = b"f(" + b",".join(
        b"a%d=1" % i for i in range(8000)) + b")\n"
    out["keyword_twice"] = b"f(a=1, a=2)\n"
    out["parameters"] = b"def f(" + b",".join(
        b"a%d=1" % i for i in range(20000)) + b"): pass\n"
    out["parameter_twice"] = b"def f(a, a): pass\n"
    out["bases"] = b"class C(" + b"a," * 30000 + b"): pass\n"
    out["globals"] = b"def f():\n global " + b",".join(
        b"a%d" % i for i in range(10000)) + b"\n"
    out["closures"] = (b"def f():\n" + b"".join(
        b" a%d = 1\n" % i for i in range(3000)) + b" def g(): return " +
        b"+".join(b"a%d" % i for i in range(700)) + b"\n")
    out["imports"] = b"import " + b".".join([b"a"] * 3000) + b"\n"
    out["import_dots"] = b"from " + b"." * 100000 + b" import a\n"
    out["jumps"] = b"while a:\n" + b" if a: continue\n" * 20000
    out["lines_gap"] = b"x = 1\n" + b"\n" * 1000000 + b"y = 2\n"
    out["column_gap"] = b"x = (1," + b" " * 1000000 + b"2)\n"
    # one hash for all of them: tables of constants become lists
    out["collisions"] = b"x = [" + b",".join(
        b"%d" % (i * M61 + 7) for i in range(1500)) + b"]\n"
    return out


def encodings():
    out = {}
    tail = "x = 'caf\xe9'\n"
    for codec in ("rot13", "rot_13", "utf-7", "utf-8", "utf8", "utf-8-sig",
                  "utf-16", "utf-16-le", "utf-32", "latin-1", "iso-8859-15",
                  "cp1252", "ascii", "mbcs", "oem", "idna", "punycode",
                  "unicode_escape", "raw_unicode_escape", "undefined", "zlib",
                  "base64", "hex", "bz2", "uu", "quopri", "gb18030", "big5",
                  "shift_jis", "iso2022_jp", "hz", "koi8-r", "cp037",
                  "no-such-codec", "utf-8-unix", "latin-1-dos", "utf-8\0",
                  "..", "os", "encodings", "a" * 10000):
        name = codec.replace("\0", "NUL").replace("..", "dots")[:20]
        head = "# -*- coding: %s -*-\n" % codec
        out["cookie_" + name] = (head + tail).encode("latin-1")
        try:
            out["cookie_%s_true" % name] = head.encode() + tail.encode(codec)
            out["cookie_%s_all" % name] = (head + tail).encode(codec)
        except (LookupError, UnicodeError, AttributeError, TypeError,
                ValueError):
            pass
    # those that a worker reads when it needs them, each
    for name in sorted(os.listdir(os.path.dirname(aliases.__file__))):
        if name.endswith(".py"):
            out["codec_" + name[:-3]] = (
                "# coding: %s\nx = 1\n" % name[:-3]).encode()
    bom = b"\xef\xbb\xbf"
    latin = "x = 'caf\xe9'\n".encode("latin-1")
    out.update({
        "bom": bom + tail.encode(),
        "bom_only": bom,
        "bom_twice": bom + bom + b"x = 1\n",
        "bom_latin": bom + b"# coding: latin-1\n" + latin,
        "bom_utf8": bom + b"# coding: utf-8\n" + tail.encode(),
        "bom_late": b"x = 1\n" + bom + b"y = 2\n",
        "bom_utf16": "x = 1\n".encode("utf-16"),
        "bom_utf16_be": b"\xfe\xff" + "x = 1\n".encode("utf-16-be"),
        "cookie_line_1": b"#!python\n# coding: latin-1\n" + latin,
        "cookie_line_2": b"\n# vim: set fileencoding=latin-1 :\n" + latin,
        "cookie_line_3": b"\n\n# coding: latin-1\n" + latin,
        "cookie_after_code": b"x = 1\n# coding: latin-1\n" + latin,
        "cookie_after_string": b"'''\n# coding: latin-1\n'''\n" + latin,
        "cookie_after_formfeed": b"\f# coding: latin-1\n" + latin,
        "cookie_two": b"# coding: latin-1\n# coding: utf-8\n" + latin,
        "cookie_cr": b"# coding: latin-1\r" + latin.replace(b"\n", b"\r"),
        "cookie_far": b"#" + b" " * 1000000 + b"coding: latin-1\n" + latin,
        "utf8_bad_comment": b"# \xff\xfe\nx = 1\n",
        "utf8_bad_late": b"x = 1\n" * 3000 + b"# \xe9\n",
        "utf8_bad_string": latin,
        "utf8_cut": b"x = 1 # \xe2\x82",
        "utf8_surrogate": b"x = '\xed\xa0\x80'\n",
        "utf8_overlong": b"x = '\xc0\x80\xe0\x80\x80'\n",
        "utf8_beyond": b"x = '\xf4\x90\x80\x80'\n",
        "nul": b"\0", "nul_first": b"\0x = 1\n", "nul_last": b"x = 1\n\0",
        "nul_middle": b"x = 1\n\0y = 2\n", "nul_string": b"x = 'a\0b'\n",
        "nul_comment": b"# a\0b\nx = 1\n", "nul_many": b"\0" * 300000,
        "nul_continuation": b"x = \\\0\n1\n",
        "empty": b"", "blank": b"\n", "space": b"   ", "tab": b"\t",
        "backslash": b"\\", "backslash_line": b"\\\n",
        "no_newline": b"x = 1", "comment_only": b"#", "comment_cut": b"x=1#",
        "cr": b"x = 1\ry = 2\rif x:\r    y = 3\r",
        "cr_in_string": b"x = '''a\rb\r\nc'''\r\n",
        "crlf": b"if 1:\r\n    x = '''a\r\n'''\r\n", "cr_cr_lf": b"x=1\r\r\n",
        "lf_cr": b"x = 1\n\ry = 2\n\r",
        "formfeeds": b"\f\fx = 1\n  \fy = 2\n\f", "vertical": b"\vx = 1\n",
        "formfeed_indent": b"if 1:\n    x = 1\n  \f    y = 2\n",
        "ctrl_z": b"x = 1\n\x1a", "escape": b"\x1b[2Jx = 1\n",
        "tabs": b"if 1:\n\tx = 1\n        y = 2\n",
        "tabs_8": b"if 1:\n        x = 1\n\ty = 2\n",
        "tabs_mixed": b"if 1:\n  \t  x = 1\n\t  y = 2\n",
        "indent_deep": b"if 1:\n" + b" " * 1000000 + b"x = 1\n",
        "dedent_bad": b"if 1:\n    if 2:\n        x = 1\n   y = 2\n",
        "indent_first": b"    x = 1\n",
        "nbsp": "x =\xa01\n".encode(), "zero_width": b"x\xe2\x80\x8b = 1\n",
        "separator": "x = 1\u2028y = 2\n".encode(),
        "bidi": "x = '\u202e1 = x'\n".encode(),
        "nfkc": "\uff41 = 1; \U0001d41a = 2; \xaa = 3; \ufb01 = 4\n".encode(),
        "identifier_odd": "x\u0301 = 1; \u2118 = 2; a\xb7b = 3\n".encode(),
        "identifier_emoji": "\U0001f40d = 1\n".encode(),
        "digit_odd": "x = \u0663\n".encode(),
        "continuation": b"x = 1 + \\\n" * 5000 + b"1\n",
        "continuation_blank": b"x = \\\n" + b"\\\n" * 20000 + b"1\n",
        "continuation_space": b"x = \\ \n1\n",
        "continuation_eof": b"x = 1 + \\", "continuation_indent":
        b"if 1:\n    x = 1\n\\\n    y = 2\n" + b"  \\\n" * 1000 + b"z=1\n",
        "binary": bytes(range(256)) * 100,
        "elf": b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0>\0" * 40,
        "print": b"print 'hello'\n", "exec": b"exec 'a'\n",
        "dollar": b"$ ? ! `a` <> \n", "barry":
        b"from __future__ import barry_as_FLUFL\nx = 1 <> 2\n",
        "future_bad": b"from __future__ import no_such_feature\n",
        "future_late": b"x = 1\nfrom __future__ import division\n",
        "return_outside": b"return 1\n", "yield_outside": b"yield 1\n",
        "await_outside": b"await a\n", "nonlocal_outside": b"nonlocal a\n",
        "break_outside": b"break\n", "debug_assign": b"__debug__ = 1\n",
        "none_assign": b"None = 1\n", "star_alone": b"*a\n",
        "del_call": b"del f()\n", "walrus_bad": b"[a := 1 for a in b]\n",
        "global_late": b"def f():\n a = 1\n global a\n",
        "star_import": b"def f():\n from a import *\n",
    })
    return out


def newer():
    """What only later Pythons take."""
    out = {}
    for n in (50, 1200):
        out["match_cases_%d" % n] = b"match a:\n" + b"".join(
            b" case %d: pass\n" % i for i in range(n))
        out["match_or_%d" % n] = b"match a:\n case " + b"|".join(
            b"%d" % i for i in range(n)) + b": pass\n"
        out["match_deep_%d" % n] = (b"match a:\n case " + b"[" * n + b"_" +
                                    b"]" * n + b": pass\n")
        out["match_class_%d" % n] = (b"match a:\n case " + b"C(" * n + b"_" +
                                     b")" * n + b": pass\n")
        out["match_captures_%d" % n] = b"match a:\n case [" + b",".join(
            b"a%d" % i for i in range(n)) + b"]: pass\n"
        out["match_keys_%d" % n] = b"match a:\n case {" + b",".join(
            b"%d: b%d" % (i, i) for i in range(n)) + b"}: pass\n"
        out["match_or_or_%d" % n] = b"match a:\n case " + b"(".join(
            [b"1|"] * n) + b"2" + b")" * (n - 1) + b": pass\n"
        out["type_params_%d" % n] = b"def f[" + b",".join(
            b"T%d" % i for i in range(n)) + b"](): pass\n"
        out["type_bound_%d" % n] = (b"class C[T: " + b"(" * n + b"int" +
                                    b",)" * n + b"]: pass\n")
        out["type_alias_%d" % n] = b"".join(
            b"type T%d[A] = list[A, T%d]\n" % (i, i) for i in range(n))
        out["except_star_%d" % n] = b"try: a\n" + b"".join(
            b"except* E%d: pass\n" % i for i in range(n))
        out["with_items_%d" % n] = b"with (" + b",".join(
            b"a as b%d" % i for i in range(n)) + b"): pass\n"
    out["type_default"] = b"class C[T = int, *Ts = [int], **P = [int]]: pass\n"
    out["match_soft"] = b"match = case = type = _ = 1\nmatch(match)\n"
    out["walrus"] = b"x = [" + b"(a := b)," * 20000 + b"]\n"
    out["positional"] = b"def f(a, /, b, *, c): return (a := b)\n"
    return out


def small():
    out = {}
    for more in (nesting(), strings(), constants(), encodings(), newer()):
        assert not set(out) & set(more)
        out.update(more)
    return {name.replace("-", "_"): data for name, data in out.items()}


def endless(n=40000):
    """Quadratic in n, and all of it in comparing integers: 40,000 take some
    ten seconds and next to no memory."""
    return b"x = [" + b",".join(b"%d" % (i * M61 + 7)
                                for i in range(n)) + b"]\n"


def greedy(megabytes):
    """Wants many times its size while it is compiled."""
    return b"x = '\\n" + b"\xf0\x9f\x90\x8d" * (megabytes << 18) + b"'\n"


def large():
    return {
        "str_100m": b"x = '" + b"a" * 100000000 + b"'\n",
        "bytes_100m": b"x = b'" + b"a" * 100000000 + b"'\n",
        "str_escaped_100m": b"x = '" + b"\\x41" * 25000000 + b"'\n",
        "list_1m": b"x = [" + b"1," * 400000 + b"]\n",
        "list_distinct_1m": b"x = [" + b",".join(
            b"%d" % i for i in range(1000000)) + b"]\n",
        "names_1m": b"x = [" + b"a," * 400000 + b"]\n",
        "list_10m": b"x = [" + b"1," * 4000000 + b"]\n",
        "statements_300k": b"a = 1\n" * 300000,
        "dict_1m": b"x = {" + b",".join(
            b"'k%d':%d" % (i, i) for i in range(1000000)) + b"}\n",
        "continuation_5m": b"x = \\\n" + b"\\\n" * 2000000 + b"1\n",
        "lambda_2500": nested("lambda:", 2500),
        "comment_200m": b"#" + b"a" * 20000000 + b"\nx = 1\n",
        "zeros_30m": b"\0" * 30000000,
        "newlines_100m": b"\n" * 100000000,
        "greedy_250m": greedy(250),
        "doubling_25": doubling(25),
        "doubling_99": doubling(99),
    }
