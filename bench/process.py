"""Child processes: started, listened to, ended, and what each of them cost."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

REPOSITORY = Path(__file__).resolve().parent.parent
LOG_TAIL = 1500
_NUMBERS = itertools.count()
# `ru_maxrss` counts KiB, but bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class ChildFailed(RuntimeError):  # noqa: N818 - a fact of the run, told in its words
    """A child did not do what it is there for."""


@dataclass(frozen=True)
class Cost:
    """What a whole process used, from its first instruction to its last, all threads.

    Attributes:
        cpu: seconds, user and system.
        rss: peak resident memory, bytes.
    """

    cpu: float
    rss: int


class Child:
    """A module of `bench.clients` as a process of its own. Leaving the context kills it.

    Args:
        work: the run's directory: bytecode and the child's errors go there.
        seconds: how long it may take; then it is killed, and its run has failed.
        module: below `bench.clients`.
        arguments: its command line.
    """

    def __init__(self, work: Path, seconds: float, module: str, *arguments: object) -> None:
        self.name = module
        self._log = work / f"{next(_NUMBERS)}-{module}.log"
        command = [sys.executable, "-m", f"bench.clients.{module}", *map(str, arguments)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=REPOSITORY,
                env=environment(work),
                # Ctrl-C is for the run, which ends its children in order.
                start_new_session=True,
            )
        self._input: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self._output: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        self._cost: Cost | None = None
        self._expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._cost is None:
            self._kill()
            self._reap()

    def read(self) -> dict[str, Any]:
        """The next line of values that it reports. Raises ChildFailed."""
        line = self._output.readline()
        if not line:
            self._reap()
            raise ChildFailed(f"{self.name} ended without a report: {self._errors()}")
        return json.loads(line)

    def stop(self) -> Cost:
        """Tell a seeder to end, and see what it cost. Raises ChildFailed if it did not end well."""
        self._input.close()
        return self.finish()

    def finish(self) -> Cost:
        """Wait for its end, and see what it cost. Raises ChildFailed if it did not end well."""
        cost = self._reap()
        if self._process.returncode:
            status = self._process.returncode
            raise ChildFailed(f"{self.name} ended with status {status}: {self._errors()}")
        return cost

    def _reap(self) -> Cost:
        if self._cost is None:
            _, status, usage = os.wait4(self._process.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._cost = Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)
            self._timer.cancel()
            self._output.close()
            self._input.close()
        return self._cost

    def _expire(self) -> None:
        self._expired = True
        self._kill()

    def _kill(self) -> None:
        if self._cost is None:
            os.kill(self._process.pid, signal.SIGKILL)

    def _errors(self) -> str:
        if self._expired:
            return "it took too long"
        errors = self._log.read_text("utf-8", "replace").strip()
        return errors[-LOG_TAIL:] or "it said nothing"


def environment(work: Path) -> dict[str, str]:
    """Ours, with this tree's Millstream, and bytecode cached away from the tree."""
    settings = dict(os.environ)
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    settings["PYTHONPYCACHEPREFIX"] = str(work / "bytecode")
    paths = (str(REPOSITORY), str(REPOSITORY / "src"), settings.get("PYTHONPATH"))
    settings["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return settings
