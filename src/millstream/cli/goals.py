"""`millstream goals`: when one of the daemon's torrents has seeded enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from millstream.cli.formatting import format_duration
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import show_or_change
from millstream.settings.units import parse_duration

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream goals 0123abcd --ratio 2 --idle-time '7 days'\n"
    "  millstream goals 0123abcd --ratio none --action remove\n"
    "  millstream goals 0123abcd --ratio inherit"
)

NONE, INHERIT = "none", "inherit"


def _option(metavar: str, meaning: str) -> Any:
    return typer.Option(metavar=f"{metavar}|{NONE}|{INHERIT}", help=meaning, show_default=False)


def goals(
    torrent: TorrentName,
    *,
    ratio: Annotated[
        str | None, _option("NUMBER", "Bytes sent for each that came, such as 2 or 1.5.")
    ] = None,
    seed_time: Annotated[
        str | None, _option("TIME", "How long it seeds in all, such as 12h or '30 days'.")
    ] = None,
    idle_time: Annotated[
        str | None, _option("TIME", "How long nobody takes anything, such as '7 days'.")
    ] = None,
    action: Annotated[
        Literal["stop", "remove", "remove-data", "inherit"] | None,
        typer.Option(
            help="What becomes of it then; `remove` leaves its files, `remove-data` does not.",
            show_default=False,
        ),
    ] = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show or set the goals of one of the daemon's torrents: when it has seeded enough.

    The first one that is reached counts. `inherit` is what the daemon's settings say for all. The
    exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    texts: tuple[tuple[str, str | None, Callable[[str], float]], ...] = (
        ("ratio", ratio, read_ratio),
        ("seedTime", seed_time, parse_duration),
        ("idleTime", idle_time, parse_duration),
    )
    body: dict[str, object] = {
        key: read_goal(key, text, read) for key, text, read in texts if text is not None
    }
    if action is not None:
        body["action"] = action.replace("-", " ")
    show_or_change(
        torrent, "goals", goals_line, daemon=daemon, token_file=token_file, json=json, body=body
    )


COMMAND = goals


def read_goal(key: str, text: str, read: Callable[[str], float]) -> float | str | None:
    """A goal as the daemon takes it. Raises typer.BadParameter."""
    if text.lower() == INHERIT:
        return INHERIT
    if text.lower() == NONE:
        return None
    try:
        return read(text)
    except ValueError as error:
        option = {"seedTime": "--seed-time", "idleTime": "--idle-time"}.get(key, f"--{key}")
        raise typer.BadParameter(
            f"{error}, or {NONE} or {INHERIT}.", param_hint=f"'{option}'"
        ) from error


def read_ratio(text: str) -> float:
    """A number from 0 on. Raises ValueError."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{text!r} is no ratio; write it like 2 or 1.5")
    return number


def goals_line(answer: Mapping[str, Any]) -> str:
    """The goals in a line."""
    return (
        f"ratio {_words(answer['ratio'], '{:g}'.format)}, "
        f"seed time {_words(answer['seedTime'], format_duration)}, "
        f"idle time {_words(answer['idleTime'], format_duration)}, "
        f"then {_words(answer['action'], str)}"
    )


def _words(value: object, number: Callable[[Any], str]) -> str:
    if value == INHERIT:
        return "as for all"
    return NONE if value is None else number(value)
