"""Where in the parts file the bytes of skipped files lie.

A piece that a wanted file shares with a skipped one is fetched, verified and served whole, but the
skipped file shall not appear in the user's folder. Its share of such pieces goes into one file for
the whole torrent.

That file has no header and no index: each file of the torrent has its place in it, for the bytes of
the piece it begins in and of the piece it ends in, one file after another, whether it is skipped or
not. So nothing in it ever moves, a crash cannot leave it half rewritten, and it can be read with
nothing but the torrent at hand. What is not used of it is a hole and takes no room.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from millstream.storage.layout import FileLayout, StoredFile


class PartsRun(NamedTuple):
    """Bytes of a file that have a place.

    Attributes:
        piece: the piece of which they are.
        offset: where they are in their own file.
        place: where they are in the parts file.
        length: bytes.
    """

    piece: int
    offset: int
    place: int
    length: int


class PartsLayout:
    """The places of a torrent's files in its parts file.

    Attributes:
        length: bytes of the parts file if everything in it were there.
    """

    __slots__ = ("_layout", "_starts", "length")

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout
        starts = array("q")
        position = 0
        for file in layout.files:
            starts.append(position)
            if file.path is not None and file.length:
                head, tail = _inner(file, layout.piece_length)
                position += file.length - (tail - head)
        self._starts = starts
        self.length = position

    def place(self, index: int, offset: int, length: int) -> int:
        """Say where in the parts file a run of a file's bytes begins.

        Args:
            index: the file's number in the torrent.
            offset: bytes from the file's start.
            length: bytes, 1 or more.

        Raises:
            IndexError: there is no such run, or it has bytes of a piece that lies wholly within
                the file, neither its first nor its last one: those have no place.
        """
        file = self._layout.files[index]
        end = offset + length
        if file.path is None or offset < 0 or length < 1 or end > file.length:
            raise IndexError(f"{length} bytes at {offset} are not within file {index}")
        head, tail = _inner(file, self._layout.piece_length)
        if end <= head or head == tail:
            return self._starts[index] + offset
        if offset >= tail:
            return self._starts[index] + offset - (tail - head)
        raise IndexError(f"{length} bytes at {offset} of file {index} are not kept in parts")

    def runs(self, index: int) -> list[PartsRun]:
        """All bytes of a file that have a place: one run for each of its two outer pieces."""
        file = self._layout.files[index]
        if file.path is None or not file.length:
            return []
        length = self._layout.piece_length
        first, last = file.offset // length, (file.offset + file.length - 1) // length
        runs = []
        for piece in sorted({first, last}):
            start = max(0, piece * length - file.offset)
            end = min(file.length, (piece + 1) * length - file.offset)
            runs.append(PartsRun(piece, start, self.place(index, start, end - start), end - start))
        return runs


def _inner(file: StoredFile, piece_length: int) -> tuple[int, int]:
    """Begin and end, within the file, of the pieces between its first and its last one.

    Equal if there are none.
    """
    end = file.offset + file.length
    head = min((file.offset // piece_length + 1) * piece_length, end)
    tail = max((end - 1) // piece_length * piece_length, head)
    return head - file.offset, tail - file.offset
