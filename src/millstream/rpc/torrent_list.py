"""The torrents of the engine as `GET /torrents` lists them.

Ten thousand torrents are not looked at in one go: the engine shares the loop, and its connections
want their turn meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from millstream import Torrent, TorrentState
from millstream.rpc.torrent_query import TorrentQuery
from millstream.rpc.torrent_view import FIELDS, Json, Look, state_name, view_fields

# Torrents looked at before others have their turn: some milliseconds.
TURN = 250


async def list_torrents(torrents: Callable[[], Sequence[Torrent]], query: TorrentQuery) -> Json:
    """What `/torrents` answers.

    Args:
        torrents: gives all of them.
        query: what of them is wanted.
    """
    totals = _Totals() if query.totals else None
    found: list[Look] = []
    async for looks in _in_turns([Look(torrent) for torrent in torrents()], torrents):
        if totals is not None:
            totals.add(looks)
        found += [look for look in looks if _is_wanted(look.torrent, query)]
    for name, descending in reversed(query.sort):
        found = _sorted(found, name, descending=descending)
    end = None if query.limit is None else query.offset + query.limit
    fields = [(name, FIELDS[name]) for name in query.fields]
    views: list[Json] = []
    async for looks in _in_turns(found[query.offset : end], torrents):
        views += [view_fields(look, fields) for look in looks]
    answer: Json = {"torrents": views, "count": len(found)}
    if totals is not None:
        answer["totals"] = totals.view()
    return answer


async def _in_turns(
    looks: Sequence[Look], torrents: Callable[[], Sequence[Torrent]]
) -> AsyncIterator[Sequence[Look]]:
    """Some at a time, but for those that have left the engine: there is nothing to be said of them."""
    present: set[Torrent] | None = None
    before = torrents()
    for start in range(0, len(looks), TURN):
        if start:
            await asyncio.sleep(0)
            now = torrents()
            if len(now) != len(before) or now[-1:] != before[-1:]:
                before, present = now, set(now)
        some = looks[start : start + TURN]
        yield some if present is None else [look for look in some if look.torrent in present]


def _is_wanted(torrent: Torrent, query: TorrentQuery) -> bool:
    if query.states and state_name(torrent.state) not in query.states:
        return False
    return not query.name or query.name in torrent.name.casefold()


def _sorted(looks: list[Look], name: str, *, descending: bool) -> list[Look]:
    """By a field; those that have no value of it come last, whatever the direction."""
    field = FIELDS[name]
    keyed = [(_comparable(field(look)), look) for look in looks]
    there = [pair for pair in keyed if pair[0] is not None]
    first: Callable[[tuple[object, Look]], object] = lambda pair: pair[0]  # noqa: E731
    there.sort(key=first, reverse=descending)  # type: ignore[arg-type]
    return [look for _, look in there] + [look for key, look in keyed if key is None]


def _comparable(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


class _Totals:
    """The sums of all torrents."""

    def __init__(self) -> None:
        self._count = self._peers = 0
        self._down = self._up = 0.0
        self._states: Counter[TorrentState] = Counter()

    def add(self, looks: Sequence[Look]) -> None:
        """Count some."""
        self._count += len(looks)
        for look in looks:
            status = look.status
            self._peers += status.peers
            self._down += status.download_rate
            self._up += status.upload_rate
            self._states[status.state] += 1

    def view(self) -> Json:
        """What a client is told."""
        return {
            "torrents": self._count,
            "peers": self._peers,
            "downloadRate": round(self._down),
            "uploadRate": round(self._up),
            "states": dict(sorted((state_name(state), n) for state, n in self._states.items())),
        }
