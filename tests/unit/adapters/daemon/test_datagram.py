from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.datagram import MAX_UNSENT_BYTES, DaemonDatagramSocket
from millstream.errors import NetworkError
from millstream.io_wire.datagrams import Datagram
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Bound, Credit, encode_socket
from millstream.protocol.compact import PeerAddress

ELSEWHERE = PeerAddress("1.2.3.4", 5)


class Handler:
    def __init__(self):
        self.received = []

    def datagram_received(self, data, address):
        self.received.append((bytes(data), address))


async def answer(daemon, coroutine, *results):
    task = asyncio.ensure_future(coroutine)
    for result in results:
        await asyncio.sleep(0)
        daemon.answer(Opcode.UDP_BOUND, result.encode())
        await asyncio.sleep(0)
    await task


@pytest.fixture
async def bound(daemon):
    opened = DaemonDatagramSocket(daemon, PeerAddress("127.0.0.1", 0))
    await answer(daemon, opened.open(7), Bound(7, 0, 1234))
    return opened


def incoming(data):
    return Datagram(7, 5, "1.2.3.4", memoryview(data))


async def test_it_sends(daemon, bound):
    assert bound.address.port == 1234
    bound.send(b"hello", ELSEWHERE)
    ((opcode, payload),) = daemon.puts
    assert opcode is Opcode.UDP_SEND
    assert Datagram.parse(memoryview(payload)) == (7, 5, "1.2.3.4", b"hello")


@pytest.mark.parametrize(
    "address",
    [
        PeerAddress("1.2.3.4", -1),
        PeerAddress("1.2.3.4", 65536),
        PeerAddress("\ud800", 1),
        PeerAddress("x" * 256, 1),
    ],
)
async def test_what_cannot_be_sent_is_lost(daemon, bound, address):
    bound.send(b"hello", address)
    assert not daemon.puts


async def test_so_is_what_the_daemon_has_no_time_for(daemon, bound):
    daemon.unsent_bytes = MAX_UNSENT_BYTES + 1
    bound.send(b"hello", ELSEWHERE)
    assert not daemon.puts


async def test_it_receives_and_gives_credit(daemon, bound):
    handler = Handler()
    bound.received(incoming(b"too early"))
    bound.start(handler)
    bound.received(incoming(b"x" * 200))
    assert not daemon.puts
    bound.received(incoming(b"y" * 100))
    assert [data for data, _ in handler.received] == [b"x" * 200, b"y" * 100]
    assert handler.received[0][1] == ELSEWHERE
    ((opcode, payload),) = daemon.puts
    assert opcode is Opcode.CREDIT
    assert Credit.parse(memoryview(payload)) == (7, 300)


async def test_a_closed_one_does_nothing(daemon, bound):
    handler = Handler()
    bound.start(handler)
    bound.close()
    bound.close()
    bound.send(b"x", ELSEWHERE)
    bound.received(incoming(b"x"))
    assert daemon.puts == [(Opcode.UDP_CLOSE, encode_socket(7))]
    assert not handler.received


async def test_it_comes_back_at_its_port_or_another(daemon, bound):
    numbers = iter((8, 9))
    reopening = bound.reopen(lambda: next(numbers))
    await answer(daemon, reopening, Bound(8, 1, 0, 98, "taken"), Bound(9, 0, 99))
    assert (bound.number, bound.address.port) == (9, 99)
    task = asyncio.ensure_future(bound.reopen(lambda: 10))
    await asyncio.sleep(0)
    daemon.go()
    with pytest.raises(NetworkError):
        await task
    assert bound.address.port == 99


async def test_one_that_is_closed_meanwhile(daemon):
    opened = DaemonDatagramSocket(daemon, PeerAddress("127.0.0.1", 0))
    opened.is_closed = True
    await answer(daemon, opened.open(7), Bound(7, 0, 1234))
    assert daemon.puts == [(Opcode.UDP_CLOSE, encode_socket(7))]
