"""Waiting in conformance suites: by polling, so that it works on every loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from millstream.errors import MillstreamError

E = TypeVar("E", bound=MillstreamError)

POLL_SECONDS = 0.001
PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds; fail after 20 seconds of the loop's time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while not condition():
        assert loop.time() < deadline, f"waited {PATIENCE_SECONDS:g} s in vain until {what}"
        await asyncio.sleep(POLL_SECONDS)


async def settle(value: Callable[[], object]) -> None:
    """Return when a value has not changed for a while: 10 polls in a row."""
    same, last = 0, value()
    while same < 10:
        await asyncio.sleep(POLL_SECONDS)
        now = value()
        same, last = (same + 1, last) if now == last else (0, now)


async def error_of(kind: type[E], attempt: Awaitable[object]) -> E:
    """Return the error, of this kind, that the attempt ends with."""
    try:
        await attempt
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")
