"""What every `interfaces.filesystem.FileSystem` must do with files that change their place."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileSystem, RangeCopy, Transfer, Transferred
from millstream.testing.conformance_waiting import error_of

MOVED, COPIED, ABSENT = Transferred.MOVED, Transferred.COPIED, Transferred.ABSENT


@dataclass(frozen=True, slots=True)
class FileSystemUnderTest:
    """A file system and a way past it.

    Attributes:
        files: the implementation.
        root: a root whose directory exists and is empty.
        put: write a whole file under the root; its parents exist or are created.
        get: read a whole file under the root; None if there is none.
        apart: an empty root on another disk, if there is another disk.
    """

    files: FileSystem
    root: str
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes | None]
    apart: str | None = None

    async def read(self, root: str, path: str) -> bytes | None:
        """Read a whole file under any root; None if there is none."""
        if await self.files.stat(root, path) is None:
            return None
        return await self.files.load(f"{root}/{path}", 1 << 24)


def transfer(path: str, to: str) -> Transfer:
    """A transfer by a name of its own."""
    return Transfer(path, to, f"{to}.moving")


class FileTransferConformance:
    """A part of `FileSystemConformance`."""

    def open_filesystem(self) -> AbstractAsyncContextManager[FileSystemUnderTest]:
        """Give a file system with an empty root."""
        raise NotImplementedError

    async def test_transfer_gives_other_names(self) -> None:
        """Within a root: with content and time, into directories that did not exist."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            place.put("from/a", b"12345")
            place.put("b", b"")
            before = await files.stat(root, "from/a")
            done: list[Transferred] = []
            moves = [transfer("from/a", "to/another/ä"), transfer("b", "c")]
            await files.transfer(root, root, moves, done)
            assert done == [MOVED, MOVED]
            assert place.get("to/another/ä") == b"12345"
            assert place.get("c") == b""
            assert await files.stat(root, "from/a") is None
            assert await files.stat(root, "b") is None
            assert await files.stat(root, "to/another/ä") == before
            assert await files.list(root, "to/another") == ["ä"]
            assert await files.list(root, "from") == []

    async def test_transfer_to_another_root(self) -> None:
        """A root that did not exist comes into being."""
        async with self.open_filesystem() as place:
            files, root, other = place.files, place.root, f"{place.root}/other/root"
            place.put("a/b", b"12345")
            done: list[Transferred] = []
            await files.transfer(root, other, [transfer("a/b", "a/b")], done)
            assert done == [MOVED]
            assert await place.read(other, "a/b") == b"12345"
            assert place.get("a/b") is None

    async def test_transfer_of_nothing(self) -> None:
        """What does not exist is said to be absent, and nothing is made of it."""
        async with self.open_filesystem() as place:
            place.put("file", b"x")
            done: list[Transferred] = []
            moves = [transfer("absent", "to/a"), transfer("file/below", "to/b")]
            await place.files.transfer(place.root, place.root, moves, done)
            assert done == [ABSENT, ABSENT]
            assert await place.files.list(place.root, "") == ["file"]
            await place.files.transfer(place.root, place.root, [], done)
            assert len(done) == 2

    async def test_transfer_replaces_nothing(self) -> None:
        """Where something is, nothing gets, and what comes later is not tried."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            for taken in ("taken", "directory/inside"):
                place.put(taken, b"mine")
            for to in ("taken", "directory", "taken/below"):
                place.put("first", b"1")
                place.put("second", b"2")
                place.put("third", b"3")
                done: list[Transferred] = []
                moves = [
                    transfer("first", f"went {len(to)}"),
                    transfer("second", to),
                    transfer("third", "never"),
                ]
                error = await error_of(StorageError, files.transfer(root, root, moves, done))
                assert error.errno in {errno.EEXIST, errno.ENOTDIR}
                assert error.path.endswith(to.partition("/")[0])
                assert done == [MOVED]
                assert place.get("taken") == place.get("directory/inside") == b"mine"
                assert place.get("second") == b"2"
                assert place.get("third") == b"3"
                assert place.get(f"went {len(to)}") == b"1"

    async def test_transfer_is_for_files(self) -> None:
        """A directory is none, and stays."""
        async with self.open_filesystem() as place:
            place.put("directory/file", b"x")
            moving = place.files.transfer(
                place.root, place.root, [transfer("directory", "other")], []
            )
            error = await error_of(StorageError, moving)
            assert error.errno == errno.EINVAL
            assert error.path.endswith("directory")
            assert place.get("directory/file") == b"x"

    async def test_transfer_to_where_it_is(self) -> None:
        """A file that has the name already keeps it, and its content."""
        async with self.open_filesystem() as place:
            place.put("a/b", b"12345")
            done: list[Transferred] = []
            await place.files.transfer(place.root, place.root, [transfer("a/b", "a/b")], done)
            assert done == [MOVED]
            assert place.get("a/b") == b"12345"

    async def test_transfer_to_another_disk(self) -> None:
        """The original stays; the copy has its content and time; nothing is left on the way."""
        async with self.open_filesystem() as place:
            files, root, apart = place.files, place.root, place.apart
            if apart is None:
                assert await files.same_disk(root, f"{root}/other/root")
                return
            assert not await files.same_disk(root, apart)
            assert await files.same_disk(apart, f"{apart}/other/root")
            content = bytes(range(256)) * 20_000
            place.put("a/b", content)
            await files.allocate(root, "hole", 3_000_000, Allocation.SPARSE)
            done: list[Transferred] = []
            told: list[int] = []
            moves = [transfer("a/b", "a/b"), transfer("absent", "x"), transfer("hole", "hole")]
            await files.transfer(root, apart, moves, done, told.append)
            assert done == [COPIED, ABSENT, COPIED]
            assert await place.read(apart, "a/b") == place.get("a/b") == content
            assert await place.read(apart, "hole") == bytes(3_000_000)
            assert await files.stat(apart, "a/b") == await files.stat(root, "a/b")
            assert await files.list(apart, "a") == ["b"]
            assert await files.list(apart, "") == ["a", "hole"]
            assert sum(told) == len(content) + 3_000_000

    async def test_transfer_to_another_disk_replaces_nothing(self) -> None:
        """Nor does it copy for nothing; only what lay on the way is replaced."""
        async with self.open_filesystem() as place:
            files, root, apart = place.files, place.root, place.apart
            if apart is None:
                assert await files.same_disk(root, root)
                return
            place.put("a", b"new")
            await files.allocate(apart, "a", 2, Allocation.SPARSE)
            done: list[Transferred] = []
            moving = files.transfer(root, apart, [transfer("a", "a")], done)
            error = await error_of(StorageError, moving)
            assert error.errno == errno.EEXIST
            assert error.path == f"{apart}/a"
            assert done == []
            assert await place.read(apart, "a") == bytes(2)
            await files.allocate(apart, "b.moving", 9, Allocation.SPARSE)
            await files.transfer(root, apart, [transfer("a", "b")], done)
            assert await place.read(apart, "b") == b"new"
            await files.delete(apart, "b.moving")
            assert await files.list(apart, "") == ["a", "b"]

    async def test_transfer_tells_progress(self) -> None:
        """In all as many bytes as the files have."""
        async with self.open_filesystem() as place:
            told: list[int] = []
            moves = []
            for number in range(20):
                place.put(f"{number}", bytes(number))
                moves.append(transfer(f"{number}", f"to/{number}"))
            await place.files.transfer(place.root, place.root, moves, [], told.append)
            assert sum(told) == sum(range(20))

    async def test_copy_ranges(self) -> None:
        """Runs get to their places in files that are as long as asked for at least."""
        async with self.open_filesystem() as place:
            place.put("parts", b"0123456789")
            place.put("longer", b"abcdefghij")
            copies = [
                RangeCopy("new/file", 8, ((2, 0, 2), (8, 6, 2))),
                RangeCopy("longer", 3, ((0, 1, 1),)),
                RangeCopy("new/empty", 4, ()),
            ]
            await place.files.copy_ranges(place.root, "parts", copies)
            assert place.get("new/file") == b"23\0\0\0\x0089"
            assert place.get("longer") == b"a0cdefghij"
            assert place.get("new/empty") == bytes(4)
            assert place.get("parts") == b"0123456789"

    async def test_copy_ranges_leaves_what_the_source_has_not(self) -> None:
        """Beyond its end, and without it, the target stays as it is."""
        async with self.open_filesystem() as place:
            place.put("parts", b"0123")
            place.put("target", b"abcdefgh")
            copies = [RangeCopy("target", 8, ((2, 0, 4), (100, 6, 2)))]
            await place.files.copy_ranges(place.root, "parts", copies)
            assert place.get("target") == b"23cdefgh"
            await place.files.copy_ranges(place.root, "absent", copies)
            assert place.get("target") == b"23cdefgh"
            await place.files.copy_ranges(place.root, "absent", [RangeCopy("made", 3, ())])
            assert place.get("made") == bytes(3)

    async def test_copy_ranges_needs_files(self) -> None:
        """A directory in the way fails with its path."""
        async with self.open_filesystem() as place:
            place.put("parts", b"0123")
            place.put("directory/file", b"x")
            copies = [RangeCopy("directory", 4, ((0, 0, 4),))]
            error = await error_of(
                StorageError, place.files.copy_ranges(place.root, "parts", copies)
            )
            assert error.path.endswith("directory")
            assert error.errno

    async def test_delete_many(self) -> None:
        """Files go, nothing there is fine, and a directory fails after all others went."""
        async with self.open_filesystem() as place:
            for path in ("a", "b/c", "b/d", "stays"):
                place.put(path, b"x")
            await place.files.delete_many(place.root, ["a", "absent", "a/below", "b/c"])
            assert await place.files.list(place.root, "") == ["b", "stays"]
            await place.files.make_directory(place.root, "empty")
            for directory in ("b", "empty"):
                place.put("b/d", b"x")
                deleting = place.files.delete_many(place.root, [directory, "b/d"])
                error = await error_of(StorageError, deleting)
                assert error.path.endswith(directory)
                assert await place.files.list(place.root, "") == ["b", "empty", "stays"]
                assert await place.files.list(place.root, "b") == []

    async def test_remove_empty_directories(self) -> None:
        """Only empty ones go, in the order they are named in."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            place.put("full/file", b"x")
            await files.make_directory(root, "a/b/c")
            await files.remove_empty_directories(root, ["a", "a/b/c", "a/b", "absent", "x/y"])
            assert await files.list(root, "") == ["a", "full"]
            assert await files.list(root, "a") == []
            await files.remove_empty_directories(root, ["full/file", "full", "full/file/x", "a"])
            assert await files.list(root, "") == ["full"]
            assert place.get("full/file") == b"x"

    async def test_a_root_has_an_identity(self) -> None:
        """It stays when the directory's content changes, and no other directory has it."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            identity = await files.identify(root)
            assert identity
            place.put("a/file", b"x")
            assert await files.identify(root) == identity
            other = f"{root}/other"
            assert await files.identify(other) is None
            await files.make_directory(other, "")
            assert await files.identify(other) not in {None, identity}
            assert await files.identify(f"{root}/a/file") is None
