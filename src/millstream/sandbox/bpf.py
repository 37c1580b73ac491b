"""A filter of system calls, as a program of the classic Berkeley packet filter. Pure.

Linux: Documentation/userspace-api/seccomp_filter.rst. Refused calls fail with EPERM, unknown ones with
ENOSYS, as on an old kernel; who comes by another machine's table is killed.
"""

from __future__ import annotations

import errno
import struct

from millstream.sandbox.syscalls import LAST_KNOWN, Machine

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

# Typing into the terminal that we were started from: commands that somebody else would run.
TIOCSTI = 0x5412
TIOCLINUX = 0x541C

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_ABOVE = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_IF_NOT_BELOW = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# Offsets in struct seccomp_data. Of an argument the lower half; both machines are little-endian.
_NUMBER = 0
_ARCHITECTURE = 4
_SECOND_ARGUMENT = 24

_INSTRUCTION = struct.Struct("=HBBI")


def refusal(number: int) -> int:
    """What a filter returns so that a call fails with this errno."""
    return _ERRNO | number


def make_filter(machine: Machine) -> bytes:
    """The program: 8 bytes for each of its instructions."""
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        *_unless(_IF_EQUAL, machine.audit_arch, KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine.other_abi:
        program += _when(_IF_NOT_BELOW, machine.other_abi, refusal(errno.EPERM))
    program += _when(_IF_ABOVE, LAST_KNOWN, refusal(errno.ENOSYS))
    for number in sorted(machine.refused.values()):
        program += _when(_IF_EQUAL, number, refusal(errno.EPERM))
    program += [
        *_unless(_IF_EQUAL, machine.ioctl, ALLOW),
        _instruction(_LOAD, _SECOND_ARGUMENT),
        *_when(_IF_EQUAL, TIOCSTI, refusal(errno.EPERM)),
        *_when(_IF_EQUAL, TIOCLINUX, refusal(errno.EPERM)),
        _instruction(_RETURN, ALLOW),
    ]
    return b"".join(program)


def _when(test: int, value: int, result: int) -> list[bytes]:
    """Return this if the test holds, and go on if it does not."""
    return [_instruction(test, value, 0, 1), _instruction(_RETURN, result)]


def _unless(test: int, value: int, result: int) -> list[bytes]:
    """Go on if the test holds, and return this if it does not."""
    return [_instruction(test, value, 1, 0), _instruction(_RETURN, result)]


def _instruction(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, when_true, when_false, value)
