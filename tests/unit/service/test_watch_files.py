from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from millstream import Magnet, Metainfo
from millstream.errors import MalformedDataError
from millstream.protocol.metainfo import FileEntry
from millstream.protocol.metainfo_building import build
from millstream.service import watch_files as module
from millstream.service.watch_files import (
    ChangedMeanwhileError,
    delete,
    find,
    load,
    move,
    read,
    rename,
)

TORRENT = build("a", [FileEntry(("a",), 1)], 16384, bytes(20), is_multi_file=False)
MAGNET = f"magnet:?xt=urn:btih:{'ab' * 20}"


def put(folder, name, data=TORRENT):
    (folder / name).write_bytes(data)
    (found,) = [each for each in find(folder) if each.name == name]
    return found


def test_only_plain_files_of_the_folder_itself_are_found(tmp_path):
    for name in ("b.torrent", "a.TORRENT", "c.magnet", ".d.torrent", "e.torrent.added", "f.txt"):
        (tmp_path / name).write_bytes(TORRENT)
    (tmp_path / "dir.torrent").mkdir()
    (tmp_path / "dir.torrent" / "inner.torrent").write_bytes(TORRENT)
    (tmp_path / "link.torrent").symlink_to(tmp_path / "b.torrent")
    os.mkfifo(tmp_path / "pipe.torrent")
    found = find(tmp_path)
    assert [each.name for each in found] == ["a.TORRENT", "b.torrent", "c.magnet"]
    assert [each.suffix for each in found] == [".torrent", ".torrent", ".magnet"]
    assert found[0].length == len(TORRENT)


def test_names_are_anything(tmp_path):
    raw = os.fsencode(tmp_path) + b"/$(x)\n\xff .torrent"
    with open(raw, "wb") as file:  # noqa: PTH123 - a name that is no text
        file.write(TORRENT)
    (found,) = find(tmp_path)
    assert isinstance(load(tmp_path, found), Metainfo)
    rename(tmp_path, found, ".added")
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"$(x)\n\xff .torrent.added"]


def test_a_look_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FOUND", 2)
    for name in "abc":
        (tmp_path / f"{name}.torrent").touch()
    assert len(find(tmp_path)) == 2


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        find(tmp_path / "none")


def test_what_is_in_them(tmp_path):
    assert load(tmp_path, put(tmp_path, "a.torrent")) == Metainfo.parse(TORRENT)
    link = load(tmp_path, put(tmp_path, "a.magnet", f"\ufeff\n {MAGNET}\r\n".encode()))
    assert link == Magnet.parse(MAGNET)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.torrent", b"", None),
        ("a.torrent", TORRENT[:-5], None),
        ("a.torrent", MAGNET.encode(), None),
        ("a.magnet", b"", "it must have one link, and it has 0 words"),
        ("a.magnet", f"{MAGNET}\n{MAGNET}".encode(), "it has 2 words"),
        ("a.magnet", b"http://x/", None),
        ("a.magnet", b"/etc/passwd", None),
        ("a.magnet", b"magnet:\xff", "it is no UTF-8 at byte 7"),
        ("a.magnet", b"x" * (module.MAX_MAGNET_LENGTH + 1), "over the limit"),
    ],
)
def test_what_makes_no_torrent(tmp_path, name, data, words):
    with pytest.raises(MalformedDataError, match=words):
        load(tmp_path, put(tmp_path, name, data))


def test_what_is_too_long_is_not_read(tmp_path):
    with (tmp_path / "a.torrent").open("wb") as file:
        file.truncate(module.MAX_TORRENT_LENGTH + 1)
    (found,) = find(tmp_path)
    assert found.is_too_long
    with pytest.raises(MalformedDataError, match="over the limit of 104857600"):
        load(tmp_path, found)


def replaced(path):
    os.utime(path, ns=(1, 1))


def linked(path):
    path.rename(f"{path}.other")
    path.symlink_to(f"{path}.other")


@pytest.mark.parametrize("change", [Path.unlink, replaced, linked])
def test_another_file_of_the_name_is_let_alone(tmp_path, change):
    found, target = put(tmp_path, "a.torrent"), tmp_path / "target"
    target.mkdir()
    change(tmp_path / "a.torrent")
    names = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ChangedMeanwhileError):
        read(tmp_path, found)
    rename(tmp_path, found, ".added")
    delete(tmp_path, found)
    move(tmp_path, found, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert not list(target.iterdir())


def test_a_file_is_put_away(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert rename(tmp_path, put(tmp_path, "a.torrent"), ".added") == "a.torrent.added"
    assert rename(tmp_path, put(tmp_path, "a.torrent"), ".added") == "a.torrent.1.added"
    delete(tmp_path, put(tmp_path, "b.torrent"))
    for _ in range(2):
        move(tmp_path, put(tmp_path, "c.torrent"), target)
    assert not find(tmp_path)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "c.torrent": TORRENT,
        "c.torrent.1": TORRENT,
    }


def test_a_long_name_is_cut(tmp_path):
    name = "é" * 123 + ".torrent"
    assert len(name.encode()) == 254
    new = rename(tmp_path, put(tmp_path, name), ".invalid")
    assert len(new.encode()) <= 255
    assert new.endswith(".invalid")
    assert (tmp_path / new).read_bytes() == TORRENT


def test_to_another_file_system_it_is_copied(tmp_path, monkeypatch):
    target = tmp_path / "target"
    target.mkdir()
    found = put(tmp_path, "a.torrent")

    def refuse(self, other):
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(Path, "rename", refuse)
    move(tmp_path, found, target)
    assert not find(tmp_path)
    assert [(each.name, each.read_bytes()) for each in target.iterdir()] == [("a.torrent", TORRENT)]


def test_what_cannot_be_moved_stays(tmp_path):
    found = put(tmp_path, "a.torrent")
    with pytest.raises(FileNotFoundError):
        move(tmp_path, found, tmp_path / "none")
    assert find(tmp_path) == [found]
