# SPDX-License-Identifier: MIT
#
# What this Python makes of a text that never changes: canary() is a number, in
# hexadecimal digits, that differs where the compiler does. The version alone
# does not tell: a distribution may have patched it. And sys.version tells too
# much: two builds of one Python differ in their dates, and compile alike.
#
# The interpreter that was asked (probe.py) and the worker (bootstrap.py) both
# compute it, each with this text in front of its own, and must agree.
#
# Every Python must be able to run it, also one that is too old for us. Line
# tables are left out, as they depend on whether columns are wanted. The text is
# run, as compile() takes milliseconds to make the types of ast at its first use.
CANARY = '''
def canary_code(x):
    "doc"
    x = f"{1 + 2 * 3 - 4!r:>9}" "%s" % (1.5, 2j, None, ..., -0.0) + "a" * 5
    class C(x, m=1):
        def f(p, /, *q, r=2, **s):
            try:
                with p as (t, *u):
                    for v in q:
                        if v in {1, 2} or not 0 < v <= 9 and r is None:
                            continue
                        elif (w := v) > 5:
                            break
                    else:
                        del u[t]
            except OSError as e:
                return [v for v in p if e]
            finally:
                while r:
                    r -= 1
            return lambda: (super().f, r, {k: k for k in q})
        async def g(y):
            async for z in y:
                yield await z
'''


def canary():
    def facts(code):
        parts = [repr((code.co_argcount, code.co_kwonlyargcount,
                       code.co_nlocals, code.co_stacksize, code.co_flags,
                       code.co_code, code.co_names, code.co_varnames,
                       code.co_freevars, code.co_cellvars, code.co_name,
                       code.co_posonlyargcount,
                       getattr(code, 'co_exceptiontable', None)))]
        for const in code.co_consts:
            parts.append(facts(const) if hasattr(const, 'co_code')
                         else repr(const))
        return '(%s)' % ','.join(parts)

    try:
        import _imp
        names = {}
        exec(CANARY, names)
        text = facts(names['canary_code'].__code__)
        return _imp.source_hash(0, text.encode()).hex()
    except (ImportError, SyntaxError, AttributeError, TypeError):
        return 'none'  # Python 3.7 or older


