"""The payloads of UDP sockets; `streams.Place` binds one and `streams.Bound` answers.

    UDP_SEND, UDP_RECV    u32 socket, u16 port, u16 address length, address, data
    UDP_JOIN_, _LEAVE_MULTICAST  u32 socket, group
    UDP_CLOSE             u32 socket

Of UDP_SEND the port and address are where the datagram goes, of UDP_RECV where it came from.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from millstream.errors import MalformedFrameError
from millstream.io_wire.reader import Reader
from millstream.io_wire.streams import MAX_HOST_LENGTH

_DATAGRAM = struct.Struct("<IHH")


class Datagram(NamedTuple):
    """UDP_SEND and UDP_RECV. `data` is a view of the message."""

    socket: int
    port: int
    host: str
    data: memoryview

    @classmethod
    def parse(cls, payload: memoryview) -> Datagram:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        socket, port, length = reader.u32(), reader.u16(), reader.u16()
        if length > MAX_HOST_LENGTH:
            raise MalformedFrameError(f"an address has {length} bytes")
        return cls(socket, port, reader.text(length), reader.rest())


class Membership(NamedTuple):
    """UDP_JOIN_MULTICAST and UDP_LEAVE_MULTICAST."""

    socket: int
    group: str

    def encode(self) -> bytes:
        """The payload."""
        return self.socket.to_bytes(4, "little") + self.group.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Membership:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        socket = reader.u32()
        if reader.left > MAX_HOST_LENGTH:
            raise MalformedFrameError(f"a group has {reader.left} bytes")
        return cls(socket, reader.text())


def datagram_header(socket: int, port: int, host: str) -> bytes:
    """What stands before the data of UDP_SEND and UDP_RECV."""
    address = host.encode()
    return _DATAGRAM.pack(socket, port, len(address)) + address
