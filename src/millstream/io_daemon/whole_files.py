"""Single writes, reads and hashes of files, as the HTTP routes have them: blocking, for worker threads.

Functions raise what `LentFiles` raises.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from millstream.http_server.refusal import Refusal
from millstream.io_daemon.lent_files import LentFiles

# Read at a time.
READ_STEP = 1 << 20


class Span(NamedTuple):
    """Bytes of an open file.

    Attributes:
        descriptor: closed by whoever reads it.
        offset: where they begin.
        length: how many, all of which are there.
    """

    descriptor: int
    offset: int
    length: int


def write_verified(
    files: LentFiles, root: str, path: str, offset: int, data: bytearray, digest: bytes | None
) -> None:
    """Write, after the data was compared with its SHA-1; a mismatch touches nothing.

    Raises:
        Refusal: it is another one; 409.
    """
    if digest is not None:
        found = hashlib.sha1(data).digest()
        if found != digest:
            raise Refusal(
                409, "HashMismatch", f"Hash mismatch: expected {digest.hex()}, got {found.hex()}"
            )
    with files.opened(root, path, os.O_RDWR | os.O_CREAT) as descriptor:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view = view[written:]
            offset += written


def open_span(files: LentFiles, root: str, path: str, offset: int, length: int | None) -> Span:
    """Open bytes of a file: so many, or all from the offset on.

    Raises:
        Refusal: the file is shorter than that; 500 as in the original.
    """
    descriptor = files.open(root, path, os.O_RDONLY)
    size = os.fstat(descriptor).st_size
    end = size if length is None else offset + length
    if not offset <= end <= size:
        os.close(descriptor)
        raise Refusal(500, "ShortFile", f"{root}/{path} has {size} bytes, and not {end}")
    return Span(descriptor, offset, end - offset)


def read_step(span: Span, done: int) -> bytes:
    """The next bytes, after so many were read. Raises OSError if they are gone meanwhile."""
    data = os.pread(span.descriptor, min(READ_STEP, span.length - done), span.offset + done)
    if not data:
        raise OSError(errno.EIO, "the file became shorter while it was read")
    return data


def hash_span(span: Span, algorithm: str) -> str:
    """The digest in hex; the span is closed."""
    digest = hashlib.new(algorithm)
    try:
        for data in _steps(span):
            digest.update(data)
    finally:
        os.close(span.descriptor)
    return digest.hexdigest()


def _steps(span: Span) -> Iterator[bytes]:
    done = 0
    while done < span.length:
        data = read_step(span, done)
        done += len(data)
        yield data
