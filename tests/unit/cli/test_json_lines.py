from __future__ import annotations

import io
import json

import pytest

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.json_lines import PEER_KEYS, TRANSFER_KEYS, JsonLines
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry

from .shown import peer, snapshot


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
    lines.transfer(snapshot(progress=1 / 3, eta=None))
    (event,) = read(output)
    assert list(event) == ["event", "state", *TRANSFER_KEYS, "waiting_for"]
    assert event["event"] == "progress"
    assert event["state"] == "downloading"
    assert event["progress"] == 0.3333
    assert event["eta"] is None
    assert event["waiting_for"] is None


def test_once_a_second_and_at_each_change_of_state(lines, output, clock):
    for state in ["checking"] * 3 + ["downloading"] * 3:
        lines.transfer(snapshot(state))
        clock.now += 0.4
    assert [event["state"] for event in read(output)] == ["checking", "downloading"]
    clock.now += 0.4
    lines.transfer(snapshot())
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


def test_a_transfer_that_waits_says_for_what(lines, output):
    lines.transfer(snapshot("fetching metadata", waiting_for="asking the tracker"))
    (event,) = read(output)
    assert (event["state"], event["metadata_progress"]) == ("fetching metadata", 0.25)
    assert event["waiting_for"] == "asking the tracker"


def test_peers(lines, output, clock):
    lines.transfer(snapshot(listed=[peer()]))
    clock.now += 0.5
    lines.peers(snapshot(listed=[peer()]))
    clock.now += 0.5
    lines.peers(snapshot(listed=[], waiting_for="asking the tracker"))
    _, first, second = read(output)
    assert first["event"] == second["event"] == "peers"
    ((found,), seeds) = first["peers"], first["seeds"]
    assert list(found) == ["address", *PEER_KEYS]
    assert (found["address"], found["encryption"], seeds) == ("192.0.2.1:6881", "rc4", 1)
    assert (second["peers"], second["waiting_for"]) == ([], "asking the tracker")


def test_swarms_that_changed(lines, output):
    swarms = {InfoHash(b"\x01" * 20): ScrapeEntry(1, 3, 2)}
    lines.swarms(swarms)
    lines.swarms(swarms)
    assert read(output) == [
        {"event": "swarm", "infohash": "01" * 20, "seeders": 1, "leechers": 2, "completed": 3}
    ]
