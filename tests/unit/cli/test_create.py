from __future__ import annotations

import json
import os

import pytest

from millstream.cli import main
from millstream.cli.create import write_whole
from millstream.errors import StorageError
from millstream.protocol.metainfo import Metainfo


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
    with pytest.raises(StorageError, match=f"{target}: Is a directory"):
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


def test_the_directory_of_the_target_is_looked_at_first(data, capsys):
    assert main(["create", "data.bin", "-o", "nowhere/x.torrent"]) == 5
    assert capsys.readouterr().err == "millstream: nowhere: No such directory\n"


def test_nothing_to_share(data, capsys):
    assert main(["create", "nothing"]) == 2
    assert capsys.readouterr().err == "millstream: nothing: no such file or directory\n"
    data.write_bytes(b"")
    assert main(["create", "data.bin"]) == 2
    assert capsys.readouterr().err == "millstream: 'data.bin' has no bytes to share\n"
    assert list(data.parent.iterdir()) == [data]


def test_the_target_must_be_a_file(data, capsys):
    assert main(["create", "data.bin", "-o", "."]) == 2
    assert capsys.readouterr().err == "millstream: . is a directory; -o names a file\n"


def test_makes_the_torrent_that_was_asked_for(data, capsys):
    arguments = [
        *("--tracker", "http://a.example/x", "--tracker", "udp://b.example:1"),
        *("--web-seed", "https://w.example/", "--comment", "hello"),
        *("--private", "--no-date", "--piece-length", "32KiB", "-o", "out.torrent"),
    ]
    with pytest.raises(SystemExit) as end:
        main(["create", "data.bin", "--json", *arguments])
    assert end.value.code == 0
    metainfo = Metainfo.parse(data.with_name("out.torrent").read_bytes())
    final = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert final["event"] == "complete"
    assert final["infohash"] == str(metainfo.info_hash)
    assert metainfo.trackers == (("http://a.example/x",), ("udp://b.example:1",))
    assert metainfo.web_seeds == ("https://w.example/",)
    assert metainfo.comment == "hello"
    assert metainfo.private
    assert metainfo.creation_date is None
    assert metainfo.piece_length == 32 << 10


def test_the_torrent_has_the_name_of_the_data(data, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(["create", "data.bin"])
    assert "infohash" in capsys.readouterr().out
    assert data.with_name("data.bin.torrent").exists()
