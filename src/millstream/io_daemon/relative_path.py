"""Paths as clients write them, taken apart: the first of two defences of a root.

The second is `confined`, which walks them. What is refused here could not mean a file of a torrent in
any case; `a..b`, `#?%` and every script are good names.
"""

from __future__ import annotations

from millstream.errors import MillstreamError
from millstream.storage.names import MAX_COMPONENT_LENGTH, ON_WINDOWS

# As deep as anybody's torrent, and walked in less than a millisecond.
MAX_PARTS = 128

_BETWEEN_ON_WINDOWS = frozenset("\\:")


class PathRefusedError(MillstreamError):
    """A path is none that a root can have; the message says which and why."""


def path_parts(path: str, *, windows: bool = ON_WINDOWS) -> tuple[str, ...]:
    r"""The parts of a path, of which there are none for the root itself.

    Args:
        path: relative, with `/` between its parts.
        windows: whether what separates on Windows is refused too: `\` and the `:` of drives and
            streams.

    Raises:
        PathRefusedError: it is absolute, too long or deep, or a part is empty, `.` or `..`, or holds
            what no part may.
    """
    if not path:
        return ()
    parts = tuple(path.split("/"))
    if len(parts) > MAX_PARTS:
        raise PathRefusedError(f"a path has {len(parts)} parts; {MAX_PARTS} is the most")
    for part in parts:
        _check(path, part, windows=windows)
    return parts


def _check(path: str, part: str, *, windows: bool) -> None:
    shown = path[:200]
    if path.startswith("/"):
        raise PathRefusedError(f"{shown!r} is absolute; paths are relative to their root")
    if part in {"", ".", ".."}:
        raise PathRefusedError(f"{shown!r} has the part {part!r}, which names no file")
    if "\0" in part:
        raise PathRefusedError(f"{shown!r} has a NUL in it")
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        raise PathRefusedError(f"{shown!r} has no UTF-8") from None
    if length > MAX_COMPONENT_LENGTH:
        raise PathRefusedError(
            f"a part of {shown!r} has {length} bytes; {MAX_COMPONENT_LENGTH} is the most"
        )
    if windows and not _BETWEEN_ON_WINDOWS.isdisjoint(part):
        raise PathRefusedError(f"{shown!r} has a separator or a drive of Windows in it")
