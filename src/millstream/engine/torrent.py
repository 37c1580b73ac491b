"""The public face of a torrent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

from millstream.core.piece_set import members
from millstream.core.swarm import PeerSource
from millstream.core.torrent_state import TorrentState
from millstream.engine.events import Event, EventStream, StateChanged
from millstream.engine.membership import Membership
from millstream.engine.status import (
    PeerStatus,
    PieceState,
    TorrentStatus,
    WebSeedState,
    WebSeedStatus,
)
from millstream.engine.torrent_files import TorrentFiles
from millstream.engine.torrent_wishes import TorrentWishes
from millstream.errors import MillstreamError, TorrentFailedError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.tracker.announcer import TrackerStatus

_AT_AN_END = {TorrentState.STOPPED, TorrentState.ERROR}
_BIT_TO_STATE = bytes.maketrans(b"01", bytes([PieceState.MISSING, PieceState.HAVE]))


class Torrent(TorrentFiles, TorrentWishes):
    """A torrent in an engine; made by `Engine.add`."""

    def __init__(self, membership: Membership) -> None:
        super().__init__(membership)
        self._gone = False

    def __repr__(self) -> str:
        return f"<Torrent {self.name!r} {self.info_hash} {self.state.value}>"

    @property
    def magnet(self) -> Magnet:
        """A magnet link to it, with its trackers and web seeds."""
        return self._membership.magnet

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
        # Here, as in `engine.idle_watch`.
        from millstream.engine.idle_facts import find_idleness  # noqa: PLC0415

        found = find_idleness(self._membership, asyncio.get_running_loop().time())
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

    def reannounce(self) -> None:
        """Ask the trackers for peers now, as far as they allow."""
        self._membership.announcing.reannounce()

    def piece_states(self) -> bytes:
        """One `PieceState` a piece, for a map of the torrent; empty before its metadata is here."""
        if not self.has_metadata:
            return b""
        machine, count = self._session.machine, self._session.geometry.piece_count
        states = bytearray(f"{machine.need.have:0{count}b}".encode().translate(_BIT_TO_STATE))
        for piece in machine.active:
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

        The last one is that of a torrent that is complete, with its files under their names, or
        that is stopped or in error.
        """
        while True:
            status = self.status()
            is_complete = status.state is TorrentState.SEEDING
            is_over = self._session.is_at_rest if is_complete else status.state in _AT_AN_END
            yield status
            if self._gone or is_over:
                return
            with self._watch() as watch, suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    if is_complete:
                        await self._session.at_rest()
                        continue
                    async for event in watch:
                        if isinstance(event, StateChanged):
                            break

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
        """Return when every piece is verified, and all files have their names.

        Raises TorrentFailedError or EngineClosedError.
        """
        await self._wait_while(
            {
                TorrentState.FETCHING_METADATA,
                TorrentState.CHECKING,
                TorrentState.DOWNLOADING,
                TorrentState.STOPPED,
                TorrentState.QUEUED,
            }
        )
        if self.has_metadata:
            await self._session.at_rest()

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
        """Check all files again, in the background; `stop` ends that.

        One that is stopped is stopped again afterwards. `TorrentStatus.checked_pieces` says how far
        it is. Raises MetadataPendingError.
        """
        session = self._session
        await self._membership.rest()
        while session.inventory.is_running:
            await self._membership.rest()  # somebody began another check meanwhile
        session.inventory.distrust()
        session.check()

    async def remember(self) -> None:
        """Save it now, not within a second; nothing is done without a session. Raises StorageError."""
        await self._membership.remember()

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
            raise self._membership.departure

    @contextmanager
    def _watch(self) -> Iterator[EventStream]:
        stream = self._membership.hub.subscribe()
        try:
            yield stream
        finally:
            self._membership.hub.unsubscribe(stream)
