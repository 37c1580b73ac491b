from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.request import FutureRequest
from millstream.errors import MalformedFrameError, NetworkError
from millstream.io_wire.envelope import Frame

FRAME = Frame(1, 2, 3, memoryview(b"payload"))


async def test_the_value_is_made_when_the_frame_comes():
    request = FutureRequest(lambda frame: bytes(frame.payload))
    assert request.value is None
    assert request.answered(FRAME)
    assert request.value == b"payload"
    assert await request.done == b"payload"


@pytest.mark.parametrize(
    ("error", "words"),
    [(MalformedFrameError("too short"), "none: too short"), (NetworkError("no"), "no")],
)
async def test_what_cannot_be_understood(error, words):
    def understand(frame):
        raise error

    request = FutureRequest(understand)
    assert request.answered(FRAME)
    assert request.value is None
    with pytest.raises(NetworkError, match=words):
        await request.done


async def test_no_answer():
    request = FutureRequest(lambda _frame: 1)
    request.failed(NetworkError("gone"))
    request.failed(NetworkError("gone twice"))
    assert request.answered(FRAME), "too late"
    with pytest.raises(NetworkError, match=r"gone$"):
        await request.done


async def test_nobody_waits_any_more():
    def understand(frame):
        raise AssertionError

    request = FutureRequest(understand)
    waiting = asyncio.ensure_future(request.done)
    await asyncio.sleep(0)
    waiting.cancel()
    assert request.answered(FRAME)
    assert request.value is None
