"""The torrents of the engine as `GET /torrents` lists them.

Ten thousand torrents are not looked at in one go: the engine shares the loop, and its connections
want their turn meanwhile. All that is said of one torrent is of one moment, and who leaves the engine
before that is not in the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from millstream import InfoHash, Torrent, TorrentState
from millstream.rpc.json_blocks import JsonArray
from millstream.rpc.torrent_query import TorrentQuery
from millstream.rpc.torrent_view import FIELDS, Json, Look, state_name, view_fields
from millstream.rpc.turns import Turns

# Torrents looked at in one go: half a millisecond with all their fields.
TOGETHER = 25


class Torrents(Protocol):
    """Where torrents are: an `Engine`."""

    @property
    def torrents(self) -> list[Torrent]:
        """All of them, in the order they were added."""

    def find(self, info_hash: InfoHash) -> Torrent | None:
        """The torrent with this infohash, if it is there."""


async def list_torrents(engine: Torrents, query: TorrentQuery) -> Json:
    """What `/torrents` answers; `torrents` in it is a JsonArray."""
    turns = Turns()
    totals = _Totals() if query.totals else None
    keys = [_Key(name, descending=descending) for name, descending in query.sort]
    found = engine.torrents
    if totals is not None or keys or query.states or query.name:
        every, found = found, []
        async for looks in _in_turns(every, engine, turns):
            if totals is not None:
                totals.add(looks)
            wanted = _wanted(looks, query)
            found += [look.torrent for look in wanted]
            for key in keys:
                key.add(wanted)
    order: Sequence[int] = range(len(found))
    for key in reversed(keys):
        await turns.next()
        order = key.sorted(order)
    end = None if query.limit is None else query.offset + query.limit
    chosen = [found[index] for index in order[query.offset : end]]
    fields = [(name, FIELDS[name]) for name in query.fields]
    views = JsonArray()
    async for looks in _in_turns(chosen, engine, turns):
        views.extend([view_fields(look, fields) for look in _wanted(looks, query)])
    answer: Json = {"torrents": views, "count": len(found) - (len(chosen) - len(views))}
    if totals is not None:
        answer["totals"] = totals.view()
    return answer


async def _in_turns(
    torrents: Sequence[Torrent], engine: Torrents, turns: Turns
) -> AsyncIterator[Sequence[Look]]:
    """Some at a time, but for those that have left the engine: there is nothing to be said of them."""
    for start in range(0, len(torrents), TOGETHER):
        await turns.next()
        yield [
            Look(torrent)
            for torrent in torrents[start : start + TOGETHER]
            if engine.find(torrent.info_hash) is torrent
        ]


def _wanted(looks: Sequence[Look], query: TorrentQuery) -> Sequence[Look]:
    if states := query.states:
        looks = [look for look in looks if state_name(look.torrent.state) in states]
    if name := query.name:
        looks = [look for look in looks if name in look.torrent.name.casefold()]
    return looks


class _Key:
    """A field of torrents in a row, by which they are sorted."""

    def __init__(self, name: str, *, descending: bool) -> None:
        self._field = FIELDS[name]
        self._descending = descending
        self._values: list[object] = []

    def add(self, looks: Sequence[Look]) -> None:
        """Some more."""
        for value in map(self._field, looks):
            self._values.append(value.casefold() if isinstance(value, str) else value)

    def sorted(self, order: Sequence[int]) -> list[int]:
        """Their places in the row; those that have no value come last, whatever the direction."""
        values = self._values
        there = [index for index in order if values[index] is not None]
        there.sort(key=values.__getitem__, reverse=self._descending)  # type: ignore[arg-type]
        return there + [index for index in order if values[index] is None]


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
