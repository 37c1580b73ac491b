from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from millstream.adapters.memory.link import Link, LinkProfile
from millstream.adapters.memory.stream import MAX_WINDOW, PLAIN_WINDOW, Stream
from millstream.testing import run_virtual


class Ends:
    """Both ends of one stream: reads everything at once, unless told otherwise."""

    def __init__(self, source: LinkProfile, target: LinkProfile, seed: int = 0) -> None:
        self.stream = Stream(Link(source), Link(target), random.Random(seed))
        self.stream.attach(self, self)
        self.received = bytearray()
        self.reading = True
        self.is_closed = False
        self.resets = 0
        self.rooms: list[int] = []
        self._buffer = memoryview(bytearray(1000))

    def room_made(self) -> None:
        self.rooms.append(self.stream.room)

    def read(self) -> None:
        while self.reading and (length := self.stream.read_into(self._buffer)):
            self.received += self._buffer[:length]
            self.stream.consumed(length)

    def be_reset(self) -> None:
        self.resets += 1


def run(
    story: Callable[[Ends], Coroutine[Any, Any, None]],
    source: LinkProfile | None = None,
    target: LinkProfile | None = None,
) -> None:
    async def main() -> None:
        await story(Ends(source or LinkProfile(), target or LinkProfile()))

    run_virtual(main())


def test_room_is_taken_and_given_back() -> None:
    async def story(ends: Ends) -> None:
        ends.reading = False
        assert ends.stream.room == PLAIN_WINDOW
        ends.stream.put(bytes(PLAIN_WINDOW))
        assert ends.stream.room == 0
        await asyncio.sleep(1)
        assert ends.stream.room == 0
        ends.reading = True
        ends.read()
        assert ends.stream.room == PLAIN_WINDOW
        assert len(ends.received) == PLAIN_WINDOW
        assert ends.rooms[0] == 1000

    run(story)


@pytest.mark.parametrize(
    ("up", "down", "latency", "window"),
    [
        (None, None, 0.0, PLAIN_WINDOW),
        (None, None, 0.1, MAX_WINDOW),
        (100_000, None, 0.0, 65_536),
        (None, 100_000, 0.0, 65_536),
        (1e9, 2_000_000, 0.1, 800_000),
        (1e9, 1e9, 1.0, MAX_WINDOW),
    ],
)
def test_the_window_fits_the_path(
    up: float | None, down: float | None, latency: float, window: int
) -> None:
    stream = Ends(LinkProfile(up=up, latency=latency), LinkProfile(down=down)).stream
    assert stream.room == window


def test_the_end_follows_the_bytes() -> None:
    async def story(ends: Ends) -> None:
        ends.reading = False
        ends.stream.put(b"last words")
        ends.stream.end()
        assert not ends.stream.ended
        await asyncio.sleep(1)
        assert ends.stream.ended
        assert not ends.stream.is_at_end
        ends.reading = True
        ends.read()
        assert ends.stream.is_at_end

    run(story)


def test_what_reaches_a_closed_receiver_is_dropped() -> None:
    async def story(ends: Ends) -> None:
        ends.is_closed = True
        ends.stream.put(b"too late")
        await asyncio.sleep(1)
        assert not ends.received
        assert ends.stream.room == PLAIN_WINDOW

    run(story)


def test_a_reset_drops_what_did_not_leave() -> None:
    async def story(ends: Ends) -> None:
        ends.stream.put(bytes(50_000))
        await asyncio.sleep(0.2)
        ends.stream.reset()
        await asyncio.sleep(10)
        assert ends.resets == 1
        assert len(ends.received) < 50_000

    run(story, LinkProfile(up=100_000, latency=0.01))


def test_order_survives_loss_and_small_pieces() -> None:
    async def story(ends: Ends) -> None:
        sent = bytearray()
        for number in range(300):
            piece = b"%d," % number
            sent += piece
            ends.stream.put(piece)
            await asyncio.sleep(0.001)
        await asyncio.sleep(60)
        assert ends.received == sent

    run(story, LinkProfile(up=1e5, latency=0.01, loss=0.3), LinkProfile(down=1e5, loss=0.1))
