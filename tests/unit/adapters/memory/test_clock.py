import asyncio

from millstream.adapters.memory.clock import EPOCH, MemoryClock
from millstream.interfaces.clock import LocalTime
from millstream.testing.virtual_time import run_virtual


def test_it_goes_with_the_loop_and_round_the_week():
    async def story():
        clock = MemoryClock(6, 23 * 60 + 58)
        seen = [clock.local_time()]
        for seconds in (59, 1, 60, 86_400):
            await asyncio.sleep(seconds)
            seen.append(clock.local_time())
        return seen

    assert run_virtual(story()) == [
        LocalTime(6, 1438),
        LocalTime(6, 1438),
        LocalTime(6, 1439),
        LocalTime(0, 0),
        LocalTime(1, 0),
    ]


def test_its_wall_time_goes_with_the_loop():
    async def story():
        clock = MemoryClock(1, 5)
        await asyncio.sleep(2.5)
        return clock.wall_time()

    assert run_virtual(story()) == EPOCH + 24 * 60 * 60 + 5 * 60 + 2.5
