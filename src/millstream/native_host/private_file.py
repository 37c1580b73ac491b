"""Files for their owner alone from the first moment on, and files of which nobody sees a half."""

from __future__ import annotations

import os
from pathlib import Path

# Windows makes two bytes of a line's end otherwise.
_BINARY: int = getattr(os, "O_BINARY", 0)


def write_private(path: Path, data: bytes) -> None:
    """Make a file; who else had one of this name, and maybe has it open, has no part in it.

    Raises:
        OSError: it cannot be made or written; then there is none.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file at once: another program may be reading it.

    Args:
        path: which.
        data: what is to be in it.
        mode: who may read it when it is there.

    Raises:
        OSError: it cannot be; then the old one stays.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_private(fresh, data)
        fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
