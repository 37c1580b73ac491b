"""Reads that are done at once or not at all."""

import os
from pathlib import Path

import pytest

from millstream.adapters.native.page_cache import CachedReader


def read_all(path: Path, length: int) -> tuple[bool, bytes]:
    into = bytearray(length)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        reader = CachedReader(descriptor)
        # A file system that is memory says so at the first try, and is read at the second.
        done = reader.read(memoryview(into), 3) or reader.read(memoryview(into), 3)
    finally:
        os.close(descriptor)
    return done, bytes(into)


@pytest.mark.parametrize("where", ["/dev/shm", None], ids=["memory", "disk"])  # noqa: S108 - memory
def test_what_was_just_written_is_read_at_once_or_left_alone(tmp_path, where):
    folder = Path(where) if where else tmp_path
    if not folder.is_dir():
        pytest.skip(f"there is no {folder} here")
    path = folder / f"millstream-test-{os.getpid()}"
    content = bytes(range(256)) * 64
    try:
        path.write_bytes(content)
        done, data = read_all(path, 1000)
    finally:
        path.unlink()
    assert data == (content[3:1003] if done else bytes(1000))
    if where:
        assert done


def test_a_file_that_is_too_short_is_left_to_the_usual_way(tmp_path):
    path = tmp_path / "short"
    path.write_bytes(b"12345")
    assert read_all(path, 1000)[0] is False
