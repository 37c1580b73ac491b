"""Sockets, files and threads of the operating system."""

from millstream.adapters.native.cipher import NativeCryptography
from millstream.adapters.native.clock import NativeClock
from millstream.adapters.native.disk import NativeDiskQueue
from millstream.adapters.native.filesystem import NativeFileSystem
from millstream.adapters.native.http import NativeHttp
from millstream.adapters.native.network import NativeNetwork

__all__ = [
    "NativeClock",
    "NativeCryptography",
    "NativeDiskQueue",
    "NativeFileSystem",
    "NativeHttp",
    "NativeNetwork",
]
