"""SIGHUP, by which a service is told to read its settings again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from millstream.errors import MillstreamError
from millstream.logging import component_logger

_LOG = component_logger("service")


@contextmanager
def on_hangup(reload: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Call this at every SIGHUP until the end of the block; what it raises goes to the log.

    Where the system has no such signal, or the loop is not that of the main thread, nothing is done.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def follow() -> None:
        try:
            await reload()
        except MillstreamError as error:
            _LOG.error("settings not read again, the old ones hold: %s", error)
        except Exception:  # noqa: BLE001 - a wrong file must not end what runs
            _LOG.exception("settings not read again")

    def hung_up() -> None:
        task = asyncio.create_task(follow(), name="reload")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop, number = asyncio.get_running_loop(), getattr(signal, "SIGHUP", None)
    try:
        if number is not None:
            loop.add_signal_handler(number, hung_up)
    except (NotImplementedError, RuntimeError, ValueError):
        number = None
    try:
        yield
    finally:
        if number is not None:
            loop.remove_signal_handler(number)
        for task in tasks:
            task.cancel()
