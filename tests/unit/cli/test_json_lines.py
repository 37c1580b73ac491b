from __future__ import annotations

import io
import json

import pytest

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.json_lines import TRANSFER_KEYS, JsonLines
from millstream.core.torrent_state import TorrentState
from millstream.engine.status import TorrentStatus


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def lines(output, clock):
    return JsonLines(output, clock)


def read(output):
    return [json.loads(line) for line in output.getvalue().splitlines()]


def status(state="downloading", **values):
    values = dict.fromkeys(TRANSFER_KEYS, 0) | {"error": None} | values
    return TorrentStatus(state=TorrentState(state), **values)


def test_an_event_is_its_facts_on_one_line(lines, output):
    lines.event("complete", "for people", good=True, name="a\nb\udcff", seconds=1.5, eta=None)
    assert output.getvalue().count("\n") == 1
    assert output.getvalue().isascii()
    assert read(output) == [
        {"event": "complete", "name": "a\nb\udcff", "seconds": 1.5, "eta": None}
    ]


def test_notes_are_for_people(lines, output):
    lines.note("hello")
    assert not output.getvalue()


def test_a_transfer_has_all_documented_keys(lines, output):
    lines.transfer("x", status(progress=1 / 3, eta=None), b"")
    (event,) = read(output)
    assert list(event) == ["event", "state", *TRANSFER_KEYS]
    assert event["event"] == "progress"
    assert event["state"] == "downloading"
    assert event["progress"] == 0.3333
    assert event["eta"] is None


def test_once_a_second_and_at_each_change_of_state(lines, output, clock):
    for state in ["checking"] * 3 + ["downloading"] * 3:
        lines.transfer("x", status(state), b"")
        clock.now += 0.4
    assert [event["state"] for event in read(output)] == ["checking", "downloading"]
    clock.now += 0.4
    lines.transfer("x", status(), b"")
    assert len(read(output)) == 3


def test_counts(lines, output):
    lines.count("Hashing", "pictures", 3, 7)
    lines.count("Hashing", "pictures", 4, 7)
    lines.count("Comparing", "copies", 5, 9, "byte")
    assert read(output) == [
        {"event": "progress", "doing": "hashing", "done": 3, "total": 7, "unit": "piece"},
        {"event": "progress", "doing": "comparing", "done": 5, "total": 9, "unit": "byte"},
    ]


def test_an_error_is_the_last_event(lines, output):
    with pytest.raises(CommandError), lines:
        raise CommandError("not complete", ExitCode.BAD_DATA)
    assert read(output) == [{"event": "error", "message": "not complete", "exit_code": 4}]


def test_the_way_typer_ends_a_command_is_no_error(lines, output):
    with pytest.raises(SystemExit), lines:
        raise SystemExit(0)
    assert not output.getvalue()
