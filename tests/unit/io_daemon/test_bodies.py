from __future__ import annotations

import asyncio

import pytest

from millstream.http_server.refusal import Refusal
from millstream.io_daemon import bodies
from millstream.io_daemon.bodies import Bodies
from millstream.testing.virtual_time import run_virtual


class Request:
    """As much of a request as is read."""

    def __init__(self, *chunks, length=None, pause=0.0):
        self.content_length = length
        self.content = self
        self._chunks = chunks
        self._pause = pause

    async def iter_any(self):
        for chunk in self._chunks:
            await asyncio.sleep(self._pause)
            yield chunk


async def body_of(reading, request, most=10):
    async with reading.read(request, most) as body:
        return bytes(body)


def test_a_body_is_read():
    assert run_virtual(body_of(Bodies(), Request(b"ab", b"c", length=3))) == b"abc"
    assert run_virtual(body_of(Bodies(), Request(b"abc"))) == b"abc"


@pytest.mark.parametrize("request_of", [lambda: Request(length=11), lambda: Request(b"x" * 11)])
def test_a_body_that_is_too_long(request_of):
    with pytest.raises(Refusal) as caught:
        run_virtual(body_of(Bodies(), request_of()))
    assert caught.value.status == 413


def test_a_body_that_does_not_come():
    with pytest.raises(Refusal) as caught:
        run_virtual(body_of(Bodies(), Request(b"a", pause=61.0)))
    assert caught.value.status == 408


def test_only_so_much_is_held(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 10)
    events = []

    async def hold(reading, name, length, time):
        async with reading.read(Request(b"x" * length, length=length), 10):
            events.append(f"+{name}")
            await asyncio.sleep(time)
            events.append(f"-{name}")

    async def story():
        reading = Bodies()
        await asyncio.gather(
            hold(reading, "a", 6, 2), hold(reading, "b", 8, 1), hold(reading, "c", 4, 1)
        )
        await hold(reading, "d", 10, 0)

    run_virtual(story())
    # In turn, and nobody is passed over.
    assert events == ["+a", "-a", "+b", "-b", "+c", "-c", "+d", "-d"]


def test_who_gives_up_waiting_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 10)

    async def story():
        reading = Bodies()
        async with reading.read(Request(b"x" * 6, length=6), 10):
            large = asyncio.ensure_future(body_of(reading, Request(b"x" * 9, length=9)))
            small = asyncio.ensure_future(body_of(reading, Request(b"x", length=1)))
            await asyncio.sleep(1)
            assert not small.done()
            large.cancel()
            assert await small == b"x"
        return await body_of(reading, Request(b"x" * 10, length=10))

    assert run_virtual(story()) == b"x" * 10
