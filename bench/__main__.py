"""Run the bench: `python -m bench --help`."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench import lent, scale
from bench.content import MIB, choose_base, make_content, room_needed
from bench.machine import OtherLoad, describe_machine
from bench.process import REPOSITORY, ChildFailed
from bench.report import Outcome, as_json, markdown, readme_table
from bench.scenarios import Scenario, all_scenarios
from bench.stage import Sample, Stage

Named = TypeVar("Named", bound=Scenario | lent.LentScenario)

UNITS = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
# Pieces of 1 MiB, and a quarter of them must be whole ones too.
SIZE_STEP = 4 * MIB
FAILURES = (ChildFailed, OSError, subprocess.SubprocessError)


def parse_size(text: str) -> int:
    """`2GiB` or plain bytes, rounded down to whole pieces."""
    number, unit = text, 1
    for suffix, value in UNITS.items():
        if text.endswith(suffix):
            number, unit = text.removesuffix(suffix), value
    size = int(float(number) * unit) // SIZE_STEP * SIZE_STEP
    if size <= 0:
        raise ValueError(text)
    return size


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Millstream and libtorrent in alternation on the same data.",
    )
    parser.add_argument("--size", type=parse_size, default="2GiB", help="of the content (2GiB)")
    parser.add_argument("--runs", type=int, default=3, help="measured pairs a scenario (3)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="256 MiB and one pair: does it work? Start-up weighs too much to judge by",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="only this scenario, or all whose names begin so; may be repeated; `help` lists them",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where to keep the data (memory, if it has room)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to save results.md and results.json (bench/, of full runs alone)",
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.size, arguments.runs = 256 * MIB, 1
    if not choose(arguments.only, [*all_scenarios(), *lent.scenarios()]) and not wants_scale(
        arguments.only
    ):
        known = [scenario.name for scenario in (*all_scenarios(), *lent.scenarios())]
        names = ", ".join([*known, scale.NAME])
        parser.error(f"no scenario is called {' or '.join(arguments.only)}; there are {names}")
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    if arguments.out is None and not arguments.quick and not arguments.only:
        arguments.out = REPOSITORY / "bench"
    return arguments


def main() -> int:
    arguments = parse_arguments()
    if importlib.util.find_spec("libtorrent") is None:
        print("the bench needs libtorrent: pip install libtorrent", file=sys.stderr)
        return 2
    # Ended from outside, it cleans up as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    base = arguments.data or choose_base(arguments.size)
    if not base.is_dir():
        print(f"{base} is no directory", file=sys.stderr)
        return 2
    if shutil.disk_usage(base).free < room_needed(arguments.size):
        print(f"{base} lacks room for {room_needed(arguments.size) >> 20} MiB", file=sys.stderr)
        return 2
    try:
        return run(arguments, base.resolve())
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", file=sys.stderr)
        return 130


def run(arguments: argparse.Namespace, base: Path) -> int:
    started, others = time.monotonic(), OtherLoad()
    with ExitStack() as stack:
        directory = tempfile.TemporaryDirectory(prefix="millstream-bench-", dir=base)
        work = Path(stack.enter_context(directory))
        facts = describe_machine(work) | {
            "content": f"{arguments.size / (1 << 20):.0f} MiB of random bytes",
            "runs": f"{arguments.runs} counted pairs a scenario, after one to warm up",
        }
        scenarios = choose(arguments.only, all_scenarios())
        lent_scenarios = choose(arguments.only, lent.scenarios())
        outcomes: list[Outcome] = []
        lents: list[lent.LentOutcome] = []
        if scenarios or lent_scenarios:
            print(f"making {arguments.size >> 20} MiB of content in {work}", flush=True)
            stage = Stage(work, make_content(work, arguments.size))
            stack.callback(stage.close)
            outcomes = [
                play(scenario, stage, arguments.runs, f"{number}/{len(scenarios)}")
                for number, scenario in enumerate(scenarios, 1)
            ]
            lents = [
                lent.play(scenario, stage, arguments.runs, FAILURES, partial(print, flush=True))
                for scenario in lent_scenarios
            ]
            stage.close()
        scaled = play_scale(arguments, work) if wants_scale(arguments.only) else scale.Outcome()
    facts["other processes used"] = others.describe()
    facts["took"] = f"{time.monotonic() - started:.0f} s"
    apart = lent.markdown(lents) + scale.markdown(scaled)
    table = markdown(outcomes, facts) + apart
    print("\n" + table, flush=True)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "results.md").write_text(table, "utf-8")
        (arguments.out / "results.json").write_text(
            as_json(outcomes, facts, scale.as_dict(scaled), lent.as_dicts(lents)), "utf-8"
        )
        if arguments.out == REPOSITORY / "bench":
            put_into_readme(readme_table(outcomes, facts) + "\n" + apart)
        print(f"saved {arguments.out / 'results.md'} and results.json")
    failed = [outcome.scenario.name for outcome in outcomes if outcome.failure]
    failed += [outcome.scenario.name for outcome in lents if outcome.failure]
    failed += [scale.NAME] if scaled.failure else []
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def put_into_readme(table: str) -> None:
    """Replace what stands between the README's marks."""
    readme = REPOSITORY / "README.md"
    before, begin, rest = readme.read_text("utf-8").partition("<!-- bench: begin -->\n")
    _, end, after = rest.partition("<!-- bench: end -->")
    readme.write_text(f"{before}{begin}{table}\n{end}{after}", "utf-8")


def choose(only: Sequence[str] | None, scenarios: Sequence[Named]) -> list[Named]:
    """Those that were asked for, each by its name or by how it begins."""
    if only is None:
        return list(scenarios)
    names = {scenario.name for scenario in scenarios}

    def is_wanted(name: str) -> bool:
        return any(name == word or (word not in names and name.startswith(word)) for word in only)

    return [scenario for scenario in scenarios if is_wanted(scenario.name)]


def wants_scale(only: Sequence[str] | None) -> bool:
    """Whether the many idle torrents were asked for."""
    return only is None or scale.NAME in only


def play_scale(arguments: argparse.Namespace, work: Path) -> scale.Outcome:
    """The many idle torrents; a tenth of them with `--quick`."""
    count = scale.COUNT // 10 if arguments.quick else scale.COUNT
    outcome = scale.Outcome(count)
    try:
        outcome.figures = scale.measure(work, count, partial(print, flush=True))
    except FAILURES as failure:
        outcome.failure = str(failure)
        print(f"[{scale.NAME}] FAILED: {failure}", flush=True)
    return outcome


def play(scenario: Scenario, stage: Stage, runs: int, number: str) -> Outcome:
    """Play one scenario: a pair to warm up, whose results are verified, then pairs that count."""
    runs = scenario.runs or runs
    outcome = Outcome(scenario, {side: [] for side in scenario.sides})
    title = " ".join(filter(None, (f"[{number}]", scenario.title, scenario.pieces)))
    for pair in range(runs + 1):
        for side in scenario.sides:
            try:
                sample = scenario.run(stage, side, pair == 0)
            except FAILURES as failure:
                outcome.failure = f"{side}: {failure}"
                print(f"{title}: FAILED: {outcome.failure}", flush=True)
                return outcome
            if pair:
                outcome.samples[side].append(sample)
            if len(scenario.sides) > 1:
                turn = f"pair {pair}/{runs}" if pair else "warm-up"
                print(f"{title}, {turn}: {side:10} {figures(sample)}", flush=True)
    return outcome


def figures(sample: Sample) -> str:
    if not sample.bytes:
        return f"{sample.seconds * 1000:.0f} ms"
    return (
        f"{sample.rate / 1e6:5.0f} MB/s, {sample.cpu_per_gib:.2f} CPU s/GiB, "
        f"{sample.rss / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
