"""Ending with the process that started us, however it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

# Seconds between two looks, where the system cannot tell us itself.
INTERVAL = 1.0


class ParentWatch:
    """Calls when a process is gone.

    By a descriptor of the process where there are such (Linux): at once, and without mistaking
    another process for it that got its number.

    Args:
        pid: of the process.
        gone: called once, in the loop's thread.
    """

    def __init__(self, pid: int, gone: Callable[[], None]) -> None:
        self._pid = pid
        self._gone = gone
        self._descriptor = -1
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        opens = getattr(os, "pidfd_open", None)
        if opens is not None:
            try:
                self._descriptor = opens(self._pid)
            except ProcessLookupError:
                asyncio.get_running_loop().call_soon(self._gone)
                return
            except OSError:
                pass  # an old kernel, or a jail that has no such call
            else:
                loop = asyncio.get_running_loop()
                loop.add_reader(self._descriptor, self._ended)
                return
        self._look()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _ended(self) -> None:
        self.stop()
        self._gone()

    def _look(self) -> None:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            self._gone()
            return
        except PermissionError:
            pass  # it is there, and another user's
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
