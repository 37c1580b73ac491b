"""All watch folders, each in a task of its own: one on a slow disk holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from millstream.service.config import WatchConfig
from millstream.service.watch_folder import AddTorrent, WatchFolder


class Watching:
    """Looks at the folders that the settings name.

    Args:
        add: adds a torrent.
        save: saves the session.
    """

    def __init__(self, add: AddTorrent, save: Callable[[], Awaitable[None]]) -> None:
        self._add = add
        self._save = save
        self._tasks: dict[str, tuple[WatchConfig, asyncio.Task[None]]] = {}

    async def configure(self, folders: Mapping[str, WatchConfig]) -> None:
        """Look at these folders; those whose settings did not change are not disturbed."""
        ended: list[asyncio.Task[None]] = []
        for name, (config, task) in list(self._tasks.items()):
            if folders.get(name) != config:
                del self._tasks[name]
                task.cancel()
                ended.append(task)
        # Before others begin: one of them may have the same folder.
        await asyncio.gather(*ended, return_exceptions=True)
        for name, config in folders.items():
            if name not in self._tasks:
                folder = WatchFolder(config, self._add, self._save)
                task = asyncio.create_task(folder.run(), name=f"watch folder {name}")
                self._tasks[name] = config, task

    async def close(self) -> None:
        """Look no more."""
        await self.configure({})
