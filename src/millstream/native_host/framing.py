"""Native messaging's frames: a length in this machine's byte order, and so many bytes of JSON in UTF-8.

Chrome: developer.chrome.com/docs/extensions/develop/concepts/native-messaging; Firefox speaks the same.
"""

from __future__ import annotations

import json
import struct

from millstream.errors import MalformedDataError

# To the host: Chrome's limit, 64 MiB. Firefox would send 4 GiB.
MAX_INCOMING_LENGTH = 64 << 20
# From the host: Chrome's limit and Firefox's, 1 MiB; either ends a host that sends more.
MAX_OUTGOING_LENGTH = 1 << 20

_LENGTH = struct.Struct("=I")


class BrokenFrameError(MalformedDataError):
    """What came is no frame; where the next one begins cannot be known."""


class MessageTooLongError(MalformedDataError):
    """A message is longer than a browser takes."""


class FrameReader:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here."""
        return not self._buffer

    def receive_data(self, data: bytes) -> list[object]:
        """The messages that are complete now: any JSON values.

        Raises:
            BrokenFrameError: a length is none, or what has it is no JSON.
        """
        self._buffer += data
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if not 0 < length <= MAX_INCOMING_LENGTH:
                raise BrokenFrameError(
                    f"a frame says that it has {length} bytes; 1 to {MAX_INCOMING_LENGTH} can be"
                )
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(_decode(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return messages


def encode_message(message: object) -> bytes:
    """A message with its length before it; raises MessageTooLongError."""
    # In ASCII, so that no text can be one that has no UTF-8.
    data = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(data) > MAX_OUTGOING_LENGTH:
        raise MessageTooLongError(
            f"a message has {len(data)} bytes; browsers take {MAX_OUTGOING_LENGTH}"
        )
    return _LENGTH.pack(len(data)) + data


def _decode(data: bytes) -> object:
    try:
        message: object = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BrokenFrameError(f"a frame of {len(data)} bytes has no JSON: {error}") from None
    return message
