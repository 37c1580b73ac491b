"""The user's desktop: choosing folders, opening files. Starts its programs and waits for them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from millstream.errors import MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.native_host.dialogs import chosen_folder, folder_dialog
from millstream.native_host.openers import open_commands, reveal_commands

# Chosen without asking anybody: for tests, and for machines without a desktop.
FOLDER_VARIABLE = "MILLSTREAM_PICK_FOLDER"

# Seconds in which a program that opens things has done so, or still runs and so has begun to.
OPENING_TIME = 5.0
# What a dialog writes: one path.
MAX_OUTPUT_LENGTH = 1 << 16

_LOG = component_logger("native_host")


class DesktopError(MillstreamError):
    """The desktop cannot do it; the message says what is missing."""


class Desktop:
    """Programs that people look at.

    Args:
        environ: what the programs inherit, and where `MILLSTREAM_PICK_FOLDER` is.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def pick_folder(self, start: Path) -> str | None:
        """Let the user choose a folder; None if none was chosen. Raises DesktopError."""
        given = self._environ.get(FOLDER_VARIABLE)
        if given is not None:
            return given or None
        command = folder_dialog(sys.platform, str(start), self._find)
        if command is None:
            raise DesktopError(
                "no program can ask for a folder: install zenity, qarma or kdialog, "
                f"or set {FOLDER_VARIABLE}"
            )
        process = await self._start(command.arguments, command.environment, wants_output=True)
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            output = await process.stdout.read(MAX_OUTPUT_LENGTH)
            return chosen_folder(await process.wait(), output)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def open(self, path: Path) -> None:
        """Open a file with the user's program for it. Raises DesktopError."""
        await self._first_that_can(open_commands(sys.platform, path, self._find))

    async def reveal(self, path: Path) -> None:
        """Show a file in the file manager. Raises DesktopError."""
        await self._first_that_can(reveal_commands(sys.platform, path, self._find))

    def _find(self, name: str) -> str | None:
        return shutil.which(name, path=self._environ.get("PATH"))

    async def _first_that_can(self, commands: Sequence[tuple[str, ...]]) -> None:
        for command in commands:
            try:
                process = await self._start(command, {}, wants_output=False)
            except DesktopError as error:
                _LOG.info("%s", error)
                continue
            try:
                code = await asyncio.wait_for(asyncio.shield(process.wait()), OPENING_TIME)
            except TimeoutError:
                return  # it shows the file itself, and runs as long as the user looks
            # Windows' explorer ends with 1 whatever it did.
            if code == 0 or sys.platform == "win32":
                return
            _LOG.info("%s ended with %d", command[0], code)
        tried = ", ".join(Path(command[0]).name for command in commands) or "xdg-open"
        raise DesktopError(f"no program of this desktop could show it (tried: {tried})")

    async def _start(
        self, command: Sequence[str], environment: Mapping[str, str], *, wants_output: bool
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                # Never ours: that is the browser's, and has frames.
                stdout=asyncio.subprocess.PIPE if wants_output else asyncio.subprocess.DEVNULL,
                env={**self._environ, **environment},
                cwd=os.path.sep,
            )
        except OSError as error:
            raise DesktopError(f"{command[0]}: {error.strerror or error}") from error
