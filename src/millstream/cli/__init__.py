"""The command line: `millstream`, one module per command.

Importing this package costs nothing; typer, rich and the engine are imported when a command needs
them, so that `millstream --version` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `millstream.cli.exit_codes`).

    Args:
        arguments: what follows the program's name; None takes those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["--version"], ["-V"]):
        from millstream import __version__

        sys.stdout.write(f"millstream {__version__}\n")
        return 0
    from millstream.cli.app import run

    return run(given)
