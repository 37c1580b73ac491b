"""A torrent at one moment, with all that a display may show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream import PeerStatus, TorrentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is shown of a torrent.

    Attributes:
        name: what it is called; as hostile as any text from the network.
        status: how it stands.
        pieces: a byte for each piece as of `Torrent.piece_states()`; empty for a magnet at first.
        waiting_for: why it has no peers, in words; empty if it has some, or needs none.
        peers: the connected peers; None if nobody asked for them.
    """

    name: str
    status: TorrentStatus
    pieces: bytes = b""
    waiting_for: str = ""
    peers: Sequence[PeerStatus] | None = None
