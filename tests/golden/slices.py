# Slices of constants: constants themselves since 3.14.
a = x[1:2], x[1:2], x[:], x[::-1], x[1:2, ..., None:3]
b = x["a":"b"], x["a b":("c", 1.5)], x[1.5:True:None], x[-1:1 << 70]


def f(y, i):
    return y[1:2] + y[i:2] + y[:i] + y["a":"b"]


del x[1:2]
x["a":"name"] = f
