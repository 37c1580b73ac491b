"""Files below the roots that the daemon lends."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from typing import Any, TypeAlias, TypeVar

from millstream.adapters.daemon.calls import DaemonCalls, Json, RefusedCallError
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.files_away import root_away
from millstream.adapters.daemon.lent_path import below, normal_root, split_root
from millstream.adapters.daemon.request import FutureRequest
from millstream.errors import NetworkError, RootUnavailableError, StorageError
from millstream.interfaces.disk import Allocation, Extent, Outcome
from millstream.interfaces.filesystem import FileStat, RangeCopy, Synced, Transfer, Transferred
from millstream.io_wire.batches import SpanRecord, pack_spans
from millstream.io_wire.envelope import Frame, Opcode
from millstream.io_wire.results import Result, unpack_read_results

# Paths of one call: each may have 4,096 bytes, and a call 16 MiB.
MAX_PATHS = 2000

# Files of one call whose bytes go elsewhere; each has three paths, or many runs.
MAX_TRANSFERS = 500

# Read at a time of a file that is loaded whole.
LOAD_STEP = 4 << 20

T = TypeVar("T")
_Answers: TypeAlias = list[Any]


class DaemonFileSystem:
    """Implements `interfaces.filesystem.FileSystem`.

    A root is the token of a lent directory, or `token/directory` for one below it. While the daemon is
    away, everything fails with RootUnavailableError.

    Args:
        daemon: the connection to it.
    """

    def __init__(self, daemon: DaemonConnection) -> None:
        self._daemon = daemon
        self._calls = DaemonCalls(daemon)

    def root(self, directory: str) -> str:
        """See `interfaces.filesystem.FileSystem`."""
        return normal_root(directory)

    async def load(self, path: str, most: int) -> bytes:
        """See `interfaces.filesystem.FileSystem`. The path begins with a token."""
        token, within = split_root(normal_root(path))
        found = await self.stat(token, within)
        if found is None or found.is_directory:
            number = errno.ENOENT if found is None else errno.EISDIR
            raise StorageError(path, os.strerror(number), number)
        data = bytearray()
        wanted = min(found.size, most)
        while len(data) < wanted:
            length = min(wanted - len(data), LOAD_STEP)
            data += await self._read(token, Extent(within, len(data), length))
        return bytes(data)

    async def stat(self, root: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`."""
        return _stat((await self._at("stat", root, path))["stat"])

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """See `interfaces.filesystem.FileSystem`."""
        return [_stat(each) for each in await self._each("stat_many", root, paths)]

    async def sync(self, root: str, paths: Sequence[str]) -> list[Synced]:
        """See `interfaces.filesystem.FileSystem`."""
        # Once: a failure whose answer got lost is not told again.
        return [_synced(each) for each in await self._each("sync", root, paths, again=False)]

    async def list(self, root: str, path: str) -> list[str]:
        """See `interfaces.filesystem.FileSystem`."""
        return [str(name) for name in (await self._at("list", root, path))["names"]]

    async def make_directory(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._at("make_directory", root, path)

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._at("allocate", root, path, length=length, allocation=allocation.value)

    async def truncate(self, root: str, path: str, length: int) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._at("truncate", root, path, length=length)

    async def delete(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._at("delete", root, path)

    async def transfer(
        self,
        root: str,
        to_root: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        token, directory = split_root(root)
        to_token, to_directory = split_root(to_root)
        for at in range(0, len(transfers), MAX_TRANSFERS):
            some = [
                [below(directory, path), below(to_directory, to), below(to_directory, via)]
                for path, to, via in transfers[at : at + MAX_TRANSFERS]
            ]
            fields = {"root": token, "to_root": to_token, "transfers": some}
            try:
                answer = await self._call_once("transfer", root, progress, **fields)
            except RefusedCallError as error:
                done.extend(map(Transferred, error.answer.get("done", ())))
                raise _storage_error(root, error) from error
            done.extend(map(Transferred, answer["done"]))

    async def copy_ranges(self, root: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        token, directory = split_root(root)
        for at in range(0, len(copies), MAX_TRANSFERS):
            some = [
                [below(directory, copy.to), copy.length, copy.ranges]
                for copy in copies[at : at + MAX_TRANSFERS]
            ]
            await self._call(
                "copy_ranges", root, root=token, source=below(directory, source), copies=some
            )

    async def delete_many(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._all("delete_many", root, paths)

    async def remove_empty_directories(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._all("remove_empty_directories", root, paths)

    async def identify(self, root: str) -> str | None:
        """See `interfaces.filesystem.FileSystem`."""
        identity = (await self._at("identify", root, ""))["identity"]
        return None if identity is None else str(identity)

    async def same_disk(self, root: str, other: str) -> bool:
        """See `interfaces.filesystem.FileSystem`."""
        token, directory = split_root(other)
        answer = await self._at("same_disk", root, "", other=token, other_path=directory)
        return bool(answer["same"])

    async def free_space(self, root: str) -> int:
        """See `interfaces.filesystem.FileSystem`."""
        return int((await self._at("free_space", root, ""))["bytes"])

    async def close(self) -> None:
        """There is nothing to free: the connection is the daemon's."""

    # Within.

    async def _at(self, op: str, root: str, path: str, **fields: Any) -> Json:
        token, directory = split_root(root)
        return await self._call(op, root, root=token, path=below(directory, path), **fields)

    async def _each(
        self, op: str, root: str, paths: Sequence[str], *, again: bool = True
    ) -> _Answers:
        answers: _Answers = []
        token, directory = split_root(root)
        for at in range(0, len(paths), MAX_PATHS):
            some = [below(directory, path) for path in paths[at : at + MAX_PATHS]]
            answer = await self._call(op, root, again=again, root=token, paths=some)
            answers += answer["stats"]
        return answers

    async def _all(self, op: str, root: str, paths: Sequence[str]) -> None:
        """Go on after a failure, and raise the first."""
        first: StorageError | None = None
        token, directory = split_root(root)
        for at in range(0, len(paths), MAX_PATHS):
            some = [below(directory, path) for path in paths[at : at + MAX_PATHS]]
            try:
                await self._call(op, root, root=token, paths=some)
            except StorageError as error:
                first = first or error
        if first is not None:
            raise first

    async def _call(self, op: str, place: str, *, again: bool = True, **fields: Any) -> Json:
        """What may be done again is, if the daemon went away before it answered."""
        was_there = again and self._daemon.is_up
        try:
            try:
                return await self._call_once(op, place, None, **fields)
            except RootUnavailableError:
                if not was_there:
                    raise
            return await self._call_once(op, place, None, **fields)
        except RefusedCallError as error:
            raise _storage_error(place, error) from error

    async def _call_once(
        self, op: str, place: str, progress: Callable[[int], None] | None, **fields: Any
    ) -> Json:
        """Raises RefusedCallError, and StorageError if there is no answer."""
        return await _here(place, self._calls.call(op, progress, **fields))

    async def _read(self, token: str, extent: Extent) -> bytes:
        def understand(frame: Frame) -> Result:
            (result,) = unpack_read_results(frame.payload)
            return result._replace(data=bytes(result.data))

        await _here(token, self._daemon.ready())
        request = FutureRequest(understand)
        record = SpanRecord(token, (extent,), extent.length, b"0")
        self._daemon.ask(request, Opcode.READ_BATCH, [pack_spans([record])])
        result = await _here(token, request.done)
        if result.outcome is not Outcome.SUCCESS:
            fault = result.fault
            number = fault.errno if fault is not None and fault.errno else None
            why = fault.why if fault is not None else "it cannot be read"
            raise StorageError(f"{token}/{extent.path}", why, number)
        return bytes(result.data)


async def _here(place: str, asked: Awaitable[T]) -> T:
    """What is awaited; without a daemon, RootUnavailableError."""
    try:
        return await asked
    except RefusedCallError:
        raise
    except NetworkError as error:
        raise root_away(place, error) from error


def _storage_error(place: str, error: RefusedCallError) -> StorageError:
    path = error.path or place
    return StorageError(path, str(error).removeprefix(f"{path}: "), error.errno)


def _stat(found: Any) -> FileStat | None:
    if found is None:
        return None
    size, mtime, is_directory = found
    return FileStat(int(size), float(mtime), bool(is_directory))


def _synced(found: Any) -> Synced:
    if not isinstance(found, dict):
        return _stat(found)
    path, why, number = str(found.get("path", "")), str(found["message"]), int(found["errno"])
    return StorageError(path, why.removeprefix(f"{path}: "), number or None)
