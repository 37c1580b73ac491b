"""What is known of a torrent that does not move; `core.idleness` says the reason."""

from __future__ import annotations

from millstream.core.extension_exchange import ExtensionSide
from millstream.core.idleness import IdleFacts, Idleness, why_idle
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.torrent_state import TorrentState
from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.engine.status import WebSeedState
from millstream.tracker.announcer import TrackerState

# A torrent to which a block came within so many seconds is moving, however slowly.
LATELY = 10.0

_FAILING = {TrackerState.FAILED, TrackerState.DISABLED}


def find_idleness(member: Membership, now: float) -> Idleness | None:
    """Why a torrent is not moving at `now`, loop seconds; None if it is."""
    return why_idle(idle_facts(member, now))


def idle_facts(member: Membership, now: float) -> IdleFacts:
    """A torrent's facts at `now`, loop seconds. Whoever could be asked costs a look only if nobody is."""
    stage = member.stage
    state, error = stage.state, stage.error
    facts = IdleFacts(state=state, error=str(error) if error else None)
    if state is TorrentState.QUEUED:
        facts.queue_position = member.queue.order.position(member.info_hash)
        return facts
    if not stage.is_active:
        facts.has_reached_goal = member.goals_reached
        return facts
    if isinstance(stage, TorrentSession):
        _look_at_transfer(facts, stage, now)
        if facts.is_moving:
            return facts
    else:
        _look_at_metadata(facts, member)
    if links := member.links:
        facts.is_limited = any(link.reading.is_held for link in links.values())
    if not facts.peers and state is not TorrentState.SEEDING:
        _look_at_prospects(facts, member, now)
    return facts


def _look_at_transfer(facts: IdleFacts, session: TorrentSession, now: float) -> None:
    peers = session.machine.peers
    if facts.state is not TorrentState.SEEDING:
        facts.is_disk_full = session.is_disk_full
    if not peers:
        return
    facts.peers = len(peers)
    if facts.state is TorrentState.SEEDING:
        facts.is_moving = any(peer.uploaded.rate(now) >= 1 for peer in peers.values())
        useful = [peer for peer in peers.values() if peer.peer_interested]
        facts.unchoked = sum(not peer.am_choking for peer in useful)
    else:
        facts.is_moving = any(
            peer.downloaded.total and now - peer.block_at < LATELY for peer in peers.values()
        )
        useful = [peer for peer in peers.values() if peer.am_interested]
        facts.unchoked = sum(not peer.peer_choking for peer in useful)
    facts.useful = len(useful)


def _look_at_metadata(facts: IdleFacts, member: Membership) -> None:
    sides = [
        link.peer.extensions
        for link in member.links.values()
        if isinstance(link.peer, MetadataPeer)
    ]
    facts.peers = len(sides)
    facts.useful = sum(map(_offers_metadata, sides))


def _offers_metadata(side: object) -> bool:
    return (
        isinstance(side, ExtensionSide)
        and side.handshake is not None
        and bool(side.handshake.metadata_size)
    )


def _look_at_prospects(facts: IdleFacts, member: Membership, now: float) -> None:
    """Who might be connected, and who could name somebody."""
    seeds = member.wants_seeds
    under_way = member.connector.connection_count(member)
    facts.connecting = under_way - len(member.links)
    facts.has_room = member.connector.limit(member) > under_way
    if member.known_peers:
        facts.known = member.known_peers
        facts.candidates = member.swarm.candidate_count(seeds=seeds)
        facts.next_try = max(0.0, member.swarm.next_due(seeds=seeds) - now)
    trackers = member.announcing.trackers()
    facts.trackers = len(trackers)
    facts.trackers_working = sum(
        # One that failed before may be asked again just now.
        tracker.state not in _FAILING and tracker.error is None
        for tracker in trackers
    )
    facts.trackers_asked = sum(tracker.state is TrackerState.ANNOUNCING for tracker in trackers)
    facts.tracker_error = next((tracker.error for tracker in trackers if tracker.error), None)
    if isinstance(member.stage, TorrentSession):
        errors = (
            seed.error
            for seed in member.stage.web_seeds.statuses(now)
            if seed.state is not WebSeedState.IDLE
        )
        facts.web_seed_error = next(filter(None, errors), None)
