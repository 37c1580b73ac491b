"""A platform inside the process: network, disk and store for tests, simulations and demos."""

from __future__ import annotations

from millstream.adapters.memory.disk import MemoryDiskQueue
from millstream.adapters.memory.filesystem import MemoryFileSystem
from millstream.adapters.memory.network import (
    LinkProfile,
    MemoryHost,
    MemoryListener,
    MemoryNetwork,
)
from millstream.adapters.memory.session_store import MemorySessionStore

__all__ = [
    "LinkProfile",
    "MemoryDiskQueue",
    "MemoryFileSystem",
    "MemoryHost",
    "MemoryListener",
    "MemoryNetwork",
    "MemorySessionStore",
]
