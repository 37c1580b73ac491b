"""The engine on an io-daemon's sockets and files: it touches neither itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from millstream import __version__
from millstream.adapters.daemon import (
    BatchingDiskQueue,
    DaemonAddress,
    DaemonConnection,
    DaemonFileSystem,
    DaemonHttp,
    DaemonNetwork,
)
from millstream.adapters.native.cipher import NativeCryptography
from millstream.adapters.native.clock import NativeClock
from millstream.engine.config import EngineConfig
from millstream.engine.engine import Engine
from millstream.errors import ConfigError
from millstream.interfaces.platform import Platform
from millstream.interfaces.session_store import SessionStore
from millstream.io_wire.window import FIRST_WINDOW
from millstream.storage.roots import StorageRoot


def create_daemon_engine(
    config: EngineConfig | None = None,
    *,
    daemon: DaemonAddress,
    roots: Iterable[StorageRoot | str] = (),
    default_root: str | None = None,
    session: SessionStore | None = None,
) -> Engine:
    """Create an engine for `async with`, inside a running event loop.

    It connects when it starts; `start` raises NetworkError if there is no daemon, or if it refuses
    the token. When the daemon goes away later, torrents stop with RootUnavailableError, and go on
    when it is back.

    Args:
        config: the settings; of `disk`, threads and handles are the daemon's own business.
        daemon: where it is.
        roots: tokens of the directories that it lends, or with labels; a root's path is its token, or
            its token and a directory below, `token/directory`.
        default_root: the token of the one in which torrents are that are added without one; None for
            the first.
        session: where the engine remembers its torrents; None remembers nothing.

    Raises:
        ConfigError: there is no root, or the default is none of them.
    """
    config = _for_daemon(config or EngineConfig())
    lent = [_root(root) for root in roots]
    tokens = [root.token for root in lent]
    if not lent:
        raise ConfigError("a daemon's engine needs a root at least")
    if default_root is not None and default_root not in tokens:
        raise ConfigError(f"the default root {default_root!r} is none of {', '.join(tokens)}")
    connection = DaemonConnection(daemon, socket_window=FIRST_WINDOW)
    network = DaemonNetwork(connection)
    platform = Platform(
        network=network,
        disk=BatchingDiskQueue(connection, config.disk),
        files=DaemonFileSystem(connection),
        cryptography=NativeCryptography(),
        clock=NativeClock(),
        http=DaemonHttp(network, f"Millstream/{__version__}"),
        store=session,
    )
    default = default_root or tokens[0]
    engine = Engine(config, platform, default)
    for root in lent:
        engine.roots.add(root.path, root.label, root.token)
    engine.roots.set_default(default)
    return engine


def _for_daemon(config: EngineConfig) -> EngineConfig:
    """More pieces may wait for a disk that is far away: what waits is hashed there, and not here.

    They are bounded by the room for pieces, half of which is left to those that are on their way; so
    the disk says that it is full only if that room was overdrawn.
    """
    transfer, disk = config.transfer, config.disk
    unwritten = max(transfer.max_unwritten_bytes, transfer.max_buffered_bytes // 2)
    queued = max(disk.max_queued_bytes, transfer.max_buffered_bytes)
    return replace(
        config,
        transfer=replace(transfer, max_unwritten_bytes=unwritten),
        disk=replace(disk, max_queued_bytes=queued),
    )


def _root(root: StorageRoot | str) -> StorageRoot:
    return StorageRoot(root, root, root) if isinstance(root, str) else root
