"""Showing a torrent while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from millstream.cli.display import Display, Snapshot
from millstream.cli.tracker_news import TrackerNews
from millstream.cli.waiting import waiting_for
from millstream.errors import TorrentFailedError

if TYPE_CHECKING:
    from millstream import Torrent

# Four times a second: what moves looks alive, and drawing costs about a hundredth of a core.
INTERVAL = 0.25


class Following:
    """Tells a display how a torrent stands, again and again, and what its trackers say.

    Args:
        display: where.
        torrent: the torrent.
        interval: seconds between two looks.
        show_peers: whether its peers are shown, too.
        named_peers: how many peers the user or the magnet link named.
    """

    def __init__(
        self,
        display: Display,
        torrent: Torrent,
        *,
        interval: float = INTERVAL,
        show_peers: bool = False,
        named_peers: int = 0,
    ) -> None:
        self._display = display
        self._torrent = torrent
        self._interval = interval
        self._show_peers = show_peers
        self._named_peers = named_peers
        self._news = TrackerNews()

    def snapshot(self) -> Snapshot:
        """The torrent now."""
        torrent = self._torrent
        status = torrent.status()
        waits = not status.peers and str(status.state.value) in {
            "fetching metadata",
            "downloading",
            "seeding",
        }
        return Snapshot(
            name=torrent.name,
            status=status,
            pieces=torrent.piece_states(),
            waiting_for=waiting_for(torrent.trackers(), self._named_peers) if waits else "",
            peers=torrent.peers() if self._show_peers else None,
        )

    def show(self) -> None:
        """Show the torrent as it is now."""
        self.tell_news()
        self._display.transfer(self.snapshot())

    def tell_news(self) -> None:
        """Say what is new at its trackers."""
        self._news.tell(self._display, self._torrent.trackers())

    async def until(self, end: Coroutine[Any, Any, object]) -> None:
        """Show the torrent until `end` returns, such as `torrent.wait_complete()`.

        Raises:
            MillstreamError: the torrent failed; the error is the one that stopped it.
        """
        waiting = asyncio.ensure_future(end)
        try:
            is_over = False
            while not is_over:
                finished, _ = await asyncio.wait({waiting}, timeout=self._interval)
                is_over = bool(finished)
                self.show()
            waiting.result()
        except TorrentFailedError as failure:
            raise (self._torrent.error or failure) from None
        finally:
            waiting.cancel()

    async def until_cancelled(self) -> None:
        """Show a seeding torrent until the task is cancelled.

        Raises:
            MillstreamError: the torrent failed; the error is the one that stopped it.
        """
        while self._torrent.error is None:
            self.show()
            await asyncio.sleep(2 * self._interval)
        raise self._torrent.error
