from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from millstream.cli.list_torrents import sort_keys
from millstream.cli.torrent_table import FIELDS, table_lines

from .daemon_double import ID, VIEW, run


def asked_for(daemon):
    ((method, path, _),) = daemon.asked
    assert (method, urlsplit(path).path) == ("GET", "/torrents")
    return {key: value for key, (value,) in parse_qs(urlsplit(path).query).items()}


def test_one_line_a_torrent(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "list")
    assert (code, err) == (0, "")
    assert out.splitlines() == list(table_lines([VIEW]))
    assert asked_for(daemon) == {"fields": ",".join(FIELDS)}


def test_one_object_a_torrent_for_scripts(monkeypatch, capsys):
    _, out, _, daemon = run(monkeypatch, capsys, "list", "--json")
    event = json.loads(out)
    assert (event["event"], event["infohash"], event["download_rate"]) == (
        "torrent",
        ID,
        2_000_000,
    )
    assert asked_for(daemon) == {}


def test_the_daemon_chooses_and_sorts(monkeypatch, capsys):
    options = ("--state", "error", "--sort", "-download_rate,name", "-n", "5")
    *_, daemon = run(monkeypatch, capsys, "list", "ub untu", *options, "--json")
    assert asked_for(daemon) == {
        "name": "ub untu",
        "state": "error",
        "sort": "-downloadRate,name",
        "limit": "5",
    }


def test_none(monkeypatch, capsys):
    nothing = {"/torrents": {"torrents": []}}
    _, out, _, _ = run(monkeypatch, capsys, "list", answers=nothing)
    assert "has no torrents" in out
    _, out, _, _ = run(monkeypatch, capsys, "list", "x", answers=nothing)
    assert "no such torrents" in out


@pytest.mark.parametrize(
    ("keys", "fields"),
    [
        ("name", "name"),
        ("-pieces_have", "-piecesHave"),
        ("infohash, -ratio", "id,-ratio"),
        ("downloadRate", "downloadRate"),
        ("", ""),
    ],
)
def test_keys_are_those_of_json(keys, fields):
    assert sort_keys(keys) == fields
