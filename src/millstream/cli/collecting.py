"""How often Python's garbage collector looks around in the processes that are ours.

A torrent is some sixty objects that stay. By default the collector looks whenever there are 700 more,
at the old ones again and again, too: of adding ten thousand torrents that is a quarter of the time,
and it finds nothing. Among 10,000 it finds as much, in a millisecond, and has the old ones to look at
so much more seldom. They are not frozen: a torrent that is removed leaves cycles, which nobody would
ever collect.

The engine leaves this alone: in a program that uses it, the collector is that program's.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects that are new when the collector looks at them.
NEW_OBJECTS = 10_000


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look at new objects no sooner than there are NEW_OBJECTS; within a `with` block."""
    before = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
