"""`millstream rpc`: the control server alone, for a program that starts it and then an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.exit_codes import Interrupted
from millstream.cli.running import run
from millstream.cli.serving import (
    AllowHostOption,
    HostOption,
    ServerTokenOption,
    control_config,
    serve,
    server_token,
)

if TYPE_CHECKING:
    from millstream.rpc.server import ControlServer

EPILOG = (
    "[bold]Example[/bold]\n"
    "  PORT=8080 millstream rpc\n"
    '  curl -d \'{"config": {"downloadPath": "/srv"}}\' http://127.0.0.1:8080/engine/start'
)


def rpc(
    *,
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="N", envvar="PORT", help="For control; 0 takes any free port."
        ),
    ] = 0,
    token_file: ServerTokenOption = None,
    allow_host: AllowHostOption = None,
) -> None:
    """Run the control server, and no engine until `POST /engine/start`.

    The first line it prints is RPC_PORT=<n>. It remembers no torrents after its end: `POST
    /shutdown`, Ctrl-C or SIGTERM.
    """
    from millstream.settings.loading import load_settings

    config = control_config(
        host=host,
        port=port,
        token=server_token(token_file),
        allow_host=allow_host,
        save_path=Path(),
        session=None,
    )
    engine = load_settings()
    try:
        run(lambda: serve(config, engine, start=False, listening=tell_port))
    except Interrupted:
        return


COMMAND = rpc


def tell_port(server: ControlServer) -> None:
    """Print where it is, for the program that waits for it."""
    sys.stdout.write(f"RPC_PORT={server.port}\n")
    sys.stdout.flush()
