"""Running the control server: what `millstream daemon` and `millstream rpc` share."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.collecting import seldom_collected
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.remote import read_token

if TYPE_CHECKING:
    from millstream import EngineConfig
    from millstream.rpc.config import ControlConfig
    from millstream.rpc.server import ControlServer

HostOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS", help="Be controlled at this local address; others need a token."
    ),
]
ServerTokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Let in only who brings the token in this file; it is made if it is not there.",
        show_default=False,
    ),
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="A name by which clients reach this machine, besides its addresses; may be repeated.",
        show_default=False,
    ),
]

# 256 bits in 43 characters.
TOKEN_BYTES = 32


async def serve(
    config: ControlConfig,
    engine: EngineConfig,
    *,
    start: bool,
    listening: Callable[[ControlServer], None] | None = None,
    started: Callable[[ControlServer], None] | None = None,
    beside: Callable[[ControlServer], AbstractAsyncContextManager[object]] | None = None,
) -> None:
    """Run the server until `POST /shutdown`, or until the task is cancelled.

    Args:
        config: where to listen, and who may ask.
        engine: the engine's settings, where a client says nothing else.
        start: whether the engine starts at once.
        listening: called when clients can connect.
        started: called when the engine runs, too.
        beside: gives what runs beside the engine, from before its start until before its end.

    Raises:
        NetworkError: a port is taken.
        StorageError: the session cannot be used.
    """
    from millstream.rpc.server import ControlServer

    with seldom_collected():
        async with ControlServer(config, engine) as server:
            if listening is not None:
                listening(server)
            async with nullcontext() if beside is None else beside(server):
                if start:
                    await server.start_engine()
                if started is not None:
                    started(server)
                await server.wait_shutdown()


def server_token(file: Path | None) -> str | None:
    """The token that clients must bring: of the file, which is made if need be, or environment.

    Raises:
        CommandError: there is none in the file; code 2.
        OSError: it cannot be read or made.
    """
    if file is not None and not file.exists():
        # For its owner alone, from the first moment on.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(f"{secrets.token_urlsafe(TOKEN_BYTES)}\n")
    return read_token(file)


def control_config(
    *,
    host: str,
    port: int,
    token: str | None,
    allow_host: list[str] | None,
    save_path: Path,
    session: Path | None,
) -> ControlConfig:
    """The server's settings, from the options.

    Raises:
        CommandError: they do not fit together; code 2.
    """
    from millstream.errors import ConfigError
    from millstream.rpc.config import ControlConfig

    try:
        return ControlConfig(
            host=host,
            port=port,
            token=token,
            allowed_hosts=tuple(allow_host or ()),
            save_path=save_path,
            session=session,
        )
    except ConfigError as error:
        told = str(error).replace("control.token must be set", "--token-file must be given")
        raise CommandError(told.replace("control.", "--"), ExitCode.USAGE) from error
