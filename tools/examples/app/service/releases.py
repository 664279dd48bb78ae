"""Finds the newest of some versions."""
import attr
from packaging.version import InvalidVersion, Version


@attr.s(frozen=True)
class Answer:
    """The newest of some versions, and the texts that are no versions."""

    newest = attr.ib()
    refused = attr.ib(factory=list)


def newest(texts):
    """Returns the Answer for texts such as "1.9" and "1.10rc1"."""
    known, refused = [], []
    for text in texts:
        try:
            known.append(Version(text))
        except InvalidVersion:
            refused.append(text)
    return Answer(str(max(known)) if known else None, refused)
