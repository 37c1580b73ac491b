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
from millstream.interfaces.session_store import SessionStore


def create_native_engine(
    config: EngineConfig | None = None,
    *,
    save_path: str | os.PathLike[str] = ".",
    session: SessionStore | str | os.PathLike[str] | None = None,
) -> Engine:
    """Create an engine for `async with`, inside a running event loop.

    Args:
        config: the settings; None for the defaults.
        save_path: where torrents are stored that are added without a path of their own.
        session: where the engine remembers its torrents, for `Engine.restore_session` in the next
            run: a file, which is JSON if it is called so and else an SQLite database, or a store.
            None remembers nothing. `start` raises StorageError if another process has it.
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
        store=_open_store(session),
    )
    return Engine(config, platform, root)


def _open_store(session: SessionStore | str | os.PathLike[str] | None) -> SessionStore | None:
    if not isinstance(session, str | os.PathLike):
        return session
    # Here, since most engines remember nothing, or use one of the two.
    if os.fspath(session).lower().endswith(".json"):
        from millstream.adapters.native.json_store import JsonSessionStore  # noqa: PLC0415

        return JsonSessionStore(session)
    from millstream.adapters.native.sqlite_store import SqliteSessionStore  # noqa: PLC0415

    return SqliteSessionStore(session)
