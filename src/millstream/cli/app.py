"""The program `millstream`: its commands, its help, and the way every command ends."""

from __future__ import annotations

import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from millstream.cli import (
    add,
    create,
    daemon,
    demo,
    download,
    info,
    limits,
    list_torrents,
    magnet,
    pause,
    peers,
    remove,
    resume,
    rpc,
    scrape,
    seed,
    show,
    show_settings,
    tracker,
    verify,
)
from millstream.cli.exit_codes import MEANINGS
from millstream.cli.failures import DEBUG_VARIABLE, debug_wanted, report
from millstream.cli.log_settings import (
    LogFileOption,
    LogJsonOption,
    LogLevelOption,
    LogSettings,
)

EPILOG = "[bold]Exit codes[/bold]\n" + "\n".join(
    f"  [bold cyan]{code.value:>3}[/bold cyan]  {meaning}" for code, meaning in MEANINGS.items()
)


def _paragraphs(command: Callable[..., None]) -> str:
    """The docstring with one line per paragraph: the terminal's width breaks it, not ours."""
    text = inspect.getdoc(command) or ""
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in text.split("\n\n"))


app = typer.Typer(
    name="millstream",
    help=(
        "Download, seed and make torrents, at the full speed of the line.\n\n"
        "[bold]Examples[/bold]\n"
        "  millstream demo\n"
        "  millstream create ~/Pictures\n"
        "  millstream seed Pictures.torrent -o ~\n"
        "  millstream download 'magnet:?xt=urn:btih:...' -o ~/Downloads\n"
        "  millstream download ubuntu.torrent --select 1,3-5 --limit-down 2M"
    ),
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
MODULES = (
    download,
    seed,
    peers,
    create,
    info,
    magnet,
    verify,
    scrape,
    tracker,
    daemon,
    add,
    list_torrents,
    show,
    pause,
    resume,
    remove,
    limits,
    rpc,
    show_settings,
    demo,
)
for module in MODULES:
    app.command(help=_paragraphs(module.COMMAND), epilog=module.EPILOG)(module.COMMAND)


def _print_version(wanted: bool) -> None:
    if wanted:
        from millstream import __version__

        typer.echo(f"millstream {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help=f"Log everything to stderr and show tracebacks, as {DEBUG_VARIABLE}=1 does.",
        ),
    ] = False,
    log_level: LogLevelOption = None,
    log_file: LogFileOption = None,
    log_json: LogJsonOption = False,
) -> None:
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    settings = LogSettings.read(
        debug=debug_wanted(), levels=log_level or (), file=log_file, as_json=log_json
    )
    context.with_resource(settings.in_force())


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become a sentence on stderr and an exit code.

    Returns or, where typer ends the command, raises SystemExit with, the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end a download.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(args=list(arguments), prog_name="millstream")
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback for users
        return int(report(error))
    return 0
