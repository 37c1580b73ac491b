"""Why a torrent has no peers, in words that do not change while nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millstream.cli.formatting import plural

if TYPE_CHECKING:
    from millstream import TrackerStatus


def waiting_for(trackers: Sequence[TrackerStatus], named_peers: int = 0) -> str:
    """What has to happen before there are peers.

    Args:
        trackers: the torrent's trackers.
        named_peers: how many peers the user or the magnet link named.
    """
    from millstream import TrackerState

    counts = {state: sum(tracker.state is state for tracker in trackers) for state in TrackerState}
    working = counts[TrackerState.WORKING]
    known = named_peers + sum(
        tracker.peers for tracker in trackers if tracker.state is TrackerState.WORKING
    )
    if known:
        return f"trying {plural(known, 'known peer')}"
    if not trackers:
        return "no tracker is known; --tracker or --peer names one"
    if working:
        return f"{_these(working)} {_verb(working, 'know')} nobody else yet"
    if counts[TrackerState.ANNOUNCING] or counts[TrackerState.IDLE]:
        return f"asking {_these(len(trackers))}"
    return f"{_these(len(trackers), every=True)} {_verb(len(trackers), 'fail')}"


def _these(count: int, *, every: bool = False) -> str:
    if count == 1:
        return "the tracker"
    return f"{'all ' if every else ''}{count} trackers"


def _verb(count: int, verb: str) -> str:
    return f"{verb}s" if count == 1 else verb
