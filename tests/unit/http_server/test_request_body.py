from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from millstream.http_server.refusal import Refusal
from millstream.http_server.request_body import BODY_TIME, check_length, read_body
from millstream.testing.virtual_time import run_virtual


class Content:
    """A body that comes in parts, with a pause before each."""

    def __init__(self, *parts, pause=0.0):
        self.parts = parts
        self.pause = pause

    async def iter_any(self):
        for part in self.parts:
            await asyncio.sleep(self.pause)
            yield part


def request(*parts, length=None, pause=0.0):
    return SimpleNamespace(content_length=length, content=Content(*parts, pause=pause))


def test_a_body_is_read_to_its_end():
    assert run_virtual(read_body(request(b"ab", b"", b"cd", length=4), 4)) == b"abcd"


def test_one_that_says_to_be_too_long_is_not_read():
    with pytest.raises(Refusal) as refusal:
        run_virtual(read_body(request(b"x", length=5), 4))
    assert refusal.value.status == 413
    assert check_length(request(length=4), 4) == 4
    assert check_length(request(), 4) is None


def test_nor_one_that_does_not_say_so_beyond_the_bound():
    with pytest.raises(Refusal) as refusal:
        run_virtual(read_body(request(b"abc", b"de"), 4))
    assert refusal.value.status == 413


def test_nor_one_that_takes_too_long():
    with pytest.raises(Refusal) as refusal:
        run_virtual(read_body(request(*[b"x"] * 100, pause=BODY_TIME / 50), 1000))
    assert refusal.value.status == 408
