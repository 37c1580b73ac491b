"""From samples to a table that says what was reached and what was not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.scenarios import LIBTORRENT, MILLSTREAM, Scenario, Target
from bench.stage import Sample

HEADER = (
    "scenario", "pieces", "MB/s Millstream", "MB/s libtorrent", "speed ratio",
    "once connecting",
    "CPU s/GiB Millstream", "CPU s/GiB libtorrent", "CPU ratio",
    "peak RSS MB Millstream", "peak RSS MB libtorrent", "target", "met",
)  # fmt: skip
MB = 1e6
# How much more memory a download four times as large may take and still count as independent of
# size: less than one run differs from the next.
RSS_GROWTH = 1.1


@dataclass
class Outcome:
    """What became of a scenario: samples by side, in pairs; or why there are none."""

    scenario: Scenario
    samples: dict[str, list[Sample]]
    failure: str = ""

    def median(self, side: str, value: Callable[[Sample], float]) -> float:
        """The median over one side's samples."""
        return median(map(value, self.samples[side]))

    def peak_rss(self, side: str) -> int:
        """The highest of one side's runs, bytes: a bound holds always or not at all."""
        return max(sample.rss for sample in self.samples[side])

    def ratios(self, value: Callable[[Sample], float]) -> list[float]:
        """Millstream's value over libtorrent's, pair by pair."""
        pairs = zip(self.samples[MILLSTREAM], self.samples[LIBTORRENT], strict=True)
        return [value(ours) / value(theirs) for ours, theirs in pairs]


def _rate(sample: Sample) -> float:
    return sample.rate


def _cpu(sample: Sample) -> float:
    return sample.cpu_per_gib


def _seconds(sample: Sample) -> float:
    return sample.seconds


def _seconds_once_connecting(sample: Sample) -> float:
    return sample.seconds - sample.waited


def _rate_once_connecting(sample: Sample) -> float:
    return sample.rate_once_connecting


def judge(outcome: Outcome, all_outcomes: Sequence[Outcome]) -> list[tuple[str, float, bool]]:
    """Each target of the scenario: in words, what was reached, and whether that is enough."""
    target: Target = outcome.scenario.target
    found: list[tuple[str, float, bool]] = []
    if target.least_speed is not None:
        reached = median(outcome.ratios(_rate))
        words = f"speed ≥ {target.least_speed:g} x"
        found.append((words, reached, reached >= target.least_speed))
    if target.most_cpu is not None:
        reached = median(outcome.ratios(_cpu))
        found.append((f"CPU ≤ {target.most_cpu:g} x", reached, reached <= target.most_cpu))
    if target.most_rss is not None:
        reached = outcome.peak_rss(MILLSTREAM) / MB
        most = target.most_rss / MB
        found.append((f"RSS ≤ {most:.0f} MB", reached, reached <= most))
    if target.same_rss_as is not None:
        for other in all_outcomes:
            if other.scenario.name == target.same_rss_as and not other.failure:
                reached = other.peak_rss(MILLSTREAM) / outcome.peak_rss(MILLSTREAM)
                words = f"RSS of the whole ≤ {RSS_GROWTH:g} x this"
                found.append((words, reached, reached <= RSS_GROWTH))
    if target.cpu_growth_from is not None:
        for other in all_outcomes:
            if other.scenario.name == target.cpu_growth_from and not other.failure:
                reached = outcome.median(MILLSTREAM, _cpu) / other.median(MILLSTREAM, _cpu)
                words = f"CPU ≤ {target.most_growth:g} x that of 1"
                found.append((words, reached, reached <= target.most_growth))
    if target.most_time is not None:
        reached = median(outcome.ratios(_seconds))
        found.append((f"time ≤ {target.most_time:g} x", reached, reached <= target.most_time))
    if target.most_seconds is not None:
        reached = outcome.median(MILLSTREAM, _seconds)
        found.append((f"≤ {target.most_seconds:g} s", reached, reached <= target.most_seconds))
    return found


def markdown(outcomes: Sequence[Outcome], facts: dict[str, str]) -> str:
    """The table, what it was measured on, and what the table cannot hold."""
    rows = [HEADER, tuple("---" for _ in HEADER)] if outcomes else []
    rows += [_row(outcome, outcomes) for outcome in outcomes]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    machine = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    return f"# Millstream and libtorrent side by side\n\n{machine}\n\n{table}\n{_notes(outcomes)}"


def readme_table(outcomes: Sequence[Outcome], facts: dict[str, str]) -> str:
    """The table in short, for the README."""
    lines = [
        "| | pieces | speed, Millstream / libtorrent | CPU a GiB, Millstream / libtorrent | peak RSS MB | target |",
        "|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        scenario = outcome.scenario
        if outcome.failure or scenario.sides == (MILLSTREAM,):
            continue
        if scenario.is_latency:
            speed = " / ".join(_milliseconds(outcome, side) for side in scenario.sides)
            cpu = ""
        else:
            speed, cpu = _spread(outcome.ratios(_rate)), _spread(outcome.ratios(_cpu))
        memory = " / ".join(f"{outcome.peak_rss(side) / MB:.0f}" for side in scenario.sides)
        targets = ", ".join(
            words if met else f"{words}: **missed**" for words, _, met in judge(outcome, outcomes)
        )
        lines.append(
            f"| {scenario.title} | {scenario.pieces} | {speed} | {cpu} | {memory} | {targets} |"
        )
    lines.append("")
    lines.append("; ".join(f"{name}: {fact}" for name, fact in facts.items()) + ".")
    return "\n".join(lines)


def as_json(
    outcomes: Sequence[Outcome],
    facts: dict[str, str],
    scale: dict[str, Any] | None = None,
    lent: Sequence[dict[str, Any]] = (),
) -> str:
    """Everything that was measured, run by run; the last two are of `bench.scale` and `bench.lent`."""
    scenarios: list[dict[str, Any]] = []
    for outcome in outcomes:
        verdicts = [] if outcome.failure else judge(outcome, outcomes)
        scenarios.append(
            {
                "name": outcome.scenario.name,
                "title": outcome.scenario.title,
                "pieces": outcome.scenario.pieces,
                "failure": outcome.failure or None,
                "targets": [
                    {"target": words, "reached": reached, "met": met}
                    for words, reached, met in verdicts
                ],
                "samples": {
                    side: [asdict(sample) for sample in samples]
                    for side, samples in outcome.samples.items()
                },
            }
        )
    return (
        json.dumps(
            {"machine": facts, "scenarios": scenarios, "lent": lent, "scale": scale}, indent=1
        )
        + "\n"
    )


def _row(outcome: Outcome, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    scenario = outcome.scenario
    cells = [scenario.title, scenario.pieces]
    if outcome.failure:
        return (*cells, *[""] * 9, "**failed**", "no")
    verdicts = judge(outcome, outcomes)
    if scenario.is_latency:
        cells += [_milliseconds(outcome, side) for side in scenario.sides]
        cells.append(f"{_spread(outcome.ratios(_seconds))} of the time")
        cells += [f"{_spread(outcome.ratios(_seconds_once_connecting))} of the time", *[""] * 5]
    elif scenario.sides == (MILLSTREAM,):
        cells += [f"{outcome.median(MILLSTREAM, _seconds):.3f} s", *[""] * 8]
    else:
        cells += [f"{outcome.median(side, _rate) / MB:.0f}" for side in scenario.sides]
        cells.append(_spread(outcome.ratios(_rate)))
        waited = any(sample.waited for sample in outcome.samples[LIBTORRENT])
        cells.append(_spread(outcome.ratios(_rate_once_connecting)) if waited else "")
        cells += [f"{outcome.median(side, _cpu):.2f}" for side in scenario.sides]
        cells.append(_spread(outcome.ratios(_cpu)))
        cells += [f"{outcome.peak_rss(side) / MB:.0f}" for side in scenario.sides]
    targets = ", ".join(words for words, _, _ in verdicts)
    met = ", ".join(f"{'yes' if met else '**no**'} ({reached:.2f})" for _, reached, met in verdicts)
    return (*cells, targets or "-", met or "-")


def _milliseconds(outcome: Outcome, side: str) -> str:
    return f"{outcome.median(side, _seconds) * 1000:.0f} ms"


def _spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def _notes(outcomes: Sequence[Outcome]) -> str:
    lines: list[str] = []
    for outcome in outcomes:
        title = f"{outcome.scenario.title}, {outcome.scenario.pieces}"
        if outcome.failure:
            # The last line of a traceback says what happened; the rest was printed as it went.
            lines.append(f"{title}: FAILED: {outcome.failure.splitlines()[-1]}")
            continue
        first = outcome.samples[MILLSTREAM][0]
        if len(first.costs) > 1:
            lines.append(f"{title}, CPU s/GiB and peak RSS by role: {_roles(outcome)}.")
    waited = [
        sample.waited
        for outcome in outcomes
        for sample in outcome.samples.get(LIBTORRENT, ())
        if sample.waited
    ]
    if waited:
        lines.append(
            "Both clocks start when the client is told of the peer, as a user's does. libtorrent "
            f"connects at its next half-second tick, a median of {median(waited):.2f} s later; the "
            "column `once connecting` leaves that out."
        )
    return "".join(f"\n- {line}" for line in lines) + "\n" if lines else ""


def _roles(outcome: Outcome) -> str:
    parts = []
    for side in outcome.scenario.sides:
        samples = outcome.samples[side]
        for role in samples[0].costs:
            cpu = median(s.costs[role].cpu / s.bytes * (1 << 30) for s in samples)
            rss = max(s.costs[role].rss for s in samples) / MB
            parts.append(f"{side} {role} {cpu:.2f}, {rss:.0f} MB")
    return "; ".join(parts)
