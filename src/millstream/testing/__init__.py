"""What tests need, for Millstream's own and for whoever implements one of its interfaces.

- `run_virtual`, `VirtualTimeLoop`: an event loop whose clock jumps, so that nothing sleeps.
- `NetworkConformance`, `DiskQueueConformance`, `FileSystemConformance`,
  `SessionStoreConformance`, `CryptographyConformance`: what every implementation must do. Derive a
  class, override its factory, and let any runner that awaits coroutine methods find the tests;
  `in_virtual_time` makes them synchronous for the others.

No test runner is imported here, and nothing of Millstream imports this package.
"""

from __future__ import annotations

from millstream.testing.conformance_cipher import CryptographyConformance
from millstream.testing.conformance_datagram import DatagramConformance, DatagramsUnderTest
from millstream.testing.conformance_disk import DiskQueueConformance, DiskUnderTest
from millstream.testing.conformance_file_transfer import FileSystemUnderTest
from millstream.testing.conformance_filesystem import FileSystemConformance
from millstream.testing.conformance_http import HttpConformance, HttpUnderTest
from millstream.testing.conformance_network import NetworkConformance, NetworkUnderTest
from millstream.testing.conformance_session_store import SessionStoreConformance
from millstream.testing.virtual_time import (
    DeadlockError,
    TimeLimitError,
    VirtualTimeError,
    VirtualTimeLoop,
    in_virtual_time,
    run_virtual,
)

__all__ = [
    "CryptographyConformance",
    "DatagramConformance",
    "DatagramsUnderTest",
    "DeadlockError",
    "DiskQueueConformance",
    "DiskUnderTest",
    "FileSystemConformance",
    "FileSystemUnderTest",
    "HttpConformance",
    "HttpUnderTest",
    "NetworkConformance",
    "NetworkUnderTest",
    "SessionStoreConformance",
    "TimeLimitError",
    "VirtualTimeError",
    "VirtualTimeLoop",
    "in_virtual_time",
    "run_virtual",
]
