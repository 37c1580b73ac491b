"""`millstream roots`: the directories in which the daemon keeps torrents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from millstream.cli.display import open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import plural, safe_text
from millstream.cli.help_text import paragraphs
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, ask, facts_of

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream roots\n"
    "  millstream roots add /srv/media --label media --default\n"
    "  millstream roots repoint media /mnt/media"
)

# Digits that may stand for a token.
MIN_PREFIX = 4

RootName = Annotated[
    str,
    typer.Argument(
        metavar="ROOT",
        help="Its label, its token or the first digits of that, or its path.",
        show_default=False,
    ),
]
PathArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="A directory of the daemon's.", show_default=False)
]
LabelArgument = Annotated[
    str, typer.Argument(metavar="LABEL", help="The new label.", show_default=False)
]


def roots(
    context: typer.Context,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the storage roots: the directories in which the daemon keeps torrents.

    A torrent remembers its root, not the path: where a disk is mounted elsewhere one day, `repoint`
    says so once. The exit code is 6 if no daemon answers, and 2 if there is no such root.
    """
    if context.invoked_subcommand is not None:
        return
    with open_display(json=json) as display:

        async def main(client: ControlClient) -> dict[str, Any]:
            return await client.get("/roots")

        listed = ask(daemon, token_file, main)["roots"]
        for root in listed:
            display.event("root", root_line(root), good=None, **facts_of(root))


COMMAND = roots


def add(
    path: PathArgument,
    *,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL", help="Call it so; else like the directory.", show_default=False
        ),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Have torrents put here from now on.")
    ] = False,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Let torrents be in a directory."""
    body = {"path": absolute(path), "label": label, "default": default}
    _change("root", lambda client: client.post("/roots/add", body), daemon, token_file, json=json)


def default(
    root: RootName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Have torrents put into this root that are added without saying where."""
    _change("root", lambda client: post(client, root, "default"), daemon, token_file, json=json)


def relabel(
    root: RootName,
    label: LabelArgument,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Give a root another label."""
    body = {"label": label}
    _change(
        "root", lambda client: post(client, root, "relabel", body), daemon, token_file, json=json
    )


def repoint(
    root: RootName,
    path: PathArgument,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a root's directory is now. Nothing is moved."""
    body = {"path": absolute(path)}
    _change(
        "root", lambda client: post(client, root, "repoint", body), daemon, token_file, json=json
    )


def accept(
    root: RootName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Take what is at a root's path for the root, though it was another directory before.

    For a disk that was replaced: its torrents fetch what is missing.
    """
    _change("root", lambda client: post(client, root, "accept"), daemon, token_file, json=json)


def remove(
    root: RootName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Forget a root in which no torrents are. Its directory stays."""
    _change(
        "root_removed", lambda client: post(client, root, "remove"), daemon, token_file, json=json
    )


GROUP = typer.Typer(invoke_without_command=True)
GROUP.callback()(roots)
for command in (add, default, relabel, repoint, accept, remove):
    GROUP.command(help=paragraphs(command))(command)


def root_line(root: Mapping[str, Any]) -> str:
    """A root in a line."""
    marks = [plural(root["torrents"], "torrent")]
    if root["default"]:
        marks.append("default")
    return "  ".join(
        [root["token"], safe_text(root["label"]), safe_text(root["path"]), ", ".join(marks)]
    )


async def find_root(client: ControlClient, name: str) -> dict[str, Any]:
    """The root that a user means.

    Raises:
        CommandError: there is none, or there are several; code 2.
    """
    listed: list[dict[str, Any]] = (await client.get("/roots"))["roots"]
    found = [root for root in listed if name in {root["token"], root["path"], root["label"]}]
    if not found and len(name) >= MIN_PREFIX:
        found = [root for root in listed if root["token"].startswith(name)]
    if not found:
        raise CommandError(
            f"the daemon has no storage root {name!r}; `millstream roots` shows what it has",
            ExitCode.USAGE,
        )
    if len(found) > 1:
        tokens = ", ".join(root["token"] for root in found[:4])
        raise CommandError(f"{name!r} may be any of {tokens}; say which", ExitCode.USAGE)
    return found[0]


async def post(
    client: ControlClient, name: str, verb: str, body: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Have something done to a root; returns it as it is now, or, if it is gone, was."""
    found = await find_root(client, name)
    return found | await client.post(f"/root/{quote(found['token'], safe='')}/{verb}", body)


def absolute(path: Path) -> str:
    """The path for the daemon, whose own directory is another one."""
    return str(path.expanduser().absolute())


def _change(
    event: str,
    main: Callable[[ControlClient], Awaitable[dict[str, Any]]],
    daemon: str | None,
    token_file: Path | None,
    *,
    json: bool,
) -> None:
    with open_display(json=json) as display:
        root = ask(daemon, token_file, main)
        root.pop("ok", None)
        gone = "Removed " if event == "root_removed" else ""
        display.event(event, gone + root_line(root), good=True, **facts_of(root))
