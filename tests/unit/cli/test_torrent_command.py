from __future__ import annotations

import json

import pytest

from millstream.cli.torrent_command import show_or_change, tell
from millstream.errors import ControlError

from .daemon_double import ID, Daemon

PATH = f"/torrent/{ID}/verb"


THERE = {"daemon": None, "token_file": None, "json": False}


def answering(monkeypatch, answer):
    daemon = Daemon({PATH: answer})
    monkeypatch.setattr("millstream.rpc.client.ControlClient", daemon)
    return daemon


def carry_out(monkeypatch, answer, **values):
    daemon = answering(monkeypatch, answer)
    tell("abab", "verb", "done", **(THERE | values))
    return daemon


def test_the_route_is_told_its_body(monkeypatch, capsys):
    daemon = carry_out(monkeypatch, {"ok": True}, body={"a": 1})
    assert daemon.asked[-1] == ("POST", PATH, {"a": 1})
    assert capsys.readouterr().out == f"Done {ID}\n"


def test_scripts_get_an_event(monkeypatch, capsys):
    carry_out(monkeypatch, {"ok": True}, json=True)
    assert json.loads(capsys.readouterr().out) == {"event": "done", "infohash": ID}


def test_what_fails_is_not_said_to_be_done(monkeypatch, capsys):
    with pytest.raises(ControlError):
        carry_out(monkeypatch, ControlError("nobody there"))
    assert capsys.readouterr().out == ""


def show(monkeypatch, answer, **values):
    daemon = answering(monkeypatch, answer)
    show_or_change("abab", "verb", lambda now: f"It is {now['howMuch']}.", **(THERE | values))
    return daemon


@pytest.mark.parametrize("body", [None, {}])
def test_what_is_there_is_shown(monkeypatch, capsys, body):
    daemon = show(monkeypatch, {"ok": True, "howMuch": 7}, body=body)
    assert daemon.asked[-1] == ("GET", PATH, None)
    assert capsys.readouterr().out == "It is 7.\n"


def test_what_is_to_change_is_told(monkeypatch, capsys):
    daemon = show(monkeypatch, {"ok": True, "howMuch": 8}, body={"a": 1}, json=True)
    assert daemon.asked[-1] == ("POST", PATH, {"a": 1})
    event = {"event": "verb", "infohash": ID, "how_much": 8}
    assert json.loads(capsys.readouterr().out) == event
