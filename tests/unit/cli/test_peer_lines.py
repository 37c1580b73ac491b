from __future__ import annotations

from millstream.cli.peer_lines import MAX_LINES, busiest, peer_lines

from .shown import peer


def test_the_busiest_come_first():
    idle, up, down = peer(1), peer(2, upload_rate=3e3), peer(3, download_rate=5e3)
    assert busiest([idle, up, down]) == [down, up, idle]


def test_a_line_says_what_is_known():
    assert peer_lines([peer(download_rate=1.5e6, upload_rate=2e3)]) == [
        (
            "  192.0.2.1:6881, Transmission 4.0.5, has 62.4 %, 1.50 MB/s down, 2 kB/s up, DE, "
            "from tracker, rc4"
        )
    ]
    bare = peer(client="", flags="", encryption="", progress=1.0)
    assert peer_lines([bare]) == ["  192.0.2.1:6881, unknown client, has 100 %, from tracker"]


def test_a_client_cannot_control_the_terminal():
    assert "\x1b" not in peer_lines([peer(client="\x1b[2J")])[0]


def test_a_large_swarm_does_not_fill_a_log():
    lines = peer_lines([peer(number) for number in range(MAX_LINES + 3)])
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "  and 3 more peers; --json lists all"
