"""A file's descriptor for the length of a block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def opened(path: str, flags: int, mode: int = 0o666) -> Iterator[int]:
    """A descriptor; errors within that name no file get this path."""
    descriptor = os.open(path, flags | _FLAGS, mode)
    try:
        yield descriptor
    except OSError as error:
        if not isinstance(error.filename, str):
            error.filename = path
        raise
    finally:
        os.close(descriptor)
