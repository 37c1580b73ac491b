from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket

import pytest

from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.upgrade import MAX_HEAD_LENGTH, connect, upgrade
from millstream.errors import NetworkError

TOKEN = "x" * 16
ADDRESS = DaemonAddress(token=TOKEN, port=1234)
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def asked(answer):
    """What `upgrade` makes of an answer, made of the key by a function."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    loop = asyncio.get_running_loop()
    with near, far:
        asking = asyncio.ensure_future(upgrade(near, ADDRESS))
        request = await loop.sock_recv(far, 4096)
        lines = dict(line.split(b": ") for line in request.split(b"\r\n")[1:-2])
        assert request.startswith(b"GET /io HTTP/1.1\r\n")
        assert lines[b"Host"] == b"127.0.0.1:1234"
        for part in answer(lines[b"Sec-WebSocket-Key"]):
            await loop.sock_sendall(far, part)
            await asyncio.sleep(0)
        far.shutdown(socket.SHUT_WR)
        return await asking


def accepted(key):
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    return b"HTTP/1.1 101 Switching\r\nsec-websocket-ACCEPT:  " + accept + b" \r\n\r\n"


async def test_an_answer_and_what_comes_behind_it():
    assert await asked(lambda key: [accepted(key) + b"more"]) == b"more"
    assert await asked(lambda key: [bytes([byte]) for byte in accepted(key)]) == b""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "no io-daemon"),
        (b"HTTP/1.1 101 Yes\r\n\r\n", "no WebSocket"),
        (b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: abc\r\n\r\n", "no WebSocket"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no io-daemon"),
        (b"", "without an answer"),
        (b"HTTP/1.1 101", "without an answer"),
        (b"x" * (MAX_HEAD_LENGTH + 1), "too long"),
        (
            b"HTTP/1.1 503 Busy\r\n\r\n" + json.dumps({"message": "16 are here"}).encode(),
            "refuses: 16 are here",
        ),
        (b"HTTP/1.1 503 Busy\r\n\r\n[]", "503 Busy"),
    ],
)
async def test_who_is_no_daemon(answer, words):
    with pytest.raises(NetworkError, match=words):
        await asked(lambda _key: [answer])


async def test_nobody_is_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NetworkError, match=r"no io-daemon at 127\.0\.0\.1:.*refused"):
            await connect(DaemonAddress(token=TOKEN, port=port))
    with pytest.raises(NetworkError, match="No such file"):
        await connect(DaemonAddress(token=TOKEN, unix_socket=str(tmp_path / "none")))


async def test_a_unix_socket(tmp_path):
    path = str(tmp_path / "here")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with await connect(DaemonAddress(token=TOKEN, unix_socket=path)) as connected:
            assert not connected.getblocking()


async def test_a_socket_that_is_connected_is_used_once():
    near, far = socket.socketpair()
    with far:
        address = DaemonAddress(token=TOKEN, connected=near)
        assert await connect(address) is near
        near.close()
        with pytest.raises(NetworkError, match="no other"):
            await connect(address)
