import asyncio

import pytest

from millstream.adapters.memory.clock import MemoryClock
from millstream.engine.sleep_watch import ClockJump, JumpKind, SleepWatch
from millstream.testing import in_virtual_time, run_virtual

YEARS = 10 * 365 * 86400.0


async def beats(watch, count, pause=1.0):
    for _ in range(count):
        await asyncio.sleep(pause)
        watch.beat()


@in_virtual_time
class TestSleepWatch:
    async def test_time_that_passes_is_no_news(self):
        jumps = []
        watch = SleepWatch(MemoryClock(), jumps.append)
        await beats(watch, 100)
        await beats(watch, 3, 29.0)
        assert jumps == []

    @pytest.mark.parametrize("seconds", [30, 3600, YEARS])
    def test_a_sleep_is_told_once_with_its_length(self, seconds):
        run_virtual(self.a_sleep_is_told_once_with_its_length(seconds))

    async def a_sleep_is_told_once_with_its_length(self, seconds):
        clock, jumps = MemoryClock(), []
        watch = SleepWatch(clock, jumps.append)
        await beats(watch, 5)
        clock.jump(seconds)
        await beats(watch, 5)
        [jump] = jumps
        assert jump.kind is JumpKind.SLEPT
        assert jump.seconds == pytest.approx(seconds + 1)
        assert jump.is_gap

    @pytest.mark.parametrize("seconds", [31, YEARS])
    def test_a_clock_set_back_is_no_gap(self, seconds):
        run_virtual(self.a_clock_set_back_is_no_gap(seconds))

    async def a_clock_set_back_is_no_gap(self, seconds):
        clock, jumps = MemoryClock(), []
        watch = SleepWatch(clock, jumps.append)
        await beats(watch, 5)
        clock.jump(-seconds)
        await beats(watch, 5)
        [jump] = jumps
        assert jump.kind is JumpKind.SET_BACK
        assert jump.seconds == pytest.approx(seconds)
        assert not jump.is_gap

    async def test_a_process_that_was_stopped(self):
        jumps = []
        watch = SleepWatch(MemoryClock(), jumps.append)
        await beats(watch, 5)
        await beats(watch, 1, 100.0)
        await beats(watch, 5)
        assert jumps == [ClockJump(JumpKind.STALLED, 100.0)]

    @pytest.mark.parametrize("seconds", [29, -29])
    def test_clocks_are_kept_right_all_the_time(self, seconds):
        run_virtual(self.clocks_are_kept_right_all_the_time(seconds))

    async def clocks_are_kept_right_all_the_time(self, seconds):
        clock, jumps = MemoryClock(), []
        watch = SleepWatch(clock, jumps.append)
        for _ in range(10):
            clock.jump(seconds)
            await beats(watch, 2)
        assert jumps == []

    async def test_forth_and_back(self):
        clock, jumps = MemoryClock(), []
        watch = SleepWatch(clock, jumps.append)
        await beats(watch, 1)
        clock.jump(YEARS)
        await beats(watch, 1)
        clock.jump(-YEARS)
        await beats(watch, 1)
        assert [jump.kind for jump in jumps] == [JumpKind.SLEPT, JumpKind.SET_BACK]
