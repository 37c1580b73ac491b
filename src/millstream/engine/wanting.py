"""The torrents that have peers to try, and which of them come first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

# Torrents among which attempts are given out in one round, those that waited longest: of ten thousand
# that look for peers, a round must not look at all.
MAX_IN_ROUND = 200

# As long as downloads have peers to try, one attempt of so many is a seed's: after a restart ten
# thousand seeds would keep them waiting for minutes. Libtorrent's `connect_seed_every_n_download`.
SEED_EVERY = 10


class Seeking(Protocol):
    """A torrent that has peers to try."""

    @property
    def wants_seeds(self) -> bool:
        """Whether peers that have everything are of any use: whether it downloads."""


S = TypeVar("S", bound=Seeking)


class Wanting(Generic[S]):
    """Torrents that have peers to try; who waits longest is first, downloads apart from seeds."""

    def __init__(self) -> None:
        self._downloads: dict[S, None] = {}
        self._seeds: dict[S, None] = {}
        self._since_seed = 0

    def __len__(self) -> int:
        return len(self._downloads) + len(self._seeds)

    def __contains__(self, seeker: S) -> bool:
        return seeker in self._downloads or seeker in self._seeds

    def add(self, seeker: S) -> None:
        """It has peers to try; who is here already stays where it is."""
        mine, other = self._downloads, self._seeds
        if not seeker.wants_seeds:
            mine, other = other, mine
        other.pop(seeker, None)
        mine[seeker] = None

    def discard(self, seeker: S) -> None:
        """It has none, or no time for them."""
        self._downloads.pop(seeker, None)
        self._seeds.pop(seeker, None)

    def clear(self) -> None:
        """Nobody has any."""
        self._downloads.clear()
        self._seeds.clear()

    def in_round(self) -> tuple[Iterator[S], Iterator[S]]:
        """Among whom attempts are given out: downloads and seeds."""
        seeds = max(MAX_IN_ROUND // SEED_EVERY, MAX_IN_ROUND - len(self._downloads))
        return islice(self._downloads, MAX_IN_ROUND), islice(self._seeds, seeds)

    @property
    def is_seeds_turn(self) -> bool:
        """Whether the next attempt is a seed's, if one has peers to try."""
        return self._since_seed >= SEED_EVERY - 1

    def served(self, *, seed: bool) -> None:
        """An attempt was given out."""
        self._since_seed = 0 if seed else self._since_seed + 1
