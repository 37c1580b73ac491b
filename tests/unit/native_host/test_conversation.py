from __future__ import annotations

import asyncio
import json

import pytest

from millstream.native_host import conversation
from millstream.native_host.conversation import converse
from millstream.native_host.framing import BrokenFrameError, FrameReader, encode_message


class FakePipe:
    def __init__(self, *chunks):
        self.chunks = list(chunks)
        self.reader = FrameReader()
        self.written = []
        self.fails = False

    async def read(self):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.chunks.pop(0) if self.chunks else b""

    async def write(self, data):
        if self.fails:
            raise BrokenPipeError
        self.written += self.reader.receive_data(data)


async def echo(message):
    return {"id": message["id"]}


def requests(*ids):
    return b"".join(encode_message({"id": one}) for one in ids)


async def test_every_request_has_its_answer():
    pipe = FakePipe(requests(1, 2), requests(3))
    await converse(pipe, echo)
    assert pipe.written == [{"id": 1}, {"id": 2}, {"id": 3}]


async def test_one_that_waits_keeps_no_other_waiting():
    waiting = asyncio.Event()

    async def answer(message):
        if message["id"] == 1:
            await waiting.wait()
        return {"id": message["id"]}

    pipe = FakePipe(requests(1, 2))
    await converse(pipe, answer)
    assert pipe.written == [{"id": 2}]


async def test_so_many_at_once_and_no_more(monkeypatch):
    monkeypatch.setattr(conversation, "MAX_REQUESTS", 2)
    at_once = [0, 0]

    async def answer(message):
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0)
        at_once[0] -= 1
        return {"id": message["id"]}

    pipe = FakePipe(requests(*range(9)), b"", b"")
    await converse(pipe, answer)
    assert at_once[1] == 2


async def test_an_end_within_a_frame():
    with pytest.raises(BrokenFrameError, match="hung up"):
        await converse(FakePipe(requests(1) + b"\1"), echo)


async def test_what_is_no_frame():
    pipe = FakePipe(requests(1), b"\0\0\0\0")
    with pytest.raises(BrokenFrameError):
        await converse(pipe, echo)
    assert pipe.written == [{"id": 1}]


async def test_an_answer_too_long_for_a_browser_says_so():
    async def answer(message):
        return {"id": message["id"], "payload": "x" * (1 << 20)}

    pipe = FakePipe(requests(1))
    await converse(pipe, answer)
    assert pipe.written[0]["id"] == 1
    assert "browsers take" in json.dumps(pipe.written[0])


async def test_a_browser_that_takes_no_answers():
    pipe = FakePipe(requests(1), requests(2))
    pipe.fails = True
    await converse(pipe, echo)
