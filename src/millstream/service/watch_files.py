"""The files of a watch folder: what is there, what is in it, and putting it away.

Blocking: call it in a thread, for a folder on the network may take its time. Every name comes from
whoever can write there; only plain files that lie in the folder itself are touched.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from millstream import Magnet, Metainfo
from millstream.errors import MalformedDataError, MalformedMagnetError
from millstream.protocol.magnet import MAX_MAGNET_LENGTH
from millstream.protocol.metainfo import MAX_TORRENT_LENGTH

# Files that one look finds; what is beyond is found once these are put away.
MAX_FOUND = 10_000
# Bytes of a name; ext4, APFS, NTFS and most others allow 255 bytes or characters.
MAX_NAME = 255

TORRENT_SUFFIX = ".torrent"
MAGNET_SUFFIX = ".magnet"
ADDED_SUFFIX = ".added"
INVALID_SUFFIX = ".invalid"

_MAX_LENGTHS = {TORRENT_SUFFIX: MAX_TORRENT_LENGTH, MAGNET_SUFFIX: MAX_MAGNET_LENGTH}
# Never through a symlink, never waiting for a writer: Windows has neither.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN_FLAGS |= getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that could be a torrent; one that is equal is the same file, unchanged.

    Attributes:
        name: in the folder.
        length: bytes.
        mtime: nanoseconds since the epoch.
        inode: its number, where the system has one.
    """

    name: str
    length: int
    mtime: int
    inode: int

    @property
    def suffix(self) -> str:
        """What it claims to be: `.torrent` or `.magnet`."""
        return os.path.splitext(self.name)[1].lower()  # noqa: PTH122 - a name

    @property
    def is_too_long(self) -> bool:
        """Whether no torrent or link is that long."""
        return self.length > _MAX_LENGTHS[self.suffix]


class ChangedMeanwhileError(Exception):
    """The file is no longer the one that was found."""


def find(folder: Path) -> list[Found]:
    """The files that could be torrents, by names. Raises OSError if the folder cannot be read."""
    found: list[Found] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            # Programs that copy give unfinished files a dot, as rsync does.
            if name.startswith(".") or not name.lower().endswith(tuple(_MAX_LENGTHS)):
                continue
            with suppress(OSError):  # gone meanwhile
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    found.append(_found(name, state))
            if len(found) >= MAX_FOUND:
                break
    return sorted(found, key=lambda each: each.name)


def read(folder: Path, found: Found) -> bytes:
    """What is in a file.

    Raises:
        ChangedMeanwhileError: it is another one by now.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(folder / found.name, _OPEN_FLAGS)
    except FileNotFoundError:
        raise ChangedMeanwhileError from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK}:  # a symlink by now
            raise ChangedMeanwhileError from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        if _found(found.name, os.fstat(descriptor)) != found:
            raise ChangedMeanwhileError
        data = file.read(found.length + 1)
    if len(data) != found.length:
        raise ChangedMeanwhileError
    return data


def parse(found: Found, data: bytes) -> Metainfo | Magnet:
    """The torrent in a file, which may have taken seconds to read; raises MalformedDataError."""
    if found.suffix == TORRENT_SUFFIX:
        return Metainfo.parse(data)
    try:
        lines = data.decode("utf-8-sig").split()
    except UnicodeDecodeError as error:
        raise MalformedMagnetError(f"it is no UTF-8 at byte {error.start}") from None
    if len(lines) != 1:
        raise MalformedMagnetError(f"it must have one link, and it has {len(lines)} words")
    return Magnet.parse(lines[0])


def load(folder: Path, found: Found) -> Metainfo | Magnet:
    """Read and parse a file. Raises what `read` and `parse` raise."""
    if found.is_too_long:
        raise MalformedDataError(
            f"it has {found.length} bytes, over the limit of {_MAX_LENGTHS[found.suffix]}"
        )
    return parse(found, read(folder, found))


def delete(folder: Path, found: Found) -> None:
    """Delete a file if it is still that one. Raises OSError."""
    if _is_still(folder, found):
        (folder / found.name).unlink(missing_ok=True)


def rename(folder: Path, found: Found, suffix: str) -> str:
    """Put a suffix behind the name of a file if it is still that one; its new name. Raises OSError."""
    name = _free_name(folder, found.name, suffix)
    if _is_still(folder, found):
        (folder / found.name).rename(folder / name)
    return name


def move(folder: Path, found: Found, target: Path) -> None:
    """Move a file to another folder if it is still that one. Raises OSError.

    To another file system it is copied under a name of its own and renamed when it is whole.
    """
    if not _is_still(folder, found):
        return
    source, name = folder / found.name, _free_name(target, found.name, "")
    try:
        source.rename(target / name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target / f".{os.getpid()}.{found.inode}.part"
        try:
            with partial.open("wb") as file:
                file.write(source.read_bytes())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target / name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        source.unlink(missing_ok=True)


def _found(name: str, state: os.stat_result) -> Found:
    return Found(name, state.st_size, state.st_mtime_ns, state.st_ino)


def _is_still(folder: Path, found: Found) -> bool:
    """Whether the file is the one that was looked at: another may have come under its name."""
    try:
        state = (folder / found.name).lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(state.st_mode) and _found(found.name, state) == found


def _free_name(folder: Path, name: str, suffix: str) -> str:
    """The name with the suffix, numbered if there is such a file, and cut if it is too long."""
    for number in count():
        ending = f".{number}{suffix}" if number else suffix
        room = MAX_NAME - len(os.fsencode(ending))
        stem = os.fsencode(name)
        # A cut within a character would make no name at all where names must be Unicode.
        kept = name if len(stem) <= room else stem[:room].decode("utf-8", "ignore")
        candidate = f"{kept}{ending}"
        if not os.path.lexists(folder / candidate):
            return candidate
    raise AssertionError("unreachable")
