"""Which of the claims of the last run hold, by a look at the files, and what must be read again.

A file that has its old size and time of modification is as it was, and what was claimed of it is
believed. A file that we were writing when we were killed has a later time; if that is no later than
our last word, the change was ours, and what was flushed before is believed, too. Of any other file
every piece is read and hashed.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from millstream.core.piece_set import set_of_ranges
from millstream.interfaces.filesystem import FileStat, FileSystem
from millstream.storage.claims import Claims, FileRecord
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement

# A state is saved at most a second after what it tells of, and a save may take a moment itself;
# what was changed later than this after our last word was not changed by us. Nanoseconds.
LAST_WRITES = 5 * 10**9

# What most torrents have of files that are not as they were, and one set says so.
_NO_FILES: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How to check a torrent that is not new.

    Attributes:
        trusted: the set (an int) of the pieces that are there.
        doubtful: the set of those that must be read to know.
        unknown_files: numbers of the files of which the record does not hold.
    """

    trusted: int
    doubtful: int
    unknown_files: frozenset[int]


class _Finding(enum.Enum):
    AS_IT_WAS = enum.auto()
    WRITTEN_BY_US = enum.auto()
    CHANGED = enum.auto()
    GONE = enum.auto()


async def plan_check(
    claims: Claims, placement: Placement, files: FileSystem, piece_count: int
) -> CheckPlan | None:
    """Look at the files.

    Returns:
        None if the claims are about something else than this torrent: everything is doubtful.
        Raises StorageError.
    """
    layout = placement.layout
    if claims.piece_count != piece_count or len(claims.files) != len(layout.names):
        return None
    paths = [placement.path(number) for number in range(len(layout.names))]
    found = iter(
        await files.stat_many(placement.root, [path for path in paths if path is not None])
    )
    stats = [None if path is None else next(found) for path in paths]
    return judge(claims, layout, stats)


def judge(claims: Claims, layout: FileLayout, stats: Sequence[FileStat | None]) -> CheckPlan:
    """Compare the claims with how the files are now.

    Args:
        claims: about as many pieces and files as the layout has.
        layout: where the pieces lie.
        stats: how the files are, one for each of the layout; of what is not stored None.
    """
    digits = f"{claims.flushed:0{claims.piece_count}b}"
    changed: list[range] = []
    gone: list[range] = []
    unknown: set[int] = set()
    for number, (name, record, now) in enumerate(
        zip(layout.names, claims.files, stats, strict=True)
    ):
        if name is None:
            continue
        pieces = next(layout.pieces_of([number]), range(0))  # an empty file has none
        is_flushed = digits.find("0", pieces.start, pieces.stop) < 0
        finding = _find(record, now, claims, may_be_ours=not is_flushed)
        if finding is not _Finding.AS_IT_WAS:
            unknown.add(number)
        if finding is _Finding.CHANGED:
            changed.append(pieces)
        elif finding is _Finding.GONE:
            gone.append(pieces)
    lost = set_of_ranges(gone, claims.piece_count)
    unsure = set_of_ranges(changed, claims.piece_count)
    return CheckPlan(
        trusted=claims.flushed & ~unsure & ~lost,
        doubtful=(claims.written & ~claims.flushed | unsure) & ~lost,
        unknown_files=frozenset(unknown) if unknown else _NO_FILES,
    )


def dated(claims: Claims, wall_time: float) -> Claims:
    """The claims as they can be used now; `wall_time` is in seconds since the epoch.

    Those of the future were made by a clock that was wrong, or this one is: that a file was changed
    before our last word then says nothing, and every file that was changed is to be read.
    """
    if claims.running and claims.taken_at > wall_time * 1e9 + LAST_WRITES:
        return replace(claims, running=False)
    return claims


def record_of(stat: FileStat | None) -> FileRecord | None:
    """What is remembered of a file."""
    if stat is None or stat.is_directory:
        return None
    return FileRecord(stat.size, round(stat.mtime * 1e9))


def _find(
    record: FileRecord | None, stat: FileStat | None, claims: Claims, *, may_be_ours: bool
) -> _Finding:
    now = record_of(stat)
    if now is None:
        return _Finding.GONE
    if now == record:
        return _Finding.AS_IT_WAS
    if (
        claims.running
        and may_be_ours
        and (record is None or record.size == now.size)
        and now.mtime <= claims.taken_at + LAST_WRITES
    ):
        return _Finding.WRITTEN_BY_US
    return _Finding.CHANGED
