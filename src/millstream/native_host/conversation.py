"""A browser and a native host: requests in, answers out, until the browser hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from millstream.logging.component_logger import component_logger
from millstream.native_host.framing import (
    BrokenFrameError,
    FrameReader,
    MessageTooLongError,
    encode_message,
)
from millstream.native_host.operations import failed

# Requests in progress; a dialog may be open for minutes, and others go on beside it.
MAX_REQUESTS = 32

_LOG = component_logger("native_host")


class Pipe(Protocol):
    """Bytes both ways: `StandardPipe`."""

    async def read(self) -> bytes:
        """What came next; nothing at the end."""

    async def write(self, data: bytes) -> None:
        """Write it all, or raise OSError."""


async def converse(pipe: Pipe, answer: Callable[[object], Awaitable[dict[str, object]]]) -> None:
    """Answer until the browser closes its end; what is in progress then is cancelled.

    Args:
        pipe: to the browser.
        answer: carries out one request, and never fails.

    Raises:
        BrokenFrameError: what came makes no sense; nothing after it can be read.
    """
    reader = FrameReader()
    places = asyncio.Semaphore(MAX_REQUESTS)
    tasks: set[asyncio.Task[None]] = set()

    async def respond(message: object) -> None:
        try:
            await pipe.write(_fitting(await answer(message)))
        except OSError as error:
            # The end of its other half says that it is gone.
            _LOG.info("the browser does not take an answer: %s", error)
        finally:
            places.release()

    try:
        while data := await pipe.read():
            for message in reader.receive_data(data):
                await places.acquire()
                task = asyncio.create_task(respond(message))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        if not reader.is_between_frames:
            raise BrokenFrameError("the browser hung up within a frame")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _fitting(answer: dict[str, object]) -> bytes:
    try:
        return encode_message(answer)
    except MessageTooLongError as error:
        given = answer.get("id")
        return encode_message(
            failed(given if isinstance(given, (str, int, float)) else None, f"the answer: {error}")
        )
