"""What is known of a torrent that does not move; `core.idleness` says the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from millstream.core.extension_exchange import ExtensionSide
from millstream.core.idleness import IdleFacts
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.torrent_state import TorrentState
from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.engine.status import WebSeedState
from millstream.tracker.announcer import TrackerState

# A torrent to which a block came within so many seconds is moving, however slowly.
LATELY = 10.0

_FAILING = {TrackerState.FAILED, TrackerState.DISABLED}


def idle_facts(member: Membership, now: float) -> IdleFacts:
    """A torrent's facts at `now`, loop seconds. Whoever could be asked costs a look only if nobody is."""
    stage = member.stage
    facts = IdleFacts(state=stage.state, error=str(stage.error) if stage.error else None)
    if stage.state is TorrentState.QUEUED:
        return replace(facts, queue_position=member.queue.order.position(member.info_hash))
    if not stage.is_active:
        return facts
    if isinstance(stage, TorrentSession):
        facts = _transfer(facts, stage, now)
        if facts.is_moving:
            return facts
    else:
        facts = _metadata(facts, member)
    links = member.links.values()
    facts = replace(facts, is_limited=any(link.reading.is_held for link in links))
    if facts.peers or stage.state is TorrentState.SEEDING:
        return facts
    return _prospects(facts, member, now)


def _transfer(facts: IdleFacts, session: TorrentSession, now: float) -> IdleFacts:
    peers = list(session.machine.peers.values())
    if session.state is TorrentState.SEEDING:
        useful = [peer for peer in peers if peer.peer_interested]
        return replace(
            facts,
            is_moving=any(peer.uploaded.rate(now) >= 1 for peer in peers),
            peers=len(peers),
            useful=len(useful),
            unchoked=sum(not peer.am_choking for peer in useful),
        )
    useful = [peer for peer in peers if peer.am_interested]
    return replace(
        facts,
        is_moving=any(peer.downloaded.total and now - peer.block_at < LATELY for peer in peers),
        is_disk_full=session.machine.download.is_paused,
        peers=len(peers),
        useful=len(useful),
        unchoked=sum(not peer.peer_choking for peer in useful),
    )


def _metadata(facts: IdleFacts, member: Membership) -> IdleFacts:
    sides = [
        link.peer.extensions
        for link in member.links.values()
        if isinstance(link.peer, MetadataPeer)
    ]
    return replace(facts, peers=len(sides), useful=sum(map(_offers_metadata, sides)))


def _offers_metadata(side: object) -> bool:
    return (
        isinstance(side, ExtensionSide)
        and side.handshake is not None
        and bool(side.handshake.metadata_size)
    )


def _prospects(facts: IdleFacts, member: Membership, now: float) -> IdleFacts:
    """Who might be connected, and who could name somebody."""
    seeds = member.wants_seeds
    under_way = member.connector.connection_count(member)
    trackers = member.announcing.trackers()
    web_seed_errors: Iterable[str | None] = ()
    if isinstance(member.stage, TorrentSession):
        web_seed_errors = (
            seed.error
            for seed in member.stage.web_seeds.statuses(now)
            if seed.state is not WebSeedState.IDLE
        )
    return replace(
        facts,
        connecting=under_way - len(member.links),
        has_room=member.connector.limit(member) > under_way,
        known=len(member.swarm),
        candidates=member.swarm.candidate_count(seeds=seeds),
        next_try=max(0.0, member.swarm.next_due(seeds=seeds) - now),
        trackers=len(trackers),
        trackers_working=sum(
            # One that failed before may be asked again just now.
            tracker.state not in _FAILING and tracker.error is None
            for tracker in trackers
        ),
        trackers_asked=sum(tracker.state is TrackerState.ANNOUNCING for tracker in trackers),
        tracker_error=next((tracker.error for tracker in trackers if tracker.error), None),
        web_seed_error=next(filter(None, web_seed_errors), None),
    )
