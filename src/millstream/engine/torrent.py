"""The public face of a torrent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike

from millstream.core.file_priority import FilePriority
from millstream.core.goals import Goals
from millstream.core.idleness import why_idle
from millstream.core.piece_set import members
from millstream.core.swarm import PeerSource
from millstream.core.torrent_state import TorrentState
from millstream.engine.events import Event, EventStream, StateChanged
from millstream.engine.file_choice import FileChoice
from millstream.engine.idle_facts import idle_facts
from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.engine.status import (
    PeerStatus,
    PieceState,
    TorrentStatus,
    WebSeedState,
    WebSeedStatus,
)
from millstream.errors import (
    ConfigError,
    EngineClosedError,
    MetadataPendingError,
    MillstreamError,
    TorrentFailedError,
)
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.storage.renaming import rename_file, rename_folder
from millstream.storage.roots import StorageRoot
from millstream.tracker.announcer import TrackerStatus

_BIT_TO_STATE = bytes.maketrans(b"01", bytes([PieceState.MISSING, PieceState.HAVE]))


class Torrent:
    """A torrent in an engine; made by `Engine.add`."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._gone = False

    def __repr__(self) -> str:
        return f"<Torrent {self.name!r} {self.info_hash} {self.state.value}>"

    @property
    def _session(self) -> TorrentSession:
        """The torrent with pieces. Raises MetadataPendingError."""
        stage = self._membership.stage
        if isinstance(stage, TorrentSession):
            return stage
        raise MetadataPendingError(f"the metadata of {self.name!r} is not here yet")

    @property
    def has_metadata(self) -> bool:
        """Whether its files and pieces are known; a magnet's are not at first."""
        return isinstance(self._membership.stage, TorrentSession)

    @property
    def metainfo(self) -> Metainfo:
        """What the torrent file says. Raises MetadataPendingError."""
        return self._session.metainfo

    @property
    def info_hash(self) -> InfoHash:
        """The torrent's name in the network."""
        return self._membership.info_hash

    @property
    def name(self) -> str:
        """The torrent's name for people; as hostile as any string from the network."""
        return self._session.metainfo.name if self.has_metadata else self._membership.name

    @property
    def magnet(self) -> Magnet:
        """A magnet link to it, with its trackers and web seeds."""
        return self._membership.magnet

    @property
    def save_path(self) -> str:
        """The directory under which its files are."""
        return self._membership.root.path

    @property
    def state(self) -> TorrentState:
        """What it is doing."""
        return self._membership.stage.state

    @property
    def error(self) -> MillstreamError | None:
        """Why it is in the error state."""
        return self._membership.stage.error

    def status(self) -> TorrentStatus:
        """A snapshot."""
        return self._membership.stage.status()

    def why_idle(self) -> str:
        """Why no data comes, or goes while it seeds; empty if some does, or if files are checked.

        It says what a user would ask next: that no peers are known, that all choke us, that the
        disk or a rate limit holds it up, that the trackers fail. What it quotes of a tracker is as
        hostile as any string from the network.
        """
        found = why_idle(idle_facts(self._membership, asyncio.get_running_loop().time()))
        return "" if found is None else found.text

    def trackers(self) -> list[TrackerStatus]:
        """Its trackers and how they answered, in tiers."""
        return self._membership.announcing.trackers()

    def web_seeds(self) -> list[WebSeedStatus]:
        """Its web seeds (BEP 19) and how they fare, in the torrent's order."""
        if not self.has_metadata:
            urls = self.magnet.web_seeds
            return [WebSeedStatus(url=url, state=WebSeedState.IDLE) for url in urls]
        return self._session.web_seeds.statuses(asyncio.get_running_loop().time())

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """Its own limits, down and up: bytes a second, or None."""
        return self._membership.limits.download, self._membership.limits.upload

    def set_limits(self, *, download: int | None, upload: int | None) -> None:
        """Limit this torrent, in bytes a second; None: no limit of its own. Raises ConfigError."""
        self._membership.limits.set(download=download, upload=upload)
        self._membership.changed()

    def reannounce(self) -> None:
        """Ask the trackers for peers now, as far as they allow."""
        self._membership.announcing.reannounce()

    async def select_files(self, indexes: Iterable[int] | None) -> None:
        """Want only these files (numbers from 0, in the metainfo's order); None wants all.

        Files that were wanted and still are keep their priority, the others get the normal one.
        Raises as `set_file_priorities`.
        """
        count = len(self.metainfo.files)
        wanted = FileChoice.of_selection(indexes, count)
        now = self._session.rearranging.choice
        changes = {
            index: (now.of(index) or FilePriority.NORMAL)
            if wanted.wants(index)
            else FilePriority.SKIP
            for index in range(count)
        }
        await self._session.rearranging.choose(now.changed(changes, count))

    async def set_file_priorities(self, priorities: Mapping[int, FilePriority]) -> None:
        """Want files more, less, or not at all, by their numbers in the metainfo's order, from 0.

        A piece that files share comes if one of them is wanted; what it has of a skipped file is
        kept beside the files, in a hidden `.parts` file, until that is wanted as well. Returns when
        all files have their place.

        Raises:
            MetadataPendingError: its files are not known yet.
            ConfigError: there is no such file or priority.
            StorageError: a file that is wanted now could not be made; it stays skipped.
        """
        rearranging = self._session.rearranging
        count = len(self.metainfo.files)
        await rearranging.choose(rearranging.choice.changed(priorities, count))

    def file_priorities(self) -> list[FilePriority]:
        """The priority of each file, in the metainfo's order. Raises MetadataPendingError."""
        choice = self._session.rearranging.choice
        return [choice.of(index) for index in range(len(self.metainfo.files))]

    async def move(
        self, save_path: str | PathLike[str] | None = None, *, root: str | None = None
    ) -> None:
        """Move its files to another place; it goes on meanwhile, as far as no file is needed.

        Args:
            save_path: the directory under which they are to be.
            root: the token of a storage root, instead.

        Raises:
            ConfigError: neither was said, or there is no such root.
            StorageError: a file is in the way there, or does not fit, or cannot be moved. All is as
                it was.
            UnfinishedMoveError: nor could all be moved back. The torrent fails, and goes on with the
                move when it is started again.
        """
        roots = self._membership.roots
        if (save_path is None) == (root is None):
            raise ConfigError("move: say either a directory or a storage root")
        target = roots.get(root) if root is not None else roots.for_path(save_path or "")
        if self.has_metadata:
            await self._session.rearranging.move(target)
        else:
            roots.assign(self.info_hash, target.token)
            self._membership.changed()

    async def rename_file(self, index: int, path: str) -> None:
        """Give a file another path below the torrent's place, `/` between its parts.

        Raises:
            MetadataPendingError: its files are not known yet.
            ConfigError: there is no such file, or it cannot have this path; the message says why.
            StorageError: something is there already, or it cannot be renamed.
        """
        rearranging = self._session.rearranging
        await rearranging.rename(rename_file(self._session.disk.placement, index, path))

    async def rename_folder(self, folder: str, path: str) -> None:
        """Give a directory of the torrent, the top one for one, another path. See `rename_file`."""
        rearranging = self._session.rearranging
        await rearranging.rename(rename_folder(self._session.disk.placement, folder, path))

    def file_paths(self) -> list[str | None]:
        """Where each file is below `save_path`; None for padding. Raises MetadataPendingError.

        The bytes of a skipped file may be in the parts file instead.
        """
        placement = self._session.disk.placement
        return [placement.own_path(index) for index in range(len(placement.layout.files))]

    @property
    def root(self) -> StorageRoot:
        """What its files are under."""
        return self._membership.root

    @property
    def sequential(self) -> bool:
        """Whether pieces are fetched in order instead of the rarest first.

        Raises MetadataPendingError.
        """
        return self._session.machine.download.picker.sequential

    @sequential.setter
    def sequential(self, wanted: bool) -> None:
        self._session.machine.download.picker.sequential = wanted
        self._membership.changed()

    @property
    def first_last_first(self) -> bool:
        """Whether the first and last pieces of files come before all others, for players.

        Raises MetadataPendingError.
        """
        return self._session.rearranging.choice.first_last

    @first_last_first.setter
    def first_last_first(self, wanted: bool) -> None:
        self._session.rearranging.prefer_ends(wanted=wanted)

    @property
    def super_seeding(self) -> bool:
        """Whether peers are shown one piece at a time, as the only seed does (BEP 16).

        It ends by itself when there is a second seed. Peers that are connected when it is set know
        what we have already. Raises MetadataPendingError.
        """
        return self._session.machine.super_seeding

    @super_seeding.setter
    def super_seeding(self, wanted: bool) -> None:
        self._session.machine.super_seeding = wanted

    def piece_states(self) -> bytes:
        """One `PieceState` a piece, for a map of the torrent; empty before its metadata is here."""
        if not self.has_metadata:
            return b""
        machine, count = self._session.machine, self._session.geometry.piece_count
        states = bytearray(f"{machine.download.have:0{count}b}".encode().translate(_BIT_TO_STATE))
        for piece in machine.download.active:
            states[piece.index] = PieceState.ACTIVE
        return bytes(states)

    def peers(self) -> list[PeerStatus]:
        """The connected peers."""
        return self._membership.peers()

    def add_peer(self, address: PeerAddress | str) -> None:
        """Tell it of a peer (`host:port`). Raises MalformedDataError for no such address."""
        if isinstance(address, str):
            address = PeerAddress.parse(address)
        self._membership.add_peers([address], PeerSource.USER)

    def disconnect_peer(self, address: PeerAddress | str) -> bool:
        """Close the connection to a peer; it may come back. Raises MalformedDataError.

        Returns:
            Whether there was one.
        """
        if isinstance(address, str):
            address = PeerAddress.parse(address)
        links = [each for each in self._membership.links.values() if each.address == address]
        for link in links:
            link.close("disconnected by the user")
        return bool(links)

    @property
    def max_peers(self) -> int | None:
        """How many connections it may have; None: as many as `SwarmConfig` says."""
        return self._membership.max_connections

    @max_peers.setter
    def max_peers(self, most: int | None) -> None:
        """Raises ConfigError; the range is 1 up."""
        if most is not None and most < 1:
            raise ConfigError(f"max_peers is {most}; it must be 1 or more, or None")
        self._membership.limit_connections(most)
        self._membership.changed()
        if most is not None:
            # The newest go: the others have proven themselves.
            for link in list(self._membership.links.values())[most:]:
                link.close("the torrent may have fewer connections now")
        self._membership.wake()

    def availability(self) -> list[int]:
        """How many connected peers have each piece; empty before the metadata is here."""
        if not self.has_metadata:
            return []
        machine = self._session.machine
        counts = [0] * self._session.geometry.piece_count
        for peer in machine.peers.values():
            for piece in members(peer.pieces, len(counts)):
                counts[piece] += 1
        return counts

    # The queue, and when it has seeded enough.

    @property
    def queue_position(self) -> int:
        """Its place in the engine's order, from 0; `Engine.queue` moves several at once."""
        return self._membership.queue.order.position(self.info_hash)

    @queue_position.setter
    def queue_position(self, position: int) -> None:
        self._membership.queue.place(self.info_hash, position)
        self._membership.changed()

    @property
    def is_auto_managed(self) -> bool:
        """Whether the queue decides when it runs."""
        return self._membership.is_auto_managed

    @is_auto_managed.setter
    def is_auto_managed(self, wanted: bool) -> None:
        self._membership.is_auto_managed = wanted
        self._membership.queue.exemption_changed(self._membership)
        self._membership.changed()

    @property
    def is_forced(self) -> bool:
        """Whether it runs without regard to the queue's limits and to goals."""
        return self._membership.is_forced

    @is_forced.setter
    def is_forced(self, wanted: bool) -> None:
        self._membership.is_forced = wanted
        self._membership.queue.exemption_changed(self._membership)
        self._membership.changed()

    @property
    def goals(self) -> Goals:
        """Its own goals, and which of them are those of all torrents."""
        return self._membership.goals or Goals()

    def set_goals(self, goals: Goals) -> None:
        """Say when it has seeded enough; what it reached before is forgotten."""
        self._membership.goals = None if goals == Goals() else goals
        self._membership.goals_reached = False
        self._membership.changed()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call this with every event as it happens, until the torrent leaves the engine.

        It must be quick and raise nothing. Who has time, or many words, takes `events`.
        """
        self._membership.hub.listen(listener)

    def unlisten(self, listener: Callable[[Event], None]) -> None:
        """Call it no more."""
        self._membership.hub.unlisten(listener)

    def events(self) -> EventStream:
        """Everything that happens from now on; ends when the torrent leaves the engine."""
        return self._membership.hub.subscribe()

    async def progress(self, interval: float = 0.5) -> AsyncIterator[TorrentStatus]:
        """Status after status, every `interval` seconds.

        The last one is that of a torrent that is complete, stopped or in error.
        """
        while True:
            status = self.status()
            yield status
            if self._gone or status.state in {
                TorrentState.SEEDING,
                TorrentState.STOPPED,
                TorrentState.ERROR,
            }:
                return
            with self._watch() as watch:
                try:
                    async with asyncio.timeout(interval):
                        async for event in watch:
                            if isinstance(event, StateChanged):
                                break
                except TimeoutError:
                    continue

    async def wait_metadata(self) -> Metainfo:
        """Return when its files and pieces are known. Raises TorrentFailedError or EngineClosedError."""
        while not self.has_metadata:
            await self._wait_while(
                {TorrentState.FETCHING_METADATA, TorrentState.STOPPED, TorrentState.QUEUED}
            )
        return self.metainfo

    async def wait_checked(self) -> None:
        """Return when the files were checked. Raises TorrentFailedError or EngineClosedError."""
        await self._wait_while({TorrentState.FETCHING_METADATA, TorrentState.CHECKING})

    async def wait_complete(self) -> None:
        """Return when every piece is verified. Raises TorrentFailedError or EngineClosedError."""
        await self._wait_while(
            {
                TorrentState.FETCHING_METADATA,
                TorrentState.CHECKING,
                TorrentState.DOWNLOADING,
                TorrentState.STOPPED,
                TorrentState.QUEUED,
            }
        )

    async def start(self) -> None:
        """Go on after `stop` or an error; what was verified is not checked again."""
        self._set_stopped(stopped=False)
        await self._membership.stage.start()

    async def stop(self) -> None:
        """Disconnect all peers, and say so to the trackers; pieces at the disk are finished."""
        self._set_stopped(stopped=True)
        await self._membership.stop()

    def _set_stopped(self, *, stopped: bool) -> None:
        self._membership.is_stopped_by_user = stopped
        self._membership.changed()

    async def recheck(self) -> None:
        """Check all files again, in the background. Raises MetadataPendingError."""
        session = self._session
        await self._membership.rest()
        session.inventory.claims = None
        session.check()

    def gone(self) -> None:
        """The torrent left its engine."""
        self._gone = True
        self._membership.close()

    async def _wait_while(self, states: set[TorrentState]) -> None:
        with self._watch() as watch:
            while self.state in states and not self._gone:
                async for _ in watch:
                    break
        if self.state is TorrentState.ERROR:
            raise TorrentFailedError(str(self.error))
        if self._gone and self.state in states:
            raise EngineClosedError(f"{self.name!r} left the engine")

    @contextmanager
    def _watch(self) -> Iterator[EventStream]:
        stream = self._membership.hub.subscribe()
        try:
            yield stream
        finally:
            self._membership.hub.unsubscribe(stream)
