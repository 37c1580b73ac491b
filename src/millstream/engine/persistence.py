"""The session: what an engine remembers of its torrents, saved as they go.

Changes are saved at most once a second, all torrents' in one batch. Files are flushed less often,
beside that and never in its way; `engine.torrent_keeper` says what may be claimed when.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from millstream.core.torrent_state import TorrentState
from millstream.engine.flushing import Flushing
from millstream.engine.kept_peers import peers_to_keep
from millstream.engine.membership import Membership
from millstream.engine.partial_record import encode_partial
from millstream.engine.queue import Queue
from millstream.engine.resumption import dated
from millstream.engine.saved_torrent import SavedTorrent, load_saved
from millstream.engine.session import TorrentSession
from millstream.engine.torrent_keeper import TorrentKeeper
from millstream.engine.torrent_options import TorrentOptions
from millstream.errors import MillstreamError, StorageError
from millstream.interfaces.clock import LocalClock
from millstream.interfaces.filesystem import FileSystem
from millstream.interfaces.session_store import SessionStore
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash
from millstream.storage.claims import Claims
from millstream.storage.limits_record import LimitsRecord, Rates
from millstream.storage.metainfo_record import encode_metainfo
from millstream.storage.resume import ResumeState
from millstream.storage.resume_peers import encode_peers
from millstream.storage.roots import StorageRootManager
from millstream.storage.roots_record import RootsRecord
from millstream.storage.session_keys import (
    INDEX_KEY,
    LIMITS_KEY,
    PREFIX,
    ROOTS_KEY,
    decode_index,
    encode_index,
    metainfo_key,
    partial_key,
    peers_key,
    state_key,
    torrents_of,
)

_LOG = component_logger("store")

# Seconds. Libtorrent's clients save resume data by the minute; seed 003 says once a second.
SAVE_INTERVAL = 1.0

# A download's files are flushed so often: by then the system has begun to by itself (Linux:
# vm.dirty_expire_centisecs, 30 s). What is not flushed yet is read again after a crash, so this
# bounds that, and costs no data.
FLUSH_INTERVAL = 30.0

# Totals and peers of torrents that have connections change all the time.
BEAT = 60.0

# Seconds that the first save of a torrent waits for a look at its files, to be the only one as a
# rule. A disk that takes longer must not keep torrents out of the store.
NEWCOMER_PATIENCE = 0.5

# After a save failed: a full disk is not emptied within a second.
RETRY_INTERVAL = 30.0

# Torrents whose state is made and written in one go, between which the loop does other things.
_SAVED_TOGETHER = 200

_KEYS = (state_key, metainfo_key, peers_key, partial_key)


class Persistence:
    """Saves torrents to a session store.

    Args:
        store: where to.
        files: flushes and describes their files.
        clock: for what must mean the same in the next run.
        roots: where torrents are; saved with them.
        queue: says their order.

    Attributes:
        limits: the rate limits that were set in the last run, or since; None if none were.
    """

    def __init__(
        self,
        store: SessionStore,
        files: FileSystem,
        clock: LocalClock,
        roots: StorageRootManager,
        queue: Queue,
    ) -> None:
        self._store = store
        self._roots = roots
        self._queue = queue
        self._roots_record = RootsRecord()
        self._clock = clock
        self.limits: LimitsRecord | None = None
        self._keepers: dict[InfoHash, TorrentKeeper] = {}
        self._order: dict[InfoHash, None] = {}
        self._due: dict[TorrentKeeper, None] = {}
        self._gone: dict[str, None] = {}
        # What is to be stored of the session as a whole, and who writes it.
        self._records_due: dict[str, Callable[[], bytes]] = {}
        self._next_save = self._next_beat = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Task[None] | None = None
        self._flushing = Flushing(files, self._flush_ended, self._schedule)
        self._saving = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        """Find out what is in the store. Raises StorageError, if another process has it for one."""
        try:
            self._roots_record = RootsRecord.decode(await self._store.get(ROOTS_KEY))
            self.limits = LimitsRecord.decode(await self._store.get(LIMITS_KEY))
            known = decode_index(await self._store.get(INDEX_KEY))
            there = dict.fromkeys(torrents_of(await self._store.keys(PREFIX)))
        except BaseException:
            await self._store.close()
            raise
        self._order = {each: None for each in known if each in there} | there
        self._roots_record.restore(self._roots)
        self._roots.changed = partial(self._store_record, ROOTS_KEY, self._encode_roots)
        self._queue.moved = partial(self._store_record, INDEX_KEY, self._encode_index)
        self._is_open = True
        self._next_beat = asyncio.get_running_loop().time() + BEAT
        self._schedule()

    async def saved(self) -> AsyncIterator[tuple[InfoHash, SavedTorrent | MillstreamError]]:
        """The torrents of the last run, in its queue's order, or what is wrong with one."""
        async for info_hash, saved in load_saved(self._store, list(self._order)):
            if isinstance(saved, SavedTorrent) and saved.state.claims is not None:
                claims = dated(saved.state.claims, self._clock.wall_time())
                yield info_hash, replace(saved, state=replace(saved.state, claims=claims))
            else:
                yield info_hash, saved

    def limits_set(self, configured: Rates, rates: Rates) -> None:
        """Remember that limits were set, while these are those of the settings."""
        self.limits = LimitsRecord(configured, rates)
        self._store_record(LIMITS_KEY, self.limits.encode)

    def add_new(self, member: Membership, options: TorrentOptions, trackers: Sequence[str]) -> None:
        """Remember a torrent from now on; `trackers` are those besides its own."""
        state = ResumeState(
            save_path=member.root.path,
            root=member.root.token,
            magnet=None if isinstance(member.stage, TorrentSession) else str(member.magnet),
            added_at=int(member.added_at),
            trackers=tuple(trackers),
            selection=options.selection,
            sequential=options.sequential,
            observe=options.observe,
        )
        self._add(TorrentKeeper(self, member, state))
        member.changed()

    def add_restored(self, member: Membership, state: ResumeState) -> None:
        """Go on remembering a torrent, whose state this was."""
        has_metainfo = isinstance(member.stage, TorrentSession)
        keeper = TorrentKeeper(self, member, state, has_metainfo=has_metainfo)
        keeper.saved = state
        keeper.partial_saved = member.kept_pieces
        self._add(keeper)

    def _add(self, keeper: TorrentKeeper) -> None:
        member = keeper.member
        self._keepers[member.info_hash] = keeper
        if member.info_hash not in self._order:
            self._order[member.info_hash] = None
            self._records_due[INDEX_KEY] = self._encode_index
        for key in _KEYS:
            self._gone.pop(key(member.info_hash), None)
        member.memory = keeper

    # engine.torrent_keeper.Book

    def claims_of(self, keeper: TorrentKeeper) -> Claims | None:
        """What is known to be on the disk, which just went."""
        now, wall_time = asyncio.get_running_loop().time(), self._clock.wall_time()
        return keeper.disk_went(now, FLUSH_INTERVAL, wall_time)

    def changed(self, keeper: TorrentKeeper) -> None:
        """There is something new to save of it."""
        if not self._due:
            self._due[keeper] = None
            self._schedule()
        else:
            self._due[keeper] = None

    async def remember(self, keeper: TorrentKeeper) -> None:
        """Return when it is saved; its place in the order follows. Raises StorageError."""
        self._due[keeper] = None
        while keeper in self._due:
            await self._save([keeper], with_order=False)

    async def forget(self, info_hash: InfoHash) -> None:
        """The torrent is no longer of the session."""
        keeper = self._keepers.pop(info_hash, None)
        if keeper is not None:
            keeper.is_forgotten = True
            keeper.member.memory = None
            self._due.pop(keeper, None)
        self._order.pop(info_hash, None)
        self._records_due[INDEX_KEY] = self._encode_index
        self._gone.update({key(info_hash): None for key in _KEYS})
        await self._try_to_save(list(self._due))

    async def save(self) -> None:
        """Save all that changed, now. Raises StorageError."""
        for keeper in self._keepers.values():
            if keeper.member.links:
                self._due[keeper] = None
        while self._is_anything_due:
            await self._save(list(islice(self._due, _SAVED_TOGETHER)))

    async def close(self) -> None:
        """Flush and save everything, and let others have the store. The torrents are stopped."""
        if not self._is_open:
            return
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        # Whatever they wait for ends by itself, and half of it must not be left.
        while self._turn is not None or self._flushing.is_running:
            if self._turn is not None:
                await self._turn
            await self._flushing.wait()
        now = asyncio.get_running_loop().time()
        for keeper in self._keepers.values():
            keeper.observe(now, 0.0)
        await self._flushing.flush([k for k in self._keepers.values() if k.flush_due is not None])
        for keeper in self._due:
            keeper.peers_saved_at = 0.0
        try:
            await self.save()
        except StorageError:
            _LOG.exception("the session could not be saved")
        await self._store.close()

    # When.

    @property
    def _is_anything_due(self) -> bool:
        return bool(self._due or self._gone or self._records_due)

    def _store_record(self, key: str, encode: Callable[[], bytes]) -> None:
        self._records_due[key] = encode
        self._schedule()

    def _encode_index(self) -> bytes:
        # Those that could not be restored are in no queue, and keep to the end.
        order = dict.fromkeys(each for each in self._queue.order if each in self._order)
        return encode_index(order | self._order)

    def _encode_roots(self) -> bytes:
        self._roots_record = self._roots_record.updated(self._roots)
        return self._roots_record.encode()

    def _schedule(self) -> None:
        """See to it that there is a turn at the right time."""
        if not self._is_open or (self._turn is not None and not self._turn.done()):
            return  # there is one, and it calls this at its end
        if self._timer is not None:
            self._timer.cancel()
        when = self._next_beat
        if self._is_anything_due:
            when = min(when, self._next_save)
        if not self._flushing.is_running:
            flushes = [k.flush_due for k in self._keepers.values() if k.flush_due is not None]
            when = min(when, *flushes) if flushes else when
        self._timer = asyncio.get_running_loop().call_at(when, self._begin_turn)

    def _begin_turn(self) -> None:
        self._turn = asyncio.get_running_loop().create_task(self._take_turn())

    async def _take_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_beat:
            self._next_beat = now + BEAT
            for keeper in self._keepers.values():
                if keeper.member.links:
                    self._due[keeper] = None
        if now >= self._next_save:
            newcomers = self._look_at_newcomers(now)
            others = [keeper for keeper in self._due if keeper not in newcomers]
            if await self._try_to_save(others) and newcomers:
                await self._save_newcomers(newcomers, now)
        self._flushing.begin(now, self._keepers.values())
        self._turn = None
        self._schedule()

    def _look_at_newcomers(self, now: float) -> dict[TorrentKeeper, None]:
        """Begin with those that the store does not have yet; those whose files are looked at.

        What that finds is to be in the first that is stored of them, or all would be stored twice.
        """
        if self._flushing.is_running:
            return {}
        found = [keeper for keeper in self._due if keeper.saved is None]
        for keeper in found:
            keeper.observe(now, FLUSH_INTERVAL)
        return self._flushing.begin(now, found)

    async def _save_newcomers(self, newcomers: Iterable[TorrentKeeper], now: float) -> None:
        """Save them when their files were looked at, but soon, in a turn that began at `now`."""
        await self._flushing.wait(NEWCOMER_PATIENCE)
        if await self._try_to_save([keeper for keeper in newcomers if keeper in self._due]):
            # Who comes next may wait as long for the look.
            self._next_save = now + SAVE_INTERVAL - NEWCOMER_PATIENCE

    def _flush_ended(self, keeper: TorrentKeeper) -> None:
        if not keeper.is_forgotten:
            self._due[keeper] = None

    # What.

    async def _try_to_save(self, keepers: Sequence[TorrentKeeper]) -> bool:
        """Save these, and what there is besides torrents; whether it could be done."""
        now = asyncio.get_running_loop().time()
        self._next_save = now + RETRY_INTERVAL
        try:
            for at in range(0, len(keepers), _SAVED_TOGETHER):
                # The order of ten thousand is not written anew for each two hundred.
                await self._save(keepers[at : at + _SAVED_TOGETHER], with_order=not at)
            if not keepers and (self._gone or self._records_due):
                await self._save(())
        except StorageError as error:
            _LOG.warning("the session is not saved: %s", error)
            return False
        except Exception:  # noqa: BLE001 - it is logged whole
            _LOG.exception("the session is not saved")
            return False
        self._next_save = now + SAVE_INTERVAL
        return True

    async def _save(self, some: Iterable[TorrentKeeper], *, with_order: bool = True) -> None:
        async with self._saving:
            keepers = [keeper for keeper in some if keeper in self._due]
            gone, records = self._gone, self._records_due
            batch: dict[str, bytes | None] = dict(gone)
            states: dict[TorrentKeeper, ResumeState] = {}
            self._gone, self._records_due = {}, {}
            if not with_order and INDEX_KEY in records:
                self._records_due[INDEX_KEY] = records.pop(INDEX_KEY)
            for keeper in keepers:
                del self._due[keeper]
                try:
                    state = self._observed(keeper)
                    if keeper.is_news(state):
                        batch[state_key(keeper.member.info_hash)] = state.encode()
                        states[keeper] = state
                    batch.update(self._other_entries(keeper))
                except Exception:  # noqa: BLE001 - it is logged whole
                    # One torrent's trouble must not keep the others from being saved.
                    _LOG.exception("%s cannot be saved", keeper.member.info_hash)
            batch.update({key: encode() for key, encode in records.items()})
            try:
                if batch:
                    await self._store.apply(batch)
            except BaseException:
                self._due.update({k: None for k in keepers if not k.is_forgotten})
                self._gone = gone | self._gone
                self._records_due = records | self._records_due
                raise
            for keeper in keepers:
                keeper.has_metainfo |= metainfo_key(keeper.member.info_hash) in batch
                keeper.saved = states.get(keeper, keeper.saved)

    def _observed(self, keeper: TorrentKeeper) -> ResumeState:
        now = asyncio.get_running_loop().time()
        keeper.observe(now, FLUSH_INTERVAL)
        return keeper.snapshot(now, self._clock.wall_time())

    def _other_entries(self, keeper: TorrentKeeper) -> dict[str, bytes | None]:
        """What is to be stored of a torrent besides its state."""
        now, wall_time = asyncio.get_running_loop().time(), self._clock.wall_time()
        member, session = keeper.member, keeper.session
        entries: dict[str, bytes | None] = {}
        if session is not None and not keeper.has_metainfo:
            entries[metainfo_key(member.info_hash)] = encode_metainfo(session.metainfo)
        if member.known_peers and (
            not keeper.peers_saved_at or now - keeper.peers_saved_at >= BEAT
        ):
            keeper.peers_saved_at = now
            peers = peers_to_keep(member.swarm, now, wall_time)
            entries[peers_key(member.info_hash)] = encode_peers(peers)
        kept = member.kept_pieces
        if kept and kept is not keeper.partial_saved:
            keeper.partial_saved = kept
            entries[partial_key(member.info_hash)] = encode_partial(kept)
        elif not kept and keeper.partial_saved and session is not None and _is_stale(session):
            keeper.partial_saved = ()
            entries[partial_key(member.info_hash)] = None
        return entries


def _is_stale(session: TorrentSession) -> bool:
    """Whether nothing is left of unfinished pieces, though something was stored once."""
    return session.machine.is_complete or session.state is TorrentState.STOPPED
