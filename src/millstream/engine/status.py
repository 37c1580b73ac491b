"""Snapshots of a torrent for people and programs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from millstream.core.torrent_state import TorrentState
from millstream.protocol.compact import PeerAddress


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
        pieces_have: verified pieces.
        piece_count: all pieces.
        checked_pieces: pieces looked at by the check that is running or was last run.
        bytes_done: verified bytes.
        total_length: all bytes.
        download_rate: bytes a second.
        upload_rate: bytes a second.
        downloaded: payload bytes that came since the torrent was added.
        uploaded: payload bytes that were sent.
        wasted: payload bytes that were of no use.
        peers: connected peers.
        seeds: those of them that have everything.
        eta: seconds until it is complete at the present rate; None if that cannot be said.
        error: why it stopped, in the error state.
    """

    state: TorrentState
    progress: float
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
        flags: in libtorrent clients' habit: `D` downloading, `d` we want but are choked,
            `U` uploading, `u` it wants but is choked.
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
