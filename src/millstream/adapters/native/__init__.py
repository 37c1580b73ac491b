"""Sockets, files and threads of the operating system."""

from millstream.adapters.native.disk import NativeDiskQueue
from millstream.adapters.native.filesystem import NativeFileSystem
from millstream.adapters.native.network import NativeNetwork

__all__ = ["NativeDiskQueue", "NativeFileSystem", "NativeNetwork"]
