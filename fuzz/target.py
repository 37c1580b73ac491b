"""What a fuzz target is, and where its inputs come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

MAX_LENGTH = 4096
"""Bytes of an input; what takes more is no job for small changes."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser, or one machine, and how to feed it.

    Attributes:
        name: as on the command line.
        about: one line for `--list`.
        run: takes an input; raises only if there is a bug.
        corpus: valid inputs, to be changed a little.
    """

    name: str
    about: str
    run: Callable[[bytes], None]
    corpus: Sequence[bytes] = ()

    def inputs(self) -> st.SearchStrategy[bytes]:
        """Random bytes, and valid inputs with some changes."""
        random_bytes = st.binary(max_size=MAX_LENGTH)
        if not self.corpus:
            return random_bytes
        edits = st.lists(_EDITS, max_size=6)
        changed = st.builds(_edited, st.sampled_from(list(self.corpus)), edits)
        joined = st.lists(changed, min_size=2, max_size=6).map(b"".join)
        return changed | joined | random_bytes


@dataclass(frozen=True, slots=True)
class _Edit:
    """At a place, which is a share of the whole length, some bytes go and others come."""

    at: float
    gone: int
    new: bytes


# What tends to matter: digits and marks of bencode, ends of ranges, lengths.
_TELLING = st.sampled_from(
    [
        *(b"0", b"9", b"-", b"e", b"d", b"l", b"i", b":", b"i0e", b"i-1e", b"le", b"de", b"0:"),
        *(b"i18446744073709551616e", b"99999999999:", b"4294967295:", b"d" * 200, b"l" * 200),
        *(b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x40\0"),
        *(b"%", b"&", b"=", b"%00", b"%ff", b"\xed\xa0\x80", b"[", b"]", b"?", b"/../"),
    ]
)
_EDITS = st.builds(
    _Edit,
    at=st.floats(0, 1),
    gone=st.sampled_from([0, 1, 1, 1, 2, 4, 20, MAX_LENGTH]),
    new=st.just(b"") | _TELLING | st.binary(max_size=4) | st.binary(max_size=64),
)


def _edited(data: bytes, edits: Sequence[_Edit]) -> bytes:
    for edit in edits:
        at = int(edit.at * len(data))
        data = data[:at] + edit.new + data[at + edit.gone :]
    return data[:MAX_LENGTH]


class Script:
    """An input read as instructions: bytes and small numbers, as long as there are any."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._data)

    def number(self, limit: int = 256) -> int:
        """The next number, from 0 up to and without `limit`, which is at most 256."""
        return self.take(1)[0] % limit if self else 0

    def take(self, count: int) -> bytes:
        """So many of the next bytes, or all that there are."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def chunk(self) -> bytes:
        """Bytes whose length comes first: up to 255 of them."""
        return self.take(self.number())

    def parts(self, data: bytes) -> list[memoryview]:
        """The data cut at some places, as a network may cut it."""
        cuts = sorted({int(self.number() / 256 * len(data)) for _ in range(self.number(5))})
        ends = [0, *(cut for cut in cuts if 0 < cut < len(data)), len(data)]
        # A writable copy each: who decrypts does so in place.
        return [
            memoryview(bytearray(data[start:stop]))
            for start, stop in pairwise(ends)
            if stop > start
        ]
