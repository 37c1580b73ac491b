from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from millstream.adapters.memory.connection import MemoryConnection
from millstream.adapters.memory.link import Link, LinkProfile
from millstream.adapters.memory.stream import PLAIN_WINDOW, Stream
from millstream.interfaces.network import Connection
from millstream.protocol.compact import PeerAddress
from millstream.testing import run_virtual


class Handler:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.received = bytearray()
        self.drained = 0
        self.lost: list[Exception | None] = []

    def data_received(self, view: memoryview) -> None:
        self.received += view

    def output_drained(self) -> None:
        self.drained += 1

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.append(reason)


class Pair:
    """Two connected ends, not opened yet."""

    def __init__(self) -> None:
        self.forgotten: list[MemoryConnection] = []
        here, there = Link(LinkProfile()), Link(LinkProfile())
        rng = random.Random(0)
        out, back = Stream(here, there, rng), Stream(there, here, rng)
        buffer = memoryview(bytearray(1000))
        self.near = MemoryConnection(
            PeerAddress("10.0.0.2", 1), out, back, buffer, self.forgotten.append
        )
        self.far = MemoryConnection(
            PeerAddress("10.0.0.1", 1), back, out, buffer, self.forgotten.append
        )
        out.attach(self.near, self.far)
        back.attach(self.far, self.near)


def run(story: Callable[[Pair], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await story(Pair())

    run_virtual(main())


def opened(connection: MemoryConnection) -> Handler:
    made: list[Handler] = []

    def make(given: Connection) -> Handler:
        made.append(Handler(given))
        return made[0]

    connection.open(make)
    return made[0]


def test_bytes_wait_for_the_handler() -> None:
    async def story(pair: Pair) -> None:
        pair.near.write(b"early")
        await asyncio.sleep(1)
        handler = opened(pair.far)
        assert not handler.received
        await asyncio.sleep(0)
        assert handler.received == b"early"

    run(story)


def test_a_write_beyond_the_window_is_split() -> None:
    async def story(pair: Pair) -> None:
        near = opened(pair.near)
        data = random.Random(1).randbytes(PLAIN_WINDOW + 12_345)
        sent: list[int] = []
        pair.near.write_many(
            [bytearray(data[:100]), memoryview(data)[100:]], lambda: sent.append(1)
        )
        assert pair.near.unsent_bytes == 12_345
        assert not sent
        far = opened(pair.far)
        await asyncio.sleep(1)
        assert far.received == data
        assert near.drained == 1
        assert len(sent) == 1

    run(story)


def test_words_of_more_than_a_byte_are_counted_in_bytes() -> None:
    async def story(pair: Pair) -> None:
        far = opened(pair.far)
        pair.near.write_many([memoryview(b"12345678").cast("I")])
        await asyncio.sleep(1)
        assert far.received == b"12345678"

    run(story)


def test_sent_may_close() -> None:
    async def story(pair: Pair) -> None:
        near, far = opened(pair.near), opened(pair.far)
        sent: list[str] = []

        def first() -> None:
            sent.append("first")
            pair.near.close()

        pair.near.write_many([b"one"], first)
        pair.near.write_many([b"two"], lambda: sent.append("second"))
        await asyncio.sleep(1)
        assert sent == ["first", "second"]
        assert far.received == b"one"
        assert near.lost == far.lost == [None]
        assert pair.forgotten == [pair.near, pair.far]

    run(story)


def test_both_sides_may_close_at_once() -> None:
    async def story(pair: Pair) -> None:
        near, far = opened(pair.near), opened(pair.far)
        pair.near.close()
        pair.far.close()
        await asyncio.sleep(1)
        assert near.lost == far.lost == [None]

    run(story)


def test_resuming_and_pausing_again_delivers_nothing() -> None:
    async def story(pair: Pair) -> None:
        far = opened(pair.far)
        pair.far.pause_reading()
        pair.near.write(b"wait")
        await asyncio.sleep(1)
        pair.far.resume_reading()
        pair.far.pause_reading()
        await asyncio.sleep(1)
        assert not far.received

    run(story)
