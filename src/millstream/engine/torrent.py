"""The public face of a torrent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from millstream.core.torrent_state import TorrentState
from millstream.engine.events import EventStream, StateChanged
from millstream.engine.session import TorrentSession
from millstream.engine.status import PeerStatus, PieceState, TorrentStatus
from millstream.errors import EngineClosedError, MillstreamError, TorrentFailedError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name

_BIT_TO_STATE = bytes.maketrans(b"01", bytes([PieceState.MISSING, PieceState.HAVE]))


class Torrent:
    """A torrent in an engine; made by `Engine.add`."""

    def __init__(self, session: TorrentSession) -> None:
        self._session = session
        self._gone = False

    def __repr__(self) -> str:
        return f"<Torrent {self.name!r} {self.info_hash} {self.state.value}>"

    @property
    def metainfo(self) -> Metainfo:
        """What the torrent file says."""
        return self._session.metainfo

    @property
    def info_hash(self) -> InfoHash:
        """The torrent's name in the network."""
        return self._session.metainfo.info_hash

    @property
    def name(self) -> str:
        """The torrent's name for people; as hostile as any string from the network."""
        return self._session.metainfo.name

    @property
    def save_path(self) -> str:
        """The directory under which its files are."""
        return self._session.root

    @property
    def state(self) -> TorrentState:
        """What it is doing."""
        return self._session.machine.state

    @property
    def error(self) -> MillstreamError | None:
        """Why it is in the error state."""
        return self._session.error

    def status(self) -> TorrentStatus:
        """A snapshot."""
        session = self._session
        machine = session.machine
        now = asyncio.get_running_loop().time()
        peers = list(machine.peers.values())
        rate = sum(peer.downloaded.rate(now) for peer in peers)
        total = session.geometry.total_length
        left = total - session.bytes_done
        return TorrentStatus(
            state=machine.state,
            progress=session.bytes_done / total,
            pieces_have=machine.download.have.bit_count(),
            piece_count=session.geometry.piece_count,
            checked_pieces=session.checked_pieces,
            bytes_done=session.bytes_done,
            total_length=total,
            download_rate=rate,
            upload_rate=sum(peer.uploaded.rate(now) for peer in peers),
            downloaded=session.departed_downloaded + sum(p.downloaded.total for p in peers),
            uploaded=session.departed_uploaded + sum(p.uploaded.total for p in peers),
            wasted=machine.download.wasted,
            peers=len(peers),
            seeds=sum(peer.is_seed for peer in peers),
            eta=left / rate if rate and machine.state is TorrentState.DOWNLOADING else None,
            error=str(session.error) if session.error else None,
        )

    def piece_states(self) -> bytes:
        """One `PieceState` a piece, for a map of the torrent."""
        machine, count = self._session.machine, self._session.geometry.piece_count
        states = bytearray(f"{machine.download.have:0{count}b}".encode().translate(_BIT_TO_STATE))
        for piece in machine.download.active:
            states[piece.index] = PieceState.ACTIVE
        return bytes(states)

    def peers(self) -> list[PeerStatus]:
        """The connected peers."""
        now = asyncio.get_running_loop().time()
        count = self._session.geometry.piece_count
        return [
            PeerStatus(
                address=peer.address,
                client=client_name(peer.peer_id),
                incoming=peer.incoming,
                progress=peer.pieces.bit_count() / count,
                download_rate=peer.downloaded.rate(now),
                upload_rate=peer.uploaded.rate(now),
                downloaded=peer.downloaded.total,
                uploaded=peer.uploaded.total,
                flags=("d" if peer.peer_choking else "D") * peer.am_interested
                + ("u" if peer.am_choking else "U") * peer.peer_interested,
            )
            for peer in self._session.machine.peers.values()
        ]

    def add_peer(self, address: PeerAddress | str) -> None:
        """Tell it of a peer (`host:port`). Raises MalformedDataError for no such address."""
        if isinstance(address, str):
            address = PeerAddress.parse(address)
        self._session.add_peers([address])

    def events(self) -> EventStream:
        """Everything that happens from now on; ends when the torrent leaves the engine."""
        return self._session.hub.subscribe()

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

    async def wait_checked(self) -> None:
        """Return when the files were checked. Raises TorrentFailedError or EngineClosedError."""
        await self._wait_while({TorrentState.CHECKING})

    async def wait_complete(self) -> None:
        """Return when every piece is verified. Raises TorrentFailedError or EngineClosedError."""
        await self._wait_while(
            {TorrentState.CHECKING, TorrentState.DOWNLOADING, TorrentState.STOPPED}
        )

    async def start(self) -> None:
        """Go on after `stop` or an error; what was verified is not checked again."""
        session = self._session
        if session.machine.is_active or self.state is TorrentState.CHECKING:
            return
        # After an error, other jobs that failed may still be on their way from the disk.
        await session.stop()
        if session.checked_pieces < session.geometry.piece_count:
            session.check()
        else:
            session.machine.go_on()

    async def stop(self) -> None:
        """Disconnect all peers; pieces at the disk are finished."""
        await self._session.stop()

    async def recheck(self) -> None:
        """Check all files again, in the background."""
        await self._session.stop()
        self._session.check()

    def gone(self) -> None:
        """The torrent left its engine."""
        self._gone = True
        self._session.close()

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
        stream = self._session.hub.subscribe()
        try:
            yield stream
        finally:
            self._session.hub.unsubscribe(stream)
