"""The tree of errors that is drawn is the tree that is there."""

import re

from ecg_core import errors


def drawn() -> dict[str, tuple[str, bool]]:
    """By class: the class above it, and whether "(try again)" stands beside it."""
    above: list[str] = []
    found = {}
    for line in errors.__doc__.splitlines():
        if place := re.match(r"^ {4}([│├└─ ]*)([A-Z]\w+)", line):
            depth = len(place[1]) // 4
            above[depth:] = [place[2]]
            found[place[2]] = (above[depth - 1] if depth else "Exception", "(try again)" in line)
    return found


def test_the_drawn_tree_is_the_one_of_the_classes():
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert drawn() == {each.__name__: (each.__base__.__name__, each.retryable) for each in classes}


def test_every_error_has_a_code_of_its_own():
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len({each.code for each in classes}) == len(classes)
