"""What is in a directory, and one on another disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# On Linux a file system of its own, so that files can go from one to another.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


@contextmanager
def on_another_disk(here: Path) -> Iterator[Path]:
    """An empty directory that is not on the disk of `here`; skips the test if there is none."""
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == here.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with TemporaryDirectory(dir=SHARED_MEMORY) as path:
        yield Path(path)


def write(root: Path, contents: Mapping[str, bytes]) -> Path:
    """Make files; returns `root`."""
    for path, data in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def tree(root: Path) -> dict[str, bytes]:
    """All files, by path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if not path.is_dir()
    }


def names(root: Path) -> list[str]:
    """Of all that is there, directories included."""
    return sorted(path.name for path in root.rglob("*"))
