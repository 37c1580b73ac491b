from __future__ import annotations

import subprocess
import sys

import pytest

from millstream.sandbox import seccomp
from millstream.sandbox.attempts import ATTEMPTS


def test_a_machine_that_is_not_known(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "vax")
    with pytest.raises(OSError, match="vax"):
        seccomp.restrict()


def test_alone_it_keeps_everything_away_from_all_threads():
    if sys.platform != "linux":
        pytest.skip("seccomp is Linux's")
    program = (
        "import queue, threading\n"
        "from millstream.sandbox import attempts, kernel, seccomp\n"
        "go_on, told = threading.Event(), queue.Queue()\n"
        "def wait(): go_on.wait(); told.put(attempts.refused_attempts())\n"
        "threading.Thread(target=wait).start()\n"
        "kernel.keep_privileges_down()\n"
        "seccomp.restrict()\n"
        "go_on.set()\n"
        "print(len(attempts.refused_attempts()), len(told.get()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.split() == [str(len(ATTEMPTS))] * 2
