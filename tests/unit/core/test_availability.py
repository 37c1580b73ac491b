from __future__ import annotations

import pytest
from fakes import drawn, pieces

from millstream.core.availability import Availability


def spread(*peers: str) -> Availability:
    """The availability over peers that have these pieces."""
    availability = Availability(len(peers[0]))
    for peer in peers:
        availability.add(pieces(peer))
    return availability


def counts(availability: Availability, count: int) -> str:
    return "".join(str(availability.of(piece)) for piece in range(count))


def test_counts_add_up():
    assert counts(spread("* * ", "**  ", "*   ", "*** "), 4) == "4220"


def test_a_seed_counts_for_every_piece():
    availability = spread("****", "*   ")
    assert availability.seeds == 1
    assert counts(availability, 4) == "2111"


def test_who_goes_is_no_longer_counted():
    availability = spread("* * ", "****", "*** ", "*   ")
    availability.remove(pieces("* * "))
    availability.remove(pieces("****"))
    assert counts(availability, 4) == "2110"
    availability.remove(pieces("*** "))
    availability.remove(pieces("*   "))
    assert counts(availability, 4) == "0000"
    assert availability._planes == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    ", "*   "),
        ("*   ", "*** "),
        ("*** ", "****"),
        ("    ", "****"),
        ("****", "****"),
        ("*   ", " *  "),
        ("*** ", "*   "),
        ("****", "*   "),
        ("****", "    "),
        ("*   ", "    "),
    ],
)
def test_a_peer_changes(before, after):
    availability = spread("** *", before, "* * ", "****")
    availability.change(pieces(before), pieces(after))
    expected = spread("** *", after, "* * ", "****")
    assert counts(availability, 4) == counts(expected, 4)
    availability.remove(pieces(after))
    assert counts(availability, 4) == "3222"


@pytest.mark.parametrize(
    ("candidates", "rarest"),
    [
        ("****", "   *"),
        ("*** ", "  * "),
        ("**  ", "**  "),
        ("*   ", "*   "),
        ("    ", "    "),
    ],
)
def test_the_rarest_of_the_candidates(candidates, rarest):
    # 2 2 1 0
    availability = spread("**  ", "*** ", " " * 4)
    assert drawn(availability.rarest(pieces(candidates)), 4) == rarest


def test_seeds_make_nothing_rarer():
    availability = spread("**  ", "****", "****")
    assert drawn(availability.rarest(pieces("*** ")), 4) == "  * "


def test_what_somebody_has_is_available():
    assert drawn(spread("*   ", "* * ").available(), 4) == "* * "
    assert drawn(spread("*   ", "****").available(), 4) == "****"
    assert Availability(4).available() == 0
