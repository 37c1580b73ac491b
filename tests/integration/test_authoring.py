"""Making torrents of what is on the disk."""

import pytest

import millstream
from millstream.errors import EngineError, StorageError


async def test_a_directory_becomes_a_torrent_that_verifies(tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.bin").write_bytes(bytes(100_000))
    (folder / "sub" / "ä.bin").write_bytes(b"x" * 70_000)
    (folder / "empty").touch()
    seen = []
    torrent = await millstream.create_torrent(
        folder, piece_length=16384, progress=lambda done, count: seen.append((done, count))
    )
    metainfo = millstream.Metainfo.parse(torrent)
    assert [file.path for file in metainfo.files] == [("b.bin",), ("empty",), ("sub", "ä.bin")]
    assert seen[-1] == (metainfo.piece_count, metainfo.piece_count)
    report = await millstream.verify_torrent(torrent, tmp_path)
    assert report.good_pieces == report.piece_count
    (folder / "b.bin").write_bytes(bytes(99_999) + b"!")
    report = await millstream.verify_torrent(torrent, tmp_path)
    assert report.bad == (99_999 // 16384,)


@pytest.mark.parametrize("names", [("a\\b",), ("Readme", "README")])
async def test_names_that_a_download_would_change_are_refused(tmp_path, names):
    for name in names:
        (tmp_path / "folder" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(b"data")
    with pytest.raises(EngineError, match="rename it first"):
        await millstream.create_torrent(tmp_path / "folder")


async def test_nothing_to_share_and_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="no bytes"):
        await millstream.create_torrent(tmp_path / "empty")
    with pytest.raises(StorageError, match="no such file"):
        await millstream.create_torrent(tmp_path / "absent")
