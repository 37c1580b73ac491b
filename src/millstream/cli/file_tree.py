"""The files of a torrent drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from millstream.cli.formatting import format_size, plural, safe_text

Node: TypeAlias = "dict[str, Node | _File]"


class _File(NamedTuple):
    number: int
    length: int


class TreeLine(NamedTuple):
    """A line: the guides before the name, the name, the size in words; a file's number, from 1."""

    guide: str
    name: str
    size: str
    number: int | None

    @property
    def is_directory(self) -> bool:
        """Whether it is the line of a directory."""
        return self.number is None


def tree_lines(files: Iterable[tuple[str, int]], *, ascii_only: bool = False) -> Iterator[TreeLine]:
    """Draw files as a tree, in the order given.

    Args:
        files: the path of each file, with `/` between its parts, and its length in bytes.
        ascii_only: draw with ASCII instead of box characters.
    """
    branch, last_branch, trunk, blank = (
        ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
    )
    root: Node = {}
    for number, (path, length) in enumerate(files, 1):
        *directories, name = path.split("/")
        parent = root
        for directory in directories:
            below = parent.setdefault(directory, {})
            # No file has the name of a directory: the layout sees to that.
            assert not isinstance(below, _File)  # noqa: S101
            parent = below
        parent[name] = _File(number, length)
    # A stack instead of recursion: a torrent decides how deep its directories are.
    stack = [("", "", name, node, 0) for name, node in reversed(root.items())]
    while stack:
        guide, below_guide, name, node, depth = stack.pop()
        if isinstance(node, _File):
            yield TreeLine(guide, safe_text(name), format_size(node.length), node.number)
            continue
        count = "" if depth else _summary(node)
        yield TreeLine(guide, safe_text(name) + "/", count, None)
        entries = list(node.items())
        for index in range(len(entries) - 1, -1, -1):
            is_last = index == len(entries) - 1
            stack.append(
                (
                    below_guide + (last_branch if is_last else branch),
                    below_guide + (blank if is_last else trunk),
                    *entries[index],
                    depth + 1,
                )
            )


def _summary(node: Node) -> str:
    files, total = 0, 0
    stack = [node]
    while stack:
        for entry in stack.pop().values():
            if isinstance(entry, _File):
                files += 1
                total += entry.length
            else:
                stack.append(entry)
    return f"{plural(files, 'file')}, {format_size(total)}"
