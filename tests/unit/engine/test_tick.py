from __future__ import annotations

import asyncio
import math

import pytest

from millstream.engine.tick import Tick
from millstream.interfaces.disk import DiskResult, Extent, Hash, Outcome
from millstream.protocol.infohash import InfoHash
from millstream.testing import in_virtual_time, run_virtual

RESULTS = [
    DiskResult(Hash(InfoHash(bytes(20)), piece, "", (Extent(None, 0, 1),)), Outcome.SUCCESS)
    for piece in range(3)
]


class Disk:
    """Only what a tick asks of a `DiskQueue`."""

    def __init__(self, log):
        self.log = log

    def flush(self):
        self.log.append("flush")


class Torrent:
    """A `Ticking` that writes down its calls."""

    def __init__(self, name, log):
        self.name = name
        self.log = log
        self.on_process = None
        self.rest = 0.0

    def rests_until(self, now):
        return self.rest

    def broke(self, error):
        self.log.append(f"{self.name} broke {type(error).__name__}")

    def gather(self, results):
        self.log.append(f"{self.name} gather {[result.job.piece for result in results]}")

    def process(self, now):
        self.log.append(f"{self.name} process {now:g}")
        if self.on_process is not None:
            self.on_process()

    def request(self, now):
        self.log.append(f"{self.name} request")

    def output(self, now):
        self.log.append(f"{self.name} output")


def stage(*names):
    log = []
    return Tick(Disk(log)), log, [Torrent(name, log) for name in names]


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@in_virtual_time
class TestTick:
    async def test_the_phases_come_in_order_for_all_torrents(self):
        tick, log, (a, b) = stage("a", "b")
        await asyncio.sleep(7)
        tick.wake(a)
        tick.wake(b)
        await settle()
        assert log == [
            "a process 7",
            "b process 7",
            "a request",
            "b request",
            "a output",
            "b output",
            "flush",
        ]

    @pytest.mark.parametrize("phase", ["gather", "process", "request", "output"])
    def test_one_that_breaks_hinders_no_other(self, phase):
        run_virtual(self.one_that_breaks_hinders_no_other(phase))

    async def one_that_breaks_hinders_no_other(self, phase):
        tick, log, (a, b, c) = stage("a", "b", "c")

        def fail(*_):
            raise ZeroDivisionError

        setattr(b, phase, fail)
        for torrent in (a, b, c):
            tick.deliver(torrent, RESULTS[0])
        await settle()
        assert log.count("b broke ZeroDivisionError") == 1
        assert [line for line in log if "c " in line and phase in line]
        assert log[-1] == "flush"

    def test_one_that_cannot_even_be_stopped_hinders_no_other_either(self, caplog):
        run_virtual(self.one_that_cannot_even_be_stopped_hinders_no_other_either())
        assert "could not be stopped" in caplog.text

    async def one_that_cannot_even_be_stopped_hinders_no_other_either(self):
        tick, log, (a, b) = stage("a", "b")

        def fail(*_):
            raise ZeroDivisionError

        a.process = a.broke = fail
        tick.wake(a)
        tick.wake(b)
        await settle()
        assert "b process 0" in log

    async def test_one_that_breaks_in_a_beat_is_left_alone_until_it_is_woken(self):
        tick, log, (a, b) = stage("a", "b")
        tick.wake(a)
        tick.wake(b)
        await settle()

        def fail(*_):
            raise ZeroDivisionError

        a.rests_until = fail
        log.clear()
        for now in range(3):
            tick.beat(now)
            await settle()
        assert log.count("a broke ZeroDivisionError") == 1
        assert log.count("b request") == 3

    async def test_it_runs_only_when_woken_and_once(self):
        tick, log, (a,) = stage("a")
        await settle()
        assert log == []
        for _ in range(3):
            tick.wake(a)
        assert log == []
        await settle()
        assert log.count("flush") == 1
        assert log.count("a request") == 1

    async def test_only_torrents_with_something_to_do_are_run(self):
        tick, log, (a, _) = stage("a", "b")
        tick.wake(a)
        await settle()
        assert not [line for line in log if line.startswith("b")]

    async def test_results_are_gathered_first_and_in_one_batch(self):
        tick, log, (a, b) = stage("a", "b")
        tick.wake(b)
        tick.deliver(a, RESULTS[2])
        tick.deliver(b, RESULTS[1])
        tick.deliver(a, RESULTS[0])
        await settle()
        assert log[:4] == ["a gather [2, 0]", "b gather [1]", "b process 0", "a process 0"]
        log.clear()
        tick.wake(a)
        await settle()
        assert log[0] == "a process 0"

    async def test_a_torrent_woken_during_a_tick_is_run_in_the_next(self):
        tick, log, (a, b) = stage("a", "b")
        a.on_process = lambda: (setattr(a, "on_process", None), tick.wake(a), tick.wake(b))
        tick.wake(a)
        await settle()
        flushes = [at for at, line in enumerate(log) if line == "flush"]
        assert len(flushes) == 2
        assert log[flushes[0] + 1 : flushes[0] + 3] == ["a process 0", "b process 0"]

    async def test_a_beat_wakes_who_is_awake_and_nobody_else(self):
        tick, log, (a, b) = stage("a", "b")
        tick.wake(a)
        await settle()
        log.clear()
        tick.beat(1.0)
        await settle()
        assert [line for line in log if "process" in line] == ["a process 0"]
        a.rest = math.inf
        tick.beat(2.0)
        log.clear()
        for now in range(3, 1000):
            tick.beat(float(now))
        await settle()
        assert log == []
        tick.wake(b)
        await settle()
        log.clear()
        tick.beat(1000.0)
        await settle()
        assert [line for line in log if "process" in line] == ["b process 0"]

    async def test_who_rests_is_woken_when_it_is_time(self):
        tick, log, (a, b) = stage("a", "b")
        for torrent, until in ((a, 30.0), (b, 20.0)):
            tick.wake(torrent)
            torrent.rest = until
        await settle()
        log.clear()
        woken = {}
        for now in range(50):
            tick.beat(float(now))
            await settle()
            for line in log:
                woken.setdefault(line, now)
            log.clear()
        assert (woken["a process 0"], woken["b process 0"]) == (30, 20)

    async def test_who_left_is_not_run_again(self):
        tick, log, (a, b) = stage("a", "b")
        tick.wake(a)
        tick.wake(b)
        await settle()
        log.clear()
        b.rest = 5.0
        tick.beat(1.0)
        tick.forget(a)
        tick.forget(b)
        await settle()
        tick.beat(10.0)
        await settle()
        assert [line for line in log if line != "flush"] == []

    async def test_what_is_stopped_does_not_run_until_it_is_woken_again(self):
        tick, log, (a,) = stage("a")
        tick.wake(a)
        tick.stop()
        tick.stop()
        await settle()
        assert log == []
        tick.wake(a)
        await settle()
        assert log.count("a process 0") == 1
