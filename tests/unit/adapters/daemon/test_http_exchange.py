from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.http_exchange import MAX_HELD_BYTES, HttpExchange
from millstream.errors import NetworkError


class Connection:
    def __init__(self):
        self.is_paused = False

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False


@pytest.fixture
def exchange():
    return HttpExchange(Connection())


async def test_what_came_and_what_comes(exchange):
    borrowed = memoryview(bytearray(b"first"))
    exchange.data_received(borrowed)
    borrowed[:] = b"other"
    assert await exchange.read() == b"first"
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0)
    exchange.data_received(memoryview(bytearray(b"second")))
    exchange.output_drained()
    assert await reading == b"second"


async def test_the_end_comes_after_all_else(exchange):
    exchange.data_received(memoryview(bytearray(b"last")))
    exchange.connection_lost(None)
    assert await exchange.read() == b"last"
    assert await exchange.read() == b""
    assert await exchange.read() == b""


async def test_a_connection_that_is_lost(exchange):
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0)
    exchange.connection_lost(OSError("reset"))
    with pytest.raises(NetworkError, match="reset"):
        await reading


async def test_nothing_more_is_received_than_is_taken(exchange):
    part = memoryview(bytearray(MAX_HELD_BYTES // 2))
    for _ in range(3):
        exchange.data_received(part)
    assert exchange.connection.is_paused
    await exchange.read()
    assert exchange.connection.is_paused
    await exchange.read()
    assert not exchange.connection.is_paused
