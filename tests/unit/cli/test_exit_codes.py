from __future__ import annotations

import signal

import pytest

from millstream.cli.exit_codes import MEANINGS, CommandError, ExitCode, Interrupted, exit_code_of
from millstream.errors import (
    BencodeError,
    ConfigError,
    MalformedTorrentError,
    MillstreamError,
    NetworkError,
    StorageError,
    TorrentFailedError,
)


def test_the_codes_are_what_scripts_rely_on():
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "UNFINISHED": 3,
        "BAD_DATA": 4,
        "STORAGE": 5,
        "NETWORK": 6,
        "INTERRUPTED": 130,
    }


def test_every_code_is_explained():
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("x", ExitCode.BAD_DATA), 4),
        (MalformedTorrentError("x"), 2),
        (BencodeError("x"), 2),
        (ConfigError("x"), 2),
        (StorageError("/x", "full"), 5),
        (OSError(28, "No space left on device"), 5),
        (NetworkError("x"), 6),
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 3),
        (KeyboardInterrupt(), 130),
        (MillstreamError("x"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_code_of_an_error(error, code):
    assert exit_code_of(error) == code


def test_an_error_that_passes_another_on_counts_as_its_cause():
    error = TorrentFailedError("stopped")
    assert exit_code_of(error) == 1
    error.__cause__ = StorageError("/x", "full")
    assert exit_code_of(error) == 5
