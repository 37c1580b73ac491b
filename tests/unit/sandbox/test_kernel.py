from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys

import pytest

from millstream.sandbox import kernel
from millstream.sandbox.kernel import system_call

GETPID = {"x86_64": 39, "aarch64": 172}
READ = {"x86_64": 0, "aarch64": 63}


@pytest.fixture
def machine():
    name = platform.machine()
    if sys.platform != "linux" or name not in GETPID:
        pytest.skip(f"the system calls of {sys.platform} on {name} are not known")
    return name


def test_a_call(machine):
    assert system_call(GETPID[machine]) == os.getpid()


def test_a_call_with_a_buffer(machine):
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    buffer = ctypes.create_string_buffer(8)
    assert system_call(READ[machine], reading, buffer, 8) == 3
    assert buffer.value == b"abc"
    os.close(reading)
    os.close(writing)


def test_a_call_that_fails(machine):
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        system_call(READ[machine], -1, None, 0)
    assert caught.value.errno == errno.EBADF


def test_other_systems_have_none(monkeypatch):
    monkeypatch.setattr(kernel.sys, "platform", "darwin")
    with pytest.raises(OSError, match="Linux"):
        kernel._library.__wrapped__()
