"""Bodies of HTTP/1.1 answers: where they end (RFC 9112, section 6), and what is compressed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from millstream.adapters.daemon.http_head import Head, HttpSyntaxError

# Of a chunk's size with its extensions, and of all lines after the last chunk.
MAX_LINE_LENGTH = 4096
MAX_TRAILER_LENGTH = 16 << 10

# What one step of decompression may give.
MAX_DECODED_PART = 64 << 10

# gzip or zlib, as the header says.
_WINDOW_BITS = 32 + zlib.MAX_WBITS
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?").fullmatch
_DIGITS = re.compile(r"[0-9]{1,18}").fullmatch
_PLAIN = frozenset({"", "identity"})
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})


class Framing(Protocol):
    """Tells a body from what is around it."""

    is_whole: bool

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Take what came; give what of it is body. Raises HttpSyntaxError."""

    def end(self) -> None:
        """The connection ended. Raises HttpSyntaxError if the body had not."""


def framing_of(head: Head) -> Framing:
    """How the body of an answer ends. Raises HttpSyntaxError."""
    if not head.has_body:
        return _Counted(0)
    coding = head.headers.get("transfer-encoding", "").lower()
    if coding and coding != "identity":
        if coding != "chunked":
            raise HttpSyntaxError(f"its answer is transferred as {coding[:40]!r}")
        return _Chunked()
    length = head.headers.get("content-length")
    if length is None:
        return _UntilClosed()
    if not _DIGITS(length):
        raise HttpSyntaxError(f"its answer has the length {length[:40]!r}")
    return _Counted(int(length))


def announced_length(head: Head) -> int | None:
    """How many bytes will come, as they are transferred, if it says so."""
    framing = framing_of(head)
    return framing.left if isinstance(framing, _Counted) else None


class _Counted:
    def __init__(self, length: int) -> None:
        self.left = length
        self.is_whole = not length

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        part = data[: self.left]
        self.left -= len(part)
        self.is_whole = not self.left
        yield part

    def end(self) -> None:
        if self.left:
            raise HttpSyntaxError("its answer is cut short")


class _UntilClosed:
    is_whole = False

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        yield data

    def end(self) -> None:
        self.is_whole = True


class _Chunked:
    def __init__(self) -> None:
        self.is_whole = False
        self._line = bytearray()
        self._left = 0  # of the chunk
        self._is_in_data = False
        self._had_chunk = False  # of which the line end is still to come
        self._is_in_trailer = False
        self._trailer_length = 0

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        while data and not self.is_whole:
            if self._is_in_data:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                self._is_in_data = self._left > 0
                yield part
                continue
            # Lines are short: what is looked through here is as much as comes before the data.
            found = bytes(data[:MAX_LINE_LENGTH]).find(b"\n")
            end = len(data[:MAX_LINE_LENGTH]) if found < 0 else found + 1
            self._line += data[:end]
            data = data[end:]
            if found >= 0:
                line, self._line = bytes(self._line).rstrip(b"\r\n"), bytearray()
                self._take_line(line)
            elif len(self._line) > MAX_LINE_LENGTH:
                raise HttpSyntaxError("its answer has too long a line between its chunks")

    def end(self) -> None:
        if not self.is_whole:
            raise HttpSyntaxError("its answer is cut short")

    def _take_line(self, line: bytes) -> None:
        if self._is_in_trailer:
            self._trailer_length += len(line)
            self.is_whole = not line
            if self._trailer_length > MAX_TRAILER_LENGTH:
                raise HttpSyntaxError("its answer has too much behind its chunks")
            return
        if not line and self._had_chunk:
            self._had_chunk = False  # the end of the chunk before
            return
        size = _SIZE(line)
        if size is None or self._had_chunk:
            raise HttpSyntaxError("its answer is not in chunks as it says")
        self._left = int(size[1], 16)
        self._is_in_trailer = not self._left
        self._is_in_data = self._had_chunk = self._left > 0


class Decoder:
    """Undoes the compression of a body, in bounded parts: a few bytes may stand for gigabytes.

    Args:
        headers: of the answer.

    Raises:
        HttpSyntaxError: it is compressed in a way that was not asked for.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in _PLAIN | _COMPRESSED:
            raise HttpSyntaxError(
                f"its answer is encoded as {coding[:40]!r}, which was not asked for"
            )
        self.is_plain = coding in _PLAIN
        self._decoder = zlib.decompressobj(_WINDOW_BITS)
        self._has_begun = False

    def decode(self, data: memoryview) -> Iterator[memoryview]:
        """Take a part of the body. Raises HttpSyntaxError."""
        if self.is_plain:
            yield data
            return
        rest: memoryview | bytes = data
        while len(rest) and not self._decoder.eof:
            self._has_begun = True
            try:
                yield memoryview(self._decoder.decompress(rest, MAX_DECODED_PART))
            except zlib.error as error:
                raise HttpSyntaxError("its answer is not compressed as it says") from error
            rest = self._decoder.unconsumed_tail

    def end(self) -> None:
        """The body ended. Raises HttpSyntaxError if what is compressed did not."""
        if self._has_begun and not self._decoder.eof:
            raise HttpSyntaxError("its compressed answer is cut short")
