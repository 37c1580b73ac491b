"""What a process uses, as the kernel says (proc(5)); Linux alone says it so."""

from __future__ import annotations

import os
from pathlib import Path


def resident(process: int | str = "self") -> int:
    """Bytes of memory that it has now."""
    pages = Path(f"/proc/{process}/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(process: int) -> float:
    """User and system time since it began, all threads, in steps of a hundredth of a second."""
    # The second field, its name in brackets, may hold anything.
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
