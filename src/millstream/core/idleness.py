"""Why a torrent is not moving: what is known of it, and the reason in words.

The nearest obstacle counts: data that flows, then the disk, then the rate limits, then the peers that
are connected, then those that might be, and in the end whoever could name some.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from millstream.core.torrent_state import TorrentState


class IdleReason(enum.Enum):
    """What keeps a torrent from moving."""

    STOPPED = "stopped"
    QUEUED = "waits in the queue"
    FAILED = "failed"
    DISK = "waits for the disk"
    RATE_LIMIT = "waits for the rate limit"
    NOTHING_USEFUL = "peers have nothing that is missing"
    CHOKED = "all peers choke us"
    UNANSWERED = "peers do not answer"
    NO_METADATA = "peers have no metadata"
    CONNECTING = "connects"
    NO_ROOM = "no connection is free"
    UNREACHABLE = "peers cannot be reached"
    TRACKERS_FAIL = "trackers fail"
    ASKING_TRACKERS = "asks trackers"
    NO_PEERS = "no peers are known"
    NO_INTEREST = "nobody wants anything"
    NO_SLOT = "serves nobody"


class Idleness(NamedTuple):
    """Why a torrent is not moving.

    Attributes:
        reason: stays the same while the numbers in the text change.
        text: for people; what it quotes of a tracker is as hostile as anything from the network.
    """

    reason: IdleReason
    text: str


@dataclass(slots=True, kw_only=True)
class IdleFacts:
    """What the reason is found from; who gathers it fills it in as far as it matters.

    Attributes:
        state: what the torrent is doing.
        error: why it is in the error state.
        has_reached_goal: whether it has seeded enough.
        queue_position: its place in the engine's order, from 0.
        is_moving: whether data came lately (was sent lately, of a torrent that seeds).
        is_disk_full: whether the disk took all it can.
        is_limited: whether a rate limit holds its peers.
        peers: connected peers.
        useful: those that have what is missing, or the metadata; of a seed: that are interested.
        unchoked: of the useful ones, those that do not choke us; of a seed: that we do not choke.
        connecting: connections that are being made.
        has_room: whether there may be more connections.
        known: peers that are known, connected or not.
        candidates: of them, those that may be tried now or later.
        next_try: seconds until the first of these is tried.
        trackers: how many there are.
        trackers_working: how many answered the last time, or have not been heard yet.
        trackers_asked: how many are being asked now.
        tracker_error: what one of those that fail said.
        web_seed_error: what one of the web seeds that fail said.
    """

    state: TorrentState
    error: str | None = None
    has_reached_goal: bool = False
    queue_position: int | None = None
    is_moving: bool = False
    is_disk_full: bool = False
    is_limited: bool = False
    peers: int = 0
    useful: int = 0
    unchoked: int = 0
    connecting: int = 0
    has_room: bool = True
    known: int = 0
    candidates: int = 0
    next_try: float = 0.0
    trackers: int = 0
    trackers_working: int = 0
    trackers_asked: int = 0
    tracker_error: str | None = None
    web_seed_error: str | None = None


def why_idle(facts: IdleFacts) -> Idleness | None:
    """Why a torrent is not moving; None if it is, or if its files are being checked."""
    match facts.state:
        case TorrentState.STOPPED:
            text = "it is stopped" + "; it has reached its goal" * facts.has_reached_goal
            return Idleness(IdleReason.STOPPED, text)
        case TorrentState.QUEUED:
            text = "it waits for its turn in the queue"
            if facts.queue_position is not None:
                text += f", position {facts.queue_position + 1}"  # people count from 1
            return Idleness(IdleReason.QUEUED, text)
        case TorrentState.ERROR:
            return Idleness(IdleReason.FAILED, facts.error or "it failed")
        case TorrentState.CHECKING:
            return None
    if facts.is_moving:
        return None
    if facts.is_disk_full:
        return Idleness(IdleReason.DISK, "the disk has taken all it can and is not done with it")
    if facts.is_limited:
        return Idleness(IdleReason.RATE_LIMIT, "it waits for its turn within the rate limits")
    if facts.state is TorrentState.SEEDING:
        return _seeding(facts)
    return _connected(facts) if facts.peers else _alone(facts)


def _seeding(facts: IdleFacts) -> Idleness:
    if not facts.peers:
        return Idleness(IdleReason.NO_INTEREST, "it seeds, and no peer is connected")
    if not facts.useful:
        peers = _count(facts.peers, "connected peer")
        return Idleness(IdleReason.NO_INTEREST, f"it seeds, and none of {peers} wants anything")
    if not facts.unchoked:
        peers = _count(facts.useful, "interested peer")
        return Idleness(IdleReason.NO_SLOT, f"it seeds, and no upload slot is free for {peers}")
    return Idleness(IdleReason.NO_INTEREST, "it seeds, and nobody asks for anything at the moment")


def _connected(facts: IdleFacts) -> Idleness:
    peers = _count(facts.peers, "connected peer")
    if facts.state is TorrentState.FETCHING_METADATA:
        if not facts.useful:
            return Idleness(IdleReason.NO_METADATA, f"none of {peers} offers the metadata")
        offering = _count(facts.useful, "peer")
        text = f"the metadata was asked of {offering} and has not come yet"
        return Idleness(IdleReason.UNANSWERED, text)
    if not facts.useful:
        return Idleness(IdleReason.NOTHING_USEFUL, f"none of {peers} has a piece that is missing")
    if not facts.unchoked:
        useful = _count(facts.useful, "peer")
        return Idleness(IdleReason.CHOKED, f"{useful} with missing pieces, and all choke us")
    unchoked = _count(facts.unchoked, "peer")
    return Idleness(IdleReason.UNANSWERED, f"{unchoked} may be asked, and nothing has come lately")


def _alone(facts: IdleFacts) -> Idleness:
    if facts.connecting:
        text = f"it is connecting to {_count(facts.connecting, 'peer')}"
        return Idleness(IdleReason.CONNECTING, text)
    if not facts.has_room:
        text = "all connections that the engine may have are in use by other torrents"
        return Idleness(IdleReason.NO_ROOM, text)
    if facts.candidates:
        text = f"none of {_count(facts.candidates, 'known peer')} could be reached yet"
        if facts.next_try > 0:
            text += f"; the next try is in {facts.next_try:.0f} s"
        return Idleness(IdleReason.UNREACHABLE, text)
    who = "no peers are known"
    if facts.known:
        who = f"none of {_count(facts.known, 'known peer')} can be reached or is of use"
    if facts.trackers_asked and not facts.tracker_error:
        return Idleness(IdleReason.ASKING_TRACKERS, f"{who}, and trackers are being asked")
    if facts.trackers and not facts.trackers_working:
        text = f"{who}, and " + (
            "the tracker fails" if facts.trackers == 1 else "all trackers fail"
        )
        if facts.tracker_error:
            text += f" ({facts.tracker_error})"
        return Idleness(IdleReason.TRACKERS_FAIL, text)
    if facts.web_seed_error:
        who += f", a web seed fails ({facts.web_seed_error})"
    trackers = "the trackers name nobody else" if facts.trackers else "it has no trackers"
    reason = IdleReason.UNREACHABLE if facts.known else IdleReason.NO_PEERS
    return Idleness(reason, f"{who}, and {trackers}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
