"""Landlock: the kernel refuses this process every file, and what else its version knows.

Linux: Documentation/userspace-api/landlock.rst. A ruleset without rules allows nothing of what it
handles; files that are open already stay usable.
"""

from __future__ import annotations

import ctypes
import os
import struct

from millstream.sandbox.kernel import system_call
from millstream.sandbox.syscalls import LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF

_GET_VERSION = 1

# How many of the rights to files a version of the interface knows: it refuses those that it does not.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
# From this version on: binding and connecting TCP sockets.
_NETWORK_VERSION = 4
_NETWORK_RIGHTS = 0b11
# From this version on: abstract Unix sockets and signals, to whoever is not as restricted as we are.
_SCOPE_VERSION = 6
_SCOPES = 0b11


def landlock_version() -> int:
    """The version of the kernel's interface, 1 or more; raises OSError if it has none."""
    return system_call(LANDLOCK_CREATE_RULESET, None, 0, _GET_VERSION)


def ruleset(version: int) -> bytes:
    """All that a version can refuse, as it is told."""
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    if version < _NETWORK_VERSION:
        return struct.pack("=Q", files)
    if version < _SCOPE_VERSION:
        return struct.pack("=QQ", files, _NETWORK_RIGHTS)
    return struct.pack("=QQQ", files, _NETWORK_RIGHTS, _SCOPES)


def restrict() -> int:
    """Refuse this thread, and those that it starts, all of it.

    Privileges must be kept down already.

    Returns:
        The version of the kernel's interface.

    Raises:
        OSError: the kernel has none, or it is switched off.
    """
    version = landlock_version()
    attributes = ruleset(version)
    told = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = system_call(LANDLOCK_CREATE_RULESET, told, len(attributes), 0)
    try:
        system_call(LANDLOCK_RESTRICT_SELF, descriptor, 0)
    finally:
        os.close(descriptor)
    return version
