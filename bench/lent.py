"""An engine on an io-daemon: what is left of the speed of one that has its own sockets and files.

Each scenario plays the same download in alternation: by the native engine, by one on an io-daemon that
writes in batches, and by one that writes each piece with an HTTP request of its own; or by the batching one
near its daemon and far from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median
from typing import Any

from bench.content import NAME as CONTENT_NAME
from bench.content import Torrent, lent_torrent, same_bytes
from bench.process import Child, ChildFailed, Cost
from bench.stage import GIB, Stage

NATIVE, BATCHED, UNBATCHED, FAR = "native", "batches", "a request a piece", "batches, far away"
# Seconds to a daemon that is far away, and back.
FAR_ROUND_TRIP = 0.1
CONNECTIONS = 8
MOST_RSS = 150_000_000
MB = 1e6
HEADER = (
    *("pieces", "", "MB/s", "speed, of the first", "CPU s/GiB, engine + daemon"),
    *("peak RSS MB, engine, daemon", "requests to write", "pieces in each"),
)


@dataclass(frozen=True)
class LentSample:
    """One run.

    Attributes:
        seconds: wall time of the download.
        bytes: downloaded.
        costs: of the engine, and of the daemon if there is one.
        asked: how often the daemon was asked to write.
        writes: pieces in that.
    """

    seconds: float
    bytes: int
    costs: dict[str, Cost]
    asked: int = 0
    writes: int = 0

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.seconds

    @property
    def writes_per_batch(self) -> float:
        """On average; 0 where nobody is asked."""
        return self.writes / self.asked if self.asked else 0.0

    @property
    def round_trips_at_once(self) -> float:
        """How many times faster it is than if each request waited for the one before, far away."""
        return self.asked * FAR_ROUND_TRIP / self.seconds

    def cpu_per_gib(self, role: str) -> float:
        """CPU seconds of a process for each GiB."""
        return self.costs[role].cpu / self.bytes * GIB


Samples = dict[str, list[LentSample]]


@dataclass(frozen=True)
class Verdict:
    """A target: in words, what was reached, and whether that is enough."""

    words: str
    reached: float
    is_met: bool


@dataclass(frozen=True)
class LentScenario:
    """A row of the table for each side.

    Attributes:
        name: for `--only`.
        title: for people.
        piece_length: of the torrent.
        sides: who takes part.
        judge: the targets.
    """

    name: str
    title: str
    piece_length: int
    sides: tuple[str, ...]
    judge: Callable[[Samples], list[Verdict]]

    def run(self, stage: Stage, side: str, verify: bool) -> LentSample:
        """One run of a side. Raises ChildFailed."""
        torrent = lent_torrent(stage.content, self.piece_length)
        ports = stage.neutral_ports(torrent, CONNECTIONS)
        with stage.downloads() as directory, ExitStack() as stack:
            if side == NATIVE:
                arguments: tuple[object, ...] = ("leech", torrent.path, directory, *ports)
                leech = stage.child(torrent, "millstream_client", *arguments)
                sample = _finish(stack.enter_context(leech), torrent, {})
            else:
                sample = _lend(stage, stack, side, torrent, directory, ports)
            if verify and not same_bytes(directory / CONTENT_NAME, torrent):
                raise ChildFailed(f"what {side} downloaded is not the content")
            return sample


@dataclass
class LentOutcome:
    """What became of a scenario."""

    scenario: LentScenario
    samples: Samples = field(default_factory=dict)
    failure: str = ""

    def verdicts(self) -> list[Verdict]:
        """What was reached; nothing of one that failed."""
        if self.failure:
            return []
        found = self.scenario.judge(self.samples)
        for role in ("engine", "daemon"):
            peak = max(_rss(sample, role) for side in self.samples for sample in self.samples[side])
            words = f"RSS of the {role} ≤ {MOST_RSS / MB:.0f} MB"
            found.append(Verdict(words, peak / MB, peak <= MOST_RSS))
        return found


def scenarios() -> list[LentScenario]:
    """The table, top to bottom."""
    near = (NATIVE, BATCHED, UNBATCHED)
    kib = {"1m": 1024, "256k": 256, "64k": 64}
    return [
        *(
            LentScenario(
                f"daemon-{name}",
                "near the daemon",
                length << 10,
                near,
                partial(_judge_near, most_pieces=name == "64k"),
            )
            for name, length in kib.items()
        ),
        *(
            LentScenario(
                f"daemon-far-{name}",
                f"{FAR_ROUND_TRIP * 1000:.0f} ms from the daemon and back",
                kib[name] << 10,
                (BATCHED, FAR),
                _judge_far,
            )
            for name in ("1m", "64k")
        ),
    ]


def play(
    scenario: LentScenario,
    stage: Stage,
    runs: int,
    failures: tuple[type[Exception], ...],
    tell: Callable[[str], None],
) -> LentOutcome:
    """All runs, one side after the other; the first round is not counted, but verified."""
    outcome = LentOutcome(scenario, {side: [] for side in scenario.sides})
    for number in range(runs + 1):
        for side in scenario.sides:
            try:
                sample = scenario.run(stage, side, number == 0)
            except failures as failure:
                outcome.failure = f"{side}: {failure}"
                tell(f"[{scenario.name}] FAILED: {outcome.failure}")
                return outcome
            if number:
                outcome.samples[side].append(sample)
            turn = f"{number}/{runs}" if number else "warm-up"
            tell(f"[{scenario.name}] {turn}: {side}: {sample.rate / MB:.0f} MB/s")
    return outcome


def markdown(outcomes: Sequence[LentOutcome]) -> str:
    """The figures as a table of their own."""
    if not outcomes:
        return ""
    lines = [
        "\n## An engine on an io-daemon",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
    ]
    notes = []
    for outcome in outcomes:
        scenario = outcome.scenario
        pieces = f"{scenario.piece_length >> 10} KiB"
        where = f"{scenario.title}, {pieces}"
        if outcome.failure:
            notes.append(f"{where}: FAILED: {outcome.failure.splitlines()[-1]}")
            continue
        lines += [_row(outcome, side, pieces) for side in scenario.sides]
        told = ", ".join(
            f"{each.words}: {'yes' if each.is_met else '**no**'} ({each.reached:.2f})"
            for each in outcome.verdicts()
        )
        notes.append(f"{where}: {told}.")
    return "\n".join(lines) + "\n\n" + "".join(f"- {note}\n" for note in notes)


def as_dicts(outcomes: Sequence[LentOutcome]) -> list[dict[str, Any]]:
    """For results.json."""
    return [
        {
            "name": outcome.scenario.name,
            "failure": outcome.failure or None,
            "targets": [asdict(each) for each in outcome.verdicts()],
            "samples": {
                side: [asdict(sample) for sample in samples]
                for side, samples in outcome.samples.items()
            },
        }
        for outcome in outcomes
    ]


def _lend(
    stage: Stage, stack: ExitStack, side: str, torrent: Torrent, directory: object, ports: list[int]
) -> LentSample:
    daemon = stack.enter_context(stage.child(torrent, "lending_daemon", directory))
    port = daemon.read()["port"]
    if side == FAR:
        way = stage.child(torrent, "slow_way", port, FAR_ROUND_TRIP / 2)
        port = stack.enter_context(way).read()["port"]
    how = "unbatched" if side == UNBATCHED else "batched"
    arguments = (how, torrent.path, port, *ports)
    leech = stack.enter_context(stage.child(torrent, "lent_client", *arguments))
    return _finish(leech, torrent, {"daemon": daemon})


def _finish(leech: Child, torrent: Torrent, others: dict[str, Child]) -> LentSample:
    report = leech.read()
    costs = {"engine": leech.finish()} | {role: child.stop() for role, child in others.items()}
    asked, writes = report.get("asked", 0), report.get("writes", 0)
    return LentSample(report["seconds"], torrent.length, costs, asked, writes)


def _judge_near(samples: Samples, most_pieces: bool) -> list[Verdict]:
    found = [_faster(samples, BATCHED, NATIVE, 0.5)]
    if most_pieces:
        found.append(_faster(samples, BATCHED, UNBATCHED, 1.5))
    return found


def _judge_far(samples: Samples) -> list[Verdict]:
    reached = median(sample.round_trips_at_once for sample in samples[FAR])
    words = "faster than one request a round trip ≥ 2 x"
    return [Verdict(words, reached, reached >= 2)]


def _faster(samples: Samples, side: str, than: str, least: float) -> Verdict:
    reached = median(_ratios(samples, side, than))
    return Verdict(f"{side} ≥ {least:g} x {than}", reached, reached >= least)


def _ratios(samples: Samples, side: str, than: str) -> list[float]:
    pairs = zip(samples[side], samples[than], strict=True)
    return [ours.rate / theirs.rate for ours, theirs in pairs]


def _rss(sample: LentSample, role: str) -> int:
    return sample.costs[role].rss if role in sample.costs else 0


def _row(outcome: LentOutcome, side: str, pieces: str) -> str:
    samples = outcome.samples[side]
    ratios = _ratios(outcome.samples, side, outcome.scenario.sides[0])
    roles = list(samples[0].costs)
    cpu = " + ".join(f"{median(each.cpu_per_gib(role) for each in samples):.2f}" for role in roles)
    rss = ", ".join(f"{max(_rss(each, role) for each in samples) / MB:.0f}" for role in roles)
    asked = ratio = batch = ""
    if samples[0].asked:
        asked = f"{median(each.asked for each in samples):.0f}"
        batch = f"{median(each.writes_per_batch for each in samples):.1f}"
    if side != outcome.scenario.sides[0]:
        ratio = f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
    rate = f"{median(each.rate for each in samples) / MB:.0f}"
    return f"| {pieces} | {side} | {rate} | {ratio} | {cpu} | {rss} | {asked} | {batch} |"
