"""How a child talks with the run that started it: JSON lines out, and a pipe in that says "live".

The run holds the other end of each child's standard input. It closes it to end a seeder; and when
the run itself dies, however it dies, the pipe closes too, and no child stays behind.
"""

from __future__ import annotations

import json
import os
import sys
import threading


def report(**values: object) -> None:
    """Send one line of values to the run."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def wait_for_end() -> None:
    """Return when the run closes our input; for programs that serve until told to stop."""
    sys.stdin.buffer.read()


def die_with_run() -> None:
    """End this process if the run goes away; for programs that end by themselves."""

    def watch() -> None:
        # Unbuffered: a buffered reader's lock, held here, would disturb the interpreter's exit.
        while os.read(0, 1):
            pass
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()
