"""From an address to a WebSocket: connecting, and the handshake over HTTP (RFC 6455, section 4)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from contextlib import suppress

from millstream.adapters.daemon.address import DaemonAddress
from millstream.errors import NetworkError
from millstream.io_wire.web_frames import accept_key

# Of the answer, up to where the WebSocket begins.
MAX_HEAD_LENGTH = 16 << 10

_PATH = "/io"


async def connect(address: DaemonAddress) -> socket.socket:
    """A socket to the daemon, non-blocking. Raises NetworkError."""
    if address.connected is not None:
        if address.connected.fileno() < 0:
            raise NetworkError("the socket to the io-daemon is closed, and there is no other")
        address.connected.setblocking(False)
        return address.connected
    loop = asyncio.get_running_loop()
    opened: socket.socket | None = None
    try:
        if address.unix_socket is not None:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.setblocking(False)
            await loop.sock_connect(opened, address.unix_socket)
        else:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            opened = socket.socket(family, socket.SOCK_STREAM)
            opened.setblocking(False)
            await loop.sock_connect(opened, (address.host, address.port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, OverflowError) as error:
        if opened is not None:
            opened.close()
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number and number > 0 else error
        raise NetworkError(f"no io-daemon at {address}: {why}") from error
    except BaseException:
        if opened is not None:
            opened.close()
        raise
    return opened


async def upgrade(connected: socket.socket, address: DaemonAddress) -> bytes:
    """Ask for a WebSocket.

    Returns:
        What was received behind the answer.

    Raises:
        NetworkError: it is no io-daemon, or it has no room.
    """
    key = base64.b64encode(os.urandom(16))
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(connected, _request(address.http_host, key))
        head = bytearray()
        while b"\r\n\r\n" not in head:
            data = await loop.sock_recv(connected, MAX_HEAD_LENGTH)
            if not data:
                raise NetworkError(f"{address} closed the connection without an answer")
            head += data
            if len(head) > MAX_HEAD_LENGTH:
                raise NetworkError(f"what {address} answers is too long for an io-daemon")
    except OSError as error:
        raise NetworkError(f"{address}: {error.strerror or error}") from error
    end = head.index(b"\r\n\r\n")
    _check_answer(bytes(head[:end]), bytes(head[end + 4 :]), key, address)
    return bytes(head[end + 4 :])


def _request(host: str, key: bytes) -> bytes:
    return (
        f"GET {_PATH} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n"
    ).encode()


def _check_answer(head: bytes, rest: bytes, key: bytes, address: DaemonAddress) -> None:
    status, *lines = head.decode("latin-1").split("\r\n")
    if not status.startswith("HTTP/1.1 101"):
        why = f"{address} is no io-daemon, or refuses: {status[:80]}"
        with suppress(ValueError, KeyError, TypeError):
            why = f"the io-daemon at {address} refuses: {json.loads(rest)['message']}"
        raise NetworkError(why)
    headers = {name.strip().lower(): value.strip() for name, _, value in map(_split, lines)}
    if headers.get("sec-websocket-accept") != accept_key(key):
        raise NetworkError(f"{address} speaks no WebSocket")


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")
