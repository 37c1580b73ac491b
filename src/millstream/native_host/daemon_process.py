"""The io-daemon that a native host starts, tells of changed roots, and ends."""

from __future__ import annotations

import asyncio
import http.client
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from millstream.errors import MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.native_host.local_server import HOST, LocalAddress, ask
from millstream.native_host.private_file import write_private

# 256 bits, in 43 characters that fit into a header.
TOKEN_BYTES = 32
# Seconds: it starts in less than one; a machine may be busy.
START_TIME = 30.0
# Seconds in which it closes what it has lent; then it is killed.
END_TIME = 5.0
# Seconds for an answer from this machine.
ANSWER_TIME = 10.0

_LOG = component_logger("native_host")


class DaemonFailedError(MillstreamError):
    """The io-daemon did not start, or does not answer."""


def daemon_arguments(
    info: Path, install_id: str, token_file: Path, origins: Sequence[str], parent_pid: int
) -> tuple[str, ...]:
    """What the command `millstream` is given to be that daemon."""
    return (
        *("io-daemon", "--host", HOST, "--port", "0"),
        *(f"--token-file={token_file}", f"--rpc-info={info}", f"--install-id={install_id}"),
        f"--parent-pid={parent_pid}",
        *(f"--allow-origin={origin}" for origin in origins),
    )


class DaemonProcess:
    """One io-daemon, for one install id at a time.

    Args:
        info: the file with the roots, which is there when `start` is called.
        origins: sites that may ask, besides the extension's own.
    """

    def __init__(self, info: Path, origins: Sequence[str] = ()) -> None:
        self._info = info
        self._origins = tuple(origins)
        self._process: asyncio.subprocess.Process | None = None
        self._asked_for = ("", "")
        self._address: LocalAddress | None = None

    async def start(self, install_id: str, origin: str = "") -> LocalAddress:
        """Where it is, once it has read what is lent.

        It is started if it does not run, does not answer, or runs for another one.

        Args:
            install_id: whose roots it lends.
            origin: one more site that may ask; empty for none.

        Raises:
            DaemonFailedError: it does not start.
            OSError: the token cannot be handed over.
        """
        if self._address is not None and self._asked_for == (install_id, origin):
            try:
                await self.reload()
            except DaemonFailedError as error:
                _LOG.warning("%s; it is started again", error)
            else:
                return self._address
        await self.stop()
        self._asked_for = (install_id, origin)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        token_file = self._info.with_name(f"io-token.{os.getpid()}")
        write_private(token_file, f"{token}\n".encode())
        try:
            port = await self._launch(token_file)
        except BaseException:
            await self.stop()
            raise
        finally:
            # It has read it, or never will.
            token_file.unlink(missing_ok=True)
        self._address = LocalAddress(port, token)
        _LOG.info("the io-daemon runs at port %d", port)
        return self._address

    async def reload(self) -> None:
        """Let it read again what is lent. Raises DaemonFailedError."""
        if self._address is not None:
            await asyncio.to_thread(_reload, self._address)

    async def stop(self) -> None:
        """End it, if it runs."""
        process, self._process, self._address = self._process, None, None
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_TIME)
            except TimeoutError:
                _LOG.warning("the io-daemon does not end; it is killed")
                with suppress(ProcessLookupError):
                    process.kill()
        await process.wait()

    async def _launch(self, token_file: Path) -> int:
        install_id, origin = self._asked_for
        origins = (*self._origins, origin) if origin else self._origins
        arguments = daemon_arguments(self._info, install_id, token_file, origins, os.getpid())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "millstream", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_TIME)
        except (TimeoutError, ValueError):
            raise DaemonFailedError("the io-daemon does not say its port") from None
        if not line.strip().isdigit():
            code = await asyncio.wait_for(process.wait(), END_TIME) if not line else None
            raise DaemonFailedError(
                f"the io-daemon ended at once, with code {code}; its words are in the browser's log"
                if code is not None
                else f"the io-daemon says {line[:80]!r} rather than its port"
            )
        return int(line)


def _reload(address: LocalAddress) -> None:
    try:
        status, body = ask(
            address.port, "POST", "/roots/reload", address.authorization, seconds=ANSWER_TIME
        )
    except (OSError, http.client.HTTPException) as error:
        raise DaemonFailedError(f"the io-daemon does not answer: {error}") from error
    if status != 200:
        raise DaemonFailedError(f"the io-daemon answers {status}: {body[:200]!r}")
