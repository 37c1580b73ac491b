"""A browser's half of native messaging, for tests: it starts the host and speaks frames with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class NativeClient:
    """A running host."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._count = 0

    async def send(self, message: object) -> None:
        """Send a message, in a frame."""
        data = json.dumps(message).encode()
        await self.send_raw(struct.pack("=I", len(data)) + data)

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def receive(self) -> Any:
        """The next message of the host."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            head = await self.process.stdout.readexactly(4)
            return json.loads(await self.process.stdout.readexactly(*struct.unpack("=I", head)))

    async def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """Send a request, and receive its answer."""
        self._count += 1
        await self.send({"id": f"r{self._count}", "op": op, **fields})
        answer = await self.receive()
        assert answer["id"] == f"r{self._count}"
        return answer

    async def hang_up(self) -> tuple[int, bytes, str]:
        """Close our end: the exit code, and what is left of stdout and stderr."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.end()

    async def end(self) -> tuple[int, bytes, str]:
        """Its exit code when it ends by itself, and what is left of stdout and stderr."""
        async with asyncio.timeout(PATIENCE):
            out, err = await asyncio.gather(
                *(stream.read() for stream in (self.process.stdout, self.process.stderr) if stream)
            )
            return await self.process.wait(), out, err.decode()


@contextlib.asynccontextmanager
async def native_host(
    home: Path, *arguments: str, program: tuple[str, ...] = (), **environment: str
) -> AsyncIterator[NativeClient]:
    """Start a host as a browser does, with this home."""
    settled = {"HOME": str(home), "MILLSTREAM_DEBUG": "0", **environment}
    settled["XDG_CONFIG_HOME"] = ""
    process = await asyncio.create_subprocess_exec(
        *(program or (sys.executable, "-W", "error", "-m", "millstream", "native-host", "run")),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | settled,
    )
    try:
        yield NativeClient(process)
    finally:
        # Whom it started may still have its pipes, and what it wrote may be unread.
        process._transport.close()  # type: ignore[attr-defined]
        await process.wait()
        await asyncio.sleep(0)
