"""Trying what a sandboxed process must not be able to do: what is refused is seen, not believed."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

# What says that it was refused, rather than that it went wrong.
_REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS}

# The discard port of this machine: nobody listens there, and if somebody did, no harm is done.
_NOBODY = ("127.0.0.1", 9)


def _read_a_file() -> None:
    os.close(os.open(sys.executable, os.O_RDONLY | os.O_CLOEXEC))


def _list_a_directory() -> None:
    for _ in Path(os.path.sep).iterdir():
        return


def _write_a_file() -> None:
    # tempfile would look for a directory where it may write, and find none.
    path = Path(os.environ.get("TMPDIR") or "/tmp", f"millstream-attempt-{os.getpid()}")  # noqa: S108
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.unlink()


def _connect_by_tcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.setblocking(False)
        opened.connect(_NOBODY)


def _listen_by_tcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen()


def _send_by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.sendto(b"", _NOBODY)


def _connect_by_unix_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.connect("/nonexistent")


def _start_a_program() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(pid, 0)


def _signal_the_parent() -> None:
    os.kill(os.getppid(), 0)


ATTEMPTS: dict[str, Callable[[], None]] = {
    "read a file": _read_a_file,
    "list a directory": _list_a_directory,
    "write a file": _write_a_file,
    "connect by TCP": _connect_by_tcp,
    "listen by TCP": _listen_by_tcp,
    "send by UDP": _send_by_udp,
    "connect by a Unix socket": _connect_by_unix_socket,
    "start a program": _start_a_program,
    "signal the parent": _signal_the_parent,
}
"""What is tried, by its name."""


def refused_attempts() -> tuple[str, ...]:
    """Try them all; the names of those that were refused."""
    return tuple(name for name, attempt in ATTEMPTS.items() if _is_refused(attempt))


def _is_refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in _REFUSED
    return False
