"""This machine's IPv4 addresses: port mapping and local discovery want to know them."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import IPv4Address
from typing import Any

# Linux's ioctl numbers (`linux/sockios.h`), and the length of the struct that they fill in.
_GET_ADDRESS = 0x8915
_GET_NETMASK = 0x891B
_IFREQ = struct.Struct("16s24x")
_ADDRESS = slice(20, 24)


def network_interfaces() -> list[dict[str, Any]]:
    """`name`, `address` and `prefixLength` of each interface; none where the system is not Linux."""
    if sys.platform != "linux":
        return []
    import fcntl  # noqa: PLC0415 - not everywhere

    found: list[dict[str, Any]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = _IFREQ.pack(name.encode())
            try:
                address = fcntl.ioctl(asking, _GET_ADDRESS, request)[_ADDRESS]
                netmask = fcntl.ioctl(asking, _GET_NETMASK, request)[_ADDRESS]
            except OSError:  # it has no address
                continue
            prefix = int.from_bytes(netmask, "big").bit_count()
            found.append(
                {"name": name, "address": str(IPv4Address(address)), "prefixLength": prefix}
            )
    return found
