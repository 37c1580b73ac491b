from __future__ import annotations

import pytest

from millstream.cli.peer_table import ENCRYPTION_WIDTH, SOURCE_WIDTH, peer_table
from millstream.protocol.compact import PeerAddress

from .drawn import drawn
from .shown import peer


def test_a_row_for_each_peer_the_busiest_first():
    peers = [peer(1, flags="", encryption=""), peer(2, download_rate=1.5e6, progress=1.0)]
    assert drawn(peer_table(peers, 10), 110) == [
        "PEER            CLIENT                 HAS       DOWN  UP  FLAGS  FROM     ENCRYPTION",
        "192.0.2.2:6881  Transmission 4.0.5   100 %  1.50 MB/s      DE     tracker  rc4",
        "192.0.2.1:6881  Transmission 4.0.5  62.4 %                        tracker",
    ]


def test_what_does_not_fit_is_counted():
    peers = [peer(number) for number in range(9)]
    lines = drawn(peer_table(peers, 3), 110)
    assert len(lines) == 4
    assert lines[-1].startswith("and 7 more")
    assert len(drawn(peer_table(peers, 9), 110)) == 10


@pytest.mark.parametrize(
    ("width", "last"),
    [
        (ENCRYPTION_WIDTH, "ENCRYPTION"),
        (ENCRYPTION_WIDTH - 1, "FROM"),
        (SOURCE_WIDTH, "FROM"),
        (SOURCE_WIDTH - 1, "FLAGS"),
    ],
)
def test_narrow_terminals_lack_the_last_columns(width, last):
    assert drawn(peer_table([peer()], 5, width), 200)[0].endswith(last)


def test_clients_and_addresses_are_no_markup_and_have_bounds():
    address = PeerAddress("2001:db8:1111:2222:3333:4444:5555:6666", 65535)
    (_, line) = drawn(peer_table([peer(client="[red]" * 50 + "\x1b[2J", address=address)], 5), 110)
    assert "[red][red]" in line
    assert "\x1b" not in line
    assert len(line) <= 110
