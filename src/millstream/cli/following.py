"""Showing a torrent while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from millstream.cli.display import Display
from millstream.errors import TorrentFailedError

if TYPE_CHECKING:
    from millstream import Torrent

# Four times a second: what moves looks alive, and drawing costs about a hundredth of a core.
INTERVAL = 0.25


async def follow(
    display: Display, torrent: Torrent, until: Coroutine[Any, Any, None], interval: float = INTERVAL
) -> None:
    """Show the torrent until `until` returns: `torrent.wait_checked()` or `.wait_complete()`.

    Raises:
        MillstreamError: the torrent failed; the error is the one that stopped it.
    """
    waiting = asyncio.ensure_future(until)
    try:
        is_over = False
        while not is_over:
            finished, _ = await asyncio.wait({waiting}, timeout=interval)
            is_over = bool(finished)
            display.transfer(torrent.name, torrent.status(), torrent.piece_states())
        waiting.result()
    except TorrentFailedError as failure:
        raise (torrent.error or failure) from None
    finally:
        waiting.cancel()


async def keep_showing(display: Display, torrent: Torrent, interval: float = 2 * INTERVAL) -> None:
    """Show a seeding torrent until the task is cancelled.

    Raises:
        MillstreamError: the torrent failed; the error is the one that stopped it.
    """
    while torrent.error is None:
        display.transfer(torrent.name, torrent.status(), torrent.piece_states())
        await asyncio.sleep(interval)
    raise torrent.error
