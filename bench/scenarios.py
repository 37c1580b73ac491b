"""What is measured, and what each measurement is to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.content import LARGE_PIECES, QUARTER, SMALL_PIECES
from bench.stage import Sample, Stage

MILLSTREAM, LIBTORRENT = SIDES = ("millstream", "libtorrent")


@dataclass(frozen=True)
class Target:
    """What the issue wants of a scenario; None where it wants nothing.

    Attributes:
        least_speed: throughput, as a multiple of libtorrent's.
        most_cpu: CPU seconds per GiB, as a multiple of libtorrent's.
        most_rss: bytes.
        same_rss_as: the scenario, of the same work on more data, whose peak RSS must not be higher.
        most_seconds: wall time.
        cpu_growth_from: a scenario with fewer peers, whose CPU seconds per GiB are not to be passed
            by more than `most_growth`.
        most_growth: see there.
        most_time: wall time, as a multiple of libtorrent's.
    """

    least_speed: float | None = None
    most_cpu: float | None = None
    most_rss: int | None = None
    same_rss_as: str | None = None
    most_seconds: float | None = None
    cpu_growth_from: str | None = None
    most_growth: float = 1.5
    most_time: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A line of the table.

    Attributes:
        name: for `--only`.
        title: for people.
        pieces: the piece length, for people.
        run: one run of a side; with True it also verifies the outcome, outside the timing.
        target: what to reach.
        sides: who takes part.
        is_latency: whether it is the wall time that counts; nothing to speak of is moved.
        runs: how often instead of `--runs`, for what takes no time.
    """

    name: str
    title: str
    pieces: str
    run: Callable[[Stage, str, bool], Sample]
    target: Target
    sides: tuple[str, ...] = SIDES
    runs: int | None = None
    is_latency: bool = False


def all_scenarios() -> list[Scenario]:
    """The table, top to bottom."""
    return [
        *_transfers(LARGE_PIECES, "1 MiB", ""),
        *_transfers(SMALL_PIECES, "256 KiB", "-256k"),
        Scenario(
            "download-quarter",
            "download of the first quarter, 1 connection",
            "1 MiB",
            partial(Stage.download, which=QUARTER, connections=1),
            Target(same_rss_as="download-1"),
        ),
        *(
            Scenario(
                f"download-{peers}",
                f"download, {peers} connections",
                "1 MiB",
                partial(Stage.download, which=LARGE_PIECES, connections=peers),
                Target(cpu_growth_from="download-1"),
            )
            for peers in (64, 256)
        ),
        Scenario(
            "rc4",
            "download, RC4",
            "1 MiB",
            partial(Stage.encrypted, which=LARGE_PIECES),
            Target(least_speed=1.0),
        ),
        Scenario(
            "magnet",
            "magnet to first piece",
            "256 KiB",
            Stage.magnet,
            Target(most_time=1.0),
            runs=5,
            is_latency=True,
        ),
        Scenario(
            "recheck",
            "recheck",
            "1 MiB",
            Stage.recheck,
            Target(least_speed=1.0),
        ),
        Scenario(
            "create",
            "create",
            "1 MiB",
            Stage.create,
            Target(least_speed=1.0),
        ),
        Scenario(
            "version",
            "`millstream --version`",
            "",
            Stage.version,
            Target(most_seconds=0.2),
            sides=(MILLSTREAM,),
            runs=15,
        ),
    ]


def _transfers(torrent: str, pieces: str, suffix: str) -> Iterator[Scenario]:
    """The scenarios that are run with both piece lengths."""
    target = Target(least_speed=1.2, most_cpu=1.0, most_rss=120_000_000)
    for connections, title in ((1, "download, 1 connection"), (8, "download, 8 connections")):
        run = partial(Stage.download, which=torrent, connections=connections)
        yield Scenario(f"download-{connections}{suffix}", title, pieces, run, target)
    target = Target(most_cpu=0.5)
    for leeches, title in ((1, "seed to 1 leech"), (4, "seed to 4 leeches")):
        run = partial(Stage.seed, which=torrent, leeches=leeches)
        yield Scenario(f"seed-{leeches}{suffix}", title, pieces, run, target)
    run = partial(Stage.end_to_end, which=torrent)
    target = Target(least_speed=2.0)
    yield Scenario(f"end-to-end{suffix}", "end to end", pieces, run, target)
