from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.binding import bind
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
