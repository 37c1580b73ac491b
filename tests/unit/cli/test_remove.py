from __future__ import annotations

import json
import sys

import pytest

from .daemon_double import FIND, ID, run

PATH = f"/torrent/{ID}/remove"
ANSWERS = {PATH: {"ok": True}}


def test_has_it_done_and_says_so(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "remove", "abab", answers=ANSWERS)
    assert (code, out, err) == (0, f"Removed {ID}\n", "")
    assert daemon.asked == [FIND, ("POST", PATH, None)]


def test_says_so_to_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "remove", ID, "--json", answers=ANSWERS)
    assert json.loads(out) == {"event": "removed", "infohash": ID}


def test_scripts_are_not_asked(monkeypatch, capsys):
    arguments = ("remove", ID, "--delete-data")
    code, _, _, daemon = run(monkeypatch, capsys, *arguments, answers=ANSWERS)
    assert (code, daemon.asked) == (0, [("POST", PATH, {"deleteData": True})])


@pytest.mark.parametrize(
    ("answer", "options", "code"), [("y", (), 0), ("n", (), 3), ("", (), 3), ("", ("--yes",), 0)]
)
def test_people_are(monkeypatch, capsys, answer, options, code):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    arguments = ("remove", ID, "--delete-data", *options)
    ended, _, err, daemon = run(monkeypatch, capsys, *arguments, answers=ANSWERS)
    assert ended == code
    assert len(daemon.asked) == (code == 0)
    assert ("Delete the files" in err) is not bool(options)


class Terminal:
    """Somebody who answers once."""

    encoding = "utf-8"

    def __init__(self, answer):
        self._answer = answer

    def isatty(self):
        return True

    def readline(self, *_):
        return self._answer + "\n"

    def fileno(self):
        raise OSError
