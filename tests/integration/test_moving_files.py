"""Real files that move: links, other disks, and what a memory file system cannot have."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.adapters.native import NativeFileSystem
from millstream.adapters.native.file_copying import COPY_STEP
from millstream.adapters.native.transfers import StoppedError, Transferring
from millstream.errors import StorageError
from millstream.interfaces.filesystem import RangeCopy, Transfer, Transferred
from millstream.storage.deletion import delete_data
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation
from millstream.testing.content import layout_of

from .directories import names, on_another_disk, tree, write

PARTS = ".0123.parts"
CONTENT = {"d/a": b"aaaa", "d/s/b": b"b" * 100_000, "d/s/Ünïcødé 🎵": b"", PARTS: b"parts"}
MOVE = [Transfer("from", "to", "via")]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    write(path, CONTENT)
    return path


@pytest.fixture(params=["same disk", "other disk"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "same disk":
        yield tmp_path / "new"
        return
    with on_another_disk(tmp_path) as directory:
        yield directory / "new"


def place(root: Path) -> Placement:
    files = [(path, len(data)) for path, data in CONTENT.items() if path != PARTS]
    return Placement(layout_of(*files), str(root), PARTS)


def moving(old: Path, new: Path) -> Relocation:
    return Relocation.to_another_root(place(old), str(old), str(new))


async def test_a_torrent_moves(old: Path, new: Path):
    files, move = NativeFileSystem(), moving(old, new)
    times = {path: (old / path).stat().st_mtime_ns for path in CONTENT}
    (old / "d/foreign").write_bytes(b"mine")
    told: list[int] = []
    await move.check(files)
    await move.run(files, told.append)
    assert tree(new) == CONTENT
    await move.finish(files)
    await move.finish(files)
    assert tree(old) == {"d/foreign": b"mine"}
    assert names(old) == ["d", "foreign"]
    assert {path: (new / path).stat().st_mtime_ns for path in CONTENT} == times
    assert sum(told) == sum(map(len, CONTENT.values()))


async def test_a_symbolic_link_is_not_moved(old: Path, new: Path, tmp_path: Path):
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (old / "d/s/b").unlink()
    (old / "d/s/b").symlink_to(tmp_path / "elsewhere")
    before = tree(old)
    with pytest.raises(StorageError, match="symbolic link") as caught:
        await moving(old, new).run(NativeFileSystem())
    assert caught.value.path == str(old / "d/s/b")
    assert tree(old) == before
    assert names(new) == []
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


@pytest.mark.parametrize("dangling", [True, False])
async def test_a_symbolic_link_in_the_way(old: Path, new: Path, tmp_path: Path, dangling: bool):
    elsewhere = tmp_path / "elsewhere"
    if not dangling:
        elsewhere.write_bytes(b"mine")
    (new / "d/s").mkdir(parents=True)
    (new / "d/s/b").symlink_to(elsewhere)
    with pytest.raises(StorageError) as caught:
        await moving(old, new).run(NativeFileSystem())
    assert caught.value.errno == errno.EEXIST
    assert caught.value.path == str(new / "d/s/b")
    assert tree(old) == CONTENT
    assert names(new) == ["b", "d", "s"]
    assert elsewhere.exists() is not dangling


async def test_one_directory_under_two_names(old: Path, tmp_path: Path):
    alias = tmp_path / "alias"
    alias.symlink_to(old)
    files, move = NativeFileSystem(), moving(old, alias)
    with pytest.raises(StorageError, match="exists already"):
        await move.check(files)
    await move.run(files, resuming=True)
    await move.finish(files)
    assert tree(old) == CONTENT
    await files.transfer(str(old), str(alias), [Transfer("d/a", "d/a", "via")], [])
    assert tree(old) == CONTENT
    empty = Relocation(str(old), str(alias), [])
    with pytest.raises(StorageError, match="already") as caught:
        await empty.check(files)
    assert caught.value.errno == errno.EINVAL


async def test_two_links_of_one_file_are_a_rename_that_was_cut_short(tmp_path: Path):
    for where in ("", "d"):
        root = tmp_path / f"root{where}"
        (root / where).mkdir(parents=True)
        (root / "from").write_bytes(b"x")
        (root / where / "to").hardlink_to(root / "from")
        done: list[Transferred] = []
        move = [Transfer("from", f"{where}/to" if where else "to", "via")]
        await NativeFileSystem().transfer(str(root), str(root), move, done)
        assert done == [Transferred.MOVED]
        assert list(tree(root).values()) == [b"x"]
        assert not (root / "from").exists()


async def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def link(_source: str, _target: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    files, root = NativeFileSystem(), str(tmp_path)
    (tmp_path / "from").write_bytes(b"x")
    (tmp_path / "to").write_bytes(b"mine")
    with pytest.raises(StorageError) as caught:
        await files.transfer(root, root, MOVE, [])
    assert caught.value.errno == errno.EEXIST
    assert tree(tmp_path) == {"from": b"x", "to": b"mine"}
    (tmp_path / "to").unlink()
    await files.transfer(root, root, MOVE, [])
    assert tree(tmp_path) == {"to": b"x"}


async def test_a_file_that_may_not_be_deleted_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def unlink(path: str) -> None:
        if path.endswith("from"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        remove(path)

    remove = os.unlink
    (tmp_path / "from").write_bytes(b"x")
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(StorageError) as caught:
        await NativeFileSystem().transfer(str(tmp_path), str(tmp_path), MOVE, [])
    assert caught.value.path == str(tmp_path / "from")
    assert tree(tmp_path) == {"from": b"x"}


async def test_a_move_is_cancelled(old: Path, new: Path):
    write(old, {"d/s/b": bytes(range(256)) * 100_000})
    before = tree(old)
    move = asyncio.ensure_future(
        moving(old, new).run(NativeFileSystem(), lambda _bytes: move.cancel())
    )
    with pytest.raises(asyncio.CancelledError):
        await move
    assert tree(old) == before
    assert names(new) == []


@pytest.mark.parametrize("new", ["other disk"], indirect=True)
def test_a_copy_stops_at_once_and_leaves_nothing(tmp_path: Path, new: Path):
    (tmp_path / "from").write_bytes(bytes(range(256)) * 20_000)
    copied: list[int] = []
    done: list[Transferred] = []

    def stop(length: int) -> None:
        copied.append(length)
        work.stopped = True

    work = Transferring(str(tmp_path), str(new), done, stop)
    (tmp_path / "empty").touch()
    for name in ("from", "empty"):
        with pytest.raises(StoppedError):
            work.run([Transfer(name, "to", "via")])
        assert copied == [COPY_STEP]
        assert done == []
        assert names(new) == []


async def test_holes_stay_holes(tmp_path: Path, new: Path):
    files, length = NativeFileSystem(), 64 << 20
    with (tmp_path / "from").open("wb") as file:
        file.truncate(length)
        file.seek(40 << 20)
        file.write(b"data")
    held = (tmp_path / "from").stat().st_blocks * 512
    assert held < length
    await files.transfer(str(tmp_path), str(new), MOVE, [])
    assert (new / "to").stat().st_size == length
    assert (new / "to").stat().st_blocks * 512 <= max(held, 1 << 20)
    copy = RangeCopy("part", length, ((0, 0, length),))
    await files.copy_ranges(str(new), "to", [copy])
    assert (new / "part").stat().st_blocks * 512 <= max(held, 1 << 20)
    with (new / "part").open("rb") as file:
        file.seek(40 << 20)
        assert file.read(5) == b"data\0"


async def test_what_is_not_the_torrents_is_not_deleted(old: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {"b": b"mine", "keep": b"mine"})
    (old / "d/a").unlink()
    (old / "d/a").symlink_to(elsewhere / "keep")
    (old / "d/link").symlink_to(elsewhere)
    await delete_data(NativeFileSystem(), place(old))
    assert names(old) == ["d", "link"]
    assert tree(elsewhere) == {"b": b"mine", "keep": b"mine"}


async def test_a_root_that_is_another_directory_has_another_identity(tmp_path: Path):
    files, root = NativeFileSystem(), tmp_path / "root"
    root.mkdir()
    before = await files.identify(str(root))
    root.rename(tmp_path / "away")
    root.mkdir()
    assert await files.identify(str(root)) != before
    assert await files.identify(str(tmp_path / "away")) == before
