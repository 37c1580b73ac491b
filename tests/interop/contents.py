"""Files to share, and how to compare them."""

from __future__ import annotations

import filecmp
import random
from dataclasses import dataclass, field
from pathlib import Path

from millstream import create_torrent

# Files that cross the borders of 16 KiB pieces in every way: shorter than a block, exactly a
# block, a block and a byte, several pieces, and next to nothing.
CROSSING_SIZES = (1, 16384, 16383, 16385, 70_001, 5, 40_000, 32_768, 12_345, 9)


@dataclass(frozen=True, slots=True)
class Tree:
    """A torrent's files: sizes by path below `name`; a single file has the path `""`."""

    name: str
    sizes: dict[str, int] = field(hash=False)

    @property
    def is_single_file(self) -> bool:
        return list(self.sizes) == [""]

    @property
    def paths(self) -> list[str]:
        """The paths, the name included, in the torrent's order."""
        return [f"{self.name}/{path}".rstrip("/") for path in self.sizes]

    def write(self, root: Path) -> Path:
        """Write the files, the same every time, below `root`; returns `root`."""
        rng = random.Random(self.name)
        for path, size in zip(self.paths, self.sizes.values(), strict=True):
            full = root / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(rng.randbytes(size))
        return root

    async def share(self, root: Path, piece_length: int) -> tuple[Path, bytes]:
        """Write the files below `root`; returns `root`, and a torrent of them."""
        self.write(root)
        return root, await create_torrent(root / self.name, piece_length=piece_length)


def single_file(size: int, name: str = "single.bin") -> Tree:
    return Tree(name, {"": size})


def files_crossing_borders() -> Tree:
    return Tree("crossing", {f"{n:02}.bin": size for n, size in enumerate(CROSSING_SIZES * 3)})


def files_with_empty_ones() -> Tree:
    return Tree(
        "empties",
        {"a-empty": 0, "b/c": 20_000, "b/d-empty": 0, "b/e/f-empty": 0, "g": 30_000, "h-empty": 0},
    )


def non_ascii_names() -> Tree:
    return Tree(
        "Ünïcödé 日本語",
        {"Ж/мельница.txt": 20_000, "ほん/水車 🌊.bin": 33_333, "été.txt": 1, "ß": 17_000},
    )


def tree_of_pieces(piece_length: int) -> Tree:
    """Two pieces and a short third one, over files that cross their borders."""
    sizes = [piece_length * 2 // 5, 3, piece_length * 3 // 2, 0, piece_length // 3 + 7]
    return Tree(f"pieces-{piece_length}", {f"{n}.bin": size for n, size in enumerate(sizes)})


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def assert_same_files(one: Path, other: Path) -> None:
    """Compare all files below two directories, byte for byte."""
    paths = files_below(one)
    assert paths == files_below(other)
    assert paths, "there is nothing to compare"
    _, different, unread = filecmp.cmpfiles(one, other, paths, shallow=False)
    assert (different, unread) == ([], [])
