from __future__ import annotations

import tempfile

import pytest

from millstream.cli import lending
from millstream.cli.exit_codes import CommandError
from millstream.cli.lending import lend_directory


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Puts a program in the interpreter's place."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def python(body):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        monkeypatch.setattr(lending.sys, "executable", str(path))

    return python


@pytest.mark.parametrize(
    ("body", "why"), [("exit 7", "code 7"), ("exec /bin/sleep 9", "does not start")]
)
def test_a_daemon_that_does_not_start(tmp_path, python, monkeypatch, body, why):
    monkeypatch.setattr(lending, "START_TIME", 0.05)
    python(body)
    with pytest.raises(CommandError, match=why):
        lend_directory(tmp_path / "new" / "directory")
    assert (tmp_path / "new" / "directory").is_dir()
    assert list((tmp_path / "tmp").iterdir()) == [], "neither token nor socket is left"


def test_what_the_daemon_is_told(tmp_path, python):
    python(f'printf "%s\\n" "$@" > {tmp_path}/told; exit 7')
    with pytest.raises(CommandError):
        lend_directory(tmp_path)
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:4] == ["-m", "millstream", "io-daemon", "--no-tcp"]
    assert f"d=download:{tmp_path}" in told
    assert not [word for word in told if len(word) == 43], "the token is in no command line"


def test_a_system_without_unix_sockets(tmp_path, monkeypatch):
    monkeypatch.delattr(lending.socket, "AF_UNIX")
    with pytest.raises(CommandError, match="Unix sockets") as caught:
        lend_directory(tmp_path)
    assert caught.value.code == 2
