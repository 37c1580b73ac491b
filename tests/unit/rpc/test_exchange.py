from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit

import pytest

from millstream.rpc.exchange import Exchange


@contextlib.asynccontextmanager
async def answering(answer):
    """The address of a server that says these bytes to whatever it is asked; None keeps silent."""
    heard = []
    asked = asyncio.Event()

    async def serve(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        asked.set()
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield urlsplit(f"http://{host}:{port}"), heard, asked


def ask(url, *, most=1000, timeout=5.0):
    return Exchange(url, timeout=timeout, most=most).run("GET", "/x?y=z", {"A": "b"}, None)


async def test_an_answer():
    said = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 5\r\n\r\nhello"
    async with answering(said) as (url, heard, _):
        assert await ask(url) == (302, b"hello")
    assert heard[0].startswith(b"GET /x?y=z HTTP/1.1\r\n")
    assert b"A: b\r\n" in heard[0]
    assert b"Connection: close\r\n" in heard[0]


async def test_an_answer_is_read_so_far_and_no_further():
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(5000)) as (url, _, _):
        assert await ask(url, most=100) == (200, bytes(100))


@pytest.mark.parametrize(
    "said",
    [b"", b"220 mail.example ready\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
)
async def test_what_is_no_answer(said):
    async with answering(said) as (url, _, _):
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            await ask(url)


async def test_nobody_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = urlsplit(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ConnectionRefusedError):
            await ask(url)


async def test_silence_ends_with_patience():
    async with answering(None) as (url, _, _):
        with pytest.raises(TimeoutError):
            await ask(url, timeout=0.02)


async def test_who_gives_up_leaves_no_thread_behind():
    async with answering(None) as (url, _, asked):
        task = asyncio.create_task(ask(url, timeout=60.0))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while any(thread.name == "control" for thread in threading.enumerate()):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
