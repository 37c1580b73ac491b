"""Walking and drawing from sets of pieces (see `protocol.bitfield` for what they are)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

# Sets are walked bit by bit in windows of this width. Any value is correct.
_WINDOW = 64
# A window to draw from is so many times as wide as there are pieces to draw.
_WINDOW_PER_DRAW = 32


def members(pieces: int, count: int) -> Iterator[int]:
    """The pieces of the set in rising order."""
    if not pieces:
        return
    text = f"{pieces:0{count}b}"
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


def set_of_ranges(ranges: Iterable[range], count: int) -> int:
    """The set of the pieces in any of the ranges, which may overlap."""
    digits = bytearray(b"0" * count)
    for pieces in ranges:
        digits[pieces.start : pieces.stop] = b"1" * len(pieces)
    return int(digits, 2) if count else 0


def first_members(pieces: int, count: int, most: int) -> list[int]:
    """The first `most` pieces of the set, in rising order."""
    found: list[int] = []
    while pieces and len(found) < most:
        top = pieces.bit_length() - 1
        low = max(0, top + 1 - _WINDOW)
        window = pieces >> low
        for piece in members(window, top + 1 - low):
            found.append(count - 1 - top + piece)
            if len(found) == most:
                return found
        pieces &= (1 << low) - 1
    return found


def random_members(pieces: int, count: int, most: int, rng: random.Random) -> list[int]:
    """At most `most` different pieces of the set, in random order.

    Every piece is equally likely to be drawn. The set is halved by population down to a window, so
    a draw from a million pieces costs a few shifts and no walk; of one window up to a sixteenth is
    taken before the next draw, which is as random as a swarm needs when many are wanted at once.
    """
    if not pieces:
        return []
    if pieces.bit_count() <= most:
        drawn = list(members(pieces, count))
        rng.shuffle(drawn)
        return drawn
    drawn = []
    widest = max(_WINDOW, _WINDOW_PER_DRAW * most)
    while len(drawn) < most:
        window, low, width = _random_window(pieces, count, widest, rng)
        inside = list(members(window, width))
        wanted = min(most - len(drawn), max(1, len(inside) // 16))
        for piece in rng.sample(inside, wanted):
            bit = 1 << (low + width - 1 - piece)
            drawn.append(count - (low + width) + piece)
            pieces ^= bit
    return drawn


def _random_window(
    pieces: int, count: int, widest: int, rng: random.Random
) -> tuple[int, int, int]:
    """A part of the set, chosen by population: its bits, its lowest bit's place, its width."""
    low, width = 0, count
    population = pieces.bit_count()
    while width > widest:
        half = width // 2
        upper = pieces >> half
        above = upper.bit_count()
        if rng.randrange(population) < above:
            pieces, low, width, population = upper, low + half, width - half, above
        else:
            pieces &= (1 << half) - 1
            width, population = half, population - above
    return pieces, low, width
