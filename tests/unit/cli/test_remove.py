from __future__ import annotations

import json

from .daemon_double import FIND, ID, run


def test_has_it_done_and_says_so(monkeypatch, capsys):
    answers = {f"/torrent/{ID}/remove": {"ok": True}}
    code, out, err, daemon = run(monkeypatch, capsys, "remove", "abab", answers=answers)
    assert (code, out, err) == (0, f"Removed {ID}\n", "")
    assert daemon.asked == [FIND, ("POST", f"/torrent/{ID}/remove", None)]


def test_says_so_to_scripts(monkeypatch, capsys):
    answers = {f"/torrent/{ID}/remove": {"ok": True}}
    _, out, _, _ = run(monkeypatch, capsys, "remove", ID, "--json", answers=answers)
    assert json.loads(out) == {"event": "removed", "infohash": ID}
