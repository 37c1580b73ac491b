from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from unittest import SkipTest

import pytest

from millstream.testing import (
    DeadlockError,
    TimeLimitError,
    VirtualTimeError,
    VirtualTimeLoop,
    in_virtual_time,
    run_virtual,
)


async def now() -> float:
    return asyncio.get_running_loop().time()


def test_time_begins_at_zero() -> None:
    assert run_virtual(now()) == 0.0


def test_a_day_passes_at_once() -> None:
    async def story() -> float:
        await asyncio.sleep(86_400)
        return await now()

    began = time.perf_counter()
    assert run_virtual(story()) == 86_400
    assert time.perf_counter() - began < 1


def test_deadlines_are_met_exactly_and_in_order() -> None:
    async def story() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        calls: list[tuple[str, float]] = []
        for name, when in (("c", 0.3), ("a", 0.1), ("b", 0.1 + 0.1)):
            loop.call_at(when, lambda name=name: calls.append((name, loop.time())))
        loop.call_later(0.15, lambda: None).cancel()
        await asyncio.sleep(1)
        return calls

    assert run_virtual(story()) == [("a", 0.1), ("b", 0.1 + 0.1), ("c", 0.3)]


def test_ready_callbacks_come_before_the_clock_moves() -> None:
    async def story() -> None:
        for _ in range(1000):
            await asyncio.sleep(0)
        assert await now() == 0.0

    run_virtual(story())


def test_timeouts_work() -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        assert await now() == 5.0

    run_virtual(story())


def test_a_deadlock_is_described() -> None:
    async def waiting_for_godot() -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        await asyncio.sleep(2)
        await waiting_for_godot()

    with pytest.raises(
        DeadlockError,
        match=r"deadlock at 2\.000 s: .*\n.*waits in .*story.* > .*waiting_for_godot.* > Event\.wait",
    ):
        run_virtual(story())


def test_an_endless_run_is_ended() -> None:
    async def story() -> None:
        def tick() -> None:
            asyncio.get_running_loop().call_later(1, tick)

        tick()
        await asyncio.Event().wait()

    with pytest.raises(TimeLimitError, match=r"within 60 virtual seconds\n.*waits in .*story"):
        run_virtual(story(), limit=60)


def test_the_seed_gives_the_rng() -> None:
    async def draw(rng: random.Random) -> float:
        return rng.random()

    assert run_virtual(draw, seed=1) == run_virtual(draw, seed=1) == random.Random(1).random()
    assert run_virtual(draw, seed=2) != run_virtual(draw, seed=1)


def test_an_error_in_a_callback_ends_the_run() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(3, lambda: 1 // 0)
        await asyncio.sleep(1000)
        raise AssertionError("not reached")

    with pytest.raises(ZeroDivisionError):
        run_virtual(story())


def test_an_error_reported_last_is_raised_too() -> None:
    async def story() -> str:
        asyncio.get_running_loop().call_exception_handler({"message": "something is wrong"})
        return "done"

    with pytest.raises(VirtualTimeError, match="something is wrong"):
        run_virtual(story())


def test_an_error_of_main_is_raised_as_it_is() -> None:
    async def story() -> None:
        raise KeyError("key")

    with pytest.raises(KeyError, match="key"):
        run_virtual(story())


def test_what_is_left_is_cancelled_and_closed() -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append("generator")

    async def story() -> tuple[asyncio.Task[None], AsyncIterator[int]]:
        task = asyncio.get_running_loop().create_task(background())
        generator = numbers()
        await anext(generator)
        return task, generator

    task, _ = run_virtual(story())
    assert task.cancelled()
    assert sorted(ended) == ["generator", "task"]
    assert task.get_loop().is_closed()


def test_threads_are_refused() -> None:
    async def story() -> None:
        with pytest.raises(VirtualTimeError, match="run_in_executor asked for another"):
            await asyncio.to_thread(now)
        loop = asyncio.get_running_loop()
        errors: list[VirtualTimeError] = []

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(errors.append, VirtualTimeError())
            except VirtualTimeError as error:
                errors.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        assert "another one scheduled a callback" in str(errors[0])
        loop.call_soon_threadsafe(errors.clear)
        await asyncio.sleep(0)
        assert not errors

    run_virtual(story())


def test_asyncio_s_own_runner_takes_the_loop() -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(asyncio.sleep(3600))
        assert runner.get_loop().time() == 3600


class Suite:
    async def test_time(self) -> None:
        await asyncio.sleep(10)
        assert await now() == 10

    async def test_failing(self) -> None:
        raise AssertionError("as asked")

    async def test_skipping(self) -> None:
        raise SkipTest("not here")

    async def helper(self) -> None:
        pass

    def test_plain(self) -> str:
        return "plain"


def test_suites_become_synchronous() -> None:
    @in_virtual_time
    class Derived(Suite):
        pass

    derived = Derived()
    assert derived.test_time() is None  # type: ignore[func-returns-value]
    assert derived.test_plain() == "plain"
    with pytest.raises(AssertionError, match="as asked"):
        derived.test_failing()
    with pytest.raises(SkipTest):
        derived.test_skipping()
    assert asyncio.iscoroutinefunction(Suite.test_time)
    assert asyncio.iscoroutinefunction(derived.helper)
    assert Derived.test_time.__name__ == "test_time"
