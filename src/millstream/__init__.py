"""Millstream: a BitTorrent engine in pure Python.

```python
async with create_native_engine(save_path="downloads") as engine:
    torrent = await engine.add("debian.torrent")
    async for status in torrent.progress():
        print(f"{status.progress:.0%} at {status.download_rate / 1e6:.1f} MB/s")
    await torrent.wait_complete()
```

All that is public is listed here, beside the classes in `millstream.events` and `millstream.errors`,
and a test keeps it so. Names are imported when first used: a
program that only asks for the version does not pay for the engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream.core.config import TransferConfig as TransferConfig
    from millstream.core.torrent_state import TorrentState as TorrentState
    from millstream.engine.config import EngineConfig as EngineConfig
    from millstream.engine.config import NetworkConfig as NetworkConfig
    from millstream.engine.engine import Engine as Engine
    from millstream.engine.status import PeerStatus as PeerStatus
    from millstream.engine.status import TorrentStatus as TorrentStatus
    from millstream.engine.torrent import Torrent as Torrent
    from millstream.errors import MillstreamError as MillstreamError
    from millstream.interfaces.disk import Allocation as Allocation
    from millstream.interfaces.disk import DiskConfig as DiskConfig
    from millstream.presets.authoring import VerifyReport as VerifyReport
    from millstream.presets.authoring import create_torrent as create_torrent
    from millstream.presets.authoring import verify_torrent as verify_torrent
    from millstream.presets.memory import create_memory_engine as create_memory_engine
    from millstream.presets.native import create_native_engine as create_native_engine
    from millstream.protocol.compact import PeerAddress as PeerAddress
    from millstream.protocol.infohash import InfoHash as InfoHash
    from millstream.protocol.metainfo import Metainfo as Metainfo

__version__ = "0.1.0"

_HOMES = {
    "Allocation": "millstream.interfaces.disk",
    "DiskConfig": "millstream.interfaces.disk",
    "Engine": "millstream.engine.engine",
    "EngineConfig": "millstream.engine.config",
    "InfoHash": "millstream.protocol.infohash",
    "Metainfo": "millstream.protocol.metainfo",
    "MillstreamError": "millstream.errors",
    "NetworkConfig": "millstream.engine.config",
    "PeerAddress": "millstream.protocol.compact",
    "PeerStatus": "millstream.engine.status",
    "Torrent": "millstream.engine.torrent",
    "TorrentState": "millstream.core.torrent_state",
    "TorrentStatus": "millstream.engine.status",
    "TransferConfig": "millstream.core.config",
    "VerifyReport": "millstream.presets.authoring",
    "create_memory_engine": "millstream.presets.memory",
    "create_native_engine": "millstream.presets.native",
    "create_torrent": "millstream.presets.authoring",
    "verify_torrent": "millstream.presets.authoring",
}

__all__ = [  # noqa: RUF022 - functions, then what they work with, then settings and values
    "create_native_engine",
    "create_memory_engine",
    "create_torrent",
    "verify_torrent",
    "Engine",
    "Torrent",
    "TorrentState",
    "TorrentStatus",
    "PeerStatus",
    "VerifyReport",
    "EngineConfig",
    "NetworkConfig",
    "TransferConfig",
    "DiskConfig",
    "Allocation",
    "InfoHash",
    "Metainfo",
    "PeerAddress",
    "MillstreamError",
    "__version__",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
