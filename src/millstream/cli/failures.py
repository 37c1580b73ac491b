"""Telling the user what went wrong: one sentence on stderr, and a traceback only if asked for."""

from __future__ import annotations

import os
import sys
import traceback

from millstream.cli.exit_codes import CommandError, ExitCode, Interrupted, exit_code_of
from millstream.cli.formatting import safe_text
from millstream.errors import MillstreamError

DEBUG_VARIABLE = "MILLSTREAM_DEBUG"


def debug_wanted() -> bool:
    """Whether MILLSTREAM_DEBUG is set to anything but 0 (`--debug` sets it)."""
    return os.environ.get(DEBUG_VARIABLE, "0") not in {"", "0"}


def is_reportable(error: BaseException) -> bool:
    """Whether the error is one to tell: not the way typer ends a command."""
    if isinstance(error, (CommandError, Interrupted, MillstreamError, OSError)):
        return True
    # typer.Exit and typer.BadParameter come from a module that moves between its releases; they are
    # recognised by where they come from rather than imported from there.
    origin = type(error).__module__.partition(".")[0]
    return isinstance(error, Exception) and origin not in {"typer", "click"}


def sentence_of(error: BaseException) -> str:
    """The error in one sentence, without line breaks or control characters."""
    match error:
        case CommandError() | Interrupted() | MillstreamError():
            text = str(error)
        case OSError() if error.strerror and error.filename is not None:
            text = f"{_file_name(error.filename)}: {error.strerror}"
        case OSError():
            text = error.strerror or str(error)
        case _:
            text = (
                f"unexpected {type(error).__name__}: {error}; "
                f"{DEBUG_VARIABLE}=1 shows where it happened"
            )
    return safe_text(" ".join(text.split())) or type(error).__name__


def report(error: BaseException) -> ExitCode:
    """Tell an error on stderr and return the exit code for it."""
    if debug_wanted():
        traceback.print_exception(error)
    sys.stderr.write(f"millstream: {sentence_of(error)}\n")
    return exit_code_of(error)


def _file_name(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else str(name)
