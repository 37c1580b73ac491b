"""Single keys from the terminal, while a view is drawn on it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What terminals send: ECMA-48 and xterm, in both of its cursor modes.
_SEQUENCES = {
    **{
        f"\x1b{mode}{letter}": key
        for mode in "[O"
        for letter, key in zip(
            "ABCDHF", ("up", "down", "right", "left", "home", "end"), strict=True
        )
    },
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
    "\x1b[7~": "home",
    "\x1b[8~": "end",
    "\x1b": "escape",
}
_KEY = re.compile(r"\x1b\[[0-9;]*[@-~]|\x1bO.|.", re.DOTALL)

MAX_READ = 1024


def read_keys(data: bytes) -> list[str]:
    """The keys in what a terminal sent: characters, and `up`, `pagedown` and the like."""
    found = _KEY.findall(data.decode("utf-8", "replace"))
    return [_SEQUENCES.get(key, key) for key in found]


@contextmanager
def listening(pressed: Callable[[str], None]) -> Iterator[None]:
    """Call `pressed` with every key until the end of the block, in the running loop.

    Where stdin is no terminal, or none of POSIX, there are none. Ctrl-C stays what it is.
    """
    try:
        import termios
        import tty

        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (ImportError, OSError, ValueError, termios.error):
        yield
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        data = os.read(number, MAX_READ)
        if not data:
            loop.remove_reader(number)
        for key in read_keys(data):
            pressed(key)

    tty.setcbreak(number)
    loop.add_reader(number, readable)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
