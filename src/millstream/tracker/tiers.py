"""The order in which trackers are tried (BEP 12)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

# Trackers of one torrent that are used; the longest lists that people share have about 150.
MAX_TRACKERS = 200


class Tiers:
    """Announce URLs in tiers, shuffled within each once, each URL once.

    Args:
        tiers: the URLs, as the metainfo has them.
        rng: shuffles.
    """

    __slots__ = ("_tiers",)

    def __init__(self, tiers: Sequence[Sequence[str]], rng: random.Random) -> None:
        found: list[tuple[str, ...]] = []
        seen: set[str] = set()
        for tier in tiers:
            urls: list[str] = []
            for url in tier:
                if url not in seen and len(seen) < MAX_TRACKERS:
                    seen.add(url)
                    urls.append(url)
            if urls:
                rng.shuffle(urls)
                found.append(tuple(urls))
        self._tiers = tuple(found)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The tiers, each in the order in which its trackers are tried."""
        return iter(self._tiers)

    def tier_of(self, url: str) -> int:
        """The number of a URL's tier, from 0."""
        return next(number for number, tier in enumerate(self._tiers) if url in tier)

    def promote(self, url: str) -> None:
        """The tracker answered: it goes to the front of its tier."""
        number = self.tier_of(url)
        tier = self._tiers[number]
        if tier[0] != url:
            tier = (url, *[other for other in tier if other != url])
            self._tiers = (*self._tiers[:number], tier, *self._tiers[number + 1 :])
