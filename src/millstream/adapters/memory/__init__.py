"""A platform inside the process: network, disk and store for tests, simulations and demos."""

from __future__ import annotations

from millstream.adapters.memory.cipher import MemoryCryptography
from millstream.adapters.memory.clock import MemoryClock
from millstream.adapters.memory.disk import MemoryDiskQueue
from millstream.adapters.memory.filesystem import MemoryFileSystem
from millstream.adapters.memory.http import MemoryHttp, MemoryStream, MemoryWeb
from millstream.adapters.memory.network import (
    LinkProfile,
    MemoryHost,
    MemoryListener,
    MemoryNetwork,
)
from millstream.adapters.memory.session_store import MemorySessionStore

__all__ = [
    "LinkProfile",
    "MemoryClock",
    "MemoryCryptography",
    "MemoryDiskQueue",
    "MemoryFileSystem",
    "MemoryHost",
    "MemoryHttp",
    "MemoryListener",
    "MemoryNetwork",
    "MemorySessionStore",
    "MemoryStream",
    "MemoryWeb",
]
