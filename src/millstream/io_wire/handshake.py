"""How a connection begins: hello, hello, the token, and whether it is the right one.

The original's hellos are empty, and so are they between it and us. One that is not empty says what
its sender can do beyond the original; what both can is in force after the server's hello. Bytes after
the fields known here are left alone: a newer version may put more there.

    hello        u32 features, u32 max_message, u32 socket_window, u32 batch_window
    auth         u8 0, token NUL extension id NUL install id; or u8 1, token
    auth result  u8 0; or u8 1 and why, before the connection is closed
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from millstream.errors import MalformedFrameError
from millstream.io_wire.envelope import MAX_MESSAGE
from millstream.io_wire.reader import Reader, decode_text

# A token is a header of HTTP elsewhere, and those have 8 KiB.
MAX_TOKEN_LENGTH = 1024
_MAX_AUTH_LENGTH = 4096

_HELLO = struct.Struct("<IIII")


class Feature(enum.IntFlag):
    """What may be agreed on beyond the original.

    PACKED: a message holds several frames (`envelope`). CREDIT: a socket's bytes come only as far
    as the receiver gave credit for (`streams.Credit`), so that a slow one never holds up another.
    """

    PACKED = 1
    CREDIT = 2


class Hello(NamedTuple):
    """What a side can do and takes.

    Attributes:
        features: the client's: what it can; the server's: what is in force.
        max_message: bytes of the longest message that the sender takes.
        socket_window: bytes that the sender takes from each socket before it gives credit.
        batch_window: the server's: bytes of writes that may wait for their results before the
            whole connection has to wait; the client's: 0.
    """

    features: Feature = Feature(0)
    max_message: int = MAX_MESSAGE
    socket_window: int = 0
    batch_window: int = 0

    def encode(self) -> bytes:
        """The payload of a hello."""
        return _HELLO.pack(*self)

    @classmethod
    def parse(cls, payload: memoryview) -> Hello | None:
        """Read a payload; None for an empty one, of a side that is like the original.

        Raises:
            MalformedFrameError: it ends too soon.
        """
        if not payload:
            return None
        if len(payload) < _HELLO.size:
            raise MalformedFrameError(f"a hello has {len(payload)} bytes, not {_HELLO.size}")
        features, max_message, socket_window, batch_window = _HELLO.unpack_from(payload)
        known = Feature(features & (Feature.PACKED | Feature.CREDIT))
        return cls(known, max_message, socket_window, batch_window)


class Auth(NamedTuple):
    """Who asks. The ids are for the log: the token alone decides."""

    token: str
    extension_id: str = ""
    install_id: str = ""

    def encode(self) -> bytes:
        """The payload. A NUL in one of the texts makes it another one."""
        return b"\0" + "\0".join(self).encode()

    @classmethod
    def parse(cls, payload: memoryview) -> Auth:
        """Read a payload of either kind; raises MalformedFrameError."""
        reader = Reader(payload)
        kind = reader.u8()
        if reader.left > _MAX_AUTH_LENGTH:
            raise MalformedFrameError(f"{reader.left} bytes are too many for a token and two ids")
        text = reader.text()
        if kind == 1:
            return cls(text)
        if kind != 0:
            raise MalformedFrameError(f"there is no authentication of kind {kind}")
        parts = text.split("\0")
        if len(parts) > 3:
            raise MalformedFrameError("there is more than a token and two ids")
        return cls(*parts)


class AuthResult(NamedTuple):
    """Whether the token is the right one; `why` says so if not."""

    is_right: bool
    why: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return b"\0" if self.is_right else b"\1" + self.why.encode()

    @classmethod
    def parse(cls, payload: memoryview) -> AuthResult:
        """Read a payload; raises MalformedFrameError."""
        reader = Reader(payload)
        return cls(reader.u8() == 0, decode_text(reader.rest()))
