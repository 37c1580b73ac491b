"""What a torrent is at the moment, as its membership sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.peer import Peer
from millstream.core.torrent_state import TorrentState
from millstream.engine.link import Link
from millstream.engine.status import PeerStatus, TorrentStatus
from millstream.errors import MillstreamError
from millstream.interfaces.disk import DiskResult
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.handshake import Handshake

AnyPeer = Peer | MetadataPeer


class Stage(Protocol):
    """A magnet that fetches its metadata (`engine.magnet`), or a torrent (`engine.session`)."""

    @property
    def state(self) -> TorrentState:
        """What it is doing."""

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""

    @property
    def is_complete(self) -> bool:
        """Whether it wants nothing of anyone, not even to be connected."""

    @property
    def is_finished(self) -> bool:
        """Whether every wanted piece is verified, as far as is known."""

    @property
    def bytes_left(self) -> int:
        """What is not verified of all that the torrent has, wanted or not (BEP 3, `left`)."""

    def make_peer(self, link: Link, handshake: Handshake) -> AnyPeer:
        """The peer behind a link that is admitted."""

    def peer_admitted(self, peer: AnyPeer) -> None:
        """The peer is greeted and may be spoken to."""

    def peer_gone(self, link: Link) -> None:
        """The link is closed."""

    def touched(self, link: Link) -> None:
        """Messages came from a peer."""

    def drained(self) -> None:
        """A link can send again."""

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """A peer told what it understands and can take."""

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """A peer wants nothing any more, or something again."""

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """A peer lost a piece."""

    @property
    def is_tended(self) -> bool:
        """Whether time alone may bring something about, though it has no peers."""

    def web_seed_statuses(self, now: float) -> list[PeerStatus]:
        """The web seeds at work, as peers."""

    def resume(self) -> None:
        """The disk can take more again."""

    def metadata_fetched(self, info: bytes) -> None:
        """The info dictionary is here."""

    def gather(self, results: list[DiskResult]) -> None:
        """Take the disk's results."""

    def process(self, now: float) -> bool:
        """Do what is due by time; whether this was a beat."""

    def request(self, now: float) -> None:
        """Ask peers for blocks."""

    def output(self, now: float) -> None:
        """Give pieces to the disk, and news and data to the peers."""

    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state."""

    @property
    def error(self) -> MillstreamError | None:
        """Why it is in the error state."""

    @property
    def transferred(self) -> tuple[int, int]:
        """Payload bytes uploaded and downloaded since it was added."""

    def status(self) -> TorrentStatus:
        """A snapshot."""

    async def start(self) -> None:
        """Go on after a stop, an error or a wait; without a turn, wait for it."""

    async def stop(self, after: TorrentState = TorrentState.STOPPED) -> None:
        """Come to rest: stopped, or, of one that is active, queued."""

    def when_at_rest(self, then: Callable[[], None]) -> None:
        """Call this once nothing is done to its files in the background: now, as a rule."""

    async def leave(self) -> None:
        """The torrent is about to leave the engine: begin nothing new, and end what is under way."""

    def close(self) -> None:
        """The torrent leaves the engine: free what it holds."""
