from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from millstream.cli.exit_codes import CommandError
from millstream.cli.move import carry, destination

from .daemon_double import ID, Daemon, run
from .shown import Recording
from .test_roots import MEDIA, ROOTS

PATH = f"/torrent/{ID}/move"
DONE = {"moving": False, "moved": None, "size": 100, "error": None, "savePath": "/mnt\x1b"}


def test_a_quick_move(monkeypatch, capsys):
    answers = ROOTS | {PATH: {"ok": True, **DONE}}
    code, out, err, daemon = run(monkeypatch, capsys, "move", ID, "media", answers=answers)
    assert (code, out, err) == (0, f"Moved {ID} to /mnt\ufffd\n", "")
    assert daemon.asked == [("GET", "/roots", None), ("POST", PATH, {"root": MEDIA["token"]})]


def test_not_waiting(monkeypatch, capsys):
    answers = {PATH: {"ok": True, **DONE, "moving": True}}
    arguments = ("move", ID, "/mnt", "--no-wait", "--json")
    _, out, _, daemon = run(monkeypatch, capsys, *arguments, answers=answers)
    assert daemon.asked == [("POST", PATH, {"path": "/mnt"})]
    assert json.loads(out) == {"event": "moving", "infohash": ID, "save_path": None}


@pytest.mark.parametrize("to", ["./here", "..", "a/b"])
def test_directories_are_below_ours(to):
    assert asyncio.run(destination(Daemon({}), to)) == {"path": str(Path(to).absolute())}


class Counting(Recording):
    def count(self, doing, what, done, total, unit="piece"):
        self.snapshots.append((doing, what, done, total, unit))


async def follow(*answers):
    """Carry out a move that answers so; what it came to, and what was shown on the way."""
    daemon, display, left = Daemon({}), Counting(), list(answers)
    daemon._answer = lambda *_: {**DONE, **left.pop(0)}
    result = await carry(daemon, display, ID, "/mnt", wait=True, interval=0)
    return result, display.snapshots


async def test_a_long_move_is_watched():
    result, shown = await follow(
        {"moving": True}, {"moving": True, "moved": 60}, {"moving": True, "moved": 999}, {}
    )
    assert result == (ID, "/mnt\x1b")
    assert [done for _, _, done, _, _ in shown] == [0, 60, 100]


async def test_one_that_fails_on_the_way():
    with pytest.raises(CommandError, match="in the way") as caught:
        await follow({"moving": True}, {"error": "a file is in the way"})
    assert caught.value.code == 1
