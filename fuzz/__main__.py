"""The command line of the fuzz targets; see the package."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from .runner import FoundError, run_atheris, run_seconds
from .target import Target
from .targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments say; 1 if a bug was found, 2 for no such target."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description="Fuzz Millstream's parsers."
    )
    parser.add_argument("target", nargs="?", help="a target, or `all`")
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this input only")
    parser.add_argument("--atheris", action="store_true", help="let atheris find the inputs")
    options = parser.parse_args(arguments)
    if options.list or options.target is None:
        for target in TARGETS.values():
            _say(f"{target.name:16} {target.about}")
        return 0
    if options.target != "all" and options.target not in TARGETS:
        _say(f"there is no target {options.target!r}; see --list")
        return 2
    chosen = list(TARGETS.values()) if options.target == "all" else [TARGETS[options.target]]
    if options.replay is not None:
        for target in chosen:
            target.run(options.replay.read_bytes())
        return 0
    if options.atheris:
        run_atheris(chosen[0], [f"-max_total_time={options.seconds:.0f}"])
    return max(_fuzz(target, options.seconds / len(chosen)) for target in chosen)


def _fuzz(target: Target, seconds: float) -> int:
    try:
        count = run_seconds(target, seconds)
    except FoundError as found:
        path = Path(f"fuzz-{target.name}.bin")
        path.write_bytes(found.data)
        traceback.print_exception(found.__cause__)
        _say(f"{target.name}: FOUND {found.data!r}")
        _say(f"again: python -m fuzz {target.name} --replay {path}")
        return 1
    _say(f"{target.name}: {count} examples, nothing found")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
