# Jumps, exception tables and line tables.
def f(n):
    try:
        for i in range(n):
            while i:
                i -= 1
                if i == "name":
                    continue
                yield i, "name", (1, 2)
    except (ValueError, TypeError) as e:
        raise KeyError("no such thing") from e
    finally:
        with open("x") as g, open("y"):
            del g


def annotated(a: "str", *, b: "str" = "name") -> "str":
    assert a, "name"
    return f"{a!r:>10} and {b} and {a + b:{b}}"
