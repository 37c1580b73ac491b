from __future__ import annotations

import os

import pytest

from millstream.cli import main
from millstream.cli.create import write_whole


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(100))
    return path


def test_write_whole_replaces_and_leaves_nothing_beside(tmp_path):
    target = tmp_path / "x.torrent"
    target.write_bytes(b"before")
    write_whole(target, b"after")
    assert target.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [target]


def test_write_whole_makes_an_ordinary_file(tmp_path):
    target = tmp_path / "x.torrent"
    before = os.umask(0o027)
    try:
        write_whole(target, b"")
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640


def test_write_whole_that_fails_changes_nothing(tmp_path):
    target = tmp_path / "directory"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(target, b"data")
    assert list(tmp_path.iterdir()) == [target]


def test_an_existing_torrent_is_not_overwritten(data, capsys):
    target = data.with_name("data.bin.torrent")
    target.write_bytes(b"mine")
    assert main(["create", "data.bin"]) == 2
    assert capsys.readouterr().err == (
        "millstream: data.bin.torrent exists; --force overwrites it, -o names another file\n"
    )
    assert target.read_bytes() == b"mine"


def test_the_target_must_be_a_file(data, capsys):
    assert main(["create", "data.bin", "-o", "."]) == 2
    assert capsys.readouterr().err == "millstream: . is a directory; -o names a file\n"
