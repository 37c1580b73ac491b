"""Torrents that are being moved to another root: that takes longer than a client may wait.

A request begins a move and gets an answer at once; how far it is, and how it ended, is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from millstream.errors import EngineClosedError, MillstreamError
from millstream.protocol.infohash import InfoHash
from millstream.rpc.refusals import Refusal

# Seconds in which most moves that only rename are done, or have failed: their end is the answer.
PATIENCE = 1.0


class Moves:
    """The moves under way, and how the last one of each torrent failed."""

    def __init__(self) -> None:
        self._tasks: dict[InfoHash, asyncio.Task[MillstreamError | None]] = {}
        self._errors: dict[InfoHash, MillstreamError] = {}

    async def begin(
        self, torrent: InfoHash, move: Coroutine[Any, Any, None], patience: float = PATIENCE
    ) -> bool:
        """Let a move go on in the background.

        Args:
            torrent: what is moved.
            move: moves it.
            patience: seconds that its end is waited for.

        Returns:
            Whether it has ended.

        Raises:
            Refusal: another move of the torrent is under way.
            MillstreamError: it failed in that time.
        """
        if torrent in self._tasks:
            move.close()
            raise Refusal(409, "Moving", "the torrent is being moved already")
        self._errors.pop(torrent, None)
        task = asyncio.get_running_loop().create_task(self._follow(torrent, move))
        self._tasks[torrent] = task
        done, _ = await asyncio.wait([task], timeout=patience)
        error = task.result() if done and not task.cancelled() else None
        if error is not None:
            self.forget(torrent)
            raise error
        return bool(done)

    async def _follow(
        self, torrent: InfoHash, move: Coroutine[Any, Any, None]
    ) -> MillstreamError | None:
        try:
            await move
        except EngineClosedError as error:
            # The torrent is gone: nobody can ask later, or it is for another one of that name.
            return error
        except MillstreamError as error:
            self._errors[torrent] = error
            return error
        finally:
            del self._tasks[torrent]
        return None

    def is_moving(self, torrent: InfoHash) -> bool:
        """Whether a move of it is under way."""
        return torrent in self._tasks

    def error(self, torrent: InfoHash) -> MillstreamError | None:
        """How its last move failed; None if it did not, or another one was begun."""
        return self._errors.get(torrent)

    def forget(self, torrent: InfoHash) -> None:
        """The torrent is gone."""
        self._errors.pop(torrent, None)

    async def close(self) -> None:
        """Stop all moves, as far as they let themselves be stopped."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
