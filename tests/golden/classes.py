"""Names of every kind."""
import os.path as p
from sys import path as q


class Outer:
    """Doc."""

    x: int = 1

    class Inner(dict):
        def method(self, *args, key=None, **kwargs):
            def closure():
                nonlocal args
                args = lambda é: (é, self, __class__, "self", "two words")
                return args

            return closure

        async def coroutine(self):
            async with self as f:
                return [await i async for i in f if i]


def twin():
    return 1


def twin():  # noqa
    return 1
