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
    have, wanted = machine.need.have, machine.need.wanted
    geometry, error = session.geometry, session.error
    total = geometry.length_of_set(wanted)
    done = total if have == wanted else geometry.length_of_set(have & wanted)
    download_rate = upload_rate = 0.0
    downloaded = membership.departed_downloaded + session.web_seeds.departed_downloaded
    uploaded = membership.departed_uploaded
    seeds = 0
    for peer in machine.peers.values():
        download_rate += peer.downloaded.rate(now)
        upload_rate += peer.uploaded.rate(now)
        downloaded += peer.downloaded.total
        uploaded += peer.uploaded.total
        seeds += peer.is_seed
    # What is left of a rate that died away promises nothing.
    is_coming = download_rate >= 1 and machine.state is TorrentState.DOWNLOADING
    return TorrentStatus(
        state=machine.state,
        progress=done / total if total else 1.0,
        metadata_progress=1.0,
        pieces_have=have.bit_count(),
        piece_count=geometry.piece_count,
        checked_pieces=session.inventory.checked_pieces,
        bytes_done=done,
        total_length=total,
        download_rate=download_rate,
        upload_rate=upload_rate,
        downloaded=downloaded,
        uploaded=uploaded,
        wasted=machine.wasted,
        peers=len(machine.peers),
        seeds=seeds,
        eta=(total - done) / download_rate if is_coming else None,
        error=str(error) if error else None,
        moving=session.moving,
    )
