"""Ten thousand torrents that have nothing to do: what they cost to add, to keep and to bring back.

Each is of one file of 100 MiB in 400 pieces, which is complete, sparse, and known to be so. They have
no trackers: an announce is work, and idle is what is asked about. Adding, memory and idle CPU are those
of a program that uses the library; restart and `list` are those of the real daemon.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bench.process import REPOSITORY, Child, ChildFailed, environment
from bench.scenarios import LIBTORRENT, MILLSTREAM
from bench.usage import cpu_seconds, resident

NAME = "scale"
COUNT = 10_000
PIECES = 400
PIECE_LENGTH = 256 << 10
IDLE_SECONDS = 20.0
# Of `millstream list` and its request, of which the median counts.
LISTS = 5
PATIENCE = 300.0


@dataclass(frozen=True)
class Figure:
    """A line of the table; None where a side has no such figure, or the issue no target."""

    title: str
    unit: str
    millstream: float
    libtorrent: float | None = None
    target: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is what the issue wants."""
        return self.target is None or self.millstream <= self.target


@dataclass
class Outcome:
    """All figures of so many torrents, or why there are none."""

    count: int = 0
    figures: Sequence[Figure] = ()
    failure: str = ""


def measure(
    work: Path, count: int, tell: Callable[[str], None], idle: float = IDLE_SECONDS
) -> list[Figure]:
    """All figures. Raises ChildFailed, OSError and subprocess.SubprocessError."""
    torrents, content, session = work / "torrents", work / "content", work / "session.db"
    tell(f"[{NAME}] making {count} torrents")
    make_torrents(torrents, content, count)
    found: dict[str, dict[str, Any]] = {}
    for side in (LIBTORRENT, MILLSTREAM):
        arguments = (torrents, content, session, idle)
        with Child(work, PATIENCE + idle, f"scale_{side}", *arguments) as child:
            found[side] = child.read()
            child.finish()
        tell(f"[{NAME}] {side}: {found[side]}")
    ours, theirs = found[MILLSTREAM], found[LIBTORRENT]
    daemon = measure_daemon(work, content, session, count, idle)
    tell(f"[{NAME}] daemon: {daemon}")
    share = count / COUNT
    return [
        Figure("add", "s", ours["add"], theirs["add"], 5 * share),
        Figure("add, CPU", "s", ours["add_cpu"], theirs["add_cpu"]),
        Figure("memory of each", "KB", ours["memory"] / 1e3, theirs["memory"] / 1e3, 25),
        Figure("idle, CPU", "%", ours["idle"] * 100, theirs["idle"] * 100, 1),
        Figure("restart of the daemon until all are ready", "s", daemon["ready"], None, 10 * share),
        Figure("daemon: memory of each", "KB", daemon["memory"] / 1e3),
        Figure("daemon: idle, CPU", "%", daemon["idle"] * 100),
        Figure("daemon: all torrents listed over HTTP", "s", daemon["request"], None, 0.5),
        Figure("`millstream list`, its own start included", "s", daemon["list"]),
    ]


def make_torrents(torrents: Path, content: Path, count: int) -> None:
    """Torrents of random digests, and sparse files in their length."""
    torrents.mkdir()
    content.mkdir()
    for number in range(count):
        name = f"torrent-{number:05}.iso"
        info = b"d6:lengthi%de4:name%d:%b12:piece lengthi%de6:pieces%d:%be" % (
            PIECES * PIECE_LENGTH,
            len(name),
            name.encode(),
            PIECE_LENGTH,
            PIECES * 20,
            os.urandom(PIECES * 20),
        )
        (torrents / f"{number:05}.torrent").write_bytes(b"d4:info%be" % info)
        with (content / name).open("wb") as file:
            file.truncate(PIECES * PIECE_LENGTH)


def measure_daemon(
    work: Path, content: Path, session: Path, count: int, idle: float
) -> dict[str, float]:
    """The daemon brings back what the library added."""
    with _daemon(work, content, work / "empty.db") as (process, url, _):
        empty = resident(process)
    begun = time.perf_counter()
    with _daemon(work, content, session) as (process, url, told):
        if told != count:
            raise ChildFailed(f"the daemon has {told} of {count} torrents")
        while _states(url) & {"checking", "starting"}:
            time.sleep(0.05)
        found = {"ready": time.perf_counter() - begun}
        time.sleep(5)
        found["memory"] = (resident(process) - empty) / count
        used, at = cpu_seconds(process), time.perf_counter()
        time.sleep(idle)
        found["idle"] = (cpu_seconds(process) - used) / (time.perf_counter() - at)
        found["request"] = _median(lambda: len(_get(f"{url}/torrents")))
        command = [sys.executable, "-m", "millstream", "list", "--daemon", url]
        found["list"] = _median(lambda: _run(command, work))
    return found


@contextmanager
def _daemon(work: Path, content: Path, session: Path) -> Iterator[tuple[int, str, int]]:
    """A daemon: its process, where it is, and how many torrents it says it has."""
    command = [sys.executable, "-m", "millstream", "daemon", "--port", "0", "--json"]
    command += ["--session", str(session), "--output", str(content), "--peer-port", "0"]
    log = work / "daemon.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, cwd=REPOSITORY, env=_environment(work)
        )
    output: IO[bytes] = process.stdout  # type: ignore[assignment]
    try:
        told: dict[str, Any] = {}
        while told.get("event") != "daemon":
            line = output.readline()
            if not line:
                raise ChildFailed(f"the daemon ended: {log.read_text('utf-8', 'replace')[-1500:]}")
            told = json.loads(line)
        yield process.pid, told["url"], told["torrents"]
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.close()


def _environment(work: Path) -> dict[str, str]:
    """Without the user's settings."""
    return environment(work) | {"XDG_CONFIG_HOME": str(work), "XDG_STATE_HOME": str(work)}


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - our own daemon
        return answer.read()  # type: ignore[no-any-return]


def _states(url: str) -> set[str]:
    found = json.loads(_get(f"{url}/torrents?fields=state"))
    return {torrent["state"] for torrent in found["torrents"]}


def _run(command: Sequence[str], work: Path) -> None:
    subprocess.run(
        command, check=True, capture_output=True, cwd=REPOSITORY, env=_environment(work),
        timeout=PATIENCE,
    )  # fmt: skip


def _median(work: Callable[[], object]) -> float:
    """Seconds that it takes, of some times."""
    taken = []
    for _ in range(LISTS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[LISTS // 2]


def markdown(outcome: Outcome) -> str:
    """The figures as a table of their own."""
    if not outcome.count:
        return ""
    if outcome.failure:
        return f"\n{outcome.count:,} idle torrents: FAILED: {outcome.failure.splitlines()[-1]}\n"
    lines = [
        f"\n## {outcome.count:,} idle torrents of {PIECES} pieces",
        "",
        "| | Millstream | libtorrent | target | met |",
        "|---|---|---|---|---|",
    ]
    for figure in outcome.figures:
        unit = figure.unit
        theirs = "" if figure.libtorrent is None else f"{figure.libtorrent:.2f} {unit}"
        target = "-" if figure.target is None else f"≤ {figure.target:g} {unit}"
        met = "-" if figure.target is None else "yes" if figure.is_met else "**no**"
        lines.append(
            f"| {figure.title} | {figure.millstream:.2f} {unit} | {theirs} | {target} | {met} |"
        )
    return "\n".join(lines) + "\n"


def as_dict(outcome: Outcome) -> dict[str, Any] | None:
    """For results.json; None if nothing was measured."""
    if not outcome.count:
        return None
    figures = [asdict(figure) | {"met": figure.is_met} for figure in outcome.figures]
    return {"torrents": outcome.count, "failure": outcome.failure or None, "figures": figures}
