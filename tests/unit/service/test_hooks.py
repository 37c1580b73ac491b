from __future__ import annotations

import asyncio

import pytest

from millstream.logging import RingBufferLogger
from millstream.service import hooks as module
from millstream.service.config import HooksConfig
from millstream.service.hooks import MAX_LINES, Hooks
from millstream.service.occasion import Happening, Occasion
from millstream.service.script import Outcome
from millstream.testing.virtual_time import run_virtual


def happening(name="a", occasion=Occasion.ADDED):
    return Happening(occasion=occasion, time=0.0, infohash="ab" * 20, name=name, root="/r")


class Runs:
    """Scripts that end when they are told to."""

    def __init__(self):
        self.begun = []
        self.ends = []
        self.cancelled = 0

    async def __call__(self, command, environment, seconds):
        end = asyncio.get_running_loop().create_future()
        self.begun.append((command, environment, seconds))
        self.ends.append(end)
        try:
            return await end
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def log(caplog):
    caplog.set_level("DEBUG", logger="millstream.service")
    return caplog


def test_a_script_gets_its_words():
    async def main():
        runs = Runs()
        config = HooksConfig(added=("/bin/tell", "{name}", "of {infohash}"), timeout=7)
        environment = {"HOME": "/h", "MILLSTREAM_WEBHOOKS_SECRET": "hush"}
        hooks = Hooks(config, environment, runs)
        hooks.happened(happening("$(x) 'q'\n\0"))
        hooks.happened(happening(occasion=Occasion.ERROR))
        await settle()
        ((command, environment, seconds),) = runs.begun
        name = "$(x) 'q'\n\N{REPLACEMENT CHARACTER}"
        assert command == ["/bin/tell", name, f"of {'ab' * 20}"]
        assert seconds == 7
        assert environment["HOME"] == "/h"
        assert environment["MILLSTREAM_NAME"] == name
        assert environment["MILLSTREAM_EVENT"] == "added"
        assert environment["MILLSTREAM_SIZE"] == ""
        assert "hush" not in environment.values()
        runs.ends[0].set_result(Outcome(0, b""))
        await hooks.close()

    run_virtual(main())


def test_so_many_run_at_once_in_the_order_of_what_happened():
    async def main():
        runs = Runs()
        hooks = Hooks(HooksConfig(added=("x", "{name}"), max_running=2), {}, runs)
        for name in "abcd":
            hooks.happened(happening(name))
        await settle()
        assert [command[1] for command, _, _ in runs.begun] == ["a", "b"]
        runs.ends[1].set_result(Outcome(0, b""))
        await settle()
        assert [command[1] for command, _, _ in runs.begun] == ["a", "b", "c"]
        hooks.configure(HooksConfig(added=("y",), max_running=3))
        await settle()
        assert [command[0] for command, _, _ in runs.begun] == ["x"] * 4, "as it was meant"
        for end in runs.ends:
            if not end.done():
                end.set_result(Outcome(0, b""))
        await hooks.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(0, b"one\n\n two\xff\n"), ["says: one", "says:  two\ufffd", "'added' ran"]),
        (Outcome(0, b"y\n" * 22), [*["says: y"] * MAX_LINES, "says 2 lines more", "'added' ran"]),
        (Outcome(3, b""), ["failed: exit code 3"]),
        (Outcome(-9, b""), ["failed: ended by signal 9"]),
        (Outcome(-15, b"x", timed_out=True), ["says: x", "was ended: it took more than 60 s"]),
        (FileNotFoundError(2, "No such file", "/no"), ["cannot be run: [Errno 2] No such file"]),
        (ValueError("embedded null byte"), ["cannot be run: embedded null byte"]),
    ],
)
def test_the_log_tells_how_it_went(log, outcome, words):
    async def run(*_):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def main():
        hooks = Hooks(HooksConfig(added=("x",)), {}, run)
        hooks.happened(happening())
        await hooks.close()

    run_virtual(main())
    assert len(log.messages) == len(words)
    for message, part in zip(log.messages, words, strict=True):
        assert part in message
    assert {record.torrent for record in log.records} == {"ab" * 20}


def test_none_is_lost_at_the_end_without_a_word(log):
    async def main():
        runs = Runs()
        hooks = Hooks(HooksConfig(added=("/x/y",), max_running=1), {}, runs)
        for _ in range(3):
            hooks.happened(happening())
        await settle()
        await hooks.close()
        assert asyncio.get_running_loop().time() == module.CLOSING_TIME
        assert (len(runs.begun), runs.cancelled) == (1, 1)
        hooks.happened(happening())

    run_virtual(main())
    assert log.messages == [
        *["the script for 'added' is not run: the service ends"] * 2,
        "ended with the service: the script '/x/y' for 'added'",
        "the script for 'added' is not run: the service ends",
    ]


def test_what_waits_is_bounded(log, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 2)

    async def main():
        hooks = Hooks(HooksConfig(added=("x",), max_running=1), {}, Runs())
        for _ in range(4):
            hooks.happened(happening())
        assert log.messages == ["the script for 'added' is not run: 2 wait already"]
        await hooks.close()

    run_virtual(main())


def test_the_entries_are_found_by_torrent():
    import logging

    kept = RingBufferLogger()
    logger = logging.getLogger("millstream.service")
    logger.addHandler(kept)
    try:

        async def main():
            hooks = Hooks(HooksConfig(added=("x",)), {}, Runs())
            await hooks.close()
            hooks.happened(happening())

        run_virtual(main())
        assert len(kept.snapshot(component="service", torrent="ab" * 20)) == 1
    finally:
        logger.removeHandler(kept)
