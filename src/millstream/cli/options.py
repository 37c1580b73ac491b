"""Arguments and options that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from millstream.cli.formatting import parse_rate
from millstream.errors import MalformedDataError
from millstream.settings.units import parse_size

if TYPE_CHECKING:
    from millstream import PeerAddress
    from millstream.core.limits_config import LimitsConfig

TorrentArgument = Annotated[
    Path,
    typer.Argument(metavar="TORRENT", help="The .torrent file.", show_default=False),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="MAGNET|URL|FILE",
        help="A magnet link, or the URL or file of a .torrent. Put links in quotes.",
        show_default=False,
    ),
]
PeerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--peer",
        "-p",
        metavar="HOST:PORT",
        help="A peer to connect to, such as 192.0.2.7:6881 or \\[2001:db8::1]:6881; may be repeated.",
        show_default=False,
    ),
]
LimitDownOption = Annotated[
    str | None,
    typer.Option(
        "--limit-down",
        metavar="RATE",
        help="Receive at most so much per second, such as 500K or 2M; `none` for no limit.",
        show_default=False,
    ),
]
LimitUpOption = Annotated[
    str | None,
    typer.Option(
        "--limit-up",
        metavar="RATE",
        help="Send at most so much per second, such as 500K or 2M; `none` for no limit.",
        show_default=False,
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="N",
        help="Listen on this port; 0 takes any free one.",
        show_default=False,
    ),
]
TrackerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="URL",
        help="A tracker to ask, besides those of the torrent; may be repeated.",
        show_default=False,
    ),
]
ContentOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="The directory that holds the files."),
]
EncryptionOption = Annotated[
    Literal["prefer", "require", "disable"] | None,
    typer.Option(
        help="Whether connections are encrypted; `require` loses the peers that cannot.",
        show_default=False,
    ),
]
AllowLocalOption = Annotated[
    bool | None,
    typer.Option(
        "--allow-local/--no-allow-local",
        help="Let the torrent name trackers and web seeds at local addresses. Those of --tracker "
        "and --peer may always be local, and then the torrent's, too.",
        show_default=False,
    ),
]
NoPexOption = Annotated[
    bool | None,
    typer.Option(
        "--no-pex/--pex", help="Do not exchange peers with peers (BEP 11).", show_default=False
    ),
]
ShowPeersOption = Annotated[
    bool, typer.Option("--show-peers", help="Show the peers below the progress.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write one JSON object per line, for scripts.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Write nothing but errors.")]


def parse_peers(texts: Iterable[str] | None) -> list[PeerAddress]:
    """Read the values of `--peer`.

    Raises:
        typer.BadParameter: one is no HOST:PORT.
    """
    from millstream import PeerAddress

    try:
        return [PeerAddress.parse(text) for text in texts or ()]
    except MalformedDataError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--peer'") from error


def parse_size_option(text: str | None, name: str) -> int | None:
    """Read the value of an option that is a size; None stays None.

    Raises:
        typer.BadParameter: it is no size, or it is zero.
    """
    if text is None:
        return None
    try:
        size = parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint=f"'{name}'") from error
    if size <= 0:
        raise typer.BadParameter("the size must be above zero.", param_hint=f"'{name}'")
    return size


def parse_limits(
    down: str | None, up: str | None, base: LimitsConfig | None = None
) -> LimitsConfig:
    """Read the values of `--limit-down` and `--limit-up` over other limits.

    Args:
        down: the option's text; None was not given.
        up: likewise.
        base: the limits under the options; None: unlimited.

    Raises:
        typer.BadParameter: one is no rate, or too low.
    """
    from dataclasses import replace

    from millstream.core.limits_config import LimitsConfig

    limits = base or LimitsConfig()
    # An option holds at every hour, whatever the schedule of the settings is.
    if down is not None:
        rate = parse_limit(down, "--limit-down")
        limits = replace(limits, download=rate, alternative_download=rate)
    if up is not None:
        rate = parse_limit(up, "--limit-up")
        limits = replace(limits, upload=rate, alternative_upload=rate)
    return limits


def parse_limit(text: str, name: str) -> int | None:
    """Read the value of an option that is a limit, in bytes a second; None for `none`.

    Raises:
        typer.BadParameter: it is no rate, or too low.
    """
    from millstream.core.limits_config import MIN_RATE

    if text.lower() == "none":
        return None
    try:
        rate = parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or `none`.", param_hint=f"'{name}'") from error
    if rate < MIN_RATE:
        raise typer.BadParameter(
            "the lowest limit is 1K per second; `none` is no limit.",
            param_hint=f"'{name}'",
        )
    return rate


def check_urls(urls: Iterable[str] | None, name: str, schemes: tuple[str, ...]) -> tuple[str, ...]:
    """Take the values of an option that are URLs as they are.

    Raises:
        typer.BadParameter: one has no host or none of the schemes.
    """
    from urllib.parse import urlsplit

    checked = tuple(urls or ())
    for url in checked:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in schemes and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            wanted = ", ".join(f"{scheme}://" for scheme in schemes)
            raise typer.BadParameter(
                f"{url!r} is no URL that begins with {wanted}.", param_hint=f"'{name}'"
            )
    return checked
