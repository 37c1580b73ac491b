"""What is looked after from time to time, whatever the peers do: disks, files and clocks."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from millstream.core.torrent_state import TorrentState
from millstream.engine.config import EngineConfig
from millstream.engine.file_watch import ExpectedFile, FileWatch, expected_files
from millstream.engine.membership import Membership
from millstream.engine.root_state import RootState
from millstream.engine.root_watch import RootWatch
from millstream.engine.session import TorrentSession
from millstream.engine.sleep_watch import ClockJump, SleepWatch
from millstream.errors import MillstreamError, NoSpaceError, RootUnavailableError, StorageError
from millstream.interfaces.platform import Platform
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash
from millstream.storage.roots import StorageRoot, StorageRootManager

# What the system says where there is no room: on the disk, or within the user's quota.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

# Seconds between two looks whether torrents that found no room would find it now.
_ROOM_INTERVAL = 10.0

# Files of each torrent by which a disk is recognised: some torrents' files may have been deleted.
_FILES_EXPECTED = 2

_LOG = component_logger("disk")


class Housekeeping:
    """The watches of an engine, and what follows from what they see.

    Implements `engine.root_watch.RootObserver` and `engine.shared.DiskWatch`.

    Args:
        config: how often they look.
        platform: the files and the clock.
        roots: where torrents are.
        members: the torrents.
    """

    def __init__(
        self,
        config: EngineConfig,
        platform: Platform,
        roots: StorageRootManager,
        members: Mapping[InfoHash, Membership],
    ) -> None:
        self._roots = roots
        roots.repointed = self.root_repointed
        self._members = members
        self._root_watch = RootWatch(roots, platform.files, config.storage, self)
        interval = config.storage.file_check_interval
        self._file_watch = FileWatch(platform.files, interval, self._watched_torrents)
        self._sleep_watch = SleepWatch(platform.clock, self._jumped)
        self._starting: set[asyncio.Task[None]] = set()
        self._next_look_for_room = 0.0

    def beat(self, now: float) -> None:
        """Look at what is due; about once a second or more often."""
        self._sleep_watch.beat()
        self._root_watch.beat(now)
        self._file_watch.beat(now)
        if now >= self._next_look_for_room:
            self._next_look_for_room = now + _ROOM_INTERVAL
            self._start_what_fits()

    async def close(self) -> None:
        """Look no more."""
        await self._root_watch.close()
        await self._file_watch.close()
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)

    # Disks.

    async def look_at_roots(self) -> None:
        """Look at all roots before their torrents start."""
        looks = [self._root_watch.look(root.token) for root in self._roots.in_use]
        await asyncio.gather(*looks)

    async def accept_root(self, token: str) -> None:
        """What is at the root's place is the root, though its files are not there."""
        await self._root_watch.accept(token)

    def root_repointed(self, root: StorageRoot) -> None:
        """It has another path: its torrents follow, and somebody looks at once."""
        for member in self._members_in(root.token):
            if isinstance(member.stage, TorrentSession):
                member.stage.rearranging.follow_root()
        self._root_watch.repointed(root.token)

    def obstacle(self, torrent: InfoHash) -> StorageError | None:
        """Why a torrent's files cannot be used at the moment, as far as is known."""
        root = self._roots.root_of(torrent)
        return None if root is None else self._root_watch.error(root.token)

    async def see_root(self, torrent: InfoHash, within: float) -> None:
        """Look whether its storage root is there; see `engine.shared.DiskWatch`."""
        root = self._roots.root_of(torrent)
        if root is not None:
            await self.require_root(root.token, within)

    async def require_root(self, token: str, within: float = 0.0) -> None:
        """Look whether a storage root is there; see `engine.shared.DiskWatch`."""
        await self._root_watch.look(token, within=within)
        error = self._root_watch.error(token)
        if error is not None:
            raise error

    def paths_in_use(self, root: str, besides: InfoHash) -> set[str]:
        """The paths that other torrents use; see `engine.shared.DiskWatch`."""
        placements = [
            member.stage.disk.placement
            for info_hash, member in self._members.items()
            if info_hash != besides and isinstance(member.stage, TorrentSession)
        ]
        found = [placement.paths for placement in placements if placement.root == root]
        return set(chain.from_iterable(found))

    def disk_failed(self, torrent: InfoHash, error: StorageError) -> None:
        """A job of the torrent failed.

        If that was for lack of room, others need not try; else the whole disk may be gone.
        """
        root = self._roots.root_of(torrent)
        if root is not None and error.errno in _NO_ROOM:
            self._root_watch.no_room(root.token)
        elif root is not None and isinstance(error, RootUnavailableError):
            self._root_watch.lost(root.token, error)
        elif root is not None:
            self._root_watch.suspect(root.token)

    def root_lost(self, root: StorageRoot, error: RootUnavailableError) -> None:
        """Its torrents fail, and say why."""
        self._fail_all(root.token, error)

    def root_found(self, root: StorageRoot) -> None:
        """Its torrents go on."""
        for member in self._members_in(root.token):
            if isinstance(member.stage.error, RootUnavailableError):
                self._start(member)

    def root_full(self, root: StorageRoot, error: NoSpaceError) -> None:
        """Downloads wait in the error state; what seeds goes on."""
        for member in self._members_in(root.token):
            if member.stage.state is TorrentState.DOWNLOADING:
                member.stage.fail(error)

    def root_roomy(self, root: StorageRoot, free: int) -> None:
        """Downloads go on."""
        for member in self._members_in(root.token):
            if _lacks_room(member.stage.error):
                self._start(member)

    def files_expected(self, root: StorageRoot, *, whole: bool) -> Iterator[str]:
        """Paths of files that must be there; with `whole`, of those that nobody writes to."""
        for member in self._members_in(root.token):
            session = member.stage
            if isinstance(session, TorrentSession):
                files = (each for each in _expected(session) if each.is_whole or not whole)
                yield from (file.path for file in islice(files, _FILES_EXPECTED))

    def _fail_all(self, token: str, error: MillstreamError) -> None:
        for member in self._members_in(token):
            member.stage.fail(error)

    def _start_what_fits(self) -> None:
        """What did not fit when it began may fit now; what had no disk may have one."""
        for member in list(self._members.values()):
            error = member.stage.error
            if isinstance(error, NoSpaceError):
                token = member.root.token
                free = self._root_watch.free(token)
                if free is not None and free >= error.needed and not self._root_watch.full(token):
                    self._start(member)
            elif isinstance(error, RootUnavailableError) and self._is_there(member):
                # It was away for a moment, and came back between two looks.
                self._start(member)

    def _is_there(self, member: Membership) -> bool:
        return self._root_watch.state(member.root.token) is RootState.PRESENT

    def _start(self, member: Membership) -> None:
        task = asyncio.get_running_loop().create_task(self._go_on(member))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _go_on(self, member: Membership) -> None:
        if member.stage.state is TorrentState.ERROR:
            try:
                await member.stage.start()
            except MillstreamError as error:
                _LOG.bind(torrent=member.info_hash).warning("does not start again: %s", error)

    def _members_in(self, token: str) -> list[Membership]:
        found = [self._members.get(each) for each in self._roots.torrents_in(token)]
        return [member for member in found if member is not None]

    # Files.

    def _watched_torrents(self) -> list[WatchedSession]:
        return [
            WatchedSession(member, member.stage, self._root_watch)
            for member in self._members.values()
            if member.links and isinstance(member.stage, TorrentSession) and member.is_active
        ]

    # Clocks.

    def _jumped(self, jump: ClockJump) -> None:
        """After a sleep nobody knows who is still there: the trackers are asked at once."""
        if jump.is_gap:
            for member in self._members.values():
                if member.is_active:
                    member.woke_up()


class WatchedSession:
    """A torrent whose files are looked at: `engine.file_watch.WatchedTorrent`."""

    def __init__(self, member: Membership, session: TorrentSession, roots: RootWatch) -> None:
        self._member = member
        self._session = session
        self._roots = roots

    @property
    def info_hash(self) -> InfoHash:
        """Its name."""
        return self._member.info_hash

    @property
    def file_root(self) -> str:
        """The root of its files, for the file system."""
        return self._session.disk.placement.root

    def expected_files(self) -> Sequence[ExpectedFile]:
        """Its files that have verified bytes; none while they may be on their way."""
        return [] if self._session.disk.is_fenced else _expected(self._session)

    async def is_root_there(self) -> bool:
        """Whether its storage root is there."""
        return await self._roots.look(self._member.root.token) is RootState.PRESENT

    def files_changed(self, indexes: Sequence[int]) -> None:
        """These files are gone, cut or others."""
        self._session.files_changed(indexes)


def _expected(session: TorrentSession) -> list[ExpectedFile]:
    placement, count = session.disk.placement, session.geometry.piece_count
    in_parts = placement.in_parts
    return expected_files(
        session.layout,
        session.machine.need.have,
        count,
        lambda index: None if index in in_parts else placement.own_path(index),
    )


def _lacks_room(error: MillstreamError | None) -> bool:
    return isinstance(error, NoSpaceError) or (
        isinstance(error, StorageError) and error.errno in _NO_ROOM
    )
