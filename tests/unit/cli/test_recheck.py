from __future__ import annotations

from .daemon_double import FIND, ID, run


def test_has_it_done_and_says_so(monkeypatch, capsys):
    answers = {f"/torrent/{ID}/recheck": {"ok": True}}
    code, out, err, daemon = run(monkeypatch, capsys, "recheck", "abab", answers=answers)
    assert (code, out, err) == (0, f"Rechecking {ID}\n", "")
    assert daemon.asked == [FIND, ("POST", f"/torrent/{ID}/recheck", None)]
