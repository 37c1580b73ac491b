from __future__ import annotations

import json

import pytest

from millstream.cli.goals import goals_line

from .daemon_double import ID, run

NOW = {"ratio": 2.0, "seedTime": None, "idleTime": "inherit", "action": "remove data"}
PATH = f"/torrent/{ID}/goals"
ANSWERS = {PATH: {"ok": True, **NOW}}


def test_they_are_shown(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "goals", ID, answers=ANSWERS)
    assert (code, err) == (0, "")
    assert out == "ratio 2, seed time none, idle time as for all, then remove data\n"
    assert daemon.asked == [("GET", PATH, None)]


def test_times_are_said_as_people_say_them():
    said = goals_line({**NOW, "seedTime": 7 * 86400, "action": "inherit"})
    assert said == "ratio 2, seed time 7 d 0 h, idle time as for all, then as for all"


def test_only_what_is_named_is_set(monkeypatch, capsys):
    options = ("--ratio", "1.5", "--seed-time", "2h", "--idle-time", "None")
    arguments = ("goals", ID, *options, "--action", "remove-data", "--json")
    _, out, _, daemon = run(monkeypatch, capsys, *arguments, answers=ANSWERS)
    body = {"ratio": 1.5, "seedTime": 7200, "idleTime": None, "action": "remove data"}
    assert daemon.asked == [("POST", PATH, body)]
    assert json.loads(out)["seed_time"] is None
    *_, daemon = run(monkeypatch, capsys, "goals", ID, "--ratio", "inherit", answers=ANSWERS)
    assert daemon.asked == [("POST", PATH, {"ratio": "inherit"})]


@pytest.mark.parametrize(
    "wrong",
    [("--ratio", "much"), ("--ratio", "-1"), ("--ratio", "inf"), ("--seed-time", "7")],
)
def test_wrong_usage(monkeypatch, capsys, wrong):
    code, out, err, daemon = run(monkeypatch, capsys, "goals", ID, *wrong)
    assert (code, out, daemon.asked) == (2, "", [])
    assert wrong[0] in err
