from __future__ import annotations

import io

import pytest
from rich.console import Console

from millstream.cli.live import LiveView, map_text, peers_head, transfer_view
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry

from .drawn import drawn
from .shown import peer, snapshot


def test_downloading():
    view = transfer_view(snapshot(name="a.iso", pieces=bytes([2, 2, 1, 0])), 60)
    assert drawn(view) == [
        "a.iso                                             2/4 pieces",
        "━━━━━━━━━━━━━━━━━━━━━━━━━━╸                           50.0 %",
        "▕" + "█" * 29 + "·" * 15 + " " * 14 + "▏",
        "2 MiB of 4 MiB   ↓ 87.3 MB/s   ETA 22 s   2 peers (1 seed)",
    ]


def test_without_peers_it_says_what_it_waits_for():
    waits = snapshot(waiting_for="the tracker fails", eta=None)
    assert drawn(transfer_view(waits, 80), 80)[-1].endswith("no peers: the tracker fails")


def test_fetching_metadata():
    view = transfer_view(snapshot("fetching metadata", name="a", seeds=0), 60)
    assert drawn(view) == [
        "a                                          fetching metadata",
        "━━━━━━━━━━━━━                                         25.0 %",
        "2 peers",
    ]
    waits = snapshot("fetching metadata", waiting_for="asking the tracker")
    assert drawn(transfer_view(waits, 60))[-1] == "no peers: asking the tracker"


def test_checking_counts_what_was_checked():
    lines = drawn(transfer_view(snapshot("checking", pieces=b"\0\0\2\2"), 60))
    assert lines[0].endswith("3/4 pieces")
    assert lines[1].endswith("75.0 %")
    assert lines[-1] == "checking the files on disk   2 good"


def test_waiting_for_a_turn():
    waits = snapshot("queued", bytes_done=1 << 20, total_length=2 << 20)
    assert drawn(transfer_view(waits, 60))[-1].startswith("waits for its turn in the queue   1 MiB")


def test_seeding():
    seeding = snapshot("seeding", pieces=b"\2", uploaded=1 << 30, upload_rate=5e6)
    assert drawn(transfer_view(seeding, 60))[-1] == "↑ 5 MB/s   1 GiB uploaded   2 peers"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_four_lines_at_any_width(width):
    view = transfer_view(snapshot(name="映画" * 100, pieces=bytes([2] * 500)), width)
    assert len(drawn(view, width)) == 4


def test_ascii_terminals():
    view = transfer_view(snapshot(pieces=bytes([2, 2, 1, 0])), 60, ascii_only=True)
    assert "".join(drawn(view, encoding="ascii")).isascii()
    assert "".join(drawn(peers_head(snapshot(), ascii_only=True), encoding="ascii")).isascii()
    assert map_text(b"\2\1", 6, ascii_only=True).plain == "[##..]"


def test_names_are_no_markup_and_no_escape_codes():
    view = transfer_view(snapshot(name="[red]x\x1b[2J"), 60)
    assert drawn(view)[0].startswith("[red]x\ufffd[2J")


@pytest.mark.parametrize(
    ("state", "doing"),
    [("seeding", "4 pieces"), ("fetching metadata", "fetching metadata"), ("checking", "checking")],
)
def test_the_head_above_peers(state, doing):
    first, second = drawn(peers_head(snapshot(state, download_rate=0.0), ascii_only=True))
    assert first.startswith("x")
    assert first.endswith(doing)
    assert second.startswith("2 peers")
    assert second.endswith("down 0 B/s   up 0 B/s")


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def live(output):
    console = Console(file=output, force_terminal=True, width=100, height=12, color_system=None)
    return LiveView(console, iter(range(1000)).__next__)


def test_events_are_printed_and_the_view_goes_away():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=60, color_system=None)
    with LiveView(console, lambda: 0.0) as live:
        live.event("started")
        live.transfer(snapshot(pieces=b"\2"))
        live.count("Hashing", "too soon", 1, 2)
        live.event("complete", "done [1]", good=True)
        live.event("complete", "bad", good=False)
        live.note("note")
    text = output.getvalue()
    assert "✔ done [1]" in text
    assert "✘ bad" in text
    assert "too soon" not in text
    assert "2/4 pieces" not in text.partition("done [1]")[2]


def test_peers_are_drawn_below_the_transfer_if_they_are_wanted(live, output):
    with live:
        live.transfer(snapshot())
        assert "CLIENT" not in output.getvalue()
        live.transfer(snapshot(listed=[peer()]))
        assert output.getvalue().count("192.0.2.1:6881") == 1


def test_no_more_peers_are_drawn_than_fit(live, output):
    with live:
        live.peers(snapshot("seeding", listed=[]))
        assert "CLIENT" not in output.getvalue()
        live.peers(snapshot("seeding", listed=[peer(number) for number in range(50)]))
        assert output.getvalue().count(":6881") == 4
        assert "and 46 more" in output.getvalue()


def test_swarms(live, output):
    with live:
        live.swarms({})
        assert "TORRENT" not in output.getvalue()
        live.swarms({InfoHash(b"\xab" * 20): ScrapeEntry(1, 2, 3)})
    assert "0 torrents, 0 peers" in output.getvalue()
    assert "1 torrent, 4 peers" in output.getvalue()
    assert "ab" * 20 in output.getvalue()
