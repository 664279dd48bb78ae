"""The Pythons that the other tests use: whether all of them are found."""
import harness


def test_pythons_are_found():
    minors = {p.minor for p in harness.PYTHONS}
    assert (3, 11) in minors, "Debian's own Python"
    if harness.ON_A_CI and harness.pyenv_root():
        assert minors >= {(3, n) for n in range(8, 14)}, minors


def test_names_are_unique():
    names = [p.name for p in harness.PYTHONS]
    assert len(names) == len(set(names))
