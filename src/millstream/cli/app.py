"""The program `millstream`: its commands, its help, and the way every command ends."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from millstream.cli.exit_codes import MEANINGS
from millstream.cli.failures import DEBUG_VARIABLE, debug_wanted, report
from millstream.cli.help_text import paragraphs
from millstream.cli.log_settings import (
    LogFileOption,
    LogJsonOption,
    LogLevelOption,
    LogSettings,
)

EPILOG = "[bold]Exit codes[/bold]\n" + "\n".join(
    f"  [bold cyan]{code.value:>3}[/bold cyan]  {meaning}" for code, meaning in MEANINGS.items()
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from millstream import __version__

        typer.echo(f"millstream {__version__}")
        raise typer.Exit


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
    context.obj = settings
    context.with_resource(settings.in_force())


COMMANDS = (
    *("download", "seed", "peers", "create", "info", "magnet", "verify", "scrape", "tracker"),
    *("daemon", "add", "list", "show", "top", "files", "pause", "resume", "remove", "recheck"),
    *("move", "rename", "queue", "goals", "roots", "limits", "log", "rpc", "settings", "demo"),
    *("io-daemon", "native-host"),
)
"""The commands in the order of the help. Each is a module of this package."""

# Those whose modules are not named like them.
_MODULES = {
    "list": "list_torrents",
    "settings": "show_settings",
    "io-daemon": "io_daemon",
    "native-host": "native_host",
}


def make_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The program with some of its commands; those alone are imported."""
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
    app.callback()(_options)
    for name in names:
        module = importlib.import_module(f"millstream.cli.{_MODULES.get(name, name)}")
        described = {"help": paragraphs(module.COMMAND), "epilog": module.EPILOG}
        if hasattr(module, "GROUP"):
            app.add_typer(module.GROUP, name=name, **described)
        else:
            app.command(name, **described)(module.COMMAND)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become a sentence on stderr and an exit code.

    Returns or, where typer ends the command, raises SystemExit with, the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end a download.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        # All commands take a tenth of a second to import; help and mistakes need them all.
        wanted = [name for name in arguments[:1] if name in COMMANDS] or COMMANDS
        make_app(wanted)(args=list(arguments), prog_name="millstream")
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback for users
        return int(report(error))
    return 0
