"""Running a command's coroutine so that Ctrl-C and SIGTERM end it in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from millstream.cli.exit_codes import Interrupted

T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main()` in a new event loop.

    The first Ctrl-C or SIGTERM cancels it: what it opened is closed on the way out. A second one
    does not wait for that.

    Raises:
        Interrupted: a signal came, and the command has come to its end.
    """
    try:
        return asyncio.run(_until_signalled(main))
    except KeyboardInterrupt:
        # The second Ctrl-C, or the first one where the loop cannot watch signals (Windows).
        raise Interrupted(signal.SIGINT) from None


async def _until_signalled(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main(), name="command")
    received: list[int] = []
    watched: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int) -> None:
        received.append(number)
        forget()
        task.cancel()

    def forget() -> None:
        for number in watched:
            loop.remove_signal_handler(number)

    try:
        for number in watched:
            loop.add_signal_handler(number, stop, number)
    except (NotImplementedError, RuntimeError):
        # Windows, or a loop outside the main thread: asyncio.run() then handles Ctrl-C itself.
        watched = ()
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        forget()
        if not task.done():
            # asyncio.run() cancelled us, not the task (Ctrl-C on Windows): pass it on and wait.
            task.cancel()
            await asyncio.wait({task})
