"""An answer as JSON, made piece by piece: ten thousand torrents in one go would hold up the loop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from millstream.rpc.torrent_view import Json
from millstream.rpc.turns import Turns

# Elements of an array that are encoded in one go.
TOGETHER = 50

# Bytes that are sent in one go, at least: how much aiohttp lets wait before it waits itself.
BLOCK = 64 << 10

_encode = json.JSONEncoder(separators=(",", ":")).encode


class JsonArray:
    """An array that is JSON already, as far as it goes: its elements need no memory any more."""

    __slots__ = ("_count", "_texts")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, elements: Sequence[object]) -> None:
        """Put these at its end."""
        if elements:
            self._texts.append(_encode(elements)[1:-1])
            self._count += len(elements)

    def pieces(self) -> Iterator[str]:
        """Its text."""
        before = "["
        for text in self._texts:
            yield before
            yield text
            before = ","
        yield "]" if self._texts else "[]"


async def json_blocks(body: Json) -> list[bytes]:
    """An object as JSON, the same as that of `json.dumps` without spaces, in blocks.

    An array that is a member may be a JsonArray, and is encoded in turns if it is long: so nothing
    in the object may change meanwhile.
    """
    turns = Turns()
    pieces: list[str] = []
    for name, value in body.items():
        pieces += ("," if pieces else "{", _encode(name), ":")
        if isinstance(value, list) and len(value) > TOGETHER:
            value = await _encoded(value, turns)
        pieces += value.pieces() if isinstance(value, JsonArray) else (_encode(value),)
    pieces.append("}" if pieces else "{}")
    return _joined(pieces)


async def _encoded(elements: list[object], turns: Turns) -> JsonArray:
    array = JsonArray()
    for start in range(0, len(elements), TOGETHER):
        await turns.next()
        array.extend(elements[start : start + TOGETHER])
    return array


def _joined(pieces: Iterable[str]) -> list[bytes]:
    blocks: list[bytes] = []
    some: list[str] = []
    length = 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length >= BLOCK:
            blocks.append("".join(some).encode())
            some, length = [], 0
    if some:
        blocks.append("".join(some).encode())
    return blocks
