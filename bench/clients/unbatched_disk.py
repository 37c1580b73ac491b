"""A disk queue without batches, to compare with: each piece is an HTTP request of its own to the io-daemon.

It is as good as that can be: connections stay open, several pieces are on their way at once, the data goes
from the piece's own memory to the kernel, and nothing is parsed of an answer but its status. It only writes,
and only pieces of one file: more does not happen in a download of one file.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from collections import deque
from collections.abc import Callable

from millstream.errors import StorageError
from millstream.interfaces.disk import (
    DiskConfig,
    DiskResult,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)

# Connections, and so requests at a time. Browsers make 6 to one server, and that is a little slower.
WAYS = 16
_END = b"\r\n\r\n"


class UnbatchedDiskQueue:
    """Implements `interfaces.disk.DiskQueue`, as far as a download needs it.

    Args:
        port: the daemon's, on this machine.
        token: for it.
        config: how much may wait.
    """

    def __init__(self, port: int, token: str, config: DiskConfig) -> None:
        self._port = port
        self._token = token
        self._config = config
        self._deliver: Callable[[list[DiskResult]], None] = lambda _results: None
        self._resume: Callable[[], None] = lambda: None
        self._queued: deque[VerifiedWrite] = deque()
        self._ways: list[socket.socket] = []
        self._running: set[asyncio.Task[None]] = set()
        self._pending_bytes = 0
        self._was_full = False
        self.requests = 0

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._deliver, self._resume = deliver, resume

    def submit_write(self, job: VerifiedWrite) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._pending_bytes += len(job.data)
        self._queued.append(job)

    def submit_read(self, job: Read) -> None:
        """See `interfaces.disk.DiskQueue`."""
        raise NotImplementedError("this queue is for downloads")

    def submit_hash(self, job: Hash) -> None:
        """See `interfaces.disk.DiskQueue`."""
        raise NotImplementedError("this queue is for downloads")

    def flush(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        while len(self._running) < min(WAYS, len(self._queued)):
            task = asyncio.ensure_future(self._write_queued())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    @property
    def is_full(self) -> bool:
        """See `interfaces.disk.DiskQueue`."""
        full = self._pending_bytes > self._config.max_queued_bytes
        self._was_full = self._was_full or full
        return full

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """See `interfaces.disk.DiskQueue`: nothing is kept open."""

    async def drain(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self.flush()
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        await self.drain()
        for way in self._ways:
            way.close()

    async def _write_queued(self) -> None:
        """One piece after the other, over one connection."""
        way = self._ways.pop() if self._ways else await self._connect()
        while self._queued:
            job = self._queued.popleft()
            result = await self._write(way, job)
            self._pending_bytes -= len(job.data)
            self._deliver([result])
            if self._was_full and not self.is_full:
                self._was_full = False
                self._resume()
        self._ways.append(way)

    async def _connect(self) -> socket.socket:
        way = socket.socket()
        way.setblocking(False)
        way.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(way, ("127.0.0.1", self._port))
        return way

    async def _write(self, way: socket.socket, job: VerifiedWrite) -> DiskResult:
        ((path, offset, _),) = job.extents
        head = (
            f"POST /write/{job.root} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-JST-Auth: {self._token}\r\n"
            f"X-Path-Base64: {base64.b64encode((path or '').encode()).decode()}\r\n"
            f"X-Offset: {offset}\r\nX-Expected-SHA1: {job.expected_digest.hex()}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(job.data)}\r\n\r\n"
        ).encode()
        self.requests += 1
        loop = asyncio.get_running_loop()
        try:
            sent = way.sendmsg([head, job.data]) - len(head)
        except BlockingIOError:
            sent = -len(head)
        if sent < 0:
            await loop.sock_sendall(way, head[sent:])
        if max(0, sent) < len(job.data):
            await loop.sock_sendall(way, job.data[max(0, sent) :])
        answer = b""
        while not answer.endswith(_END):
            part = await loop.sock_recv(way, 1 << 16)
            answer += part
            if not part or not (b"HTTP/1.1 200 ").startswith(answer[:13]):
                error = StorageError(job.root, answer.decode("latin-1") or "the daemon is gone")
                return DiskResult(job, Outcome.IO_ERROR, error)
        return DiskResult(job, Outcome.SUCCESS)
