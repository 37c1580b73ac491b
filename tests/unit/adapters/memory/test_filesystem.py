from __future__ import annotations

import errno

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, FileSystem
from millstream.testing import run_virtual

ROOT = "/downloads"
PAGE = 4096


def free(files: MemoryFileSystem) -> int:
    return run_virtual(files.free_space(ROOT))


def test_it_is_a_file_system() -> None:
    files: FileSystem = MemoryFileSystem()
    assert files


def test_room_is_taken_in_pages() -> None:
    files = MemoryFileSystem(capacity=10 * PAGE)
    assert free(files) == 10 * PAGE
    files.write_at(ROOT, "file", 0, b"x")
    assert free(files) == 9 * PAGE
    files.write_at(ROOT, "file", 1, b"y" * (PAGE - 1))
    assert free(files) == 9 * PAGE
    files.write_at(ROOT, "file", PAGE - 1, b"yz")
    assert free(files) == 8 * PAGE


def test_sparse_files_take_no_room_and_full_ones_all() -> None:
    files = MemoryFileSystem(capacity=10 * PAGE)
    run_virtual(files.allocate(ROOT, "sparse", 100 * PAGE, Allocation.SPARSE))
    assert free(files) == 10 * PAGE
    run_virtual(files.allocate(ROOT, "full", 6 * PAGE, Allocation.FULL))
    assert free(files) == 4 * PAGE
    with pytest.raises(StorageError) as caught:
        run_virtual(files.allocate(ROOT, "more", 6 * PAGE, Allocation.FULL))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.path == "/downloads/more"
    files.write_at(ROOT, "sparse", 50 * PAGE, bytes(4 * PAGE))
    assert free(files) == 0


def test_a_write_without_room_changes_nothing() -> None:
    files = MemoryFileSystem(capacity=2 * PAGE)
    files.write_at(ROOT, "file", 0, b"before")
    with pytest.raises(StorageError) as caught:
        files.write_at(ROOT, "file", 0, bytes(3 * PAGE))
    assert caught.value.errno == errno.ENOSPC
    assert files.read_file(ROOT, "file") == b"before"
    files.capacity = None
    files.write_at(ROOT, "file", 0, bytes(3 * PAGE))


def test_room_comes_back() -> None:
    files = MemoryFileSystem(capacity=10 * PAGE)
    for name in ("a", "b", "c"):
        files.write_file(ROOT, name, bytes(2 * PAGE))
    assert free(files) == 4 * PAGE
    run_virtual(files.delete(ROOT, "a"))
    assert free(files) == 6 * PAGE
    run_virtual(files.truncate(ROOT, "b", PAGE))
    assert free(files) == 7 * PAGE
    files.write_file(ROOT, "c", b"")
    assert free(files) == 9 * PAGE


def test_what_was_cut_off_is_zeros_afterwards() -> None:
    files = MemoryFileSystem()
    files.write_file(ROOT, "file", b"secret")
    run_virtual(files.truncate(ROOT, "file", 2))
    run_virtual(files.truncate(ROOT, "file", 6))
    assert files.read_file(ROOT, "file") == b"se\0\0\0\0"


def test_faults_strike_one_path_or_all() -> None:
    files = MemoryFileSystem()
    for name in ("a", "b"):
        files.write_file(ROOT, name, b"x")
    files.fail("a", errno.EIO)
    with pytest.raises(StorageError, match=r"/downloads/a: Input/output error") as caught:
        files.read_at(ROOT, "a", 0, memoryview(bytearray(1)))
    assert caught.value.errno == errno.EIO
    files.read_at(ROOT, "b", 0, memoryview(bytearray(1)))
    files.fail(None, errno.EACCES)
    with pytest.raises(StorageError) as caught:
        files.write_at(ROOT, "b", 0, b"y")
    assert caught.value.errno == errno.EACCES
    files.heal()
    files.write_at(ROOT, "a", 0, b"y")
    assert files.read_file(ROOT, "b") == b"x"


def test_faults_strike_reads_or_writes_alone() -> None:
    files = MemoryFileSystem()
    files.write_file(ROOT, "file", b"x")
    into = memoryview(bytearray(1))
    files.fail("file", errno.ENOSPC, reads=False)
    files.read_at(ROOT, "file", 0, into)
    with pytest.raises(StorageError):
        files.write_at(ROOT, "file", 0, b"y")
    with pytest.raises(StorageError):
        run_virtual(files.allocate(ROOT, "file", 5, Allocation.SPARSE))
    files.fail("file", errno.EIO, writes=False)
    files.write_at(ROOT, "file", 0, b"y")
    with pytest.raises(StorageError):
        files.read_at(ROOT, "file", 0, into)
    files.heal("file")
    files.read_at(ROOT, "file", 0, into)
    assert into == b"y"


async def test_a_file_that_cannot_be_flushed_is_told_in_its_place() -> None:
    files = MemoryFileSystem()
    files.write_file(ROOT, "a", b"x")
    files.fail("b", errno.EIO)
    found, failure, nothing = await files.sync(ROOT, ["a", "b", "c"])
    assert isinstance(found, FileStat)
    assert isinstance(failure, StorageError)
    assert failure.errno == errno.EIO
    assert nothing is None


def test_every_change_has_a_later_time() -> None:
    files = MemoryFileSystem()

    def mtime() -> float:
        found = run_virtual(files.stat(ROOT, "file"))
        assert found is not None
        return found.mtime

    files.write_file(ROOT, "file", b"x")
    first = mtime()
    files.write_at(ROOT, "file", 0, b"y")
    second = mtime()
    run_virtual(files.truncate(ROOT, "file", 0))
    assert first < second < mtime()


def test_roots_are_apart() -> None:
    files = MemoryFileSystem()
    files.write_file("/one", "file", b"1")
    files.write_file("/two", "file", b"2")
    assert files.read_file("/one", "file") == b"1"
    assert files.read_file("/two", "file") == b"2"
    assert files.read_file("/three", "file") is None


def test_the_root_itself_is_deleted_when_empty() -> None:
    files = MemoryFileSystem()
    run_virtual(files.make_directory(ROOT, ""))
    run_virtual(files.delete(ROOT, ""))
    assert run_virtual(files.stat(ROOT, "")) is None


def test_files_without_a_root_are_loaded_by_their_path() -> None:
    files = MemoryFileSystem()
    files.write_file("", "some.torrent", b"12345")
    files.write_file(ROOT, "other.torrent", b"6789")
    assert run_virtual(files.load("some.torrent", 3)) == b"123"
    assert run_virtual(files.load("/downloads/other.torrent", 3)) == b"678"
    with pytest.raises(StorageError, match=r"^other\.torrent: No such file"):
        run_virtual(files.load("other.torrent", 3))
    files.fail("some.torrent", errno.EIO)
    with pytest.raises(StorageError, match=r"^some\.torrent: Input/output error"):
        run_virtual(files.load("some.torrent", 3))
