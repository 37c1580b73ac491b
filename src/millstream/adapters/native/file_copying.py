"""Runs of bytes copied from file to file, holes left out: blocking, for worker threads.

Functions raise OSError, with the path in its `filename`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

from millstream.adapters.native.directories import Directories
from millstream.adapters.native.open_file import opened
from millstream.interfaces.filesystem import RangeCopy

# Copied at a time.
COPY_STEP = 1 << 20


def copy_ranges(root: str, source: str, copies: Sequence[RangeCopy]) -> None:
    """See `interfaces.filesystem.FileSystem`."""
    directories = Directories()
    changed: list[str] = []
    with ExitStack() as stack:
        reading: int | None = None
        with suppress(FileNotFoundError, NotADirectoryError):
            reading = stack.enter_context(opened(os.path.join(root, source), os.O_RDONLY))
        for copy in copies:
            full = os.path.join(root, copy.to)
            directories.make(os.path.dirname(full))
            with opened(full, os.O_RDWR | os.O_CREAT) as writing:
                if os.fstat(writing).st_size < copy.length:
                    os.ftruncate(writing, copy.length)
                if reading is not None and _copy_into(reading, writing, copy):
                    changed.append(full)
    for full in changed:
        with opened(full, os.O_RDWR) as descriptor:
            os.fsync(descriptor)
    directories.sync()


def _copy_into(reading: int, writing: int, copy: RangeCopy) -> bool:
    is_changed = False
    for offset, to, length in copy.ranges:
        for start, end in filled(reading, offset, offset + length):
            for position in range(start, end, COPY_STEP):
                step = min(COPY_STEP, end - position)
                if copy_run(reading, position, writing, to + position - offset, step):
                    is_changed = True
    return is_changed


def filled(descriptor: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The runs of a file between two offsets that are no holes, as far as that can be told."""
    end = min(end, os.fstat(descriptor).st_size)
    while start < end:
        stop = end
        if hasattr(os, "SEEK_DATA"):
            try:
                start = os.lseek(descriptor, start, os.SEEK_DATA)
                stop = min(end, os.lseek(descriptor, start, os.SEEK_HOLE))
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return  # a hole up to the end
        if start >= end:
            return
        if stop <= start:
            stop = end  # a file system that contradicts itself
        yield start, stop
        start = stop


def copy_run(reading: int, offset: int, writing: int, to: int, length: int) -> int:
    """Copy bytes; how many, which is fewer if the file ends before."""
    copied = 0
    while copied < length:
        data = os.pread(reading, length - copied, offset + copied)
        if not data:
            break
        view = memoryview(data)
        while view:
            written = os.pwrite(writing, view, to + copied)
            view = view[written:]
            copied += written
    return copied
