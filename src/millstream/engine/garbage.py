"""Work that makes very much and throws nothing away goes on without Python's garbage collector.

The collector looks for cycles each time that the objects have become a quarter more. Of ten thousand
torrents being restored that was half of the time, and it never found anything.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not collect within; what has no cycles is freed as always.

    What was made is old afterwards. Were it new, the collector would look at all of it at once, and
    at once again as it gets older: each time half a second, of ten thousand torrents.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # somebody may have frozen what is not to be looked at
                gc.freeze()
                gc.unfreeze()
            gc.enable()
