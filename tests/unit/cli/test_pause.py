from __future__ import annotations

import json

from .daemon_double import FIND, ID, run


def test_has_it_done_and_says_so(monkeypatch, capsys):
    answers = {f"/torrent/{ID}/pause": {"ok": True}}
    code, out, err, daemon = run(monkeypatch, capsys, "pause", "abab", answers=answers)
    assert (code, out, err) == (0, f"Paused {ID}\n", "")
    assert daemon.asked == [FIND, ("POST", f"/torrent/{ID}/pause", None)]


def test_says_so_to_scripts(monkeypatch, capsys):
    answers = {f"/torrent/{ID}/pause": {"ok": True}}
    _, out, _, _ = run(monkeypatch, capsys, "pause", ID, "--json", answers=answers)
    assert json.loads(out) == {"event": "paused", "infohash": ID}
