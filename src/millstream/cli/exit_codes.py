"""What the exit codes of `millstream` mean: the one place that says so."""

from __future__ import annotations

import enum
import signal

from millstream.errors import (
    ConfigError,
    MalformedDataError,
    NetworkError,
    StorageError,
)


class ExitCode(enum.IntEnum):
    """The number a command ends with, for scripts. They never change their meaning."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNFINISHED = 3
    BAD_DATA = 4
    STORAGE = 5
    NETWORK = 6
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "success; also when Ctrl-C ends seeding, watching or tracking",
    ExitCode.FAILURE: "unexpected failure",
    ExitCode.USAGE: "wrong usage, or no usable torrent, link or selection of files",
    ExitCode.UNFINISHED: "stopped before it was finished",
    ExitCode.BAD_DATA: "data is missing or does not match the torrent",
    ExitCode.STORAGE: "a path could not be read or written, the disk is full, or another process has the session",
    ExitCode.NETWORK: "the network could not be used: a port is taken, no URL, tracker or daemon answers",
    # What a shell reports for a program that SIGINT ended: 128 + 2.
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C before it was finished",
}


class CommandError(Exception):
    """A command cannot do its work; the message is one clear sentence for the user."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


class Interrupted(Exception):  # noqa: N818 - the user's wish is no error
    """A signal asked the command to stop, and it has stopped cleanly."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted" if signal_number == signal.SIGINT else "stopped by a signal")
        self.signal_number = signal_number

    @property
    def code(self) -> ExitCode:
        """INTERRUPTED for Ctrl-C; UNFINISHED for SIGTERM, the word of a service manager."""
        return ExitCode.INTERRUPTED if self.signal_number == signal.SIGINT else ExitCode.UNFINISHED


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for an error that ended a command.

    An error that only passes another one on (`raise ... from cause`) counts as its cause.
    """
    seen: BaseException | None = error
    while seen is not None:
        match seen:
            case CommandError() | Interrupted():
                return seen.code
            case MalformedDataError() | ConfigError():
                return ExitCode.USAGE
            case StorageError():
                return ExitCode.STORAGE
            case NetworkError():
                return ExitCode.NETWORK
            case KeyboardInterrupt():
                return ExitCode.INTERRUPTED
            case OSError():
                return ExitCode.STORAGE
        seen = seen.__cause__
    return ExitCode.FAILURE
