from __future__ import annotations

import asyncio
import os
import sys

import pytest

from millstream.cli.top_keys import listening, read_keys


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"", []),
        (b"qs", ["q", "s"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "pageup", "pagedown"]),
        (b"\x1b[1~\x1b[F", ["home", "end"]),
        (b"\x1b[1;5Cq", ["\x1b[1;5C", "q"]),
        (b"\xc3\xa9\xff", ["\u00e9", "\ufffd"]),
    ],
)
def test_keys(data, keys):
    assert read_keys(data) == keys


async def test_without_a_terminal_there_are_none(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "w"):
        monkeypatch.setattr(sys, "stdin", stdin)
        with listening(pytest.fail):
            await asyncio.sleep(0)


async def test_keys_of_a_terminal_and_the_terminal_as_it_was(monkeypatch):
    pty = pytest.importorskip("pty", reason="there is no pty on this platform")
    termios = pytest.importorskip("termios", reason="there is no termios on this platform")
    keyboard, terminal = pty.openpty()
    pressed = asyncio.Queue()
    with os.fdopen(keyboard, "wb", buffering=0) as keys, os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(stdin)
        with listening(pressed.put_nowait):
            assert termios.tcgetattr(stdin) != before
            keys.write(b"s\x1b[B")
            async with asyncio.timeout(5):
                assert [await pressed.get(), await pressed.get()] == ["s", "down"]
        assert termios.tcgetattr(stdin) == before
