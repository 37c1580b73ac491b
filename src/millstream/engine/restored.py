"""Torrents that come back from the last run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from millstream.core.goals import Goals
from millstream.core.swarm import PeerSource
from millstream.core.torrent_state import TorrentState
from millstream.engine.assembly import Assembly
from millstream.engine.kept_peers import restore_peers
from millstream.engine.membership import Membership
from millstream.engine.persistence import Persistence
from millstream.engine.saved_torrent import SavedTorrent
from millstream.engine.session import TorrentSession
from millstream.engine.torrent import Torrent
from millstream.engine.torrent_options import TorrentOptions
from millstream.errors import ConfigError, MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.storage.roots import StorageRootManager

_LOG = component_logger("engine")

# Torrents whose files are looked at together, and how many seconds the next ones wait for them at
# most: a look takes no time, and whoever has to read what it found holds up nobody.
_STARTED_TOGETHER = 200
_PATIENCE = 0.1


@dataclass(frozen=True, slots=True)
class RestoredSession:
    """What `Engine.restore_session` did.

    Attributes:
        torrents: those that are back, in the order in which the queue had them.
        failed: why others are not, by infohash. What is saved of them stays as it is.
    """

    torrents: tuple[Torrent, ...]
    failed: Mapping[InfoHash, MillstreamError]


async def bring_back(
    persistence: Persistence,
    assembly: Assembly,
    roots: StorageRootManager,
    known: Container[InfoHash],
    enter: Callable[[Metainfo | Magnet, Membership], Torrent],
) -> RestoredSession:
    """Put together the torrents of the last run that are not known yet; none is started.

    Args:
        persistence: has them.
        assembly: makes them.
        roots: where they are.
        known: torrents that are here already.
        enter: lets a torrent be one of the engine's.

    Raises:
        StorageError: the session cannot be read.
    """
    torrents: list[Torrent] = []
    failed: dict[InfoHash, MillstreamError] = {}
    async for info_hash, saved in persistence.saved():
        if info_hash in known:
            continue
        try:
            if isinstance(saved, MillstreamError):
                raise saved
            state = saved.state
            member = assembly.make(
                saved.source,
                roots.find(state.root) or roots.for_path(state.save_path),
                TorrentOptions.of_state(state),
                trackers=state.trackers,
                allow_local=state.allow_local,
            )
        except MillstreamError as error:
            failed[info_hash] = error
            _LOG.warning("the torrent %s was not restored: %s", info_hash, error)
            continue
        torrents.append(enter(saved.source, member))
        take_over(member, saved)
        member.queue.entered(member)
        persistence.add_restored(member, state)
    if not failed:
        roots.drop_unused()
    return RestoredSession(tuple(torrents), failed)


async def start_all(torrents: Sequence[Torrent], here: Mapping[InfoHash, Membership]) -> None:
    """Start those that the user has not stopped, some at a time.

    Ten thousand that look at their files at once would hold a task and a thread's errand each.

    Args:
        torrents: whom; those that have left the engine are passed over.
        here: the engine's.
    """
    loop = asyncio.get_running_loop()
    members = [here[each.info_hash] for each in torrents if each.info_hash in here]
    for at in range(0, len(members), _STARTED_TOGETHER):
        some = members[at : at + _STARTED_TOGETHER]
        for member in some:
            if here.get(member.info_hash) is member and not member.is_stopped_by_user:
                await member.stage.start()
        latest = loop.time() + _PATIENCE
        while loop.time() < latest and any(  # noqa: ASYNC110 - of two hundred torrents
            member.stage.state is TorrentState.CHECKING for member in some
        ):
            await asyncio.sleep(_PATIENCE / 20)


def take_over(member: Membership, saved: SavedTorrent) -> None:
    """Let a torrent that has just entered the engine be what it was."""
    state = saved.state
    member.is_stopped_by_user = state.stopped
    member.is_auto_managed = state.auto_managed
    member.is_forced = state.forced
    member.goals = None if state.goals is None else Goals.from_dict(state.goals)
    member.goals_reached = state.goals_reached
    member.activity.restore(state.active_seconds, state.seeding_seconds)
    member.added_at = state.added_at
    member.completed_at = state.completed_at
    if state.max_peers:
        member.limit_connections(state.max_peers)
    member.departed_downloaded = state.downloaded
    member.departed_uploaded = state.uploaded
    with suppress(ConfigError):  # a limit that is out of the range of today
        member.limit_rates(download=state.download_limit, upload=state.upload_limit)
    if saved.peers:
        restore_peers(member.swarm, saved.peers)
    member.keep_pieces(saved.partial)
    if isinstance(saved.source, Magnet):
        member.add_peers(saved.source.peers, PeerSource.MAGNET)
    session, claims = member.stage, state.claims
    if isinstance(session, TorrentSession):
        state.placement.restore(session.disk.placement)
        session.disk.record = state.placement
    if isinstance(session, TorrentSession) and claims is not None:
        session.inventory.claims = claims
        if claims.piece_count == session.geometry.piece_count:
            # For people, until the files were looked at; nobody is served before.
            session.machine.need.have = claims.flushed | claims.written
