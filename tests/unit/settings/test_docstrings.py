from __future__ import annotations

import pytest

from millstream.settings.docstrings import attributes, split_range, summary


class Described:
    """What it is.

    And more
    of it.

    Attributes:
        one: first. Range 0.1 to 60.
        two: begins here
            and goes on: there.

    Raises:
        Nothing: ever.
    """


class Bare:
    pass


def test_the_words_before_the_attributes_and_those_of_each():
    assert summary(Described) == "What it is. And more of it."
    assert attributes(Described) == {
        "one": "first. Range 0.1 to 60.",
        "two": "begins here and goes on: there.",
    }


def test_without_a_docstring_there_are_no_words():
    assert (summary(Bare), attributes(Bare)) == ("", {})


@pytest.mark.parametrize(
    ("text", "meaning", "words"),
    [
        ("no bounds.", "no bounds.", ""),
        ("a wait. Range 0.1 to 60.", "a wait.", "0.1 to 60"),
        ("a. Range 0 (off) to 1. More.", "a. More.", "0 (off) to 1"),
        ("a. Range 1 to 9: no more.", "a.", "1 to 9: no more"),
    ],
)
def test_the_range_is_split_off(text, meaning, words):
    assert split_range(text) == (meaning, words)
