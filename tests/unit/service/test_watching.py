from __future__ import annotations

import asyncio

from millstream.service import watching as module
from millstream.service.config import WatchConfig
from millstream.service.watching import Watching
from millstream.testing.virtual_time import run_virtual

ONE, OTHER = WatchConfig(folder="/one"), WatchConfig(folder="/other")


def test_folders_come_change_and_go(monkeypatch):
    told = []

    class FolderDouble:
        def __init__(self, config, add, save):
            self.name = config.folder

        async def run(self):
            told.append(f"{self.name} begins")
            try:
                await asyncio.sleep(10**5)
            finally:
                told.append(f"{self.name} ends")

    monkeypatch.setattr(module, "WatchFolder", FolderDouble)

    async def main():
        watching = Watching(None, None)
        await watching.configure({"a": ONE, "b": OTHER})
        await asyncio.sleep(1)
        assert told == ["/one begins", "/other begins"]
        await watching.configure({"a": ONE, "c": OTHER})
        await asyncio.sleep(1)
        assert told[2:] == ["/other ends", "/other begins"], "a is not disturbed"
        await watching.configure({"a": WatchConfig(folder="/one", paused=True)})
        await asyncio.sleep(1)
        assert told[4:] == ["/one ends", "/other ends", "/one begins"]
        await watching.close()
        assert told[-1] == "/one ends"

    run_virtual(main())
