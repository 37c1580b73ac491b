from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from millstream import Metainfo
from millstream.protocol.metainfo import FileEntry
from millstream.protocol.metainfo_building import build

from .daemon_double import ID, run

ANSWERS = {"/torrent/add": {"ok": True, "id": ID, "name": "x\x1b"}}
MAGNET = f"magnet:?xt=urn:btih:{ID}&dn=x"


def test_a_magnet_link(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "add", MAGNET, answers=ANSWERS)
    assert (code, out, err) == (0, f"Added x\ufffd, {ID}\n", "")
    ((_, path, body),) = daemon.asked
    assert (path, body["type"]) == ("/torrent/add", "magnet")
    assert ID in body["data"]
    assert "storagePath" not in body


def test_a_file_is_read_here(monkeypatch, capsys, tmp_path):
    file = tmp_path / "x.torrent"
    data = build("x", [FileEntry(("x",), 3)], 16384, bytes(20), is_multi_file=False)
    file.write_bytes(data)
    _, out, _, daemon = run(
        monkeypatch,
        capsys,
        *("add", str(file), "-o", "here", "-p", "192.0.2.7:1", "--tracker", "udp://t:1"),
        *("--paused", "--sequential", "--json"),
        answers=ANSWERS,
    )
    ((_, _, body),) = daemon.asked
    sent = Metainfo.parse(base64.b64decode(body.pop("data")))
    assert sent.info_hash == Metainfo.parse(data).info_hash
    assert body == {
        "type": "file",
        "storagePath": str(Path("here").absolute()),
        "peers": ["192.0.2.7:1"],
        "trackers": ["udp://t:1"],
        "sequential": True,
        "firstLast": False,
        "paused": True,
    }
    assert json.loads(out) == {"event": "added", "infohash": ID, "name": "x\x1b"}


@pytest.mark.parametrize(
    "arguments", [("magnet:?x",), ("/no/such.torrent",), (MAGNET, "--peer", "nonsense")]
)
def test_what_makes_no_sense_does_not_reach_the_daemon(monkeypatch, capsys, arguments):
    code, _, err, daemon = run(monkeypatch, capsys, "add", *arguments, answers=ANSWERS)
    assert (code, daemon.asked) == (2, [])
    assert err


def test_a_root_is_looked_up(monkeypatch, capsys):
    root = {"token": "0123456789abcdef", "label": "media", "path": "/srv"}
    answers = ANSWERS | {"/roots": {"roots": [root]}}
    options = ("--root", "media", "--first-last")
    *_, daemon = run(monkeypatch, capsys, "add", MAGNET, *options, answers=answers)
    _, _, body = daemon.asked[-1]
    assert (body["root"], body["firstLast"]) == (root["token"], True)
    code, _, err, daemon = run(monkeypatch, capsys, "add", MAGNET, "-o", "x", *options)
    assert (code, daemon.asked) == (2, [])
    assert "--output" in err
