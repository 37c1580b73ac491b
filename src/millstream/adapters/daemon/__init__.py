"""An io-daemon's sockets and files, for an engine that may touch neither."""

from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.disk import BatchingDiskQueue
from millstream.adapters.daemon.filesystem import DaemonFileSystem
from millstream.adapters.daemon.http import DaemonHttp
from millstream.adapters.daemon.network import DaemonNetwork

__all__ = [
    "BatchingDiskQueue",
    "DaemonAddress",
    "DaemonConnection",
    "DaemonFileSystem",
    "DaemonHttp",
    "DaemonNetwork",
]
