"""What may be asked by CALL, and of the routes for the cold paths: fields in, an object out.

A `stat` is `[size, seconds of modification, is a directory]`, or null where there is nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from millstream.adapters.native.transfers import Transferring
from millstream.http_server.fields import Fields
from millstream.http_server.refusal import invalid
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, RangeCopy, Transfer, Transferred
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.failures import FileRefusal, refusal_of
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_wire.extents import MAX_POSITION

# Paths of one call; torrents with more files ask in several.
MAX_PATHS = 20_000

# Threads for the cold paths: a flush to a slow disk takes seconds, and looking waits for none.
THREADS = 8

# Seconds between two words on how far a transfer is.
PROGRESS_SECONDS = 0.2

Json = dict[str, Any]
Progress = Callable[[int], None]
T = TypeVar("T")


class Task:
    """A call in progress, as whoever asked can reach it.

    Args:
        progress: told how many more bytes were moved, in the loop's thread.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress
        self._work: Transferring | None = None
        self._is_stopped = False

    def stop(self) -> None:
        """Let it end soon, if it is one that can."""
        self._is_stopped = True
        if self._work is not None:
            self._work.stopped = True

    def started(self, work: Transferring) -> None:
        """This is what can be stopped."""
        self._work = work
        work.stopped = self._is_stopped


class FileCalls:
    """Carries out calls, on threads.

    Args:
        files: what is done.
        batches: keeps handles open, of files that may go.
    """

    def __init__(self, files: LentFiles, batches: DiskBatches) -> None:
        self._files = files
        self._batches = batches
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="millstream-files")
        self._stoppable: set[Task] = set()
        self.operations: Mapping[str, Callable[[Fields, Task], Awaitable[Json]]] = {
            "stat": self._stat,
            "stat_many": self._stat_many,
            "sync": self._sync,
            "list": self._list,
            "make_directory": self._make_directory,
            "allocate": self._allocate,
            "truncate": self._truncate,
            "delete": self._delete,
            "delete_many": self._delete_many,
            "remove_empty_directories": self._remove_empty_directories,
            "transfer": self._transfer,
            "copy_ranges": self._copy_ranges,
            "same_disk": self._same_disk,
            "free_space": self._free_space,
            "identify": self._identify,
            "release": self._release,
        }

    def close(self) -> None:
        """Begin nothing more; what was begun ends by itself, and soon."""
        for task in self._stoppable:
            task.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    # Operations, in the order of `interfaces.filesystem.FileSystem`.

    async def _stat(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        fields.finish()
        return {"stat": _view(await self.in_thread(self._files.stat, root, path))}

    async def _stat_many(self, fields: Fields, _: Task) -> Json:
        return await self._each(fields, self._files.stat)

    async def _sync(self, fields: Fields, _: Task) -> Json:
        return await self._each(fields, self._synced)

    def _synced(self, root: str, path: str) -> FileStat | FileRefusal | None:
        """A file that cannot be flushed is told as such, and the others are flushed."""
        try:
            return self._files.sync(root, path)
        except OSError as error:
            refusal = refusal_of(error)
            if not isinstance(refusal, FileRefusal):
                raise
            return refusal

    async def _list(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        fields.finish()
        return {"names": await self.in_thread(self._files.list, root, path)}

    async def _make_directory(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        fields.finish()
        await self.in_thread(self._files.make_directory, root, path)
        return {}

    async def _allocate(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        length = _length(fields)
        kinds = [kind.value for kind in Allocation]
        kind = fields.choice("allocation", kinds) or Allocation.SPARSE.value
        fields.finish()
        await self.in_thread(self._files.allocate, root, path, length, Allocation(kind))
        return {}

    async def _truncate(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        length = _length(fields)
        fields.finish()
        await self.in_thread(self._files.truncate, root, path, length)
        return {}

    async def _delete(self, fields: Fields, _: Task) -> Json:
        root, path = _place(fields)
        recursive = fields.flag("recursive") or False
        fields.finish()
        if recursive:
            self._batches.release_all()
        self._batches.release(root, [path])

        def delete() -> None:
            self._files.delete(root, path, recursive=recursive)

        await self.in_thread(delete)
        return {}

    async def _delete_many(self, fields: Fields, _: Task) -> Json:
        root, paths = _places(fields)
        fields.finish()
        self._batches.release(root, paths)
        await self.in_thread(self._files.delete_many, root, paths)
        return {}

    async def _remove_empty_directories(self, fields: Fields, _: Task) -> Json:
        root, paths = _places(fields)
        fields.finish()
        await self.in_thread(self._files.remove_empty_directories, root, paths)
        return {}

    async def _transfer(self, fields: Fields, task: Task) -> Json:
        root = fields.required(fields.text, "root")
        to_root = fields.required(fields.text, "to_root")
        transfers = [
            Transfer(*_texts("transfers", each, 3))
            for each in fields.arrays("transfers", MAX_PATHS)
        ]
        fields.finish()
        self._batches.release(root, [transfer.path for transfer in transfers])
        self._batches.release(to_root, [transfer.to for transfer in transfers])
        done: list[Transferred] = []
        moved = _Moved(task.progress)
        self._stoppable.add(task)
        try:
            await self.in_thread(
                self._files.transfer, root, to_root, transfers, done, moved.add, task.started
            )
        except Exception as error:
            refusal = refusal_of(error)
            if isinstance(refusal, FileRefusal):
                refusal.more["done"] = [each.value for each in done]
            if refusal is None:
                raise
            raise refusal from error
        except asyncio.CancelledError:
            task.stop()  # nobody waits for it any more
            raise
        finally:
            self._stoppable.discard(task)
            moved.tell()
        return {"done": [each.value for each in done]}

    async def _copy_ranges(self, fields: Fields, _: Task) -> Json:
        root = fields.required(fields.text, "root")
        source = fields.required(fields.text, "source")
        copies = [_range_copy(each) for each in fields.arrays("copies", MAX_PATHS)]
        fields.finish()
        await self.in_thread(self._files.copy_ranges, root, source, copies)
        return {}

    async def _same_disk(self, fields: Fields, _: Task) -> Json:
        root, path = _directory(fields)
        other = fields.required(fields.text, "other")
        other_path = fields.text("other_path") or ""
        fields.finish()
        same = await self.in_thread(self._files.same_disk, root, path, other, other_path)
        return {"same": same}

    async def _free_space(self, fields: Fields, _: Task) -> Json:
        root, path = _directory(fields)
        fields.finish()
        return {"bytes": await self.in_thread(self._files.free_space, root, path)}

    async def _identify(self, fields: Fields, _: Task) -> Json:
        root, path = _directory(fields)
        fields.finish()
        return {"identity": await self.in_thread(self._files.identify, root, path)}

    async def _release(self, fields: Fields, _: Task) -> Json:
        self.release(fields)
        return {}

    def release(self, fields: Fields) -> None:
        """Close handles: what is asked for later meets the files that are there then."""
        root, paths = _places(fields)
        fields.finish()
        self._batches.release(root, paths)

    async def _each(
        self, fields: Fields, look: Callable[[str, str], FileStat | FileRefusal | None]
    ) -> Json:
        root, paths = _places(fields)
        fields.finish()

        def look_at_all() -> list[object]:
            found = [look(root, path) for path in paths]
            return [one.body() if isinstance(one, FileRefusal) else _view(one) for one in found]

        return {"stats": await self.in_thread(look_at_all)}


class _Moved:
    """Tells the loop's thread how far it is, not more often than somebody would look."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._bytes = 0  # the moving thread's
        self._told = 0  # the loop's
        self._told_at = self._loop.time()

    def add(self, length: int) -> None:
        """In the thread that moves."""
        self._bytes += length
        now = self._loop.time()
        if now >= self._told_at + PROGRESS_SECONDS:
            self._told_at = now
            self._loop.call_soon_threadsafe(self.tell)

    def tell(self) -> None:
        """In the loop's thread."""
        length = self._bytes - self._told
        self._told += length
        if self._progress is not None and length:
            self._progress(length)


def _length(fields: Fields) -> int:
    return fields.required(lambda key: fields.integer(key, 0, MAX_POSITION), "length")


def _place(fields: Fields) -> tuple[str, str]:
    return fields.required(fields.text, "root"), fields.required(fields.text, "path")


def _directory(fields: Fields) -> tuple[str, str]:
    """A lent directory, or one below it."""
    return fields.required(fields.text, "root"), fields.text("path") or ""


def _places(fields: Fields) -> tuple[str, list[str]]:
    return fields.required(fields.text, "root"), fields.texts("paths", MAX_PATHS)


def _view(found: FileStat | None) -> list[Any] | None:
    return None if found is None else [found.size, found.mtime, found.is_directory]


def _texts(name: str, values: Sequence[Any], count: int) -> list[str]:
    if len(values) != count or not all(isinstance(value, str) for value in values):
        raise invalid(name, f"has an element that is not {count} strings")
    return list(values)


def _range_copy(values: Sequence[Any]) -> RangeCopy:
    match values:
        case [str(to), length, [*ranges]] if _is_length(length) and all(map(_is_run, ranges)):
            return RangeCopy(to, length, tuple([(run[0], run[1], run[2]) for run in ranges]))
    raise invalid("copies", "has an element that is not [to, length, [[offset, to, length], ...]]")


def _is_run(values: object) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(map(_is_length, values))


def _is_length(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_POSITION
