"""Reading the MAGNET|URL|FILE argument of a command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import safe_text
from millstream.cli.torrent_file import read_torrent
from millstream.errors import MalformedDataError

if TYPE_CHECKING:
    from millstream import Magnet, Metainfo

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.ASCII | re.IGNORECASE)
_INFO_HASH = re.compile(r"[0-9a-f]{40}", re.ASCII | re.IGNORECASE)

# What an error shows of an argument: links can have a hundred thousand characters.
MAX_SHOWN = 100


async def read_source(text: str) -> Metainfo | Magnet:
    """Read a torrent file, fetch one, or read a magnet link, whichever the text means.

    Raises:
        CommandError: it is no usable torrent or link; code 2.
        HttpError: the URL cannot be fetched.
    """
    from millstream.engine.sources import is_magnet, is_url

    if is_magnet(text):
        return read_magnet(text)
    if is_url(text):
        return await _fetch(text)
    scheme = _SCHEME.match(text)
    if scheme is not None:
        raise CommandError(
            f"{shown(text)}: torrents are fetched from http:// and https://, not {scheme[0]}",
            ExitCode.USAGE,
        )
    return _read_file(text)


def read_magnet(text: str) -> Magnet:
    """Read a magnet link; raises CommandError."""
    from millstream import Magnet

    try:
        return Magnet.parse(text)
    except MalformedDataError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


async def read_files_of(text: str, purpose: str) -> Metainfo:
    """Read or fetch a torrent file: what a command needs that must know the files.

    Args:
        text: the argument.
        purpose: what cannot be done with a magnet link.

    Raises:
        CommandError: it is no usable torrent, or a magnet link; code 2.
        HttpError: the URL cannot be fetched.
    """
    from millstream import Metainfo

    source = await read_source(text)
    if not isinstance(source, Metainfo):
        raise CommandError(
            f"a magnet link does not say which files there are, so {purpose}; "
            "give the .torrent file",
            ExitCode.USAGE,
        )
    return source


def shown(text: str) -> str:
    """An argument, fit for an error."""
    return safe_text(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")


def _read_file(text: str) -> Metainfo:
    path = Path(text)
    if _INFO_HASH.fullmatch(text) and not path.exists():
        raise CommandError(
            f"there is no file {text}; if it is an infohash, write magnet:?xt=urn:btih:{text}",
            ExitCode.USAGE,
        )
    return read_torrent(path)


async def _fetch(url: str) -> Metainfo | Magnet:
    from millstream.presets.loading import load_torrent

    try:
        return await load_torrent(url)
    except MalformedDataError as error:
        raise CommandError(f"{shown(url)}: {error}", ExitCode.USAGE) from error
