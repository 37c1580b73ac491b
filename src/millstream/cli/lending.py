"""An io-daemon for a process that is about to give up files and sockets: one socket to it stays."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.serving import TOKEN_BYTES

# Seconds: it starts in less than one; a machine may be busy.
START_TIME = 30.0

ROOT_TOKEN = "d"  # noqa: S105 - the name of a directory, and no secret


class Lent(NamedTuple):
    """What is left to such a process.

    Attributes:
        connected: a socket to the daemon.
        token: what it wants to hear.
    """

    connected: socket.socket
    token: str


def lend_directory(path: Path) -> Lent:
    """Start an io-daemon that lends a directory, which is made if need be, to us alone.

    It listens at a Unix socket that is gone from the file system when this returns: nobody else can
    connect to it.

    Raises:
        CommandError: this system has no Unix sockets; or the daemon does not start.
        OSError: the directory cannot be made.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise CommandError("--sandboxed: this system has no Unix sockets", ExitCode.USAGE)
    path.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="millstream-"))
    try:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        token_file = directory / "token"
        token_file.write_text(f"{token}\n", encoding="ascii")
        process = subprocess.Popen(  # noqa: S603 - it is this program
            [
                *(sys.executable, "-m", "millstream", "io-daemon", "--no-tcp"),
                *("--unix-socket", str(directory / "socket"), "--token-file", str(token_file)),
                *("--root", f"{ROOT_TOKEN}=download:{path.absolute()}"),
                *("--parent-pid", str(os.getpid())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Ctrl-C is for us: the daemon writes what we still have, and ends when we do.
            start_new_session=True,
        )
        _wait_ready(process)
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.connect(str(directory / "socket"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    # It ends when this process does, so that nobody can wait for it; nor is that to be warned of.
    process.returncode = 0
    return Lent(connected, token)


def _wait_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdout as told:
        if not select.select([told], [], [], START_TIME)[0]:
            process.kill()
            process.wait()
            raise CommandError("the io-daemon does not start", ExitCode.FAILURE)
        if not told.readline().strip().isdigit():
            code = process.wait()
            raise CommandError(f"the io-daemon ended at once, with code {code}", ExitCode.FAILURE)
