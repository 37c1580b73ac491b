from __future__ import annotations

import errno
from pathlib import Path

import pytest

from millstream.sandbox import attempts
from millstream.sandbox.attempts import ATTEMPTS, refused_attempts


def test_here_nothing_is_refused_and_nothing_is_left(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert refused_attempts() == ()
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize(
    ("number", "refused"),
    [
        (errno.EPERM, True),
        (errno.EACCES, True),
        (errno.ENOSYS, True),
        (errno.ENOENT, False),
        (errno.EINPROGRESS, False),
        (errno.ECONNREFUSED, False),
        (None, False),
    ],
)
def test_going_wrong_is_not_being_refused(monkeypatch, number, refused):
    def attempt():
        if number is not None:
            raise OSError(number, "so")

    monkeypatch.setattr(attempts, "ATTEMPTS", {"it": attempt})
    assert refused_attempts() == (("it",) if refused else ())


def test_each_has_a_name_for_people():
    assert len(ATTEMPTS) == 9
    assert all(name[0].islower() for name in ATTEMPTS)
