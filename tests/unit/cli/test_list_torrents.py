from __future__ import annotations

import json

from millstream.cli.list_torrents import torrent_line

from .daemon_double import ID, VIEW, run

QUIET = {"downloadRate": 0, "peers": 0, "eta": None, "size": 0, "state": "stopped", "name": "x"}


def test_a_line_says_what_there_is_to_say():
    assert torrent_line(VIEW) == (
        "abababab   50.0 %  downloading metadata  10 MiB  down 2 MB/s  1 peer  "
        "1 min 01 s left  x\ufffd[2J"
    )
    assert torrent_line({**VIEW, **QUIET}) == "abababab   50.0 %  stopped  x"


def test_one_line_a_torrent(monkeypatch, capsys):
    code, out, err, _ = run(monkeypatch, capsys, "list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [torrent_line(VIEW)]


def test_one_object_a_torrent_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "list", "--json")
    event = json.loads(out)
    assert (event["event"], event["infohash"], event["download_rate"]) == (
        "torrent",
        ID,
        2_000_000,
    )


def test_none(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "list", answers={"/torrents": {"torrents": []}})
    assert "has no torrents" in out
