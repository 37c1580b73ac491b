"""Work that is not left half done; in virtual time."""

import asyncio

import pytest

from millstream.engine.unbroken import interrupt_once, unbroken
from millstream.testing.virtual_time import run_virtual


async def work(done, *, fails=False):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        await asyncio.sleep(5)  # to take back what it did
        done.append("taken back")
        raise
    done.append("done")
    if fails:
        raise ValueError
    return 7


def test_it_gives_what_the_work_gives():
    async def story():
        assert await unbroken(work([])) == 7
        with pytest.raises(ValueError):
            await unbroken(work([], fails=True))

    run_virtual(story())


@pytest.mark.parametrize(("interrupt", "end"), [(False, "done"), (True, "taken back")])
def test_the_work_ends_in_its_own_order(interrupt, end):
    async def story():
        done = []
        waiting = asyncio.create_task(unbroken(work(done), interrupt=interrupt))
        for _ in range(4):
            await asyncio.sleep(1)
            waiting.cancel()
            assert done == []
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert done == [end]

    run_virtual(story())


def test_a_cancellation_takes_effect_at_the_next_occasion():
    async def story():
        done = []

        async def whole():
            done.append(await unbroken(work(done)))
            await asyncio.sleep(1)
            done.append("never")

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await whole()
        assert done == ["done", 7]

    run_virtual(story())


def test_whoever_else_interrupts_does_so_once():
    async def story():
        done = []
        task = asyncio.create_task(work(done))
        waiting = asyncio.create_task(unbroken(task, interrupt=True))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(1)
        interrupt_once(task)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert done == ["taken back"]

    run_virtual(story())
