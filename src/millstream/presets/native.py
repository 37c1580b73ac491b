"""The engine on this machine's own sockets, files and threads."""

from __future__ import annotations

import os

from millstream import __version__
from millstream.adapters.native import (
    NativeClock,
    NativeCryptography,
    NativeDiskQueue,
    NativeFileSystem,
    NativeHttp,
    NativeNetwork,
)
from millstream.engine.config import EngineConfig
from millstream.engine.engine import Engine
from millstream.interfaces.platform import Platform


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
    platform = Platform(
        network=NativeNetwork(),
        disk=NativeDiskQueue(config.disk),
        files=files,
        cryptography=NativeCryptography(),
        clock=NativeClock(),
        http=NativeHttp(f"Millstream/{__version__}"),
    )
    return Engine(config, platform, root)
