from __future__ import annotations

import json

import pytest

from .daemon_double import ID, run
from .test_file_table import file

FILES = [file("x/a.mkv", index=0), file("x/b.nfo", index=2), file("x/2/c.nfo", index=3)]
PATH = f"/torrent/{ID}/rename"
ANSWERS = {f"/torrent/{ID}/files": {"files": FILES}, PATH: {"ok": True}}


@pytest.mark.parametrize(
    ("old", "index"), [("2", 2), ("x/2/c.nfo", 3), ("a.mkv", 0), ("2/*", 3), ("*.mkv", 0)]
)
def test_a_file_is_named_by_number_or_path(monkeypatch, capsys, old, index):
    code, out, err, daemon = run(monkeypatch, capsys, "rename", ID, old, "y/n", answers=ANSWERS)
    assert (code, out, err) == (0, f"Renamed {old} to y/n\n", "")
    assert daemon.asked[-1] == ("POST", PATH, {"file": index, "path": "y/n"})


def test_a_folder(monkeypatch, capsys):
    arguments = ("rename", ID, "x", "y", "--folder", "--json")
    _, out, _, daemon = run(monkeypatch, capsys, *arguments, answers=ANSWERS)
    assert daemon.asked == [("POST", PATH, {"folder": "x", "path": "y"})]
    assert json.loads(out) == {"event": "renamed", "infohash": ID, "old": "x", "new": "y"}


@pytest.mark.parametrize(
    ("old", "words"),
    [("4", "the torrent has 3 files"), ("z", "no file"), ("*.nfo", "means 2 files")],
)
def test_no_file_or_several(monkeypatch, capsys, old, words):
    code, out, err, daemon = run(monkeypatch, capsys, "rename", ID, old, "y", answers=ANSWERS)
    assert (code, out) == (2, "")
    assert words in err
    assert all(method == "GET" for method, _, _ in daemon.asked)
