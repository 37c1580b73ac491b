from __future__ import annotations

import json

import pytest

from .daemon_double import ID, run

PATH = f"/torrent/{ID}/queue"
NOW = {"position": 1233, "count": 5000, "forced": False, "autoManaged": True}
ANSWERS = {PATH: {"ok": True, **NOW}}


def test_the_place_is_shown(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "queue", ID, answers=ANSWERS)
    assert (code, out, err) == (0, "Place 1,234 of 5,000, runs as the queue says\n", "")
    assert daemon.asked == [("GET", PATH, None)]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"forced": True}, "whatever the queue says"), ({"autoManaged": False}, "as you start")],
)
def test_who_does_not_wait_is_said(monkeypatch, capsys, change, words):
    answers = {PATH: {"ok": True, **NOW, **change}}
    _, out, _, _ = run(monkeypatch, capsys, "queue", ID, answers=answers)
    assert words in out


@pytest.mark.parametrize(
    ("way", "body"),
    [
        ("up", {"move": "up"}),
        ("bottom", {"move": "bottom"}),
        ("1", {"position": 0}),
        ("force", {"forced": True}),
        ("auto", {"forced": False, "autoManaged": True}),
        ("manual", {"forced": False, "autoManaged": False}),
    ],
)
def test_ways(monkeypatch, capsys, way, body):
    _, out, _, daemon = run(monkeypatch, capsys, "queue", ID, way, "--json", answers=ANSWERS)
    assert daemon.asked == [("POST", PATH, body)]
    assert json.loads(out) == {
        "event": "queue",
        "infohash": ID,
        "position": 1233,
        "count": 5000,
        "forced": False,
        "auto_managed": True,
    }


@pytest.mark.parametrize("way", ["0", "sideways", "1.5", "9999999"])
def test_no_such_way(monkeypatch, capsys, way):
    code, out, _, daemon = run(monkeypatch, capsys, "queue", ID, way)
    assert (code, out, daemon.asked) == (2, "", [])
