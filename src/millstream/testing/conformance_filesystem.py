"""What every `interfaces.filesystem.FileSystem` must do."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.testing.conformance_file_transfer import (
    FileSystemUnderTest,
    FileTransferConformance,
)
from millstream.testing.conformance_waiting import error_of


class FileSystemConformance(FileTransferConformance):
    """Derive, override `open_filesystem`, and run the tests."""

    def open_filesystem(self) -> AbstractAsyncContextManager[FileSystemUnderTest]:
        """Give a file system with an empty root."""
        raise NotImplementedError

    async def test_a_root_names_itself(self) -> None:
        """What `root` returns is a root already, and so is the root of this suite."""
        async with self.open_filesystem() as place:
            assert place.files.root(place.root) == place.root
            named = place.files.root("downloads")
            assert place.files.root(named) == named

    async def test_load_gives_the_first_bytes(self) -> None:
        """At most as many bytes as asked for, of a file named in full."""
        async with self.open_filesystem() as place:
            place.put("a/some.torrent", b"12345")
            for most, expected in ((3, b"123"), (5, b"12345"), (100, b"12345"), (0, b"")):
                assert await place.files.load(f"{place.root}/a/some.torrent", most) == expected

    async def test_load_needs_a_file(self) -> None:
        """Nothing, or a directory, fails with the path."""
        async with self.open_filesystem() as place:
            place.put("directory/file", b"x")
            for path in ("absent", "directory"):
                error = await error_of(StorageError, place.files.load(f"{place.root}/{path}", 100))
                assert error.path.endswith(path)
                assert error.cause
                assert error.errno

    async def test_stat_describes_files_and_directories(self) -> None:
        """Size, time and kind of what is there; None for what is not."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            place.put("directory/file.bin", b"12345")
            found = await files.stat(root, "directory/file.bin")
            assert found is not None
            assert found.size == 5
            assert not found.is_directory
            assert found.mtime > 0
            directory = await files.stat(root, "directory")
            assert directory is not None
            assert directory.is_directory
            top = await files.stat(root, "")
            assert top is not None
            assert top.is_directory
            assert await files.stat(root, "absent") is None
            assert await files.stat(root, "absent/deeper") is None
            assert await files.stat(root, "directory/file.bin/below") is None

    async def test_many_are_described_at_once(self) -> None:
        """As `stat` does one by one, in the order asked for."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            place.put("a/file", b"12345")
            place.put("b", b"")
            paths = ["b", "absent", "a", "a/file", "b/below", "b"]
            one_by_one = [await files.stat(root, path) for path in paths]
            assert await files.stat_many(root, paths) == one_by_one
            assert await files.stat_many(root, []) == []
            assert await files.stat_many(root + "/not/yet", ["x"]) == [None]

    async def test_sync_describes_what_is_safe(self) -> None:
        """Each file as it was then; None for what does not exist, and nothing is changed."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            place.put("a/file", b"12345")
            before = await files.stat(root, "a/file")
            assert await files.sync(root, ["a/file", "absent", "a/file/below"]) == [
                before,
                None,
                None,
            ]
            assert await files.stat(root, "a/file") == before
            assert place.get("a/file") == b"12345"
            assert await files.sync(root, []) == []

    async def test_list_is_sorted(self) -> None:
        """The names of a directory's entries, files and directories alike, in order."""
        async with self.open_filesystem() as place:
            for path in ("b", "a/inside", "c", "ä", "B"):
                place.put(path, b"x")
            assert await place.files.list(place.root, "") == ["B", "a", "b", "c", "ä"]
            assert await place.files.list(place.root, "a") == ["inside"]

    async def test_list_needs_a_directory(self) -> None:
        """Listing nothing, or a file, fails with the path."""
        async with self.open_filesystem() as place:
            place.put("file", b"x")
            for path in ("absent", "file"):
                error = await error_of(StorageError, place.files.list(place.root, path))
                assert path in error.path
                assert error.path.startswith(place.root)
                assert error.cause
                assert error.errno

    async def test_make_directory_makes_parents(self) -> None:
        """Parents come into being, what exists is fine, and "" is the root itself."""
        async with self.open_filesystem() as place:
            files, root = place.files, place.root
            await files.make_directory(root, "a/b/c")
            await files.make_directory(root, "a/b/c")
            await files.make_directory(root, "")
            assert await files.list(root, "a/b") == ["c"]
            assert await files.list(root, "a/b/c") == []

    async def test_make_directory_makes_the_root(self) -> None:
        """A root that does not exist yet is created."""
        async with self.open_filesystem() as place:
            root = place.root + "/not/yet"
            assert await place.files.stat(root, "") is None
            await place.files.make_directory(root, "")
            assert await place.files.list(root, "") == []

    async def test_make_directory_does_not_replace_a_file(self) -> None:
        """Where a file is, no directory can be."""
        async with self.open_filesystem() as place:
            place.put("file", b"x")
            error = await error_of(
                StorageError, place.files.make_directory(place.root, "file/below")
            )
            assert "file" in error.path
            assert place.get("file") == b"x"

    async def test_allocate_creates(self) -> None:
        """A new file gets its length in zeros, and its parents are created."""
        async with self.open_filesystem() as place:
            for allocation in Allocation:
                path = f"a/{allocation.value}/file"
                await place.files.allocate(place.root, path, 100_000, allocation)
                assert place.get(path) == bytes(100_000)
                await place.files.allocate(place.root, path + ".empty", 0, allocation)
                assert place.get(path + ".empty") == b""

    async def test_allocate_keeps_what_is_there(self) -> None:
        """A shorter file grows by zeros, a longer one is cut, an equal one stays."""
        async with self.open_filesystem() as place:
            for allocation in Allocation:
                for length, expected in ((8, b"12345\0\0\0"), (5, b"12345"), (2, b"12")):
                    place.put("file", b"12345")
                    await place.files.allocate(place.root, "file", length, allocation)
                    assert place.get("file") == expected

    async def test_allocate_fails_on_a_directory(self) -> None:
        """A directory is no file."""
        async with self.open_filesystem() as place:
            await place.files.make_directory(place.root, "directory")
            error = await error_of(
                StorageError,
                place.files.allocate(place.root, "directory", 1, Allocation.SPARSE),
            )
            assert "directory" in error.path

    async def test_truncate_sets_the_length(self) -> None:
        """An existing file is cut or grows by zeros; an absent one is an error."""
        async with self.open_filesystem() as place:
            place.put("file", b"12345")
            await place.files.truncate(place.root, "file", 3)
            assert place.get("file") == b"123"
            await place.files.truncate(place.root, "file", 5)
            assert place.get("file") == b"123\0\0"
            error = await error_of(StorageError, place.files.truncate(place.root, "absent", 3))
            assert "absent" in error.path
            assert place.get("absent") is None

    async def test_delete_removes(self) -> None:
        """Files and empty directories go; nothing there is fine."""
        async with self.open_filesystem() as place:
            place.put("a/file", b"x")
            await place.files.delete(place.root, "a/file")
            await place.files.delete(place.root, "a/file")
            await place.files.delete(place.root, "a")
            await place.files.delete(place.root, "never/was")
            assert await place.files.list(place.root, "") == []

    async def test_delete_keeps_full_directories(self) -> None:
        """A directory that is not empty is an error, and stays as it is."""
        async with self.open_filesystem() as place:
            place.put("a/file", b"x")
            error = await error_of(StorageError, place.files.delete(place.root, "a"))
            assert "a" in error.path
            assert place.get("a/file") == b"x"

    async def test_free_space_is_a_number_of_bytes(self) -> None:
        """There is room under an empty root, also before its directory exists."""
        async with self.open_filesystem() as place:
            assert await place.files.free_space(place.root) > 0
            assert await place.files.free_space(place.root + "/not/yet") > 0

    async def test_names_in_any_script(self) -> None:
        """Names that are not ASCII come back as they went in."""
        async with self.open_filesystem() as place:
            name = "Ünïcødé 日本語 🎵.bin"
            await place.files.allocate(place.root, f"{name}/{name}", 3, Allocation.SPARSE)
            assert await place.files.list(place.root, "") == [name]
            assert place.get(f"{name}/{name}") == bytes(3)

    async def test_a_closed_one_begins_anew(self) -> None:
        """Closing frees what is kept between calls, whether there were any, and takes nothing."""
        async with self.open_filesystem() as place:
            await place.files.close()
            place.put("file", b"x")
            for _ in range(2):
                assert await place.files.list(place.root, "") == ["file"]
                await place.files.close()
