"""Snapshots of a torrent for people and programs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from millstream.core.extension_exchange import ExtensionSide
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.peer import Peer
from millstream.core.torrent_state import TorrentState
from millstream.protocol.compact import PeerAddress
from millstream.protocol.peer_id import client_name


class PieceState(enum.IntEnum):
    """A piece as a piece map shows it."""

    MISSING = 0
    ACTIVE = 1
    HAVE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentStatus:
    """A torrent at one moment.

    Attributes:
        state: what it is doing.
        progress: the share of the wanted bytes that is verified, 0 to 1.
        metadata_progress: the share of the metadata that came, 0 to 1; a magnet's sizes below are
            0 until it is 1.
        pieces_have: verified pieces.
        piece_count: all pieces.
        checked_pieces: pieces looked at by the check that is running or was last run.
        bytes_done: verified bytes, of those that are wanted.
        total_length: all bytes that are wanted: of the selected files and their pieces.
        download_rate: bytes a second.
        upload_rate: bytes a second.
        downloaded: payload bytes that came since the torrent was added.
        uploaded: payload bytes that were sent.
        wasted: payload bytes that were of no use.
        peers: connected peers.
        seeds: those of them that have everything.
        eta: seconds until it is complete at the present rate; None if that cannot be said.
        error: why it stopped, in the error state.
        moving: the share of the files' bytes that is at the new place, 0 to 1, while they are moved
            to another root; else None.
    """

    state: TorrentState
    progress: float
    metadata_progress: float
    pieces_have: int
    piece_count: int
    checked_pieces: int
    bytes_done: int
    total_length: int
    download_rate: float
    upload_rate: float
    downloaded: int
    uploaded: int
    wasted: int
    peers: int
    seeds: int
    eta: float | None
    error: str | None
    moving: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """A connected peer at one moment.

    Attributes:
        address: where it is.
        client: what it says it is.
        incoming: whether it came to us.
        progress: the share of pieces it has, 0 to 1.
        download_rate: bytes a second from it.
        upload_rate: bytes a second to it.
        downloaded: payload bytes from it.
        uploaded: payload bytes to it.
        flags: in the clients' habit: `D` downloading, `d` we want but are choked, `U` uploading,
            `u` it wants but is choked, `S` snubbed, `I` incoming, `E` encrypted, `X` from peer
            exchange.
        source: how it became known: `user`, `tracker`, `pex`, `incoming`, `web seed` ...
        encryption: `rc4`, `plaintext` (only the handshake was obscured), or empty.
        peer_id: what it opened with (BEP 20); empty for a web seed.
        pieces_have: pieces it has.
        am_choking: whether we send it nothing.
        am_interested: whether it has something we want.
        peer_choking: whether it sends us nothing.
        peer_interested: whether we have something it wants.
    """

    address: PeerAddress
    client: str
    incoming: bool
    progress: float
    download_rate: float
    upload_rate: float
    downloaded: int
    uploaded: int
    flags: str
    source: str = ""
    encryption: str = ""
    peer_id: bytes = b""
    pieces_have: int = 0
    am_choking: bool = True
    am_interested: bool = False
    peer_choking: bool = True
    peer_interested: bool = False


class WebSeedState(enum.Enum):
    """What a web seed is to a torrent at the moment; the value is a word for the user."""

    IDLE = "idle"
    ACTIVE = "active"
    FAILED = "failed"
    BANNED = "banned"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSeedStatus:
    """A web seed of a torrent (BEP 19) at one moment.

    Attributes:
        url: as the torrent has it.
        state: idle while the torrent downloads nothing; failed until it is tried again; banned for
            good if it sent corrupt data; unusable if its URL is none.
        error: what went wrong last, in words; of an active one, which file it cannot give.
        next_try: seconds until it is tried again; None if that is not planned.
        downloaded: payload bytes from it.
    """

    url: str
    state: WebSeedState
    error: str | None = None
    next_try: float | None = None
    downloaded: int = 0


def peer_status(peer: Peer | MetadataPeer, source: str, encryption: str, now: float) -> PeerStatus:
    """A snapshot of a connected peer at `now`, monotonic seconds."""
    flags, progress, down, up = "", 0.0, 0.0, 0.0
    downloaded = uploaded = pieces_have = 0
    am_choking, am_interested, peer_choking, peer_interested = True, False, True, False
    if isinstance(peer, Peer):
        am_choking, am_interested = peer.am_choking, peer.am_interested
        peer_choking, peer_interested = peer.peer_choking, peer.peer_interested
        pieces_have = peer.pieces.bit_count()
        flags = ("d" if peer.peer_choking else "D") * peer.am_interested
        flags += ("u" if peer.am_choking else "U") * peer.peer_interested
        flags += "S" * peer.snubbed
        progress = pieces_have / peer.piece_count
        down, up = peer.downloaded.rate(now), peer.uploaded.rate(now)
        downloaded, uploaded = peer.downloaded.total, peer.uploaded.total
    flags += "I" * peer.incoming + "E" * bool(encryption) + "X" * (source == "pex")
    return PeerStatus(
        address=peer.address,
        client=_client(peer),
        incoming=peer.incoming,
        progress=progress,
        download_rate=down,
        upload_rate=up,
        downloaded=downloaded,
        uploaded=uploaded,
        flags=flags,
        source=source,
        encryption=encryption,
        peer_id=peer.peer_id,
        pieces_have=pieces_have,
        am_choking=am_choking,
        am_interested=am_interested,
        peer_choking=peer_choking,
        peer_interested=peer_interested,
    )


def _client(peer: Peer | MetadataPeer) -> str:
    """What the peer calls itself (BEP 10), or its peer id says (BEP 20)."""
    side = peer.extensions
    if isinstance(side, ExtensionSide) and side.handshake is not None and side.handshake.client:
        return side.handshake.client
    return client_name(peer.peer_id)
