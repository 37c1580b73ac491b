"""The other end of a socket that is tested, byte by byte."""

from __future__ import annotations

import asyncio
import socket


class FarEnd:
    """One of a pair of sockets; `near` is the one that is tested."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        for end in (self.near, self.far):
            end.setblocking(False)

    async def say(self, data: bytes) -> None:
        """Send it all."""
        await asyncio.get_running_loop().sock_sendall(self.far, data)

    async def hear(self, length: int) -> bytes:
        """Receive so many bytes, or what comes before the end."""
        loop, data = asyncio.get_running_loop(), b""
        while len(data) < length:
            part = await loop.sock_recv(self.far, length - len(data))
            if not part:
                break
            data += part
        return data
