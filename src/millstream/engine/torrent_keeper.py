"""What is to be remembered of one torrent: kept up with what it does, and written down as asked.

A piece is claimed in two steps. Once its verified write succeeded it is `written`: a process that
is killed loses nothing of that. Once its files were flushed after that it is `flushed`: now a power
cut cannot take it either, and the next run believes it without reading it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Protocol

from millstream.core.partial_piece import PartialPiece
from millstream.core.piece_set import members, set_of_ranges
from millstream.core.torrent_state import TorrentState
from millstream.engine.flushing import Flush
from millstream.engine.inventory import files_with
from millstream.engine.membership import Membership
from millstream.engine.resumption import record_of
from millstream.engine.session import TorrentSession
from millstream.errors import StorageError
from millstream.interfaces.filesystem import FileStat
from millstream.logging.component_logger import component_logger
from millstream.protocol.bitfield import every_piece
from millstream.storage.claims import Claims, FileRecord
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement
from millstream.storage.resume import ResumeState

_LOG = component_logger("store")

_NONE: frozenset[int] = frozenset()


class Book(Protocol):
    """Who writes it all down: `engine.persistence`."""

    def changed(self, keeper: TorrentKeeper) -> None:
        """There is something new to write."""

    def claims_of(self, keeper: TorrentKeeper) -> Claims | None:
        """What is known to be on the disk, which just went."""

    async def remember(self, keeper: TorrentKeeper) -> None:
        """Return when it is written. Raises StorageError."""


class TorrentKeeper:
    """One torrent's memory, an `engine.standing.Memory`.

    Args:
        book: writes it down.
        member: the torrent.
        state: what is known of it so far.
        has_metainfo: whether its metainfo is in the store.

    Attributes:
        has_metainfo: whether its metainfo is in the store.
        is_forgotten: whether the torrent is no longer of the session.
        flush_due: when its files have to be flushed or looked at, by the loop's time; None for not
            at all.
        peers_saved_at: the loop's time.
        partial_saved: the partial pieces that the store has.
        saved: what the store has; None for nothing.
    """

    __slots__ = (
        *(
            "_book",
            "_changes",
            "_checks",
            "_doubtful",
            "_flush_failed",
            "_flushed",
            "_have",
            "_in_flush",
            "_records",
        ),
        *(
            "_stale",
            "_state",
            "_unflushed",
            "_written",
            "flush_due",
            "has_metainfo",
            "is_forgotten",
        ),
        *("member", "partial_saved", "peers_saved_at", "saved"),
    )

    def __init__(
        self, book: Book, member: Membership, state: ResumeState, *, has_metainfo: bool = False
    ) -> None:
        self._book = book
        self.member = member
        self.has_metainfo = has_metainfo
        self.is_forgotten = False
        self.flush_due: float | None = None
        self.partial_saved: Sequence[PartialPiece] = ()
        self.peers_saved_at = 0.0
        self.saved: ResumeState | None = None
        self._state = state
        # Of the check by which it is known what is there; 0 if there was none yet.
        self._checks = self._changes = 0
        # `_in_flush`: what was written before the flush that runs began, and is still there.
        self._have = self._flushed = self._written = self._doubtful = self._in_flush = 0
        self._flush_failed = False
        self._records: tuple[FileRecord | None, ...] = ()
        # Of ten thousand torrents hardly any has such files: an empty set has 200 bytes, this none.
        self._unflushed: AbstractSet[int] = _NONE
        self._stale: AbstractSet[int] = _NONE

    # engine.standing.Memory

    def changed(self) -> None:
        """There is something new to remember."""
        self._book.changed(self)

    def claims(self) -> Claims | None:
        """What is known to be on the disk, which just went."""
        return self._book.claims_of(self)

    async def remember(self) -> None:
        """Return when all there is to remember is stored. Raises StorageError."""
        await self._book.remember(self)

    @property
    def session(self) -> TorrentSession | None:
        """The torrent with pieces, once its metadata is here."""
        stage = self.member.stage
        return stage if isinstance(stage, TorrentSession) else None

    def observe(self, now: float, patience: float) -> None:
        """Take note of the pieces that came and went.

        Args:
            now: the loop's time.
            patience: seconds in which new pieces are flushed, as long as more may come, and after
                which a flush that failed is tried again.
        """
        session = self.session
        if session is None or not session.inventory.checks:
            return
        if session.inventory.checks != self._checks:
            self._begin(session)
        if session.disk.changes != self._changes:
            # What was moved, renamed or copied has to be looked at anew.
            self._changes = session.disk.changes
            self._stale = _stored_files(session.layout)
        have = session.machine.need.have
        if have != self._have:
            fresh = have & ~self._have
            self._have = have
            self._flushed &= have
            self._written = self._written & have | fresh
            if self._flush_failed:
                # Some may have been written just before it failed.
                self._doubtful |= fresh
            files = _files_of(fresh, session.layout, session.geometry.piece_count)
            new = frozenset(files)
            self._unflushed = self._unflushed | new
            in_parts = session.disk.placement.in_parts
            if not in_parts.isdisjoint(new):
                self._stale = self._stale | in_parts  # they are one file
        if self._unflushed or self._stale:
            more_may_come = session.state is TorrentState.DOWNLOADING and self._unflushed
            due = now + (patience if more_may_come or self._flush_failed else 0.0)
            self.flush_due = due if self.flush_due is None else min(due, self.flush_due)

    def _begin(self, session: TorrentSession) -> None:
        """The files were checked: what is known of them is what that found."""
        self._checks = session.inventory.checks
        self._changes = session.disk.changes
        layout, plan, claims = session.layout, session.inventory.plan, self._state.claims
        if plan is None or claims is None:
            self._records = (None,) * len(layout.names)
            self._have, self._stale = 0, _stored_files(layout)
        else:
            self._records = claims.files
            self._have, self._stale = plan.trusted, plan.unknown_files
        session.inventory.plan = None  # it is known here from now on
        self._flushed, self._written, self._doubtful = self._have, 0, 0
        self._flush_failed = False
        self._unflushed = _NONE

    def pieces_lost(self, pieces: int) -> None:
        """Some of these pieces are there no more; what comes back of them is new."""
        session = self.session
        if session is not None and session.inventory.checks != self._checks:
            self._begin(session)
        self._have &= ~pieces
        self._flushed &= ~pieces
        self._written &= ~pieces
        self._in_flush &= ~pieces

    def begin_flush(self) -> Flush | None:
        """What there is to flush from now on; None if files on their way have to arrive first."""
        session = self.session
        self.flush_due = None
        if session is None or session.disk.is_fenced:
            return None
        stale, self._stale = sorted(self._stale - self._unflushed), _NONE
        unflushed, self._unflushed = sorted(self._unflushed), _NONE
        placement = session.disk.placement
        self._in_flush = self._written & ~self._doubtful
        return Flush(
            root=placement.root,
            unflushed=unflushed,
            stale=stale,
            to_sync=_paths(placement, unflushed),
            to_look_at=_paths(placement, stale),
            pieces=self._in_flush,
            checks=self._checks,
            changes=session.disk.changes,
        )

    def flush_failed(self, flush: Flush, error: StorageError) -> None:
        """Some of it could not be done, and all of it has to be done again."""
        _LOG.warning("%s: not flushed, to be read again at the next start", error)
        self._flush_failed = True
        if flush.checks == self._checks:
            # A flush that failed may have dropped what it should have written, and what came
            # meanwhile, and the next one would not know: these are never claimed without being read.
            self._doubtful |= flush.pieces | self._written
            self._flush_again(flush)

    def flushed(self, flush: Flush, stats: Sequence[FileStat | None]) -> None:
        """It is done, and the files were like this then, `to_sync` before `to_look_at`."""
        session = self.session
        if session is None:
            return
        self._flush_failed = False
        disk = session.disk
        if flush.checks != self._checks or flush.changes != disk.changes or disk.is_fenced:
            # They were checked or moved meanwhile, and it is another story.
            self._flush_again(flush)
            return
        records = list(self._records)
        for number, stat in zip((*flush.unflushed, *flush.stale), stats, strict=True):
            records[number] = record_of(stat)
        self._records = tuple(records)
        away = [number for number in flush.unflushed if records[number] is None]
        if away:
            # What is not there was not flushed, and may be back one day, as its disk may.
            touched = session.layout.pieces_of(away)
            self._doubtful |= set_of_ranges(touched, session.geometry.piece_count)
        self._flushed |= self._in_flush & self._have & ~self._doubtful
        self._written &= ~self._flushed

    def _flush_again(self, flush: Flush) -> None:
        self._unflushed = self._unflushed | set(flush.unflushed)
        self._stale = self._stale | set(flush.stale)

    def snapshot(self, now: float, wall_time: float) -> ResumeState:
        """The torrent as it is: at `now` of the loop, and seconds since the epoch."""
        member, session = self.member, self.session
        root = member.root
        changes: dict[str, Any] = {
            "save_path": root.path,
            "root": root.token,
            "max_peers": member.max_connections,
            "auto_managed": member.is_auto_managed,
            "forced": member.is_forced,
            "goals": None if member.goals is None else member.goals.to_dict(),
            "goals_reached": member.goals_reached,
            "active_seconds": int(member.activity.active_seconds(now)),
            "seeding_seconds": int(member.activity.seeding_seconds(now)),
            "completed_at": None if member.completed_at is None else int(member.completed_at),
            "stopped": member.is_stopped_by_user,
            "allow_local": member.allow_local,
            "uploaded": member.departed_uploaded,
            "downloaded": member.departed_downloaded,
            "download_limit": member.own_limits[0],
            "upload_limit": member.own_limits[1],
        }
        if session is not None:
            uploaded, downloaded = session.transferred
            changes |= {
                "magnet": None,
                "uploaded": uploaded,
                "downloaded": downloaded,
                "selection": None,
                "priorities": session.choice.priorities,
                "first_last": session.choice.first_last,
                "placement": session.disk.record.with_placement(session.disk.placement),
                "sequential": session.machine.need.sequential,
                "observe": session.machine.need.keep_seeds,
                "claims": self._claims(session, wall_time),
            }
        self._state = replace(self._state, **changes)
        return self._state

    def disk_went(self, now: float, patience: float, wall_time: float) -> Claims | None:
        """What is known to be on the disk, which just went; see `observe` and `snapshot`.

        Whatever was not flushed before is never claimed without being read.
        """
        self.observe(now, patience)
        self._doubtful |= self._written
        return self.snapshot(now, wall_time).claims

    def is_news(self, state: ResumeState) -> bool:
        """Whether the store has something else: more than the hour is different."""
        saved = self.saved
        if saved is None or saved.claims is None or state.claims is None or state.claims.running:
            return saved != state
        claims = replace(state.claims, taken_at=saved.claims.taken_at)
        return saved != replace(state, claims=claims)

    def _claims(self, session: TorrentSession, wall_time: float) -> Claims | None:
        if not self._checks:
            return self._state.claims  # nothing was looked at yet: the last word stands
        return Claims(
            piece_count=session.geometry.piece_count,
            flushed=self._flushed,
            written=self._written,
            files=self._records,
            running=session.state is TorrentState.DOWNLOADING,
            taken_at=round(wall_time * 1e9),
        )


def _stored_files(layout: FileLayout) -> set[int]:
    return {number for number, name in enumerate(layout.names) if name is not None}


def _paths(placement: Placement, numbers: Iterable[int]) -> list[str]:
    paths = (placement.path(number) for number in numbers)
    return [path for path in paths if path is not None]


def _files_of(pieces: int, layout: FileLayout, piece_count: int) -> Iterator[int]:
    """The stored files that have bytes of the pieces, by number."""
    if pieces == every_piece(piece_count):
        names, lengths = layout.names, layout.lengths
        yield from (at for at, name in enumerate(names) if name is not None and lengths[at])
        return
    if pieces.bit_count() > len(layout.names):
        yield from files_with(pieces, layout, _stored_files(layout), piece_count)
        return
    for piece in members(pieces, piece_count):
        for span in layout.spans(piece * layout.piece_length, layout.length_of(piece)):
            if layout.names[span.file] is not None:
                yield span.file
