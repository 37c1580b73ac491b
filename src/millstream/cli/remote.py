"""Talking to a daemon: the options for it, and what its answers mean for a command."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast
from urllib.parse import quote, urlencode

import typer

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.running import run
from millstream.errors import ControlError

if TYPE_CHECKING:
    from millstream.cli.display import JsonValue
    from millstream.rpc.client import ControlClient

T = TypeVar("T")

URL_VARIABLE = "MILLSTREAM_DAEMON"
TOKEN_VARIABLE = "MILLSTREAM_TOKEN"  # noqa: S105 - the name, not the token

# Hex digits that may stand for an infohash: fewer would be a name more often.
MIN_PREFIX = 4

DaemonOption = Annotated[
    str | None,
    typer.Option(
        "--daemon",
        metavar="URL",
        envvar=URL_VARIABLE,
        help="Where the daemon is; http://127.0.0.1:6868 if left out.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"Take the daemon's token from this file, rather than from ${TOKEN_VARIABLE}.",
        show_default=False,
    ),
]
TorrentName = Annotated[
    str,
    typer.Argument(
        metavar="TORRENT",
        help="Its infohash, the first digits of that, or its name.",
        show_default=False,
    ),
]
TorrentOption = Annotated[
    str | None,
    typer.Option(
        metavar="TORRENT",
        help="Of this torrent alone: its infohash, the first digits of that, or its name.",
        show_default=False,
    ),
]


def ask(
    url: str | None, token_file: Path | None, main: Callable[[ControlClient], Awaitable[T]]
) -> T:
    """Run `main` with a client.

    Raises:
        CommandError: the daemon refused; code 2 for a request that makes no sense, else 1.
        ControlError: no daemon answers, or it does not let us in; code 6.
    """
    from millstream.rpc.client import DEFAULT_URL, ControlClient

    token = read_token(token_file)

    async def connected() -> T:
        async with ControlClient(url or DEFAULT_URL, token=token) as client:
            try:
                return await main(client)
            except ControlError as error:
                raise _understood(error) from error

    return run(connected)


def read_token(file: Path | None) -> str | None:
    """The token from a file or the environment; None if neither is given.

    Raises:
        CommandError: there is none in the file; code 2.
        OSError: it cannot be read.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    token = file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    if not token:
        raise CommandError(f"{file}: there is no token in it", ExitCode.USAGE)
    return token


def _understood(error: ControlError) -> Exception:
    """What the daemon said, with the exit code for it."""
    if error.status is None or not error.code:
        return error
    if error.status == 401:
        return ControlError(
            f"{error}; give it with --token-file or ${TOKEN_VARIABLE}", error.status, error.code
        )
    if error.status == 403:
        return error
    return CommandError(str(error), ExitCode.USAGE if error.status < 500 else ExitCode.FAILURE)


async def find(client: ControlClient, name: str) -> str:
    """The infohash of the torrent that a user means.

    Raises:
        CommandError: there is none, or there are several; code 2.
    """
    if len(name) == 40 and _is_hex(name):
        return name.lower()
    torrents = (await client.get(with_query("/torrents", {"fields": "id,name"})))["torrents"]
    found = [each for each in torrents if each["name"] == name]
    if not found and is_prefix(name):
        found = [each for each in torrents if each["id"].startswith(name.lower())]
    if not found:
        raise CommandError(
            f"the daemon has no torrent {name!r}; `millstream list` shows what it has",
            ExitCode.USAGE,
        )
    if len(found) > 1:
        hashes = ", ".join(each["id"][:12] for each in found[:4])
        raise CommandError(f"{name!r} may be any of {hashes}; say which", ExitCode.USAGE)
    return str(found[0]["id"])


def torrent_path(info_hash: str, verb: str) -> str:
    """The path of a torrent's route."""
    return f"/torrent/{quote(info_hash, safe='')}/{verb}"


def with_query(path: str, values: Mapping[str, str | int | None]) -> str:
    """A path with a query of those values that are not None."""
    said = {key: value for key, value in values.items() if value is not None}
    return f"{path}?{urlencode(said, errors='surrogateescape')}" if said else path


def facts_of(view: Mapping[str, Any]) -> dict[str, JsonValue]:
    """A torrent as the daemon shows it, with the keys of `--json`."""
    return {_snake(key): cast("JsonValue", value) for key, value in view.items()}


@cache
def _snake(key: str) -> str:
    if key == "id":
        return "infohash"
    return "".join([f"_{char.lower()}" if char.isupper() else char for char in key])


def is_prefix(name: str) -> bool:
    """Whether it may be the beginning of an infohash."""
    return MIN_PREFIX <= len(name) <= 40 and _is_hex(name)


def _is_hex(text: str) -> bool:
    return bool(text) and all(char in "0123456789abcdefABCDEF" for char in text)
