"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

# prctl(2).
PR_SET_NO_NEW_PRIVS = 38


@cache
def _library() -> Any:
    if sys.platform != "linux":
        raise OSError(38, "there are such system calls on Linux alone")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def system_call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call the kernel; raises OSError.

    Args:
        number: of the call.
        arguments: numbers, and buffers by their address.
    """
    given = [
        ctypes.c_void_p(ctypes.addressof(one))
        if isinstance(one, ctypes.Array)
        else ctypes.c_long(one or 0)
        for one in arguments
    ]
    ctypes.set_errno(0)
    result: int = _library().syscall(ctypes.c_long(number), *given)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def keep_privileges_down() -> None:
    """Let no program that is started get more rights than this process; raises OSError."""
    numbers = (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _library().prctl(*(ctypes.c_ulong(number) for number in numbers)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
