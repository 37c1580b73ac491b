"""One run of a script: a process of its own group, its output bounded, its time limited."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

# Bytes of a script's output that are kept, the first ones: they go to the log, whose entries are
# short (`logging.entry.MAX_MESSAGE`).
MAX_OUTPUT = 8192
# Seconds between asking a script to end (SIGTERM) and making it (SIGKILL); systemd has 90, for
# services.
GRACE = 5.0
# Seconds for the last of the output once the script has ended: what it left running in the
# background may keep the pipe open for good.
DRAIN = 0.5

_HAS_GROUPS = hasattr(os, "killpg")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended.

    Attributes:
        code: its exit code; negative for the signal that ended it.
        output: the first bytes of stdout and stderr.
        timed_out: whether it was ended for taking too long.
    """

    code: int
    output: bytes
    timed_out: bool = False


async def run_script(
    command: Sequence[str], environment: Mapping[str, str], seconds: float
) -> Outcome:
    """Run a program to its end.

    Args:
        command: the program and its arguments, as they are: no shell sees them.
        environment: all of it.
        seconds: time after which its whole process group is ended.

    Raises:
        OSError: it cannot be started.

    Cancelling ends the process group at once.
    """
    output = _Output()
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    # A pipe of our own: with one of asyncio's, the process's end would be that of its children, too.
    transport, _ = await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb", 0))
    try:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env=environment,
                start_new_session=_HAS_GROUPS,
            )
        finally:
            os.close(write_end)
        timed_out = False
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            timed_out = True
            await _end(process)
        except BaseException:
            _signal(process, signal.SIGKILL)
            await process.wait()
            raise
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await output.ended.wait()
        return Outcome(process.returncode or 0, bytes(output.kept), timed_out)
    finally:
        transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process group to end, and make it if it does not."""
    try:
        _signal(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    finally:
        # Also where the script has ended: what it started may not have.
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if _HAS_GROUPS:
            os.killpg(process.pid, number)
        elif process.returncode is None:
            process.kill()


class _Output(asyncio.Protocol):
    """Keeps the first bytes and lets the others go, so that the script never waits for us."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.kept += data[: MAX_OUTPUT - len(self.kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
