from __future__ import annotations

import json

import pytest

from .daemon_double import ID, run

NOW = {"/engine/limits": {"download": 2_000_000, "upload": None}}


def test_shows_what_holds(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "limits", answers=NOW)
    assert (code, out, err) == (0, "Receive at most 2 MB/s, send without limit\n", "")
    assert daemon.asked == [("GET", "/engine/limits", None)]


def test_sets_what_is_named_and_nothing_else(monkeypatch, capsys):
    _, out, _, daemon = run(monkeypatch, capsys, "limits", "--up", "none", "--json", answers=NOW)
    assert daemon.asked == [("POST", "/engine/limits", {"upload": 0})]
    assert json.loads(out) == {"event": "limits", "download": 2_000_000, "upload": None}


def test_of_one_torrent(monkeypatch, capsys):
    path = f"/torrent/{ID}/settings"
    answers = {path: {"downloadLimit": 512_000, "uploadLimit": None}}
    _, out, _, daemon = run(
        monkeypatch, capsys, "limits", "--torrent", "abab", "--down", "500K", answers=answers
    )
    assert daemon.asked[-1] == ("POST", path, {"downloadLimit": 512_000})
    assert out == "Receive at most 512 kB/s, send without limit\n"


@pytest.mark.parametrize("text", ["", "fast", "0", "1023", "-1K"])
def test_no_rates(monkeypatch, capsys, text):
    code, out, err, daemon = run(monkeypatch, capsys, "limits", "--up", text)
    assert (code, out, daemon.asked) == (2, "", [])
    assert "--up" in err
