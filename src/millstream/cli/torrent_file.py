"""Reading the TORRENT argument of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import format_size
from millstream.errors import MalformedDataError

if TYPE_CHECKING:
    from millstream import Metainfo

# As much as the library accepts, so that naming the data instead of the torrent does not read
# gigabytes first.
MAX_TORRENT_FILE_LENGTH = 100 << 20


def read_torrent(path: Path) -> Metainfo:
    """Read and parse a torrent file.

    Raises:
        CommandError: there is no such file, or it is no usable torrent; one sentence, code 2.
    """
    from millstream import Metainfo

    try:
        return Metainfo.parse(read_torrent_bytes(path))
    except MalformedDataError as error:
        raise CommandError(f"{path}: {error}", ExitCode.USAGE) from error


def read_torrent_bytes(path: Path) -> bytes:
    """Read a torrent file without looking into it; raises CommandError."""
    if str(path)[:7].lower() == "magnet:":
        raise CommandError(
            "a magnet link does not say which files and pieces there are: give the .torrent file",
            ExitCode.USAGE,
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TORRENT_FILE_LENGTH + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise CommandError(f"{path} cannot be read: {reason}", ExitCode.USAGE) from error
    if len(data) > MAX_TORRENT_FILE_LENGTH:
        limit = format_size(MAX_TORRENT_FILE_LENGTH)
        raise CommandError(f"{path} is larger than {limit}: no torrent file is", ExitCode.USAGE)
    return data
