"""The wall clocks say minutes of the week."""

import time

import pytest

from millstream.adapters.memory.clock import MemoryClock
from millstream.adapters.native.clock import NativeClock
from millstream.interfaces.clock import LocalTime


@pytest.mark.parametrize("clock", [NativeClock(), MemoryClock()], ids=["native", "memory"])
async def test_a_clock_says_a_minute_of_the_week(clock):
    weekday, minute = clock.local_time()
    assert 0 <= weekday < 7
    assert 0 <= minute < 1440


@pytest.mark.parametrize("clock", [NativeClock(), MemoryClock()], ids=["native", "memory"])
async def test_a_clock_says_seconds_since_the_epoch(clock):
    assert 1_500_000_000 < clock.wall_time() < 10_000_000_000


def test_the_native_clock_counts_from_monday_and_from_midnight(monkeypatch):
    sunday = time.struct_time((2026, 11, 22, 13, 5, 59, 6, 326, 0))
    monkeypatch.setattr(time, "localtime", lambda: sunday)
    assert NativeClock().local_time() == LocalTime(6, 13 * 60 + 5)
