from __future__ import annotations

import asyncio
import itertools

import pytest

from millstream.adapters.daemon.binding import BoundPort, bind
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Bound, Place, encode_socket
from millstream.protocol.compact import PeerAddress

ADDRESS = PeerAddress("::1", 80)


async def binding(daemon, opcode=Opcode.TCP_LISTEN):
    task = asyncio.ensure_future(bind(daemon, opcode, 7, ADDRESS))
    await asyncio.sleep(0)
    _, asked, payload = daemon.asked[-1]
    assert asked is opcode
    assert Place.parse(memoryview(payload)) == (7, 80, "::1")
    return task


async def test_the_port_that_was_bound(daemon):
    task = await binding(daemon)
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(7, 0, 1234).encode())
    assert await task == 1234


@pytest.mark.parametrize(("why", "words"), [("it is taken", "taken"), ("", r"cannot bind \[::1\]")])
async def test_one_that_cannot_be(daemon, why, words):
    task = await binding(daemon)
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(7, 1, 0, 98, why).encode())
    with pytest.raises(NetworkError, match=words):
        await task


@pytest.mark.parametrize(
    ("opcode", "undo"),
    [(Opcode.TCP_LISTEN, Opcode.TCP_STOP_LISTEN), (Opcode.UDP_BIND, Opcode.UDP_CLOSE)],
)
async def test_who_thinks_better_of_it(daemon, opcode, undo):
    task = await binding(daemon, opcode)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert daemon.puts == [(undo, encode_socket(7))]


@pytest.fixture
def port(daemon):
    return BoundPort(daemon, Opcode.TCP_LISTEN, PeerAddress("127.0.0.1", 0))


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


async def test_it_knows_its_port_and_stops_once(daemon, port):
    assert await opening(daemon, port.open(7), Bound(7, 0, 1234)) == [0]
    assert port.address == PeerAddress("127.0.0.1", 1234)
    port.close()
    port.close()
    assert daemon.puts == [(Opcode.TCP_STOP_LISTEN, encode_socket(7))]


async def test_one_that_is_closed_meanwhile_stops_when_it_is_there(daemon, port):
    port.close()
    daemon.puts.clear()
    await opening(daemon, port.open(7), Bound(7, 0, 1234))
    assert daemon.puts == [(Opcode.TCP_STOP_LISTEN, encode_socket(7))]


async def test_it_comes_back_at_its_port(daemon, port):
    numbers = itertools.count(8)
    await opening(daemon, port.open(7), Bound(7, 0, 1234))
    reopening = port.reopen(lambda: next(numbers))
    assert await opening(daemon, reopening, Bound(8, 0, 1234)) == [1234]
    assert (port.number, port.address.port) == (8, 1234)


async def test_or_at_another_one(daemon, port):
    numbers = itertools.count(8)
    await opening(daemon, port.open(7), Bound(7, 0, 1234))
    reopening = port.reopen(lambda: next(numbers))
    assert await opening(daemon, reopening, Bound(8, 1), Bound(9, 0, 99)) == [1234, 0]
    assert (port.number, port.address.port) == (9, 99)


async def test_if_the_daemon_goes_again_the_port_is_kept(daemon, port):
    await opening(daemon, port.open(7), Bound(7, 0, 1234))
    task = asyncio.ensure_future(port.reopen(lambda: 8))
    await asyncio.sleep(0)
    daemon.go()
    with pytest.raises(NetworkError):
        await task
    assert port.address.port == 1234
