"""The payloads of TCP sockets, and of credit.

A client numbers the sockets that it asks for, from 1; the server those that it accepts (`FIRST_ACCEPTED`).
A status is 0 if it went well; `errno` is the system's number, 0 if there is none. Bytes after the
fields of the original's tables are a text that says why, which it does not have.

    TCP_CONNECT        u32 socket, u16 port, host
    TCP_CONNECTED      u32 socket, u8 status, u32 errno, why
    TCP_SEND, _RECV    u32 socket, data
    TCP_CLOSE          client: u32 socket; server: u32 socket, u8 status, u32 errno, why
    TCP_LISTEN         u32 listener, u16 port, address (empty: 0.0.0.0)
    TCP_LISTEN_RESULT  u32 listener, u8 status, u16 port, u32 errno, why
    TCP_ACCEPT         u32 listener, u32 socket, u16 remote port, remote address
    TCP_STOP_LISTEN    u32 listener
    TCP_SECURE         u32 socket, u8 flags (1: do not check the certificate), host name
    TCP_SECURED        u32 socket, u8 status, why
    CREDIT             u32 socket, u32 bytes
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from millstream.errors import MalformedFrameError
from millstream.io_wire.reader import Reader

# From here on the server numbers; a client that does not know of credit was promised 0x10000.
FIRST_ACCEPTED = 0x8000_0000
FIRST_ACCEPTED_BEFORE_CREDIT = 0x1_0000

# A host name has 253 characters (RFC 1035), an address with its zone fewer.
MAX_HOST_LENGTH = 255

SKIP_VALIDATION = 1

_SOCKET = struct.Struct("<I")
_PLACE = struct.Struct("<IH")
_STATUS = struct.Struct("<IBI")
_LISTENING = struct.Struct("<IBHI")
_ACCEPTED = struct.Struct("<IIH")
_SECURE = struct.Struct("<IB")
_CREDIT = struct.Struct("<II")


class SocketData(NamedTuple):
    """TCP_SEND and TCP_RECV. `data` is a view of the message."""

    socket: int
    data: memoryview

    @classmethod
    def parse(cls, payload: memoryview) -> SocketData:
        """Read a payload; raises MalformedFrameError."""
        return cls(socket_of(payload), payload[4:])


class Place(NamedTuple):
    """TCP_CONNECT, TCP_LISTEN and UDP_BIND: a socket, and where it goes or is."""

    socket: int
    port: int
    host: str

    def encode(self) -> bytes:
        """The payload."""
        return _PLACE.pack(self.socket, self.port) + self.host.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Place:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u16(), _host(reader))


class SocketStatus(NamedTuple):
    """TCP_CONNECTED, and the server's TCP_CLOSE: how it went."""

    socket: int
    status: int = 0
    errno: int = 0
    why: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return _STATUS.pack(self.socket, self.status, self.errno) + self.why.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> SocketStatus:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u8(), reader.u32(), reader.text())


class Bound(NamedTuple):
    """TCP_LISTEN_RESULT and UDP_BOUND: how it went, and which port it is."""

    socket: int
    status: int
    port: int = 0
    errno: int = 0
    why: str = ""

    def encode(self) -> bytes:
        """The payload."""
        packed = _LISTENING.pack(self.socket, self.status, self.port, self.errno)
        return packed + self.why.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Bound:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u8(), reader.u16(), reader.u32(), reader.text())


class Accepted(NamedTuple):
    """TCP_ACCEPT: somebody came to a listener."""

    listener: int
    socket: int
    port: int
    host: str

    def encode(self) -> bytes:
        """The payload."""
        return _ACCEPTED.pack(self.listener, self.socket, self.port) + self.host.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Accepted:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u32(), reader.u16(), _host(reader))


class Secure(NamedTuple):
    """TCP_SECURE: go on with TLS."""

    socket: int
    host: str
    skips_validation: bool = False

    def encode(self) -> bytes:
        """The payload."""
        flags = SKIP_VALIDATION if self.skips_validation else 0
        return _SECURE.pack(self.socket, flags) + self.host.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Secure:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        socket, flags = reader.u32(), reader.u8()
        return cls(socket, _host(reader), bool(flags & SKIP_VALIDATION))


class Secured(NamedTuple):
    """TCP_SECURED: whether there is TLS now."""

    socket: int
    status: int = 0
    why: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return _SECURE.pack(self.socket, self.status) + self.why.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Secured:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u8(), reader.text())


class Credit(NamedTuple):
    """CREDIT: so many more bytes of this socket may come, TCP_SEND, TCP_RECV or UDP_RECV."""

    socket: int
    length: int

    def encode(self) -> bytes:
        """The payload."""
        return _CREDIT.pack(self.socket, self.length)

    @classmethod
    def parse(cls, payload: memoryview) -> Credit:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u32(), reader.u32())


def encode_socket(socket: int) -> bytes:
    """A payload that is, or begins with, the number of a socket."""
    return _SOCKET.pack(socket)


def socket_of(payload: memoryview) -> int:
    """The number of a socket at the start of a payload; raises MalformedFrameError."""
    if len(payload) < 4:
        raise MalformedFrameError(f"a payload of {len(payload)} bytes names no socket")
    return int(_SOCKET.unpack_from(payload)[0])


def _host(reader: Reader) -> str:
    if reader.left > MAX_HOST_LENGTH:
        raise MalformedFrameError(f"a host has {reader.left} bytes; {MAX_HOST_LENGTH} is the most")
    return reader.text()
