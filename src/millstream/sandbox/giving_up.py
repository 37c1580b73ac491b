"""Giving up files, sockets and programs for good, and saying what of it holds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from millstream.sandbox import landlock, seccomp
from millstream.sandbox.attempts import ATTEMPTS, refused_attempts
from millstream.sandbox.kernel import keep_privileges_down


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What holds from now on.

    Attributes:
        landlock: the version of the kernel's interface; None if it does not hold.
        seccomp: whether system calls are filtered.
        refused: what was tried and refused: names of `attempts.ATTEMPTS`.
        reasons: why Landlock or seccomp do not hold, a sentence for each.
    """

    landlock: int | None
    seccomp: bool
    refused: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def possible(self) -> tuple[str, ...]:
        """What was tried and not refused."""
        return tuple(name for name in ATTEMPTS if name not in self.refused)

    @property
    def is_whole(self) -> bool:
        """Whether all that was tried was refused."""
        return not self.possible


def give_up() -> SandboxReport:
    """Give up all of it, as far as this kernel can keep us from it. There is no way back.

    What has been opened before stays open: files, the terminal, a socket to an io-daemon. Modules
    that are not imported yet cannot be any more.
    """
    if sys.platform != "linux":
        why = f"there is neither Landlock nor seccomp on {sys.platform}"
        return SandboxReport(None, seccomp=False, refused=(), reasons=(why,))
    reasons: list[str] = []
    version: int | None = None
    if _holds("no_new_privs", keep_privileges_down, reasons):
        threads = threading.active_count()
        if threads > 1:
            # It holds for the calling thread and those to come; a filter holds for all.
            reasons.append(f"Landlock: {threads} threads run already")
        else:
            try:
                version = landlock.restrict()
            except OSError as error:
                reasons.append(f"Landlock: {error.strerror}")
        filtered = _holds("seccomp", seccomp.restrict, reasons)
    else:
        filtered = False
    return SandboxReport(version, filtered, refused_attempts(), tuple(reasons))


def _holds(name: str, restrict: Callable[[], None], reasons: list[str]) -> bool:
    try:
        restrict()
    except OSError as error:
        reasons.append(f"{name}: {error.strerror}")
        return False
    return True
