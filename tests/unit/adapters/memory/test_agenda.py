from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.memory.agenda import Agenda
from millstream.testing import run_virtual


def calls_at(resolution: float, *times: float) -> list[tuple[int, float]]:
    """What was called when: the numbers of the calls, in the order they came."""

    async def story() -> list[tuple[int, float]]:
        agenda, log = Agenda(resolution), []
        loop = asyncio.get_running_loop()
        for number, when in enumerate(times):
            agenda.at(when, lambda number=number: log.append((number, loop.time())))
        await asyncio.sleep(100)
        return log

    return run_virtual(story())


def test_exact_times() -> None:
    assert calls_at(0.0, 2.0, 0.3, 0.31) == [(1, 0.3), (2, 0.31), (0, 2.0)]


def test_calls_of_one_time_run_in_order() -> None:
    assert [number for number, _ in calls_at(0.0, *[1.5] * 20)] == list(range(20))


def test_with_a_resolution_what_is_close_happens_at_once() -> None:
    log = calls_at(0.1, 1.04, 0.96, 1.06, 0.94)
    assert [number for number, _ in log] == [3, 0, 1, 2]
    assert [when for _, when in log] == pytest.approx([0.9, 1.0, 1.0, 1.1])


def test_what_is_due_now() -> None:
    exact, coarse = Agenda(), Agenda(0.1)
    assert exact.is_due(1.0, 1.0)
    assert not exact.is_due(1.001, 1.0)
    assert coarse.is_due(1.04, 1.0)
    assert not coarse.is_due(1.06, 1.0)


def test_nothing_is_put_into_the_past_by_rounding() -> None:
    async def story() -> None:
        agenda, loop = Agenda(0.1), asyncio.get_running_loop()
        for step in range(1, 200):
            now = loop.time()
            when = now + step * 0.007
            if not agenda.is_due(when, now):
                agenda.at(when, lambda now=now: seen.append(loop.time() > now))
            await asyncio.sleep(0.013)
        await asyncio.sleep(2)

    seen: list[bool] = []
    run_virtual(story())
    assert len(seen) > 100
    assert all(seen)


def test_soon_is_after_all_that_runs_now() -> None:
    async def story() -> list[str]:
        agenda, log, loop = Agenda(), [], asyncio.get_running_loop()
        loop.call_soon(log.append, "before")
        agenda.soon(lambda: log.append("soon"))
        loop.call_soon(log.append, "beside")
        agenda.soon(lambda: log.append("soon, too"))
        agenda.soon(lambda: agenda.soon(lambda: log.append("next")))
        await asyncio.sleep(1)
        return log

    assert run_virtual(story()) == ["before", "soon", "soon, too", "beside", "next"]


def test_a_call_that_fails_is_reported_and_the_others_run() -> None:
    log: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    async def story() -> None:
        agenda = Agenda()
        agenda.at(1.0, fail)
        agenda.at(1.0, lambda: log.append("runs"))
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError):
        run_virtual(story())
    assert log == ["runs"]
