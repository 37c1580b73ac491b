"""`millstream native-host`: what a browser starts for an extension that cannot do it all itself."""

from __future__ import annotations

import base64
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import open_display
from millstream.cli.exit_codes import CommandError, ExitCode, Interrupted
from millstream.cli.formatting import safe_text
from millstream.cli.help_text import paragraphs
from millstream.cli.options import JsonOption
from millstream.cli.running import run
from millstream.native_host.manifest import DEFAULT_EXTENSIONS, DEFAULT_NAME, Browser

if TYPE_CHECKING:
    from millstream.native_host.installing import Installation

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream native-host install\n"
    "  millstream native-host install --browser firefox --extension-id downloads@example.org\n"
    "  millstream native-host open 'magnet:?xt=urn:btih:...'\n"
    "  millstream native-host uninstall"
)

OriginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        metavar="SITE",
        help="Let pages of this site ask the io-daemon, such as https://app.example, besides the "
        "extension's own; may be repeated.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str, typer.Option(metavar="NAME", help="By which the extension calls its host.")
]
BrowserOption = Annotated[
    list[Browser] | None,
    typer.Option(
        help="For this browser; may be repeated. All of them if left out.", show_default=False
    ),
]


def native_host(context: typer.Context, *, allow_origin: OriginOption = None) -> None:
    """Serve a browser's extension by native messaging; browsers start this, people install it.

    It speaks frames of JSON at its standard input and output, starts an io-daemon for the extension,
    lets the user choose folders, and opens files in them. It ends when the browser hangs up. The exit
    code is 2 if what came was no frame.
    """
    if context.invoked_subcommand is None:
        _serve((), allow_origin)


COMMAND = native_host


def run_for_browser(
    *,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGUMENTS", help="What the browser gives.", show_default=False),
    ] = None,
    allow_origin: OriginOption = None,
) -> None:
    """Do the same, with a browser's arguments; `install` has browsers start this."""
    _serve(arguments or (), allow_origin)


def install(
    *,
    browser: BrowserOption = None,
    extension_id: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Let this extension start it; may be repeated. JSTorrent's if left out.",
            show_default=False,
        ),
    ] = None,
    name: NameOption = DEFAULT_NAME,
    allow_origin: OriginOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another program of this name.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Tell this user's browsers of it: a manifest for each that can have such an extension."""
    _check_origins(allow_origin or [])
    arguments = ["native-host", "run", *(f"--allow-origin={site}" for site in allow_origin or ())]
    with open_display(json=json) as display:
        written = _installation(name).install(
            browser or list(Browser),
            extension_id or DEFAULT_EXTENSIONS,
            python=sys.executable,
            arguments=arguments,
            replace=replace,
        )
        for one, path in written.items():
            display.event(
                "installed",
                f"Installed for {one.value.title()}: {safe_text(str(path))}",
                good=True,
                browser=one.value,
                path=str(path),
            )


def uninstall(
    *, browser: BrowserOption = None, name: NameOption = DEFAULT_NAME, json: JsonOption = False
) -> None:
    """Take back what `install` told them. Folders and what was chosen stay."""
    with open_display(json=json) as display:
        removed = _installation(name).uninstall(browser or list(Browser))
        for one, path in removed.items():
            display.event(
                "uninstalled",
                f"Removed from {one.value.title()}: {safe_text(str(path))}",
                good=True,
                browser=one.value,
                path=str(path),
            )
        if not removed:
            display.event("nothing", f"{name} was not installed.", good=None, name=name)


def open_link(
    link: Annotated[
        str, typer.Argument(metavar="MAGNET|FILE", help="What to open.", show_default=False)
    ],
    *,
    json: JsonOption = False,
) -> None:
    """Hand a magnet link or a torrent file to the extension in the browser that was used last.

    A desktop's handler for these can start this. The exit code is 6 if no browser with the extension runs.
    """
    from millstream.native_host.handing_over import addresses, hand_over
    from millstream.native_host.rpc_info_file import RpcInfoFile, info_directory

    path, body = read_link(link)
    profiles = RpcInfoFile(info_directory(os.environ, sys.platform)).read()
    with open_display(json=json) as display:
        address = hand_over(addresses(profiles), path, body)
        display.event("handed_over", "The browser has it.", good=True, link=link, port=address.port)


def read_link(link: str) -> tuple[str, dict[str, str]]:
    """The route and body for a link or a file; raises OSError and CommandError."""
    from millstream.native_host.links import MAX_TORRENT_LENGTH

    if link.lower().startswith("magnet:"):
        return "/add-magnet", {"magnet": link}
    path = Path(link)
    most = MAX_TORRENT_LENGTH * 3 // 4
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise CommandError(
            f"{link}: more than {most} bytes; a browser takes no longer messages", ExitCode.USAGE
        )
    contents = base64.b64encode(data).decode("ascii")
    return "/add-torrent", {"file_name": path.name, "contents_base64": contents}


GROUP = typer.Typer(invoke_without_command=True)
GROUP.callback()(native_host)
GROUP.command("run", help=paragraphs(run_for_browser))(run_for_browser)
GROUP.command(help=paragraphs(install))(install)
GROUP.command(help=paragraphs(uninstall))(uninstall)
GROUP.command("open", help=paragraphs(open_link))(open_link)


def _serve(arguments: list[str] | tuple[()], origins: list[str] | None) -> None:
    from millstream import __version__
    from millstream.native_host.process import serve

    _check_origins(origins or [])
    with suppress(Interrupted):
        run(lambda: serve(arguments, origins or (), __version__))


def _check_origins(origins: list[str]) -> None:
    for origin in origins:
        scheme, found, host = origin.partition("://")
        if not (scheme and found and host) or "/" in host or not origin.isprintable():
            raise CommandError(
                f"--allow-origin: {origin!r} is no site; it is scheme, :// and host, no more",
                ExitCode.USAGE,
            )


def _installation(name: str) -> Installation:
    from millstream.native_host.installing import Installation

    home = Path(os.environ["HOME"]) if os.environ.get("HOME") else Path.home()
    return Installation(name, home, os.environ)
