"""All that an engine stands on, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.interfaces.cipher import Cryptography
from millstream.interfaces.clock import LocalClock
from millstream.interfaces.disk import DiskQueue
from millstream.interfaces.filesystem import FileSystem
from millstream.interfaces.http import HttpClient
from millstream.interfaces.network import Network
from millstream.interfaces.session_store import SessionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What presets put together.

    Attributes:
        network: streams and datagrams.
        disk: torrent data.
        files: the cold paths of the disk.
        cryptography: for encrypted connections.
        clock: the user's wall clock.
        http: trackers, web seeds and torrent URLs; None goes without.
        store: what is remembered between runs; None remembers nothing.
    """

    network: Network
    disk: DiskQueue
    files: FileSystem
    cryptography: Cryptography
    clock: LocalClock
    http: HttpClient | None = None
    store: SessionStore | None = None
