from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from millstream.cli.hangup import on_hangup
from millstream.errors import ConfigError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")


async def test_the_signal_calls_and_errors_go_to_the_log(caplog):
    caplog.set_level("ERROR", logger="millstream.service")
    outcomes = [None, ConfigError("limits.upload is 5"), ZeroDivisionError("x"), None]
    called = asyncio.Queue()

    async def reload():
        called.put_nowait(None)
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    with on_hangup(reload):
        for _ in range(4):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(30):
                await called.get()
            await asyncio.sleep(0)
    assert outcomes == []
    assert caplog.messages == [
        "settings not read again, the old ones hold: limits.upload is 5",
        "settings not read again",
    ]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
