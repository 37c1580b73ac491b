"""Work that comes to its own end, whoever gives up waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def interrupt_once(task: asyncio.Task[Any]) -> None:
    """Cancel a task that ends in its own order, unless it does so already."""
    if not task.cancelling():
        task.cancel()


async def unbroken(
    work: Coroutine[Any, Any, _T] | asyncio.Task[_T], *, interrupt: bool = False
) -> _T:
    """Await the end of some work; a cancellation that comes before waits until then.

    Args:
        work: what must not be left in the middle.
        interrupt: whether the first cancellation is passed on to it, so that it ends sooner, in its
            own order. If it comes to its good end nevertheless, the cancellation takes effect at
            the next occasion.

    Raises:
        CancelledError: the work was cancelled.
        Exception: what the work raises.
    """
    task = asyncio.ensure_future(work)
    waiting = asyncio.current_task()
    held = 0
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            held += 1
            if interrupt:
                interrupt_once(task)
    if waiting is not None and not task.cancelled():
        for _ in range(held):
            waiting.uncancel()
            waiting.cancel()
    return task.result()
