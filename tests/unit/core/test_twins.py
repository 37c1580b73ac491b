from __future__ import annotations

from itertools import product

import pytest

from millstream.core.twins import keep_new

LOW, HIGH = b"-MS0100-aaaaaaaaaaaa", b"-MS0100-bbbbbbbbbbbb"


@pytest.mark.parametrize(
    ("ours", "theirs", "existing_incoming", "new_incoming", "same_host", "expected"),
    [
        # Crossed: the greater id may connect, so its connection is the one that stays.
        (LOW, HIGH, False, True, True, True),
        (LOW, HIGH, True, False, True, False),
        (HIGH, LOW, False, True, True, False),
        (HIGH, LOW, True, False, True, True),
        # Twice the same way: the first one stays.
        (LOW, HIGH, True, True, True, False),
        (LOW, HIGH, False, False, True, False),
        (HIGH, LOW, True, True, True, False),
        (HIGH, LOW, False, False, True, False),
        # From elsewhere: the first one stays.
        (LOW, HIGH, False, True, False, False),
        (LOW, HIGH, True, False, False, False),
        (HIGH, LOW, False, True, False, False),
        (HIGH, LOW, True, False, False, False),
    ],
)
def test_truth_table(ours, theirs, existing_incoming, new_incoming, same_host, expected):
    assert expected is keep_new(
        ours,
        theirs,
        existing_incoming=existing_incoming,
        new_incoming=new_incoming,
        same_host=same_host,
    )


def test_both_sides_keep_the_same_one_of_two_that_crossed():
    """A connects to B by x, B to A by y; each side learns of the two in either order."""
    for (a, b), a_first, b_first in product([(LOW, HIGH), (HIGH, LOW)], "xy", "xy"):
        kept = []
        for ours, theirs, first, outgoing in ((a, b, a_first, "x"), (b, a, b_first, "y")):
            new = "y" if first == "x" else "x"
            keeps = keep_new(
                ours,
                theirs,
                existing_incoming=first != outgoing,
                new_incoming=new != outgoing,
                same_host=True,
            )
            kept.append(new if keeps else first)
        assert kept[0] == kept[1]
