"""The engine on this machine's own sockets, files and threads."""

from __future__ import annotations

import os

from millstream.adapters.native import NativeDiskQueue, NativeFileSystem, NativeNetwork
from millstream.engine.config import EngineConfig
from millstream.engine.engine import Engine


def create_native_engine(
    config: EngineConfig | None = None, *, save_path: str | os.PathLike[str] = "."
) -> Engine:
    """Create an engine for `async with`, inside a running event loop.

    Args:
        config: the settings; None for the defaults.
        save_path: where torrents are stored that are added without a path of their own.
    """
    config = config or EngineConfig()
    files = NativeFileSystem()
    root = files.root(os.fspath(save_path))
    return Engine(config, NativeNetwork(), NativeDiskQueue(config.disk), files, root)
