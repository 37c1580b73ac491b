"""What went wrong, as clients are told: over HTTP with a status, over `/io` without."""

from __future__ import annotations

import errno
from typing import Any

from millstream.adapters.native.transfers import StoppedError
from millstream.errors import MalformedDataError, MillstreamError, NetworkError
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.lent_roots import UnknownRootError
from millstream.io_daemon.relative_path import PathRefusedError

_FULL = {errno.ENOSPC, errno.EDQUOT}

# By the system's number; every other one is 500 and `IoError`.
_STATUS = {
    **dict.fromkeys(_FULL, (507, "DiskFull")),
    errno.ENOENT: (404, "NotFound"),
    errno.ENOTDIR: (404, "NotFound"),
    errno.ELOOP: (403, "SymbolicLink"),
    errno.EACCES: (500, "NotPermitted"),
    errno.EPERM: (500, "NotPermitted"),
    errno.EROFS: (500, "NotPermitted"),
    errno.EEXIST: (409, "Exists"),
    errno.ENOTEMPTY: (409, "NotEmpty"),
    errno.EISDIR: (400, "IsDirectory"),
    errno.EINVAL: (400, "Invalid"),
    errno.EFBIG: (400, "TooLarge"),
    errno.ENAMETOOLONG: (400, "BadPath"),
}


class FileRefusal(Refusal):
    """A request that failed at a file.

    Attributes:
        path: the file, as `token/path`.
        errno: the system's number; 0 if there is none.
        more: what else the client is told.
    """

    def __init__(self, status: int, code: str, message: str, path: str, number: int) -> None:
        super().__init__(status, code, message)
        self.path = path
        self.errno = number
        self.more: dict[str, Any] = {}

    def body(self) -> dict[str, object]:
        """See `Refusal`."""
        told = super().body() | self.more
        return told | ({"path": self.path} if self.path else {}) | {"errno": self.errno}


def refusal_of(error: Exception) -> Refusal | None:
    """An error as an answer; None if it is one that nobody thought of."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UnknownRootError):
        return Refusal(403, "InvalidRoot", str(error))
    if isinstance(error, PathRefusedError):
        return Refusal(400, "BadPath", str(error))
    if isinstance(error, MalformedDataError):
        return Refusal(400, "MalformedData", str(error))
    if isinstance(error, NetworkError):
        return Refusal(502, "NetworkError", str(error))
    if isinstance(error, StoppedError):
        return FileRefusal(409, "Stopped", "it was cancelled", "", 0)
    if isinstance(error, OSError):
        number = error.errno or 0
        status, code = _STATUS.get(number, (500, "IoError"))
        path = error.filename if isinstance(error.filename, str) else ""
        why = error.strerror or str(error)
        return FileRefusal(status, code, f"{path}: {why}" if path else why, path, number)
    if isinstance(error, MillstreamError):
        return Refusal(500, type(error).__name__.removesuffix("Error"), str(error))
    return None
