"""The torrents of the engine as `GET /torrents` lists them.

Ten thousand torrents are not looked at in one go: the engine shares the loop, and its connections
want their turn meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from millstream import Torrent
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
    async for look in _in_turns([Look(torrent) for torrent in torrents()], torrents):
        if totals is not None:
            totals.add(look)
        if _is_wanted(look.torrent, query):
            found.append(look)
    for name, descending in reversed(query.sort):
        found = _sorted(found, name, descending=descending)
    end = None if query.limit is None else query.offset + query.limit
    shown = found[query.offset : end]
    fields = [(name, FIELDS[name]) for name in query.fields]
    views = [view_fields(look, fields) async for look in _in_turns(shown, torrents)]
    answer: Json = {"torrents": views, "count": len(found)}
    if totals is not None:
        answer["totals"] = totals.view()
    return answer


async def _in_turns(
    looks: Sequence[Look], torrents: Callable[[], Sequence[Torrent]]
) -> AsyncIterator[Look]:
    """These, but for those that leave the engine meanwhile: there is nothing to be said of them."""
    present: set[Torrent] | None = None
    before = torrents()
    for number, look in enumerate(looks, 1):
        if present is None or look.torrent in present:
            yield look
        if not number % TURN:
            await asyncio.sleep(0)
            now = torrents()
            if len(now) != len(before) or now[-1:] != before[-1:]:
                before, present = now, set(now)


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
        self._states: Counter[str] = Counter()

    def add(self, look: Look) -> None:
        """Count one."""
        status = look.status
        self._count += 1
        self._peers += status.peers
        self._down += status.download_rate
        self._up += status.upload_rate
        self._states[state_name(status.state)] += 1

    def view(self) -> Json:
        """What a client is told."""
        return {
            "torrents": self._count,
            "peers": self._peers,
            "downloadRate": round(self._down),
            "uploadRate": round(self._up),
            "states": dict(sorted(self._states.items())),
        }
