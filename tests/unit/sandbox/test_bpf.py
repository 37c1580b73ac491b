from __future__ import annotations

import errno
import struct

import pytest

from millstream.sandbox.bpf import ALLOW, KILL_PROCESS, TIOCLINUX, TIOCSTI, make_filter, refusal
from millstream.sandbox.syscalls import LAST_KNOWN, MACHINES

EPERM = refusal(errno.EPERM)
NAMES = sorted(MACHINES)


def decide(program, number, architecture, second=0):
    """Run a filter as the kernel does."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, 0, second, 0, 0, 0, 0)
    at = accumulator = 0
    while True:
        code, when_true, when_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += when_true if accumulator == value else when_false
            case 0x25:
                at += when_true if accumulator > value else when_false
            case 0x35:
                at += when_true if accumulator >= value else when_false
            case 0x06:
                return value
            case _:
                raise AssertionError(code)


@pytest.fixture(params=NAMES)
def machine(request):
    return MACHINES[request.param]


def test_it_refuses_what_is_to_be_refused_and_nothing_else(machine):
    program = make_filter(machine)
    for number in range(LAST_KNOWN + 1):
        refused = number in machine.refused.values()
        assert decide(program, number, machine.audit_arch) == (EPERM if refused else ALLOW)


def test_calls_that_are_not_known_yet_are_not_there(machine):
    program = make_filter(machine)
    for number in (LAST_KNOWN + 1, 0x3FFFFFFF):
        assert decide(program, number, machine.audit_arch) == refusal(errno.ENOSYS)
    # Those of x32, where there is one.
    expected = EPERM if machine.other_abi else refusal(errno.ENOSYS)
    for number in (0x40000000, 0x40000002, 0xFFFFFFFF):
        assert decide(program, number, machine.audit_arch) == expected


def test_another_machines_table_is_no_way_out(machine):
    program = make_filter(machine)
    assert decide(program, 5, 0x40000003) == KILL_PROCESS  # open(2) of i386


@pytest.mark.parametrize("command", [TIOCSTI, TIOCLINUX])
def test_the_terminal_is_drawn_on_but_not_typed_into(machine, command):
    program = make_filter(machine)
    assert decide(program, machine.ioctl, machine.audit_arch, command) == EPERM
    assert decide(program, machine.ioctl, machine.audit_arch, command | (1 << 32)) == EPERM
    assert decide(program, machine.ioctl, machine.audit_arch, 0x5413) == ALLOW  # TIOCGWINSZ


def test_the_kernel_takes_its_length(machine):
    assert len(make_filter(machine)) // 8 <= 4096
