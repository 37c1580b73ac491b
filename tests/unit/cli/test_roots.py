from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.cli.exit_codes import CommandError
from millstream.cli.roots import find_root, root_line

from .daemon_double import Daemon, run

MEDIA = {
    "token": "0123456789abcdef",
    "label": "media",
    "path": "/srv/media",
    "default": True,
    "implicit": False,
    "torrents": 2,
}
OTHER = {**MEDIA, "token": "0123ffff" * 2, "label": "x\x1b", "path": "/mnt", "default": False}
ROOTS = {"/roots": {"roots": [MEDIA, OTHER]}}


def test_one_line_a_root(monkeypatch, capsys):
    code, out, err, _ = run(monkeypatch, capsys, "roots", answers=ROOTS)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "0123456789abcdef  media  /srv/media  2 torrents, default",
        "0123ffff0123ffff  x\ufffd  /mnt  2 torrents",
    ]


def test_one_object_a_root_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "roots", "--json", answers=ROOTS)
    assert [json.loads(line) for line in out.splitlines()] == [
        {"event": "root", **MEDIA},
        {"event": "root", **OTHER},
    ]


def test_adding(monkeypatch, capsys):
    answers = {"/roots/add": {"ok": True, **MEDIA}}
    arguments = ("roots", "add", "here", "--label", "media", "--default")
    code, out, _, daemon = run(monkeypatch, capsys, *arguments, answers=answers)
    assert (code, out) == (0, root_line(MEDIA) + "\n")
    body = {"path": str(Path("here").absolute()), "label": "media", "default": True}
    assert daemon.asked == [("POST", "/roots/add", body)]


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("default", "media"), None),
        (("accept", "media"), None),
        (("relabel", "/srv/media", "films"), {"label": "films"}),
        (("repoint", MEDIA["token"], "/mnt/media"), {"path": "/mnt/media"}),
    ],
)
def test_changing(monkeypatch, capsys, arguments, body):
    path = f"/root/{MEDIA['token']}/{arguments[0]}"
    answers = ROOTS | {path: {"ok": True, **MEDIA, "label": "now"}}
    _, out, _, daemon = run(monkeypatch, capsys, "roots", *arguments, answers=answers)
    assert daemon.asked == [("GET", "/roots", None), ("POST", path, body)]
    assert "  now  " in out


def test_removing(monkeypatch, capsys):
    answers = ROOTS | {f"/root/{OTHER['token']}/remove": {"ok": True}}
    code, out, _, _ = run(monkeypatch, capsys, "roots", "remove", "/mnt", "--json", answers=answers)
    assert code == 0
    assert json.loads(out) == {"event": "root_removed", **OTHER}


@pytest.mark.parametrize(("name", "label"), [("media", "media"), ("0123f", "x\x1b")])
async def test_a_root_is_found_by_label_and_first_digits(name, label):
    assert (await find_root(Daemon(ROOTS), name))["label"] == label


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "has no storage root"), ("012", "has no"), ("0123", "any of")]
)
async def test_no_root_or_several(name, words):
    with pytest.raises(CommandError, match=words) as caught:
        await find_root(Daemon(ROOTS), name)
    assert caught.value.code == 2
