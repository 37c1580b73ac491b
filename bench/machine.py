"""What was measured where: without it no figure means anything."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.process import REPOSITORY


def describe_machine(data: Path) -> dict[str, str]:
    """Facts by name, for people."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Millstream": _revision(),
        "libtorrent": version("libtorrent"),
        "data": _file_system(data),
    }


class OtherLoad:
    """How much of the machine went to processes that are not the bench's, since this was made."""

    def __init__(self) -> None:
        self._start = time.monotonic(), _busy_seconds(), _own_seconds()

    def describe(self) -> str:
        """For people. Call it when all children have ended, or theirs counts as others'."""
        start, busy, own = self._start
        if not busy:
            return "unknown"
        others = (_busy_seconds() - busy) - (_own_seconds() - own)
        cores = max(0.0, others) / (time.monotonic() - start)
        return f"{cores:.1f} of {os.cpu_count()} cores on average"


def _busy_seconds() -> float:
    """CPU seconds that all cores have worked since boot (proc_stat(5)); 0 where unknown."""
    try:
        first_line = Path("/proc/stat").read_text("ascii").split("\n", 1)[0]
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq = map(int, first_line.split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _revision() -> str:
    """Which Millstream this is."""
    try:
        revision = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "src")
    except (OSError, subprocess.SubprocessError):
        return "unknown revision"
    return f"revision {revision}{', with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _file_system(directory: Path) -> str:
    """The mount point and type of the file system that holds the directory."""
    try:
        lines = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return str(directory.parent)
    mounts = {line.split()[1]: line.split()[2] for line in lines}
    for parent in (directory, *directory.parents):
        if str(parent) in mounts:
            kind = mounts[str(parent)]
            memory = ", in memory: no disk is measured" if kind == "tmpfs" else ""
            return f"{parent} ({kind}{memory})"
    return str(directory.parent)
