"""Blocking work in threads: no errand is lost, held up by another, or left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millstream.adapters.native import NativeFileSystem
from millstream.adapters.native import errands as errands_module
from millstream.adapters.native.errands import MAX_THREADS, Errands, _Worker
from millstream.adapters.native.filesystem import _Told
from millstream.errors import StorageError

pytestmark = pytest.mark.timeout(30)

# What a thread waits for at most, where nobody lets it go because a test failed.
PATIENCE = 20.0


class Door:
    """Blocks threads until it opens, and says who came."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self) -> str:
        self.came.release()
        assert self.open.wait(PATIENCE)
        return threading.current_thread().name

    async def has(self, visitors: int) -> None:
        """Wait until so many more stand there."""
        for _ in range(visitors):
            assert await asyncio.to_thread(self.came.acquire, timeout=PATIENCE)


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.open.set()


def threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "millstream-files"}


async def gone(those: set[threading.Thread]) -> None:
    while any(each.is_alive() for each in those):  # noqa: ASYNC110 - threads tell no loop
        await asyncio.sleep(0.001)


def failing(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


async def test_results_and_exceptions_come_back():
    errands = Errands()
    assert await errands.run(lambda: 7) == 7
    with pytest.raises(ValueError, match="no such thing"):
        await errands.run(failing(ValueError("no such thing")))
    with pytest.raises(SystemExit):  # not the thread's end
        await errands.run(failing(SystemExit(3)))
    assert await errands.run(threading.get_ident) != threading.get_ident()
    errands.close()


async def test_hundreds_at_once_all_come_back():
    errands, before = Errands(max_threads=5), threads()
    found = await asyncio.gather(*(errands.run(lambda n=n: n * n) for n in range(500)))
    assert found == [n * n for n in range(500)]
    assert len(threads() - before) <= 5
    errands.close()


async def test_one_after_the_other_take_one_thread():
    errands = Errands()
    assert len({await errands.run(threading.get_ident) for _ in range(300)}) == 1
    errands.close()


async def test_a_slow_one_holds_up_no_other(door):
    errands = Errands()
    slow = [errands.run(door) for _ in range(MAX_THREADS - 1)]
    await door.has(MAX_THREADS - 1)
    for _ in range(50):
        await errands.run(lambda: None)
    assert not any(each.done() for each in slow)
    door.open.set()
    await asyncio.gather(*slow)
    errands.close()


async def test_more_than_there_are_threads_wait_for_their_turn(door):
    errands = Errands(max_threads=2)
    order: list[int] = []
    slow = [errands.run(door) for _ in range(2)]
    rest = [errands.run(lambda n=n: order.append(n)) for n in range(3)]
    await door.has(2)
    assert not order
    door.open.set()
    await asyncio.gather(*slow, *rest)
    assert sorted(order) == [0, 1, 2]
    errands.close()


async def test_what_nobody_waits_for_is_not_begun(door):
    errands, done = Errands(max_threads=1), []
    first = errands.run(door)
    given_up = errands.run(lambda: done.append("given up"))
    wanted = errands.run(lambda: done.append("wanted"))
    await door.has(1)
    given_up.cancel()
    door.open.set()
    await asyncio.gather(first, wanted)
    assert done == ["wanted"]
    errands.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_waiting_task_may_be_cancelled(door, fails):
    errands, ended = Errands(), threading.Event()

    def work() -> None:
        door()
        ended.set()
        if fails:
            raise OSError("too late for anybody")

    async def wait() -> None:
        await errands.run(work)

    complaints: list[object] = []
    errands.loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    task = asyncio.ensure_future(wait())
    await door.has(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    door.open.set()
    await asyncio.to_thread(ended.wait, PATIENCE)
    assert await errands.run(lambda: 1) == 1
    gc.collect()
    assert complaints == []
    errands.close()


async def test_cancelled_at_any_moment_the_others_come_back():
    errands = Errands(max_threads=3)

    async def wait(n: int) -> int:
        return await errands.run(lambda: n)

    tasks = [asyncio.ensure_future(wait(n)) for n in range(300)]
    for n, task in enumerate(tasks):
        if n % 3 == 0:
            task.cancel()
        if n % 10 == 0:
            await asyncio.sleep(0)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    for n, each in enumerate(found):
        assert each == n or (n % 3 == 0 and isinstance(each, asyncio.CancelledError))
    errands.close()


async def test_idle_threads_end_and_new_ones_come():
    errands, before = Errands(idle_seconds=0.01), threads()
    for _ in range(3):
        assert await errands.run(lambda: 1) == 1
        await gone(threads() - before)


class LateCall:
    """A lock of which a thread hears too late every other time: it gives up just when called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.release = self._lock.release
        self._is_late = False

    def acquire(self, timeout: float = -1) -> bool:
        if timeout < 0:
            return self._lock.acquire()
        self._is_late = not self._is_late
        assert self._lock.acquire(timeout=PATIENCE)
        if self._is_late:
            self._lock.release()
        return not self._is_late


async def test_called_just_when_they_would_end_they_come(monkeypatch):
    class Worker(_Worker):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.call = LateCall()
            self.call.acquire()

    monkeypatch.setattr(errands_module, "_Worker", Worker)
    errands, before = Errands(), threads()
    for n in range(5):
        assert await asyncio.wait_for(errands.run(lambda n=n: n), PATIENCE) == n
    assert len(threads() - before) == 1
    errands.close()
    assert threads() <= before


async def test_closing_ends_who_is_idle_and_waits_for_nobody(door):
    errands, before = Errands(), threads()
    slow = errands.run(door)
    await door.has(1)
    await errands.run(lambda: None)
    assert len(threads() - before) == 2
    errands.close()
    [at_work] = threads() - before
    assert await errands.run(lambda: 3) == 3
    door.open.set()
    await slow
    at_work.join(PATIENCE)  # it was told to end, and does not rest first
    assert not at_work.is_alive()
    errands.close()
    assert threads() <= before


async def test_who_has_told_of_an_errand_is_found_idle():
    before = threads()
    for _ in range(300):
        errands = Errands()
        await asyncio.gather(*(errands.run(lambda: None) for _ in range(4)))
        errands.close()
        assert threads() <= before


async def test_what_waits_for_its_turn_is_done_though_it_is_closed(door):
    errands, before = Errands(max_threads=1), threads()
    first, second = errands.run(door), errands.run(lambda: 2)
    await door.has(1)
    errands.close()
    third = errands.run(lambda: 3)
    door.open.set()
    await first
    assert [await second, await third] == [2, 3]
    await gone(threads() - before)


async def test_an_idle_thread_holds_on_to_nothing():
    class Large:
        """Something that a file's contents could be."""

    errands = Errands()
    found: Large | None = await errands.run(Large)
    seen = weakref.ref(found)
    found = None
    await asyncio.sleep(0)  # the loop is at the call that woke us
    assert seen() is None
    errands.close()


async def test_an_exception_is_no_cycle():
    class WorkError(Exception):
        """What a weak reference can be made to."""

    def work() -> None:
        raise WorkError

    errands = Errands()
    gc.collect()
    gc.disable()
    try:
        seen = None
        try:
            await errands.run(work)
        except WorkError as error:
            seen = weakref.ref(error)
        await errands.run(lambda: None)
        assert seen is not None
        assert seen() is None
    finally:
        gc.enable()
    errands.close()


async def test_where_no_thread_can_start_the_caller_hears_of_it(monkeypatch):
    errands = Errands(max_threads=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", failing_start)
        with pytest.raises(RuntimeError, match="new thread"):
            errands.run(lambda: 1)
    assert await errands.run(lambda: 2) == 2
    errands.close()


def failing_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_where_no_thread_can_start_those_that_there_are_do_it(door, monkeypatch):
    errands = Errands()
    slow = errands.run(door)
    await door.has(1)
    monkeypatch.setattr(threading.Thread, "start", failing_start)
    waits = errands.run(lambda: 2)
    door.open.set()
    assert await asyncio.wait_for(waits, PATIENCE) == 2
    assert await errands.run(lambda: 3) == 3
    await slow
    errands.close()


async def test_where_no_thread_can_start_the_file_system_fails(monkeypatch, tmp_path):
    files = NativeFileSystem()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", failing_start)
        with pytest.raises(StorageError, match="new thread"):
            await files.list(str(tmp_path), "")
    assert await files.list(str(tmp_path), "") == []
    await files.close()


async def test_an_exception_that_no_future_takes_hinders_no_other():
    errands = Errands()
    stopped = errands.run(failing(StopIteration("none left")))
    others = [errands.run(lambda n=n: n) for n in range(10)]
    with pytest.raises(RuntimeError, match="none left"):
        await asyncio.wait_for(stopped, PATIENCE)
    assert await asyncio.wait_for(asyncio.gather(*others), PATIENCE) == list(range(10))
    errands.close()


def test_progress_of_a_transfer_that_outlives_its_loop_is_told_to_nobody():
    async def begin() -> _Told:
        return _Told(print)

    told = asyncio.run(begin())
    told.add(5)
    told.tell()


FORKING = """
import asyncio, os, sys
from millstream.adapters.native.errands import Errands

async def main():
    errands = Errands()
    await errands.run(lambda: None)
    with errands._lock:  # as one of the threads may hold it
        child = os.fork()
    if not child:
        return
    errands.close()
    assert os.waitpid(child, 0)[1] == 0
    print("ended", flush=True)

asyncio.run(main())
"""


def test_a_fork_waits_for_no_thread_that_it_has_not():
    ran = subprocess.run(
        [sys.executable, "-c", FORKING],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("ended\n", "")


def test_one_file_system_serves_loop_after_loop(tmp_path):
    files, path = NativeFileSystem(), tmp_path / "file"
    path.write_bytes(b"x")
    for _ in range(3):
        assert asyncio.run(files.load(str(path), 10)) == b"x"


def test_a_loop_that_closed_meanwhile_hinders_nobody(door, tmp_path):
    async def give_up() -> None:
        Errands().run(door)
        await door.has(1)

    before = threads()
    asyncio.run(give_up())
    (tmp_path / "file").write_bytes(b"x")
    assert asyncio.run(NativeFileSystem().load(str(tmp_path / "file"), 10)) == b"x"
    busy = threads() - before
    door.open.set()
    assert any(each.is_alive() for each in busy)  # idle, and not dead of the closed loop


async def test_errors_of_the_system_name_the_path(tmp_path):
    files = NativeFileSystem()
    with pytest.raises(StorageError, match="missing"):
        await files.load(str(tmp_path / "missing"), 10)
    await files.close()


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 65_535, 65_536, 65_537, 300_000])
async def test_as_much_is_loaded_as_there_is_or_may_be(tmp_path, size):
    path, files = tmp_path / "file", NativeFileSystem()
    path.write_bytes(bytes(size))
    assert len(await files.load(str(path), 10)) == min(size, 10)
    assert len(await files.load(str(path), 100 << 20)) == size
    await files.close()


async def test_a_pipe_has_no_size_and_is_loaded_nevertheless(tmp_path):

    path, files = tmp_path / "pipe", NativeFileSystem()
    os.mkfifo(path)
    loading = asyncio.ensure_future(files.load(str(path), 200_000))
    await asyncio.to_thread(path.write_bytes, b"12345" * 30_000)
    assert await loading == b"12345" * 30_000
    await files.close()


PROGRAM = """
import asyncio, sys, threading, time
from millstream.adapters.native import errands as errands_module
from millstream.adapters.native.errands import Errands

def slow():
    began.set()
    time.sleep(0.3 if sys.argv[1] == "busy" else 60)
    print("ended", flush=True)

async def main():
    if sys.argv[1] == "stuck":
        errands_module.EXIT_PATIENCE = 0.1
    errands = Errands()
    await asyncio.gather(*(errands.run(lambda: None) for _ in range(20)))
    if sys.argv[1] != "idle":
        task = errands.run(slow)
        while not began.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

began = threading.Event()
asyncio.run(main())
"""


@pytest.mark.parametrize(("what", "said"), [("idle", ""), ("busy", "ended\n"), ("stuck", "")])
def test_a_program_waits_for_what_is_being_done_and_for_nothing_else(what, said):
    begun = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, what],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == (said, "")
    assert time.monotonic() - begun < 9  # an idle thread's ten seconds are not waited for
