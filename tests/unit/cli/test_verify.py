from __future__ import annotations

import asyncio
import json

import pytest

from millstream import create_torrent
from millstream.cli import main


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A directory of three files and its torrent, in the current directory."""
    directory = tmp_path / "shared"
    directory.mkdir()
    (directory / "a.bin").write_bytes(bytes(40_000))
    (directory / "b.bin").write_bytes(bytes(range(256)) * 200)
    (directory / "empty").write_bytes(b"")
    torrent = asyncio.run(create_torrent(directory, piece_length=16384))
    (tmp_path / "x.torrent").write_bytes(torrent)
    monkeypatch.chdir(tmp_path)
    return directory


def verify(capsys, *options):
    with pytest.raises(SystemExit) as end:
        main(["verify", "x.torrent", *options])
    out, err = capsys.readouterr()
    assert not err
    return end.value.code, out.splitlines()


def test_complete(shared, capsys):
    code, lines = verify(capsys)
    assert code == 0
    assert lines[0].startswith("shared is complete: all 6 pieces match (89.1 KiB in ")


def test_bad_and_missing_files_are_named(shared, capsys):
    (shared / "a.bin").write_bytes(b"\1" + bytes(39_999))
    (shared / "empty").unlink()
    assert verify(capsys) == (
        4,
        [
            "shared is not complete in .: 1 of 6 pieces missing or bad",
            "  shared/a.bin: bad, 1 of 3 pieces missing or bad",
            "  shared/empty: missing",
        ],
    )


def test_only_an_empty_file_missing(shared, capsys):
    (shared / "empty").unlink()
    code, lines = verify(capsys)
    assert code == 4
    assert lines == ["shared is not complete in .: files are missing", "  shared/empty: missing"]


def test_json(shared, capsys):
    (shared / "b.bin").unlink()
    code, lines = verify(capsys, "--json")
    final = json.loads(lines[-1])
    assert code == 4
    assert final["event"] == "complete"
    assert final["is_complete"] is False
    assert final["bad_pieces"] == [2, 3, 4, 5]
    assert final["bad_files"] == [
        {"path": "shared/a.bin", "problem": "bad", "bad_pieces": 1, "piece_count": 3},
        {"path": "shared/b.bin", "problem": "missing", "bad_pieces": 4, "piece_count": 4},
    ]


def test_quiet_leaves_the_exit_code(shared, capsys):
    assert verify(capsys, "--quiet") == (0, [])


def test_nothing_is_changed(shared, capsys, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    code, _ = verify(capsys, "-o", str(elsewhere))
    assert code == 4
    assert not elsewhere.exists()
