from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from millstream.io_daemon import parent
from millstream.io_daemon.parent import ParentWatch


@pytest.fixture(params=["descriptor", "looking"])
def way(request, monkeypatch):
    if request.param == "looking":
        monkeypatch.delattr(os, "pidfd_open")
        monkeypatch.setattr(parent, "INTERVAL", 0.001)


@pytest.fixture
def process():
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    ) as running:
        yield running
        running.kill()


@pytest.mark.usefixtures("way")
async def test_the_end_of_a_process_is_told_once(process):
    told = []
    watch = ParentWatch(process.pid, lambda: told.append(1))
    watch.start()
    await asyncio.sleep(0.005)
    assert told == []
    process.kill()
    process.wait()
    async with asyncio.timeout(5):
        while not told:  # noqa: ASYNC110 - the watch tells nobody else
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.005)
    watch.stop()
    assert told == [1]


@pytest.mark.usefixtures("way")
async def test_a_process_that_is_gone_already(process):
    process.kill()
    process.wait()
    gone = asyncio.Event()
    watch = ParentWatch(process.pid, gone.set)
    watch.start()
    async with asyncio.timeout(5):
        await gone.wait()
    watch.stop()


@pytest.mark.usefixtures("way")
async def test_who_stopped_looking_is_told_nothing(process):
    told = []
    watch = ParentWatch(process.pid, lambda: told.append(1))
    watch.start()
    watch.stop()
    process.kill()
    process.wait()
    await asyncio.sleep(0.01)
    assert told == []
