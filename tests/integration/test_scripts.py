"""Scripts that take too long, and what they leave behind: real processes and real time."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from millstream.service import script as module
from millstream.service.script import run_script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def sh(text):
    return ["sh", "-c", text]


async def test_what_takes_too_long_is_ended_with_its_children(tmp_path):
    pid = tmp_path / "pid"
    outcome = await run_script(sh(f"sleep 60 & echo $! > {pid}; wait"), ENVIRONMENT, 0.2)
    assert (outcome.timed_out, outcome.code) == (True, -15)
    await gone(int(pid.read_text()))


@pytest.mark.slow
async def test_what_will_not_end_is_made_to(monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.05)
    text = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    outcome = await run_script(sh(text), ENVIRONMENT, 1)
    assert (outcome.timed_out, outcome.code) == (True, -9)


async def test_who_runs_on_in_the_background_holds_nobody_up(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "DRAIN", 0.01)
    pid, began = tmp_path / "pid", time.monotonic()
    outcome = await run_script(sh(f"sleep 60 & echo $! > {pid}"), ENVIRONMENT, 30)
    assert outcome.code == 0
    assert time.monotonic() - began < 20
    os.kill(int(pid.read_text()), 9)


async def test_cancelling_ends_it(tmp_path):
    pid = tmp_path / "pid"
    task = asyncio.create_task(run_script(sh(f"echo $$ > {pid}; sleep 60"), ENVIRONMENT, 30))
    async with asyncio.timeout(30):
        while True:
            if pid.exists() and pid.read_text():
                break
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(pid.read_text()))


def has_ended(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2]
    except FileNotFoundError:
        return True
    return state == "Z"


async def gone(pid):
    """Return when a process has ended."""
    async with asyncio.timeout(30):
        while True:
            if has_ended(pid):
                return
            await asyncio.sleep(0.005)
