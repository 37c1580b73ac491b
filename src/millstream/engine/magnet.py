"""A torrent of which only the infohash is known: it has peers, and asks them for the metadata."""

from __future__ import annotations

from collections.abc import Callable

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.torrent import BEAT
from millstream.core.torrent_state import TorrentState
from millstream.engine import events
from millstream.engine.link import Link
from millstream.engine.membership import Membership
from millstream.engine.stage import AnyPeer
from millstream.engine.status import PeerStatus, TorrentStatus
from millstream.errors import MillstreamError
from millstream.interfaces.disk import DiskResult
from millstream.protocol import messages
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.handshake import Handshake, Reserved


class MagnetStage:
    """A membership's stage until the metadata is here.

    Args:
        membership: whose stage it is.
        arrived: called in a tick with the info dictionary, once; may raise MillstreamError if it
            makes no usable torrent.

    Attributes:
        state: fetching metadata, stopped, or error.
        error: why it is in the error state.
    """

    is_complete = False
    is_finished = False
    # Before the sizes are known something is left, or a tracker would take us for a seed.
    bytes_left = 1

    def __init__(self, membership: Membership, arrived: Callable[[bytes], None]) -> None:
        self.state = TorrentState.STOPPED
        self.error: MillstreamError | None = None
        self._membership = membership
        self._arrived = arrived
        self._info: bytes | None = None
        self._next_beat = 0.0

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        return self.state is TorrentState.FETCHING_METADATA

    async def start(self) -> None:
        """Begin to ask for the metadata, or wait for the turn to do so.

        What came already is tried again, with the same result.
        """
        has_turn = self._membership.has_turn
        self._set_state(TorrentState.FETCHING_METADATA if has_turn else TorrentState.QUEUED)

    async def stop(self, after: TorrentState = TorrentState.STOPPED) -> None:
        """Disconnect everyone."""
        if after is TorrentState.STOPPED or self.is_active:
            self._set_state(after)
        self._close_links(f"torrent is {self.state.value}")

    def when_at_rest(self, then: Callable[[], None]) -> None:
        """There are no files."""
        then()

    async def leave(self) -> None:
        """Nothing is under way that stopping does not end."""

    def close(self) -> None:
        """Nothing is held here."""

    def _set_state(self, after: TorrentState) -> None:
        before, self.state = self.state, after
        if before is not after:
            if after is not TorrentState.ERROR:
                self.error = None
            self._membership.state_changed(before, after)

    def _close_links(self, reason: str) -> None:
        for link in list(self._membership.links.values()):
            link.close(reason)

    @property
    def transferred(self) -> tuple[int, int]:
        """Nothing was."""
        return 0, 0

    def status(self) -> TorrentStatus:
        """A snapshot."""
        return TorrentStatus(
            state=self.state,
            progress=0.0,
            metadata_progress=self._membership.metadata_progress,
            pieces_have=0,
            piece_count=0,
            checked_pieces=0,
            bytes_done=0,
            total_length=0,
            download_rate=0.0,
            upload_rate=0.0,
            downloaded=0,
            uploaded=0,
            wasted=0,
            peers=len(self._membership.links),
            seeds=0,
            eta=None,
            error=str(self.error) if self.error else None,
        )

    # engine.membership.Stage

    def make_peer(self, link: Link, handshake: Handshake) -> AnyPeer:
        """The peer behind a link that is admitted."""
        return MetadataPeer(
            link.id,
            link.address,
            link,
            peer_id=handshake.peer_id,
            fast=bool(handshake.reserved & Reserved.FAST),
            incoming=link.incoming,
            now=link.last_received_at,
        )

    def peer_admitted(self, peer: AnyPeer) -> None:
        """Say that we have nothing; see `TorrentMachine.add_peer`."""
        peer.link.send(messages.HAVE_NONE if peer.fast else messages.KEEP_ALIVE)

    def peer_gone(self, link: Link) -> None:
        """Nothing is held for a peer here."""

    def touched(self, link: Link) -> None:
        """Messages came from a peer."""

    def drained(self) -> None:
        """A link can send again."""

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """Kept by the peer's side, for later."""

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """It says so again when it matters, or the handshake did."""

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """A peer lost a piece (BEP 54)."""
        link = self._membership.links.get(connection)
        if link is not None and isinstance(link.peer, MetadataPeer):
            link.peer.receive_dont_have(index)

    @property
    def is_tended(self) -> bool:
        """Whether time alone may bring something about, though it has no peers."""
        return False

    def web_seed_statuses(self, now: float) -> list[PeerStatus]:
        """Nothing can be fetched before it is known what."""
        return []

    def resume(self) -> None:
        """The disk holds nothing up here."""

    def metadata_fetched(self, info: bytes) -> None:
        """The metadata is here; the next tick goes on from it."""
        self._info = info

    def gather(self, results: list[DiskResult]) -> None:
        """There are no jobs at the disk."""

    def process(self, now: float) -> bool:
        """Go on as a torrent once the metadata is here; whether this was a beat."""
        if self._info is not None and self.is_active:
            self._go_on(self._info)
            return False
        beat = now >= self._next_beat
        if beat:
            self._next_beat = now + 0.9 * BEAT
        return beat

    def _go_on(self, info: bytes) -> None:
        try:
            self._arrived(info)
        except MillstreamError as error:
            self._membership.journal.metadata_refused(error)
            self.fail(error)

    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state."""
        if self.state in {TorrentState.ERROR, TorrentState.STOPPED}:
            return
        self.error = error
        self._set_state(TorrentState.ERROR)
        self._membership.tell(events.TorrentFailed(error))
        self._close_links("torrent is in error")

    def request(self, now: float) -> None:
        """Metadata is asked for as answers come, by `core.extension_exchange`."""

    def output(self, now: float) -> None:
        """There are no pieces."""
