"""The browser's end of the line: standard input and output, as pipes of frames.

Threads read and write, for neither is sure to be something that a loop can wait for: Windows' pipes
are not, nor is a file. They die with the process, so that neither can keep it from ending.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from queue import SimpleQueue
from typing import TypeAlias

# Chrome writes a message with one call; most have some hundred bytes.
READ_SIZE = 1 << 16

_Waiting: TypeAlias = "tuple[bytes, asyncio.Future[None]]"


def take_standard_streams() -> tuple[int, int]:
    """Descriptors to read and write frames at; what was stdout is stderr from now on.

    So whatever some library or child prints comes into the browser's log, and not between frames.
    """
    reading, writing = os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno())
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - os.devnull is no path to walk
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - there is none elsewhere

        msvcrt.setmode(reading, os.O_BINARY)
        msvcrt.setmode(writing, os.O_BINARY)
    return reading, writing


class StandardPipe:
    """Bytes from and to a browser.

    Args:
        reading: a descriptor.
        writing: another one.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._writing = writing
        self._received: asyncio.Queue[bytes] = asyncio.Queue()
        # The next is read when the last one was taken: a browser cannot fill our memory.
        self._may_read = threading.Semaphore()
        self._waiting: SimpleQueue[_Waiting] = SimpleQueue()
        for target in (self._read_on, self._write_on):
            threading.Thread(
                target=target, name=f"native-host {target.__name__}", daemon=True
            ).start()

    async def read(self) -> bytes:
        """What came next; nothing at the end."""
        data = await self._received.get()
        self._may_read.release()
        return data

    async def write(self, data: bytes) -> None:
        """Write it all, after what was given before. Raises OSError."""
        written = self._loop.create_future()
        self._waiting.put((data, written))
        await written

    def _read_on(self) -> None:
        data = b"..."
        while data:
            self._may_read.acquire()
            try:
                data = os.read(self._reading, READ_SIZE)
            except OSError:
                data = b""
            try:
                self._loop.call_soon_threadsafe(self._received.put_nowait, data)
            except RuntimeError:
                return  # the loop is closed

    def _write_on(self) -> None:
        while True:
            data, written = self._waiting.get()
            failure: OSError | None = None
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._writing, view) :]
            except OSError as error:
                failure = error
            try:
                self._loop.call_soon_threadsafe(_settle, written, failure)
            except RuntimeError:
                return  # the loop is closed


def _settle(written: asyncio.Future[None], failure: OSError | None) -> None:
    if written.done():
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)
