"""A file that cannot be read as it should makes room, and is kept for whoever can read it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count


def set_aside(path: str, companions: Sequence[str] = ()) -> str:
    """Rename a file to its name with `.corrupt` or `.corrupt-2` ... behind it.

    Args:
        path: the file.
        companions: endings of files that belong to it and go along: those of `path` with each of
            these behind it, where there are such.

    Returns:
        The new name. Raises OSError.
    """
    for number in count(1):
        aside = f"{path}.corrupt" if number == 1 else f"{path}.corrupt-{number}"
        if not any(os.path.lexists(aside + ending) for ending in ("", *companions)):
            break
    for ending in companions:
        if os.path.lexists(path + ending):
            os.rename(path + ending, aside + ending)
    os.rename(path, aside)
    return aside
