from __future__ import annotations

import json

import pytest

from .daemon_double import FIND, ID, run
from .test_file_table import file

FILES = [file("x/a.mkv", index=0), file("x/b.nfo", index=2), file("x/extras/c.mkv", index=3)]
PATH = f"/torrent/{ID}/files"
CHANGED = [{**FILES[0], "priority": "high"}, *FILES[1:]]
ANSWERS = {PATH: {"files": FILES}, f"/torrent/{ID}/priorities": {"files": CHANGED}}


def test_a_line_a_file(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "files", "abab", answers=ANSWERS)
    assert (code, err) == (0, "")
    assert [line.split()[-1] for line in out.splitlines()] == [
        "x/a.mkv",
        "x/b.nfo",
        "x/extras/c.mkv",
    ]
    assert daemon.asked == [FIND, ("GET", PATH, None)]


def test_files_are_named_by_number_and_pattern(monkeypatch, capsys):
    options = ("--high", "1", "--skip", "*.nfo", "--low", "extras/*")
    _, out, _, daemon = run(monkeypatch, capsys, "files", ID, *options, answers=ANSWERS)
    body = {"high": [0], "low": [3], "skip": [2]}
    assert daemon.asked[-1] == ("POST", f"/torrent/{ID}/priorities", body)
    assert "high" in out


def test_one_object_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "files", ID, "--json", answers=ANSWERS)
    event = json.loads(out)
    assert (event["event"], event["infohash"], len(event["files"])) == ("files", ID, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--skip", "4"), "--skip 4: the torrent has 3 files; `millstream files` numbers them"),
        (("--high", "*.iso"), "--high *.iso: no file"),
        (("--low", "3-1"), "no range of files"),
    ],
)
def test_no_such_file(monkeypatch, capsys, arguments, words):
    code, out, err, daemon = run(monkeypatch, capsys, "files", ID, *arguments, answers=ANSWERS)
    assert (code, out) == (2, "")
    assert words in err
    assert all(method == "GET" for method, _, _ in daemon.asked)
