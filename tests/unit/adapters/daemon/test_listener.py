from __future__ import annotations

import asyncio

from millstream.adapters.daemon.listener import DaemonListener
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Bound, encode_socket
from millstream.protocol.compact import PeerAddress


async def test_it_listens_until_it_is_closed(daemon):
    handlers = []
    listener = DaemonListener(daemon, PeerAddress("127.0.0.1", 0), handlers.append)
    task = asyncio.ensure_future(listener.open(7))
    await asyncio.sleep(0)
    assert daemon.asked[0][1] is Opcode.TCP_LISTEN
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(7, 0, 1234).encode())
    await task
    assert listener.address == PeerAddress("127.0.0.1", 1234)
    assert listener.accept == handlers.append
    listener.close()
    assert daemon.puts == [(Opcode.TCP_STOP_LISTEN, encode_socket(7))]
