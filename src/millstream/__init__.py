"""Millstream: a BitTorrent engine in pure Python.

```python
async with create_native_engine(save_path="downloads") as engine:
    torrent = await engine.add("debian.torrent")
    async for status in torrent.progress():
        print(f"{status.progress:.0%} at {status.download_rate / 1e6:.1f} MB/s")
    await torrent.wait_complete()
```

All that is public is listed here, beside the classes in `millstream.events` and `millstream.errors`
and what `millstream.logging` lists, and a test keeps it so. Names are imported when first used: a
program that only asks for the version does not pay for the engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream.adapters.daemon.address import DaemonAddress as DaemonAddress
    from millstream.core.config import SwarmConfig as SwarmConfig
    from millstream.core.config import TransferConfig as TransferConfig
    from millstream.core.file_priority import FilePriority as FilePriority
    from millstream.core.goals import INHERIT as INHERIT
    from millstream.core.goals import Goals as Goals
    from millstream.core.goals_config import GoalAction as GoalAction
    from millstream.core.goals_config import GoalsConfig as GoalsConfig
    from millstream.core.limit_schedule import LimitSchedule as LimitSchedule
    from millstream.core.limits_config import LimitsConfig as LimitsConfig
    from millstream.core.queue_config import QueueConfig as QueueConfig
    from millstream.core.queue_order import QueueMove as QueueMove
    from millstream.core.torrent_state import TorrentState as TorrentState
    from millstream.engine.config import Encryption as Encryption
    from millstream.engine.config import EncryptionConfig as EncryptionConfig
    from millstream.engine.config import EngineConfig as EngineConfig
    from millstream.engine.config import NetworkConfig as NetworkConfig
    from millstream.engine.config import PayloadEncryption as PayloadEncryption
    from millstream.engine.engine import Engine as Engine
    from millstream.engine.restored import RestoredSession as RestoredSession
    from millstream.engine.status import PeerStatus as PeerStatus
    from millstream.engine.status import TorrentStatus as TorrentStatus
    from millstream.engine.status import WebSeedState as WebSeedState
    from millstream.engine.status import WebSeedStatus as WebSeedStatus
    from millstream.engine.torrent import Torrent as Torrent
    from millstream.errors import MillstreamError as MillstreamError
    from millstream.interfaces.disk import Allocation as Allocation
    from millstream.interfaces.disk import DiskConfig as DiskConfig
    from millstream.presets.authoring import VerifyReport as VerifyReport
    from millstream.presets.authoring import create_torrent as create_torrent
    from millstream.presets.authoring import verify_torrent as verify_torrent
    from millstream.presets.daemon import create_daemon_engine as create_daemon_engine
    from millstream.presets.memory import create_memory_engine as create_memory_engine
    from millstream.presets.native import create_native_engine as create_native_engine
    from millstream.presets.scraping import scrape_tracker as scrape_tracker
    from millstream.presets.tracker import create_tracker as create_tracker
    from millstream.protocol.compact import PeerAddress as PeerAddress
    from millstream.protocol.infohash import InfoHash as InfoHash
    from millstream.protocol.magnet import Magnet as Magnet
    from millstream.protocol.metainfo import Metainfo as Metainfo
    from millstream.settings.loading import load_settings as load_settings
    from millstream.storage.config import StorageConfig as StorageConfig
    from millstream.storage.roots import StorageRoot as StorageRoot
    from millstream.storage.roots import StorageRootManager as StorageRootManager
    from millstream.tracker.announce import ScrapeEntry as ScrapeEntry
    from millstream.tracker.announcer import TrackerState as TrackerState
    from millstream.tracker.announcer import TrackerStatus as TrackerStatus
    from millstream.tracker.config import TrackerConfig as TrackerConfig
    from millstream.tracker.registry import RegistryConfig as RegistryConfig
    from millstream.tracker_service.config import TrackerServiceConfig as TrackerServiceConfig
    from millstream.tracker_service.service import TrackerService as TrackerService

__version__ = "0.1.0"

_HOMES = {
    "Allocation": "millstream.interfaces.disk",
    "DaemonAddress": "millstream.adapters.daemon.address",
    "DiskConfig": "millstream.interfaces.disk",
    "Encryption": "millstream.engine.config",
    "EncryptionConfig": "millstream.engine.config",
    "Engine": "millstream.engine.engine",
    "EngineConfig": "millstream.engine.config",
    "FilePriority": "millstream.core.file_priority",
    "GoalAction": "millstream.core.goals_config",
    "Goals": "millstream.core.goals",
    "GoalsConfig": "millstream.core.goals_config",
    "INHERIT": "millstream.core.goals",
    "InfoHash": "millstream.protocol.infohash",
    "LimitSchedule": "millstream.core.limit_schedule",
    "LimitsConfig": "millstream.core.limits_config",
    "Magnet": "millstream.protocol.magnet",
    "Metainfo": "millstream.protocol.metainfo",
    "MillstreamError": "millstream.errors",
    "NetworkConfig": "millstream.engine.config",
    "PayloadEncryption": "millstream.engine.config",
    "PeerAddress": "millstream.protocol.compact",
    "PeerStatus": "millstream.engine.status",
    "QueueConfig": "millstream.core.queue_config",
    "QueueMove": "millstream.core.queue_order",
    "RegistryConfig": "millstream.tracker.registry",
    "RestoredSession": "millstream.engine.restored",
    "ScrapeEntry": "millstream.tracker.announce",
    "StorageConfig": "millstream.storage.config",
    "StorageRoot": "millstream.storage.roots",
    "StorageRootManager": "millstream.storage.roots",
    "SwarmConfig": "millstream.core.config",
    "Torrent": "millstream.engine.torrent",
    "TorrentState": "millstream.core.torrent_state",
    "TorrentStatus": "millstream.engine.status",
    "TrackerConfig": "millstream.tracker.config",
    "TrackerService": "millstream.tracker_service.service",
    "TrackerServiceConfig": "millstream.tracker_service.config",
    "TrackerState": "millstream.tracker.announcer",
    "TrackerStatus": "millstream.tracker.announcer",
    "TransferConfig": "millstream.core.config",
    "VerifyReport": "millstream.presets.authoring",
    "WebSeedState": "millstream.engine.status",
    "WebSeedStatus": "millstream.engine.status",
    "create_daemon_engine": "millstream.presets.daemon",
    "create_memory_engine": "millstream.presets.memory",
    "create_native_engine": "millstream.presets.native",
    "create_torrent": "millstream.presets.authoring",
    "create_tracker": "millstream.presets.tracker",
    "load_settings": "millstream.settings.loading",
    "scrape_tracker": "millstream.presets.scraping",
    "verify_torrent": "millstream.presets.authoring",
}

__all__ = [  # noqa: RUF022 - functions, then what they work with, then settings and values
    "create_native_engine",
    "create_memory_engine",
    "create_daemon_engine",
    "create_torrent",
    "verify_torrent",
    "create_tracker",
    "scrape_tracker",
    "load_settings",
    "Engine",
    "Torrent",
    "TorrentState",
    "TorrentStatus",
    "PeerStatus",
    "TrackerState",
    "TrackerStatus",
    "WebSeedState",
    "WebSeedStatus",
    "ScrapeEntry",
    "VerifyReport",
    "RestoredSession",
    "TrackerService",
    "FilePriority",
    "StorageRoot",
    "StorageRootManager",
    "QueueMove",
    "Goals",
    "GoalAction",
    "INHERIT",
    "DaemonAddress",
    "EngineConfig",
    "NetworkConfig",
    "TransferConfig",
    "SwarmConfig",
    "EncryptionConfig",
    "Encryption",
    "PayloadEncryption",
    "LimitsConfig",
    "LimitSchedule",
    "TrackerConfig",
    "DiskConfig",
    "Allocation",
    "StorageConfig",
    "QueueConfig",
    "GoalsConfig",
    "TrackerServiceConfig",
    "RegistryConfig",
    "InfoHash",
    "Magnet",
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
