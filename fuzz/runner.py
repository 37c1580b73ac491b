"""Running a target: so many examples, or so many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, given, seed, settings

from .target import Target

BATCH = 500
"""Examples between two looks at the clock."""


class FoundError(Exception):
    """A target raised what it must not; the cause is what it raised.

    Attributes:
        data: the smallest input that did it.
    """

    def __init__(self, target: Target, data: bytes) -> None:
        super().__init__(f"{target.name}: {data!r}")
        self.data = data


def run_examples(target: Target, count: int, number: int | None = None) -> None:
    """Run so many examples: of a seed's number, or the same ones every time for None.

    Raises:
        FoundError: there is a bug.
    """
    smallest: list[bytes] = [b""]

    def check(data: bytes) -> None:
        try:
            target.run(data)
        except BaseException:
            smallest[0] = data  # Hypothesis ends with the smallest that fails
            raise

    test = given(data=target.inputs())(check)
    test = settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
    )(test)
    if number is not None:
        test = seed(number)(test)
    for data in target.corpus:
        _once(target, data)
    try:
        test()
    except Exception as error:
        raise FoundError(target, smallest[0]) from error


def run_seconds(
    target: Target, seconds: float, *, clock: Callable[[], float] = time.monotonic
) -> int:
    """Run new examples for so long; returns how many. Raises FoundError."""
    end = clock() + seconds
    number = time.time_ns()
    count = 0
    while clock() < end:
        run_examples(target, BATCH, number + count)
        count += BATCH
    return count


def run_atheris(target: Target, arguments: Sequence[str]) -> None:
    """Let atheris find the inputs; it never returns. Raises ImportError without it."""
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415 - it is optional

    atheris.instrument_all()
    atheris.Setup([target.name, *arguments], target.run)
    atheris.Fuzz()


def _once(target: Target, data: bytes) -> None:
    try:
        target.run(data)
    except Exception as error:
        raise FoundError(target, data) from error
