"""The engine in a process that may open nothing any more: all it has is a socket to an io-daemon."""

from __future__ import annotations

import socket

from millstream.adapters.daemon import DaemonAddress
from millstream.engine.config import EngineConfig
from millstream.engine.engine import Engine
from millstream.presets.daemon import create_daemon_engine
from millstream.storage.roots import StorageRoot

MODULES = (
    *("millstream.protocol", "millstream.core", "millstream.tracker", "millstream.interfaces"),
    *("millstream.storage", "millstream.engine", "millstream.logging", "millstream.io_wire"),
    *("millstream.adapters.daemon", "millstream.adapters.native.clock"),
    *("millstream.adapters.native.cipher", "millstream.adapters.native.openssl_rc4"),
)
"""What such an engine is made of, to be imported before the process gives up its files."""


def create_sandboxed_engine(
    config: EngineConfig | None, connected: socket.socket, *, token: str, root: StorageRoot
) -> Engine:
    """Create an engine for `async with`, inside a running event loop.

    Args:
        config: the settings.
        connected: a socket to an io-daemon, upon which nothing was said yet. When it is lost, there
            is no other.
        token: what the daemon wants to hear.
        root: the directory that it lends.

    Raises:
        ConfigError: as `create_daemon_engine`.
    """
    address = DaemonAddress(token=token, connected=connected)
    return create_daemon_engine(config, daemon=address, roots=[root])
