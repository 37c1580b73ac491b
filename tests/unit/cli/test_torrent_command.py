from __future__ import annotations

import json

import pytest

from millstream.cli.torrent_command import tell
from millstream.errors import ControlError

from .daemon_double import ID, Daemon

PATH = f"/torrent/{ID}/verb"


def carry_out(monkeypatch, answer, **values):
    daemon = Daemon({PATH: answer})
    monkeypatch.setattr("millstream.rpc.client.ControlClient", daemon)
    there = {"daemon": None, "token_file": None, "json": False}
    tell("abab", "verb", "done", **(there | values))
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
