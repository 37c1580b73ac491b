"""`millstream daemon`: an engine that runs on, and is told what to do over HTTP."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.daemon_log import DaemonLog
from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.formatting import plural
from millstream.cli.hangup import on_hangup
from millstream.cli.log_settings import LogSettings
from millstream.cli.options import JsonOption, QuietOption
from millstream.cli.running import run
from millstream.cli.serving import (
    AllowHostOption,
    ServerTokenOption,
    control_config,
    serve,
    server_token,
)
from millstream.service.config import local_path
from millstream.user_directories import state_directory

if TYPE_CHECKING:
    from millstream.rpc.server import ControlServer
    from millstream.settings.catalogue import UserSettings

SESSION_NAME = "session.db"

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream daemon -o ~/Downloads\n"
    "  millstream daemon --host 0.0.0.0 --token-file ~/.millstream-token"
)


def daemon(
    context: typer.Context,
    *,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Be controlled at this local address; others than loopback need a token.",
            show_default="127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="For control; 0 takes any free port.",
            show_default="6868",
        ),
    ] = None,
    token_file: ServerTokenOption = None,
    allow_host: AllowHostOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Put torrents here that name no other place.",
            show_default="the current directory",
        ),
    ] = None,
    peer_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Listen for peers on this port; 0 takes any free one.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Remember the torrents in this file rather than in the user's state directory.",
            show_default=False,
        ),
    ] = None,
    no_session: Annotated[
        bool, typer.Option("--no-session", help="Remember nothing after the end.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run an engine in the foreground until Ctrl-C, SIGTERM or `POST /shutdown`.

    It is told what to do by `millstream add`, `list`, `pause`, `move` and the other commands that
    speak of the daemon, or by any program over HTTP. Torrents of the last run go on where they were.

    The settings may name folders to watch, and programs and web addresses to tell of what happens
    (`millstream settings watch hooks webhooks`). SIGHUP has the settings read again. Options go
    over the settings (`millstream settings daemon`).
    """
    if session is not None and no_session:
        raise typer.BadParameter("there is a --session, too.", param_hint="'--no-session'")
    log = context.obj if isinstance(context.obj, LogSettings) else LogSettings()
    with open_display(json=json, quiet=quiet) as display:
        settings = read_settings(peer_port)
        place = settings.service.daemon
        if not no_session:
            session = session or path_of(place.session) or made_session_path(os.environ)
        config = control_config(
            host=place.host if host is None else host,
            port=place.port if port is None else port,
            token=server_token(token_file or path_of(place.token_file)),
            allow_host=allow_host or list(place.allow_hosts),
            save_path=output or path_of(place.output) or Path(),
            session=session,
        )

        def started(server: ControlServer) -> None:
            tell_start(display, server)

        shown = DaemonLog(logging.ERROR if quiet else logging.WARNING, settings.service.log)

        def beside(server: ControlServer) -> AbstractAsyncContextManager[None]:
            return service(server, settings, lambda: read_settings(peer_port), log, shown)

        with suppress(Interrupted), log_of(shown, log):
            run(lambda: serve(config, settings.engine, start=True, started=started, beside=beside))
        display.event("stopped", "The daemon has ended.", progress=None, exit_code=0)


COMMAND = daemon


def path_of(path: str | None) -> Path | None:
    """A path of the settings, if there is one."""
    return None if path is None else local_path(path)


def read_settings(peer_port: int | None) -> UserSettings:
    """The user's settings with this command's options over them.

    Raises:
        ConfigError: one is wrong.
        StorageError: the file cannot be read.
    """
    from dataclasses import replace

    from millstream.cli.settings import engine_config
    from millstream.settings.loading import load

    settings = load().settings
    return replace(settings, engine=engine_config(base=settings.engine, port=peer_port))


@asynccontextmanager
async def service(
    server: ControlServer,
    settings: UserSettings,
    read: Callable[[], UserSettings],
    log: LogSettings,
    shown: DaemonLog,
) -> AsyncIterator[None]:
    """What the daemon does beside the engine, until the end of the block."""
    from millstream.service.service import Service

    fixed = {*log.levels, *(() if log.level is None else (None,))}
    async with Service(server.control, settings, read, fixed_levels=fixed) as running:

        async def reload() -> dict[str, object]:
            found = await running.reload()
            shown.follow(running.settings.service.log)
            return {"changed": list(found.in_force), "atRestart": list(found.at_restart)}

        server.control.reload = reload
        with on_hangup(reload):
            yield
        server.control.reload = None


def log_of(shown: DaemonLog, log: LogSettings) -> AbstractContextManager[None]:
    """Log to stderr, if the options say nothing of the log: those are in force already."""
    return shown.in_force() if log.level is None else nullcontext()


def tell_start(display: Display, server: ControlServer) -> None:
    """Say where the daemon is."""
    engine = server.control.engine
    count = len(engine.torrents)
    display.event(
        "daemon",
        f"Controlled at {server.url}, peers at port {engine.listen_port}, "
        f"{plural(count, 'torrent')} of the last run; Ctrl-C ends.",
        good=True,
        url=server.url,
        port=server.port,
        peer_port=engine.listen_port,
        torrents=count,
    )


def made_session_path(environ: Mapping[str, str]) -> Path:
    """Where the session is if nobody says otherwise; its directory is made if need be.

    That is `millstream` in the directory of the user's state. Raises OSError.
    """
    directory = state_directory(environ, sys.platform) / "millstream"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory / SESSION_NAME
