from __future__ import annotations

import re
from pathlib import Path

import pytest

from millstream.sandbox.syscalls import LAST_KNOWN, MACHINES, REFUSED

HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_number_has_one_name(name):
    refused = MACHINES[name].refused
    assert len(set(refused.values())) == len(refused)
    assert set(refused) <= set(REFUSED)
    assert all(0 <= number <= LAST_KNOWN for number in refused.values())


def test_every_name_has_a_number_somewhere():
    assert len(set(REFUSED)) == len(REFUSED)
    assert set().union(*(machine.refused for machine in MACHINES.values())) == set(REFUSED)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "name", ["openat", "openat2", "socket", "connect", "execve", "io_uring_setup"]
)
def test_what_matters_most_is_refused_everywhere(machine, name):
    assert name in MACHINES[machine].refused


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_are_those_of_the_kernels_headers(name):
    path = Path(HEADERS[name])
    if not path.exists():
        pytest.skip(f"there is no {path} (apt install linux-libc-dev)")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
    numbers = {found: int(number) for found, number in defined}
    refused = MACHINES[name].refused
    both = set(refused) & set(numbers)
    assert len(both) > 60
    assert {one: refused[one] for one in both} == {one: numbers[one] for one in both}
    assert set(REFUSED) & set(numbers) == both, "none that this machine has is forgotten"
    assert numbers["seccomp"] == MACHINES[name].seccomp
    assert numbers["ioctl"] == MACHINES[name].ioctl
