from __future__ import annotations

import io

import pytest
from rich.console import Console

from millstream.cli.live import LiveView, map_text, transfer_view
from millstream.core.torrent_state import TorrentState
from millstream.engine.status import TorrentStatus


def status(state, **values):
    defaults = {
        "downloaded": 0,
        "wasted": 0,
        "error": None,
        "progress": 0.5,
        "pieces_have": 2,
        "piece_count": 4,
        "checked_pieces": 3,
        "bytes_done": 2 << 20,
        "total_length": 4 << 20,
        "download_rate": 87.3e6,
        "upload_rate": 0.0,
        "uploaded": 0,
        "peers": 2,
        "seeds": 1,
        "eta": 22.4,
    }
    return TorrentStatus(state=TorrentState(state), **(defaults | values))


def drawn(renderable, width=60, encoding="utf-8"):
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=output, width=width, color_system=None).print(renderable)
    output.flush()
    return [line.rstrip() for line in output.buffer.getvalue().decode(encoding).splitlines()]


def test_downloading():
    assert drawn(transfer_view("a.iso", status("downloading"), bytes([2, 2, 1, 0]), 60)) == [
        "a.iso                                             2/4 pieces",
        "━━━━━━━━━━━━━━━━━━━━━━━━━━╸                           50.0 %",
        "▕" + "█" * 29 + "·" * 15 + " " * 14 + "▏",
        "2 MiB of 4 MiB   ↓ 87.3 MB/s   ETA 22 s   2 peers (1 seed)",
    ]


def test_without_peers_it_says_what_it_waits_for():
    lines = drawn(transfer_view("a", status("downloading", peers=0, eta=None), b"\0", 80), 80)
    assert lines[-1].endswith("waiting for peers (--peer names one)")


def test_checking_counts_what_was_checked():
    lines = drawn(transfer_view("a", status("checking"), b"\0\0\2\2", 60))
    assert lines[0].endswith("3/4 pieces")
    assert lines[1].endswith("75.0 %")
    assert lines[-1] == "checking the files on disk   2 good"


def test_seeding():
    lines = drawn(
        transfer_view("a", status("seeding", uploaded=1 << 30, upload_rate=5e6), b"\2", 60)
    )
    assert lines[-1] == "↑ 5 MB/s   1 GiB uploaded   2 peers"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_four_lines_at_any_width(width):
    view = transfer_view("映画" * 100, status("downloading"), bytes([2] * 500), width)
    assert len(drawn(view, width)) == 4


def test_ascii_terminals():
    view = transfer_view("a", status("downloading"), bytes([2, 2, 1, 0]), 60, ascii_only=True)
    assert "".join(drawn(view, encoding="ascii")).isascii()
    assert map_text(b"\2\1", 6, ascii_only=True).plain == "[##..]"


def test_names_are_no_markup_and_no_escape_codes():
    view = transfer_view("[red]x\x1b[2J", status("downloading"), b"", 60)
    assert drawn(view)[0].startswith("[red]x\ufffd[2J")


def test_events_are_printed_and_the_view_goes_away():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=60, color_system=None)
    with LiveView(console, lambda: 0.0) as live:
        live.event("started")
        live.transfer("a", status("downloading"), b"\2")
        live.count("Hashing", "too soon", 1, 2)
        live.event("complete", "done [1]", good=True)
        live.event("complete", "bad", good=False)
        live.note("note")
    text = output.getvalue()
    assert "✔ done [1]" in text
    assert "✘ bad" in text
    assert "too soon" not in text
    assert "2/4 pieces" not in text.partition("done [1]")[2]
