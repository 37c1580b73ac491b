from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from millstream.native_host.stdio import StandardPipe


@pytest.fixture
async def ends():
    """The browser's ends of two pipes, and what the host has of them."""
    reading, to_host = os.pipe()
    from_host, writing = os.pipe()
    left = [to_host, from_host]
    yield left, StandardPipe(reading, writing)
    for descriptor in (*left, reading, writing):
        os.close(descriptor)


async def test_both_ways(ends):
    [to_host, from_host], pipe = ends
    os.write(to_host, b"abc")
    assert await pipe.read() == b"abc"
    await pipe.write(b"answer")
    await pipe.write(b"s")
    assert os.read(from_host, 99) == b"answers"
    os.write(to_host, b"de")
    assert await pipe.read() == b"de"
    os.close(to_host)
    ends[0].remove(to_host)
    assert await pipe.read() == b""


async def test_more_than_a_pipe_holds_is_written_whole(ends):
    [_, from_host], pipe = ends
    data = os.urandom(1 << 18)
    writing = asyncio.create_task(pipe.write(data))
    seen = b""
    while len(seen) < len(data):
        seen += await asyncio.to_thread(os.read, from_host, 1 << 16)
    await writing
    assert seen == data


async def test_who_hung_up_takes_nothing(ends):
    [_, from_host], pipe = ends
    os.close(from_host)
    ends[0].remove(from_host)
    with pytest.raises(BrokenPipeError):
        await pipe.write(b"abc")


def test_what_is_printed_comes_not_between_frames():
    program = (
        "import os, sys; from millstream.native_host.stdio import take_standard_streams;"
        "r, w = take_standard_streams(); print('noise', flush=True); os.system('echo child');"
        "os.write(w, os.read(r, 9)); assert sys.stdin.read() == ''"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"frame", capture_output=True, check=True, timeout=30
    )
    assert done.stdout == b"frame"
    assert done.stderr == b"noise\nchild\n"
