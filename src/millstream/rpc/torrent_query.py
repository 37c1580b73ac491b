"""Which torrents `GET /torrents` lists, in which order, and how much of each: its query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millstream.rpc.refusals import Refusal, invalid
from millstream.rpc.torrent_view import FIELDS, STATE_NAMES

MAX_LIMIT = 1_000_000
# A name of a torrent is a path's component.
MAX_NAME = 1024

_WORDS = {"": True, "1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentQuery:
    """What is asked for.

    Attributes:
        fields: the fields of each torrent.
        states: torrents in these states alone; empty for all.
        name: torrents alone that have this in their name, in either case.
        sort: fields by which they are sorted, the first counts most, and whether the largest come
            first. Without any they come in the order they were added.
        offset: how many of them are passed over.
        limit: how many are listed at most; None for all.
        totals: whether the sums of all torrents are wanted, too.
    """

    fields: tuple[str, ...] = tuple(FIELDS)
    states: frozenset[str] = frozenset()
    name: str = ""
    sort: tuple[tuple[str, bool], ...] = ()
    offset: int = 0
    limit: int | None = None
    totals: bool = False

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> TorrentQuery:
        """Read the query of a URL; raises Refusal."""
        for key in query:
            if key not in _KEYS:
                raise invalid(key[:80], "is not known here")
        states = _names(query, "state", STATE_NAMES)
        sort = _names(query, "sort", {mark + name for name in FIELDS for mark in ("", "-")})
        name = query.get("name", "")
        if len(name) > MAX_NAME:
            raise invalid("name", f"has {len(name)} characters; {MAX_NAME} is the most")
        return cls(
            fields=_names(query, "fields", FIELDS) or tuple(FIELDS),
            states=frozenset(states),
            name=name.casefold(),
            sort=tuple([(each.removeprefix("-"), each[0] == "-") for each in sort]),
            offset=_number(query, "offset") or 0,
            limit=_number(query, "limit"),
            totals=_flag(query, "totals"),
        )


_KEYS = frozenset({"fields", "state", "name", "sort", "offset", "limit", "totals"})


def _names(
    query: Mapping[str, str], key: str, known: frozenset[str] | set[str] | Mapping[str, object]
) -> tuple[str, ...]:
    names = tuple([name for name in query.get(key, "").split(",") if name])
    for name in names:
        if name not in known:
            raise invalid(key, f"has {name[:40]!r}, which is not known here")
    return tuple(dict.fromkeys(names))


def _number(query: Mapping[str, str], key: str) -> int | None:
    text = query.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= MAX_LIMIT):
        raise invalid(key, f"is {text[:40]!r}; it must be 0 to {MAX_LIMIT}")
    return int(text)


def _flag(query: Mapping[str, str], key: str) -> bool:
    text = query.get(key, "0")
    if text not in _WORDS:
        raise Refusal(400, "InvalidField", f"{key} is {text[:40]!r}; it must be true or false", key)
    return _WORDS[text]
