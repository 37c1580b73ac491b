from __future__ import annotations

import io

import pytest

from millstream.cli.plain import PlainLines, transfer_line
from millstream.core.torrent_state import TorrentState
from millstream.engine.status import TorrentStatus


def status(state, **values):
    defaults = {
        "downloaded": 0,
        "wasted": 0,
        "error": None,
        "progress": 0.624,
        "pieces_have": 3180,
        "piece_count": 5091,
        "checked_pieces": 4000,
        "bytes_done": 3180 << 20,
        "total_length": 5091 << 20,
        "download_rate": 87.3e6,
        "upload_rate": 12.5e6,
        "uploaded": 1 << 30,
        "peers": 12,
        "seeds": 1,
        "eta": 22.4,
    }
    return TorrentStatus(state=TorrentState(state), **(defaults | values))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (status("checking"), "checking: 4,000 of 5,091 pieces, 3,180 good"),
        (
            status("downloading"),
            (
                "downloading: 62.4 %, 3.11 GiB of 4.97 GiB, 87.3 MB/s, ETA 22 s, "
                "12 peers (1 seed), 3,180/5,091 pieces"
            ),
        ),
        (
            status("downloading", eta=None, peers=0, seeds=0, download_rate=0.0),
            (
                "downloading: 62.4 %, 3.11 GiB of 4.97 GiB, 0 B/s, "
                "0 peers (0 seeds), 3,180/5,091 pieces"
            ),
        ),
        (status("seeding"), "seeding: 12.5 MB/s, 1 GiB uploaded, 12 peers"),
    ],
)
def test_transfer_line(given, line):
    assert transfer_line(given) == line


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_line_every_few_seconds_and_none_twice():
    output, clock = io.StringIO(), Clock()
    with PlainLines(output, clock) as lines:
        lines.event("started")
        lines.event("seeding", "Seeding x.", good=True, port=1)
        for second in range(60):
            clock.now = second
            lines.transfer("x", status("seeding"), b"")
        lines.note("bye")
    assert output.getvalue() == "Seeding x.\nseeding: 12.5 MB/s, 1 GiB uploaded, 12 peers\nbye\n"


def test_counts():
    output, clock = io.StringIO(), Clock()
    lines = PlainLines(output, clock)
    for second in range(10):
        clock.now = second
        lines.count("Hashing", "pictures", second, 12)
    assert output.getvalue() == "Hashing pictures: 41.6 %, 5 of 12 pieces\n"
