from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from millstream.sandbox import landlock
from millstream.sandbox.landlock import landlock_version, ruleset


@pytest.mark.parametrize(
    ("version", "length", "rights"),
    [
        (1, 8, 13),
        (2, 8, 14),
        (3, 8, 15),
        (4, 16, 15),
        (5, 16, 16),
        (6, 24, 16),
        (7, 24, 16),
        (99, 24, 16),
    ],
)
def test_all_that_a_version_knows_is_refused(version, length, rights):
    told = ruleset(version)
    assert len(told) == length
    assert int.from_bytes(told[:8], sys.byteorder) == (1 << rights) - 1
    assert set(told[8::8]) <= {0b11}


def test_a_kernel_that_has_none(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "switched off")

    monkeypatch.setattr(landlock, "system_call", refuse)
    with pytest.raises(OSError, match="switched off"):
        landlock.restrict()


def test_alone_it_keeps_files_and_tcp_away():
    try:
        version = landlock_version()
    except OSError as error:
        pytest.skip(f"this kernel has no Landlock: {error}")
    program = (
        "from millstream.sandbox import attempts, kernel, landlock\n"
        "kernel.keep_privileges_down()\n"
        "assert landlock.restrict() > 0\n"
        "print(*attempts.refused_attempts(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    refused = set(done.stdout.splitlines())
    assert {"read a file", "list a directory", "write a file", "start a program"} <= refused
    assert ("connect by TCP" in refused) == ("listen by TCP" in refused) == (version >= 4)
    assert "send by UDP" not in refused, "of that it knows nothing, and the report says so"
