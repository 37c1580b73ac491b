from __future__ import annotations

import asyncio
import json

import pytest

from millstream.cli.exit_codes import CommandError
from millstream.cli.log import entry_of, find_logged, show

from .daemon_double import ID, Daemon, run
from .shown import Recording

ENTRY = {
    "number": 7,
    "time": 1_700_000_000.25,
    "level": "warning",
    "component": "peer",
    "torrent": ID,
    "peer": "192.0.2.7:1",
    "message": "left\x1b[2J",
    "exception": None,
}
LOGS = {"entries": [ENTRY], "oldest": 1, "latest": 7, "now": 0.0}


def test_lines_for_people_are_harmless(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "log", answers={"/logs": LOGS})
    assert (code, err) == (0, "")
    assert out.endswith(" WARNING peer     [abababab 192.0.2.7:1] left\\x1b[2J\n")
    assert daemon.asked == [("GET", "/logs?level=debug&limit=100&after=0", None)]


def test_objects_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "log", "--json", answers={"/logs": LOGS})
    assert json.loads(out) == {"event": "log", **ENTRY}


def test_the_daemon_filters(monkeypatch, capsys):
    options = ("--level", "INFO", "--component", "peer", "--torrent", "abab", "-n", "3")
    *_, daemon = run(monkeypatch, capsys, "log", *options, answers={"/logs": LOGS})
    path = f"/logs?level=INFO&component=peer&limit=3&torrent={ID}&after=0"
    assert daemon.asked[-1] == ("GET", path, None)


@pytest.mark.parametrize(
    "wrong", [("--level", "loud"), ("--component", "nobody"), ("-n", "-1"), ("-n", "10001")]
)
def test_wrong_usage(monkeypatch, capsys, wrong):
    code, out, _, daemon = run(monkeypatch, capsys, "log", *wrong)
    assert (code, out, daemon.asked) == (2, "", [])


async def test_a_torrent_that_was_removed_has_its_lines():
    assert await find_logged(Daemon({}), "FFFF") == "ffff"
    with pytest.raises(CommandError):
        await find_logged(Daemon({}), "no such name")


def test_entries_are_as_they_were():
    entry = entry_of(ENTRY)
    assert (entry.level_name, entry.peer, entry.time) == ("WARNING", "192.0.2.7:1", ENTRY["time"])
    assert entry_of({**ENTRY, "level": "of the future"}).level_name == "INFO"


class Log:
    """Answers one after the other; then the one who asks is cancelled."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def get(self, path):
        self.asked.append(path)
        if not self.answers:
            raise asyncio.CancelledError
        return self.answers.pop(0)


async def follow(*answers):
    display, log = Recording(), Log(*answers)
    wanted = {"level": "debug", "limit": 5}
    with pytest.raises(asyncio.CancelledError):
        await show(log, display, None, wanted, follow=True, interval=0)
    return display.events, [path.partition("?")[2] for path in log.asked]


def answer(*numbers, oldest=1):
    entries = [{**ENTRY, "number": number} for number in numbers]
    return {"entries": entries, "oldest": oldest, "latest": max(numbers, default=0)}


async def test_what_comes_is_asked_for_by_number():
    events, asked = await follow(answer(6, 7), answer(8))
    assert [facts["number"] for _, _, facts in events] == [6, 7, 8]
    assert asked == [
        "level=debug&limit=5&after=0",
        "level=debug&limit=10000&after=7",
        "level=debug&limit=10000&after=8",
    ]


async def test_what_was_too_fast_is_said():
    events, _ = await follow(answer(7), answer(20, oldest=11))
    assert [(name, facts.get("count")) for name, _, facts in events] == [
        ("log", None),
        ("lost", 3),
        ("log", None),
    ]


async def test_a_daemon_that_counts_anew_is_heard_from_its_first_line():
    events, asked = await follow(answer(700), answer(2), answer(1, 2))
    assert [facts["number"] for _, _, facts in events] == [700, 1, 2]
    assert asked[2].endswith("after=0")
