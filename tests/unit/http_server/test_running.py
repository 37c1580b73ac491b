from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web

from millstream.http_server.bounded import BoundedServer
from millstream.http_server.listening import bind_tcp
from millstream.http_server.running import run_server


async def answer(_):
    return web.Response(text="here")


def bounded():
    return BoundedServer(
        answer,
        logging.getLogger("test"),
        max_connections=4,
        connection_time=5,
        only_until_request=True,
        keep_alive_time=5,
        lingering_time=0,
        max_header_length=1000,
    )


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answered = await reader.read()
    writer.close()
    return answered


async def test_it_answers_at_all_its_sockets_until_it_ends():
    sockets = [bind_tcp("127.0.0.1", 0, 5, "") for _ in range(2)]
    ports = [opened.getsockname()[1] for opened in sockets]
    runner = await run_server(bounded(), sockets, 0.1)
    assert [(await ask(port)).endswith(b"\r\n\r\nhere") for port in ports] == [True, True]
    await runner.cleanup()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await ask(port)


async def test_a_socket_that_cannot_be_served_leaves_none_that_is():
    sockets = [bind_tcp("127.0.0.1", 0, 5, "") for _ in range(2)]
    port = sockets[0].getsockname()[1]
    sockets[1].close()
    with pytest.raises((OSError, ValueError)):
        await run_server(bounded(), sockets, 0.1)
    with pytest.raises(ConnectionRefusedError):
        await ask(port)
    assert sockets[0].fileno() == -1
