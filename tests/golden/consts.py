# Constants that are equal, nearly equal, shared and sorted.
a = 1, 1.0, True, 0.0, -0.0, 0, False, 1j, -1j, 0j
b = ("name", "two words", "name", b"name", b"", "", "\xe9t\xe9", "\u4e2d")
c = (1, (2, ("deep", "deep er")), 1 << 70, -(1 << 70), 1 << 31, -1)
d = x in {"b", "a", "c", None, 1, b"b"} if (x := "a") else ...
e = x in {3, 1, 2, 10 ** 20}
f = x in {"a", "c", "b", 1, None, b"b"}
g = 1e309 - 1e309, 1e309, 5e-324
h = "l" * 255, "s p" * 85, "l" * 256, "s p" * 86
