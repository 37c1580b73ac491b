"""`millstream io-daemon`: this machine's sockets and some of its directories, for a sandboxed engine."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.exit_codes import CommandError, ExitCode, Interrupted
from millstream.cli.running import run
from millstream.cli.serving import AllowHostOption, server_token

if TYPE_CHECKING:
    from millstream.io_daemon.config import IoDaemonConfig
    from millstream.io_daemon.server import IoDaemon

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream io-daemon --token-file ~/.io-token --root films=Films:/srv/films\n"
    "  millstream io-daemon --token-file ~/.io-token --root d=:. --no-tcp "
    "--unix-socket /run/user/1000/millstream.sock"
)


def io_daemon(
    *,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Listen at this local address."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help="0 takes any free port."),
    ] = 0,
    unix_socket: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Listen at this Unix socket as well; only this user can connect to it.",
            show_default=False,
        ),
    ] = None,
    no_tcp: Annotated[
        bool, typer.Option("--no-tcp", help="Listen at the Unix socket only.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Let in only who brings the token in this file, which is made if it is not there; "
            "without it the token is in $MILLSTREAM_TOKEN.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN=LABEL:PATH",
            help="Lend this directory, by this token and no other name; may be repeated.",
            show_default=False,
        ),
    ] = None,
    rpc_info: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Lend the directories that a browser's native host wrote into this file.",
            show_default=False,
        ),
    ] = None,
    install_id: Annotated[
        str, typer.Option(metavar="ID", help="Whose part of that file it is.", show_default=False)
    ] = "",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SITE",
            help="Let pages of this site ask, such as https://app.example; may be repeated.",
            show_default=False,
        ),
    ] = None,
    allow_host: AllowHostOption = None,
    parent_pid: Annotated[
        int | None,
        typer.Option(min=1, metavar="PID", help="End with this process.", show_default=False),
    ] = None,
) -> None:
    """Lend this machine's sockets and directories to an engine that may touch neither.

    The first line it prints is the port, 0 with --no-tcp. It ends at Ctrl-C, SIGTERM, `POST
    /control/shutdown`, or with --parent-pid.
    """
    config = io_daemon_config(
        token=server_token(token_file),
        host=None if no_tcp else host,
        port=port,
        unix_socket=unix_socket,
        roots=root or (),
        rpc_info=rpc_info,
        install_id=install_id,
        origins=allow_origin or (),
        allow_host=allow_host or (),
        parent_pid=parent_pid,
    )
    with suppress(Interrupted):
        run(lambda: lend(config))


COMMAND = io_daemon


async def lend(config: IoDaemonConfig) -> None:
    """Run the daemon until somebody ends it. Raises what `IoDaemon` raises."""
    from millstream.io_daemon.server import IoDaemon

    async with IoDaemon(config) as daemon:
        tell_port(daemon)
        await daemon.wait_ended()


def tell_port(daemon: IoDaemon) -> None:
    """Print where it is, for the program that waits for it."""
    sys.stdout.write(f"{daemon.port}\n")
    sys.stdout.flush()


def io_daemon_config(
    *,
    token: str | None,
    host: str | None,
    port: int,
    unix_socket: str | os.PathLike[str] | None,
    roots: list[str] | tuple[str, ...],
    rpc_info: Path | None,
    install_id: str,
    origins: list[str] | tuple[str, ...],
    allow_host: list[str] | tuple[str, ...],
    parent_pid: int | None,
) -> IoDaemonConfig:
    """The daemon's settings, from the options.

    Raises:
        CommandError: they do not fit together; code 2.
    """
    from millstream.errors import ConfigError
    from millstream.io_daemon.config import IoDaemonConfig
    from millstream.io_daemon.lent_roots import LentRoots, parse_root

    if token is None:
        raise CommandError(
            "a token is needed: give --token-file, or set $MILLSTREAM_TOKEN", ExitCode.USAGE
        )
    try:
        lent = tuple(parse_root(text) for text in roots)
        LentRoots(lent)
        return IoDaemonConfig(
            token=token,
            host=host,
            port=port,
            unix_socket=unix_socket,
            roots=lent,
            rpc_info=rpc_info,
            install_id=install_id,
            origins=tuple(origins),
            allowed_hosts=tuple(allow_host),
            parent_pid=parent_pid,
        )
    except ConfigError as error:
        told = str(error).replace("io_daemon.origins", "--allow-origin").replace("_", "-")
        raise CommandError(told.replace("io-daemon.", "--"), ExitCode.USAGE) from error
