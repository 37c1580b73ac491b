"""A listening socket at a path."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from millstream.errors import NetworkError


def bind_unix(path: Path, backlog: int) -> socket.socket:
    """Listen at a path, for this user alone; a socket that nobody listens at is taken away.

    Raises:
        NetworkError: somebody listens there, or something else is there, or there is no such thing.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise NetworkError("this system has no Unix sockets")
    _remove_stale(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        # Nobody else may connect, from the first moment on.
        mask = os.umask(0o177)
        try:
            opened.bind(str(path))
        finally:
            os.umask(mask)
        opened.listen(backlog)
    except OSError as error:
        opened.close()
        raise NetworkError(
            f"the io-daemon cannot listen at {path}: {error.strerror or error}"
        ) from error
    return opened


def remove_unix(path: Path) -> None:
    """Take a socket away that was ours."""
    path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return  # bind() says that it is in the way
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)
            return
    raise NetworkError(f"somebody listens at {path} already")
