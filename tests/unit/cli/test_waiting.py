from __future__ import annotations

import pytest

from millstream.cli.waiting import waiting_for

from .shown import tracker


@pytest.mark.parametrize(
    ("trackers", "named", "words"),
    [
        ([], 0, "no tracker is known; --tracker or --peer names one"),
        ([], 1, "trying 1 known peer"),
        ([tracker("not asked")], 0, "asking the tracker"),
        ([tracker("announcing"), tracker("failed", "udp://b:1")], 0, "asking 2 trackers"),
        ([tracker("failed", error="x")], 0, "the tracker fails"),
        ([tracker("failed"), tracker("disabled", "udp://b:1")], 0, "all 2 trackers fail"),
        ([tracker("failed")], 3, "trying 3 known peers"),
        ([tracker(), tracker("failed", "udp://b:1")], 0, "the tracker knows nobody else yet"),
        ([tracker(), tracker(url="udp://b:1")], 0, "2 trackers know nobody else yet"),
        ([tracker(peers=2), tracker("failed", "udp://b:1", peers=9)], 1, "trying 3 known peers"),
    ],
)
def test_the_reason_for_no_peers(trackers, named, words):
    assert waiting_for(trackers, named) == words
