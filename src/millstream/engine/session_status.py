"""A snapshot of a torrent with pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.core.torrent_state import TorrentState
from millstream.engine.membership import Membership
from millstream.engine.status import TorrentStatus

if TYPE_CHECKING:
    from millstream.engine.session import TorrentSession


def session_status(session: TorrentSession, membership: Membership, now: float) -> TorrentStatus:
    """The torrent at `now`, by the loop's time."""
    machine = session.machine
    peers = list(machine.peers.values())
    rate = sum(peer.downloaded.rate(now) for peer in peers)
    wanted = machine.download.wanted
    total = session.geometry.length_of_set(wanted)
    done = session.geometry.length_of_set(machine.download.have & wanted)
    return TorrentStatus(
        state=machine.state,
        progress=done / total if total else 1.0,
        metadata_progress=1.0,
        pieces_have=machine.download.have.bit_count(),
        piece_count=session.geometry.piece_count,
        checked_pieces=session.inventory.checked_pieces,
        bytes_done=done,
        total_length=total,
        download_rate=rate,
        upload_rate=sum(peer.uploaded.rate(now) for peer in peers),
        downloaded=membership.departed_downloaded
        + session.web_seeds.departed_downloaded
        + sum(p.downloaded.total for p in peers),
        uploaded=membership.departed_uploaded + sum(p.uploaded.total for p in peers),
        wasted=machine.download.wasted,
        peers=len(peers),
        seeds=sum(peer.is_seed for peer in peers),
        # What is left of a rate that died away promises nothing.
        eta=(total - done) / rate
        if rate >= 1 and machine.state is TorrentState.DOWNLOADING
        else None,
        error=str(session.error) if session.error else None,
        moving=session.rearranging.moving,
    )
