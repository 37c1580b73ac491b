"""Torrents that come back from the last run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from millstream.core.swarm import PeerSource
from millstream.engine.kept_peers import restore_peers
from millstream.engine.membership import Membership
from millstream.engine.saved_torrent import SavedTorrent
from millstream.engine.session import TorrentSession
from millstream.engine.torrent import Torrent
from millstream.errors import ConfigError, MillstreamError
from millstream.protocol.infohash import InfoHash


@dataclass(frozen=True, slots=True)
class RestoredSession:
    """What `Engine.restore_session` did.

    Attributes:
        torrents: those that are back, in the order in which they were first added.
        failed: why others are not, by infohash. What is saved of them stays as it is.
    """

    torrents: tuple[Torrent, ...]
    failed: Mapping[InfoHash, MillstreamError]


def take_over(member: Membership, saved: SavedTorrent) -> None:
    """Let a torrent that has just entered the engine be what it was."""
    state = saved.state
    member.is_stopped_by_user = state.stopped
    member.is_auto_managed = state.auto_managed
    member.is_forced = state.forced
    if state.max_peers:
        member.limit_connections(state.max_peers)
    member.departed_downloaded = state.downloaded
    member.departed_uploaded = state.uploaded
    with suppress(ConfigError):  # a limit that is out of the range of today
        member.limits.set(download=state.download_limit, upload=state.upload_limit)
    restore_peers(member.swarm, saved.peers)
    member.keep_pieces(saved.partial)
    member.add_peers(member.magnet.peers, PeerSource.MAGNET)
    session, claims = member.stage, state.claims
    if isinstance(session, TorrentSession):
        state.placement.restore(session.disk.placement)
        session.disk.record = state.placement
    if isinstance(session, TorrentSession) and claims is not None:
        session.inventory.claims = claims
        if claims.piece_count == session.geometry.piece_count:
            # For people, until the files were looked at; nobody is served before.
            session.machine.download.have = claims.flushed | claims.written
