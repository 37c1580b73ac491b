from __future__ import annotations

from pathlib import Path

import pytest

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.torrent_file import read_torrent_bytes


def refusal(path) -> str:
    with pytest.raises(CommandError) as caught:
        read_torrent_bytes(path)
    assert caught.value.code == ExitCode.USAGE
    return str(caught.value)


def test_reads_the_file(tmp_path):
    (tmp_path / "x.torrent").write_bytes(b"de")
    assert read_torrent_bytes(tmp_path / "x.torrent") == b"de"


def test_missing(tmp_path):
    path = tmp_path / "x.torrent"
    assert refusal(path) == f"{path} cannot be read: No such file or directory"


def test_directory(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path} cannot be read: Is a directory"


def test_the_data_instead_of_the_torrent(tmp_path, monkeypatch):
    monkeypatch.setattr("millstream.cli.torrent_file.MAX_TORRENT_FILE_LENGTH", 1024)
    path = tmp_path / "big.iso"
    path.write_bytes(bytes(1025))
    assert refusal(path) == f"{path} is larger than 1 KiB: no torrent file is"


def test_magnet_links_are_refused_by_name():
    assert "a magnet link does not say which files" in refusal(Path("magnet:?xt=urn:btih:00"))
