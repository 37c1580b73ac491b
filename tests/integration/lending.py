"""A real io-daemon in a process of its own, and a slow way to it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from millstream.adapters.daemon import DaemonAddress

from .programs import PATIENCE

TOKEN = "0123456789abcdef" * 2


class Lender:
    """The daemon; it can be killed, and started again at the same port.

    Args:
        roots: directories by their tokens.
        variables: of its environment.
    """

    def __init__(self, roots: dict[str, Path], **variables: str) -> None:
        self._variables = variables | {"MILLSTREAM_TOKEN": TOKEN}
        self._roots = [f"{token}={token}:{path}" for token, path in roots.items()]
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    @property
    def address(self) -> DaemonAddress:
        return DaemonAddress(token=TOKEN, port=self.port)

    async def start(self) -> None:
        options = [option for root in self._roots for option in ("--root", root)]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "millstream", "io-daemon", "--port", str(self.port)),
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | self._variables,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.port = int(await self._process.stdout.readline())

    async def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def stats(self) -> dict[str, int]:
        def ask() -> bytes:
            url = f"http://127.0.0.1:{self.port}/stats"
            asked = urllib.request.Request(url, headers={"X-JST-Auth": TOKEN})
            with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310 - http
                return response.read()

        return json.loads(await asyncio.to_thread(ask))


@asynccontextmanager
async def lending(roots: dict[str, Path], **variables: str) -> AsyncIterator[Lender]:
    """A daemon while the block lasts."""
    lender = Lender(roots, **variables)
    await lender.start()
    try:
        yield lender
    finally:
        await lender.kill()


@asynccontextmanager
async def slow_way(port: int, latency: float) -> AsyncIterator[int]:
    """A port behind which is another one, so many seconds away in each direction."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await late.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        delivering = asyncio.ensure_future(deliver())
        tasks.add(delivering)
        with suppress(OSError):
            while data := await reader.read(1 << 18):
                late.put_nowait((loop.time() + latency, data))
        late.put_nowait((loop.time() + latency, b""))
        with suppress(OSError):
            await delivering

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, back))
        for one, other in ((reader, back), (onward, writer)):
            tasks.add(asyncio.ensure_future(pump(one, other)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)
