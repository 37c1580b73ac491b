from __future__ import annotations

import errno
import os

import pytest

from millstream.errors import ConfigError, MalformedFrameError, NetworkError
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.failures import FileRefusal, refusal_of
from millstream.io_daemon.lent_roots import UnknownRootError
from millstream.io_daemon.relative_path import PathRefusedError


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOENT, 404, "NotFound"),
        (errno.ENOTDIR, 404, "NotFound"),
        (errno.ELOOP, 403, "SymbolicLink"),
        (errno.ENOSPC, 507, "DiskFull"),
        (errno.EDQUOT, 507, "DiskFull"),
        (errno.EACCES, 500, "NotPermitted"),
        (errno.EIO, 500, "IoError"),
    ],
)
def test_errors_of_the_system(number, status, code):
    refusal = refusal_of(OSError(number, os.strerror(number), "r/a"))
    assert isinstance(refusal, FileRefusal)
    assert refusal.status == status
    assert refusal.body() == {
        "ok": False,
        "error": code,
        "message": f"r/a: {os.strerror(number)}",
        "path": "r/a",
        "errno": number,
    }


def test_an_error_without_a_name_or_number():
    refusal = refusal_of(OSError("what"))
    assert refusal.body() == {"ok": False, "error": "IoError", "message": "what", "errno": 0}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownRootError("x"), 403, "InvalidRoot"),
        (PathRefusedError("x"), 400, "BadPath"),
        (MalformedFrameError("x"), 400, "MalformedData"),
        (NetworkError("x"), 502, "NetworkError"),
        (ConfigError("x"), 500, "Config"),
        (Refusal(418, "Teapot", "x"), 418, "Teapot"),
    ],
)
def test_errors_of_ours(error, status, code):
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code, str(refusal)) == (status, code, "x")


def test_what_nobody_thought_of():
    assert refusal_of(ZeroDivisionError()) is None
