from __future__ import annotations

import dataclasses

import pytest

from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, AnnounceResponse


def test_events_have_the_numbers_of_udp():
    """BEP 15: 0 none, 1 completed, 2 started, 3 stopped."""
    assert [event.name for event in sorted(AnnounceEvent, key=lambda event: event.value)] == [
        "NONE",
        "COMPLETED",
        "STARTED",
        "STOPPED",
    ]


def test_values_stay_what_they_are():
    request = AnnounceRequest(
        info_hash=InfoHash(bytes(20)), peer_id=bytes(20), port=1, uploaded=0, downloaded=0, left=0
    )
    assert request.event is AnnounceEvent.NONE
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.port = 2  # type: ignore[misc]
    assert AnnounceResponse(interval=5) == AnnounceResponse(interval=5)
