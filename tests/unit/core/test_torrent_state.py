from __future__ import annotations

import itertools

import pytest

from millstream.core.torrent_state import TorrentState, check_transition
from millstream.errors import LocalProtocolError

S, Q, M, C, D, U, E = (
    TorrentState.STOPPED,
    TorrentState.QUEUED,
    TorrentState.FETCHING_METADATA,
    TorrentState.CHECKING,
    TorrentState.DOWNLOADING,
    TorrentState.SEEDING,
    TorrentState.ERROR,
)
ALLOWED = {
    *[(S, Q), (S, M), (S, C), (S, D), (S, U), (S, E)],
    *[(Q, S), (Q, M), (Q, C), (Q, D), (Q, U), (Q, E)],
    *[(M, S), (M, Q), (M, C), (M, E)],
    *[(C, S), (C, Q), (C, D), (C, U), (C, E)],
    *[(D, S), (D, Q), (D, C), (D, U), (D, E)],
    *[(U, S), (U, Q), (U, C), (U, D), (U, E)],
    *[(E, S), (E, Q), (E, M), (E, C), (E, D), (E, U)],
}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(TorrentState, 2)))
def test_every_way_is_open_or_closed(before, after):
    if (before, after) in ALLOWED:
        check_transition(before, after)
    else:
        with pytest.raises(LocalProtocolError, match=f"{before.value} to {after.value}"):
            check_transition(before, after)
