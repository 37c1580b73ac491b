from __future__ import annotations

import asyncio
import itertools

import pytest

from millstream.adapters.daemon.listener import DaemonListener
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Bound, Place, encode_socket
from millstream.protocol.compact import PeerAddress


@pytest.fixture
def listener(daemon):
    return DaemonListener(daemon, PeerAddress("127.0.0.1", 0), lambda _connection: None)


async def opening(daemon, coroutine, *results):
    """Ports that were asked for, while these answers were given."""
    task = asyncio.ensure_future(coroutine)
    ports = []
    for result in results:
        await asyncio.sleep(0)
        ports.append(Place.parse(memoryview(daemon.asked[0][2])).port)
        daemon.answer(Opcode.TCP_LISTEN_RESULT, result.encode())
        await asyncio.sleep(0)
    await task
    return ports


async def test_it_knows_its_port_and_stops_once(daemon, listener):
    assert await opening(daemon, listener.open(7), Bound(7, 0, 1234)) == [0]
    assert listener.address == PeerAddress("127.0.0.1", 1234)
    listener.close()
    listener.close()
    assert daemon.puts == [(Opcode.TCP_STOP_LISTEN, encode_socket(7))]


async def test_one_that_is_closed_meanwhile_stops_when_it_is_there(daemon, listener):
    listener.close()
    daemon.puts.clear()
    await opening(daemon, listener.open(7), Bound(7, 0, 1234))
    assert daemon.puts == [(Opcode.TCP_STOP_LISTEN, encode_socket(7))]


async def test_it_comes_back_at_its_port(daemon, listener):
    numbers = itertools.count(8)
    await opening(daemon, listener.open(7), Bound(7, 0, 1234))
    reopening = listener.reopen(lambda: next(numbers))
    assert await opening(daemon, reopening, Bound(8, 0, 1234)) == [1234]
    assert (listener.number, listener.address.port) == (8, 1234)


async def test_or_at_another_one(daemon, listener):
    numbers = itertools.count(8)
    await opening(daemon, listener.open(7), Bound(7, 0, 1234))
    reopening = listener.reopen(lambda: next(numbers))
    assert await opening(daemon, reopening, Bound(8, 1), Bound(9, 0, 99)) == [1234, 0]
    assert (listener.number, listener.address.port) == (9, 99)


async def test_if_the_daemon_goes_again_the_port_is_kept(daemon, listener):
    await opening(daemon, listener.open(7), Bound(7, 0, 1234))
    task = asyncio.ensure_future(listener.reopen(lambda: 8))
    await asyncio.sleep(0)
    daemon.go()
    with pytest.raises(NetworkError):
        await task
    assert listener.address.port == 1234
