from __future__ import annotations

import json
import re

from .daemon_double import ID, VIEW, run

ANSWERS = {
    f"/torrent/{ID}/status": VIEW,
    f"/torrent/{ID}/files": {
        "files": [{"index": 0, "path": "x/\x07a", "size": 4, "done": 1, "priority": "high"}]
    },
    f"/torrent/{ID}/trackers": {
        "trackers": [
            {"url": "http://t/a", "state": "failed", "error": "no\x1banswer", "warning": None}
        ]
    },
    f"/torrent/{ID}/peers": {
        "peers": [{"ip": "192.0.2.7", "port": 1, "client": "C\x1b", "percent": 12.5, "flags": "d"}]
    },
}


def test_shows_everything_and_nothing_that_moves_the_cursor(monkeypatch, capsys):
    code, out, err, _ = run(monkeypatch, capsys, "show", ID, answers=ANSWERS)
    assert (code, err) == (0, "")
    assert out.replace("\n", "").isprintable()
    for words in ("downloading metadata, 50.0 %", "5 MiB of 10 MiB", "25.0 %", "http://t/a failed"):
        assert words in out
    assert "192.0.2.7 port 1" in out


def test_one_object_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "show", ID, "--json", answers=ANSWERS)
    event = json.loads(out)
    assert (event["infohash"], event["save_path"]) == (ID, "/srv")
    assert event["files"][0]["done"] == 1
    assert event["connected"][0]["ip"] == "192.0.2.7"
    assert "ok" not in event


def test_a_magnet_has_no_files_at_first(monkeypatch, capsys):
    answers = ANSWERS | {f"/torrent/{ID}/status": {**VIEW, "pieceCount": 0, "size": 0}}
    del answers[f"/torrent/{ID}/files"]
    code, out, _, _ = run(monkeypatch, capsys, "show", ID, answers=answers)
    assert code == 0
    assert "file" not in out


def test_what_hinders_it(monkeypatch, capsys):
    answers = ANSWERS | {f"/torrent/{ID}/status": {**VIEW, "whyIdle": "no peers\x1b", "ratio": 0.5}}
    _, out, _, _ = run(monkeypatch, capsys, "show", ID, answers=answers)
    assert "  idle       no peers\ufffd\n" in out
    assert "  ratio      0.50\n" in out
    assert re.search(r"  added      2023-11-1\d \d\d:\d\d\n", out)
    assert "completed" not in out
    failed = {"completedAt": 1_700_000_000} | {
        "error": "full",
        "errorKind": "StorageError",
        "whyIdle": "full",
    }
    answers[f"/torrent/{ID}/status"] = {**VIEW, **failed}
    _, out, _, _ = run(monkeypatch, capsys, "show", ID, answers=answers)
    assert "  error      full (StorageError)\n" in out
    assert "  completed  2023-11-1" in out
    assert "idle" not in out
