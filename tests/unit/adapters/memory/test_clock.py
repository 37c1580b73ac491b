import asyncio

from millstream.adapters.memory.clock import MemoryClock
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
