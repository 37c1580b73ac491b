from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.memory.agenda import Agenda
from millstream.testing.virtual_time import run_virtual


def told_by(resolution, times, *, until=10.0):
    """When each call came, as (time due, time of the call), in the order of the calls."""

    async def story():
        agenda, told = Agenda(resolution), []
        loop = asyncio.get_running_loop()
        for when in times:
            agenda.at(when, lambda when=when: told.append((when, loop.time())))
        await asyncio.sleep(until)
        return told

    return run_virtual(story())


def test_without_a_resolution_times_are_exact():
    assert told_by(0.0, [2.5, 1.25]) == [(1.25, 1.25), (2.5, 2.5)]


def test_calls_of_one_time_come_in_order():
    assert [when for when, _ in told_by(1.0, [2.1, 1.9, 2.4])] == [2.1, 1.9, 2.4]


@pytest.mark.parametrize("resolution", [0.5, 0.02])
def test_nothing_comes_more_than_half_the_resolution_early_or_late(resolution):
    for when, came in told_by(resolution, [0.51, 1.26, 3.333, 3.9]):
        assert abs(when - came) <= resolution / 2 + 1e-9


def test_what_is_near_is_due():
    agenda = Agenda(0.1)
    assert agenda.is_due(1.04, 1.0)
    assert not agenda.is_due(1.06, 1.0)
    assert not Agenda().is_due(1.001, 1.0)


def test_soon_is_the_next_iteration():
    async def story():
        agenda, told = Agenda(), []
        agenda.soon(lambda: told.append("first"))
        agenda.soon(lambda: told.append("second"))
        before = list(told)
        await asyncio.sleep(0)
        return before, told

    assert run_virtual(story()) == ([], ["first", "second"])


def test_a_call_that_fails_does_not_keep_the_others_from_theirs():
    async def story():
        agenda, told, failures = Agenda(), [], []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        agenda.soon(lambda: 1 / 0)
        agenda.soon(lambda: told.append("second"))
        await asyncio.sleep(0)
        return told, failures

    told, failures = run_virtual(story())
    assert told == ["second"]
    assert isinstance(failures[0], ZeroDivisionError)
