from __future__ import annotations

import asyncio
import os
import signal

import pytest

from millstream.cli.exit_codes import ExitCode, Interrupted
from millstream.cli.running import run


def test_the_result_is_returned():
    async def main():
        return 7

    assert run(main) == 7


def test_errors_come_through():
    async def main():
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        run(main)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.UNFINISHED)],
)
def test_a_signal_ends_the_command_in_order(number, code):
    steps = []

    async def main():
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("closed")

    with pytest.raises(Interrupted) as caught:
        run(main)
    assert caught.value.code == code
    assert steps == ["closed"]


def test_a_second_ctrl_c_does_not_wait():
    steps = []

    async def main():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
            steps.append("never")

    with pytest.raises(Interrupted):
        run(main)
    assert steps == []


def test_the_handlers_are_given_back():
    async def main():
        return None

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run(main)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
