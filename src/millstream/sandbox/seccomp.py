"""Seccomp: the kernel refuses this process whole system calls, whatever they are asked."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from millstream.sandbox.bpf import make_filter
from millstream.sandbox.kernel import system_call
from millstream.sandbox.syscalls import MACHINES

_SET_MODE_FILTER = 1
# All threads of the process, and not the calling one alone.
_TSYNC = 1

_INSTRUCTION_LENGTH = 8


def restrict() -> None:
    """Refuse all threads of this process what a sandboxed engine has no use for.

    Privileges must be kept down already.

    Raises:
        OSError: the kernel has no such filters, or the machine's calls are not known here.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"the system calls of {platform.machine()} are not known")
    program = make_filter(machine)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog, with its padding.
    length, address = len(program) // _INSTRUCTION_LENGTH, ctypes.addressof(code)
    told = struct.pack("=H6xQ", length, address)
    pointer = ctypes.create_string_buffer(told, len(told))
    thread = system_call(machine.seccomp, _SET_MODE_FILTER, _TSYNC, pointer)
    if thread:
        raise OSError(errno.EBUSY, f"thread {thread} has a filter of its own")
