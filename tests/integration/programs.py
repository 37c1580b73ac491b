"""The program `millstream` as users run it: in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

# A process starts in less than a second; the machine may be busy with other tests.
PATIENCE = 60.0


class Program:
    """A run of `millstream`; its output is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def line_with(self, words: str) -> str:
        """The next line that has these words in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            async for raw in self._process.stdout:
                self.lines.append(raw.decode().rstrip())
                if words in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"no {words!r} in {self.lines}, {await self.errors()}")

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of this name, of a run with `--json`."""
        return json.loads(await self.line_with(f'{{"event": "{name}"'))

    def events(self) -> list[dict[str, Any]]:
        """All events that were read."""
        return [json.loads(line) for line in self.lines]

    async def errors(self) -> str:
        """What it wrote to stderr, once it has ended."""
        assert self._process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stderr.read()).decode()

    async def end(self) -> int:
        """Its exit code, when it ends by itself."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            async for raw in self._process.stdout:
                self.lines.append(raw.decode().rstrip())
            return await self._process.wait()

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Send it a signal; its exit code."""
        self._process.send_signal(number)
        return await self.end()

    async def kill(self) -> None:
        """End it whatever it does, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@contextlib.asynccontextmanager
async def millstream(*arguments: object) -> AsyncIterator[Program]:
    """Run the program while the block lasts."""
    settled = {"COLUMNS": "200", "PYTHONUNBUFFERED": "1", "MILLSTREAM_DEBUG": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "millstream"),
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | settled,
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.kill()


async def run(*arguments: object) -> tuple[int, list[str], str]:
    """Run the program to its end: exit code, lines of stdout, stderr."""
    async with millstream(*arguments) as program:
        code = await program.end()
        return code, program.lines, await program.errors()
