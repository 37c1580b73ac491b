from __future__ import annotations

import errno
import os

import pytest
import typer

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.failures import debug_wanted, is_reportable, report, sentence_of
from millstream.errors import StorageError


def test_one_sentence_whatever_the_error_holds():
    error = CommandError("a\n  b \x1b[31m c", ExitCode.FAILURE)
    assert sentence_of(error) == "a b \ufffd[31m c"


def test_system_errors_name_the_path():
    error = OSError(errno.EACCES, os.strerror(errno.EACCES), "/x/y")
    assert sentence_of(error) == "/x/y: Permission denied"
    assert (
        sentence_of(StorageError("/x", "No space left on device")) == "/x: No space left on device"
    )


def test_unexpected_errors_say_how_to_see_more():
    assert sentence_of(KeyError("k")) == (
        "unexpected KeyError: 'k'; MILLSTREAM_DEBUG=1 shows where it happened"
    )


@pytest.mark.parametrize("value", [None, "", "0"])
def test_report_is_one_line_and_no_traceback(value, capsys, monkeypatch):
    monkeypatch.delenv("MILLSTREAM_DEBUG", raising=False)
    if value is not None:
        monkeypatch.setenv("MILLSTREAM_DEBUG", value)
    assert report(StorageError("/x", "full")) == ExitCode.STORAGE
    assert capsys.readouterr() == ("", "millstream: /x: full\n")


def test_debug_shows_the_traceback(capsys, monkeypatch):
    monkeypatch.setenv("MILLSTREAM_DEBUG", "1")
    assert debug_wanted()
    report(StorageError("/x", "full"))
    assert "StorageError: /x: full" in capsys.readouterr().err


def test_the_ways_typer_ends_a_command_are_no_errors():
    assert not is_reportable(typer.Exit(4))
    assert not is_reportable(typer.BadParameter("x"))
    assert not is_reportable(SystemExit(0))
    assert is_reportable(ValueError())
    assert is_reportable(OSError())
