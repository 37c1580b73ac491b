"""Reading the fields of a payload, one after another."""

from __future__ import annotations

import struct

from millstream.errors import MalformedFrameError

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")


class Reader:
    """A place in a payload, which moves on with every field. All integers are little-endian.

    Every method raises MalformedFrameError where the payload ends before the field does. Nothing is
    copied: `take` and `rest` give views.

    Args:
        payload: as it came.

    Attributes:
        at: bytes that were read.
    """

    __slots__ = ("_payload", "at")

    def __init__(self, payload: memoryview) -> None:
        self._payload = payload
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._payload) - self.at

    def take(self, length: int) -> memoryview:
        """So many bytes."""
        end = self.at + length
        if end > len(self._payload):
            raise MalformedFrameError(f"{length} bytes are announced and {self.left} are there")
        taken = self._payload[self.at : end]
        self.at = end
        return taken

    def rest(self) -> memoryview:
        """All that is left; it may be nothing."""
        return self.take(self.left)

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes."""
        return int(_U16.unpack(self.take(2))[0])

    def u32(self) -> int:
        """Four bytes."""
        return int(_U32.unpack(self.take(4))[0])

    def text(self, length: int | None = None) -> str:
        """UTF-8 of so many bytes, or of all that are left."""
        return decode_text(self.rest() if length is None else self.take(length))


def decode_text(data: memoryview) -> str:
    """UTF-8, strictly; raises MalformedFrameError."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedFrameError(f"a text is no UTF-8: {error}") from None
