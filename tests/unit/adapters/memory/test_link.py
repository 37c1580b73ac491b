from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.memory.link import (
    MAX_QUANTUM,
    MIN_QUANTUM,
    SPARSE_LENGTH,
    Link,
    LinkProfile,
    Segment,
    quantum,
)
from millstream.errors import ConfigError
from millstream.testing import run_virtual


class Flow:
    """Has so many bytes to send, and notes when they left."""

    def __init__(self, name: str, length: int, log: list[tuple[str, int, float]]) -> None:
        self.name = name
        self.length = length
        self.log = log

    @property
    def backlog_bytes(self) -> int:
        return self.length

    def take(self, limit: int | None) -> Segment:
        length = self.length if limit is None else min(limit, self.length)
        self.length -= length
        return Segment([bytes(length)], length, last=False)

    def has_more(self) -> bool:
        return self.length > 0

    def travel(self, segment: Segment) -> None:
        self.log.append((self.name, segment.length, asyncio.get_running_loop().time()))


def departures(profile: LinkProfile, **lengths: int) -> list[tuple[str, int, float]]:
    async def story() -> list[tuple[str, int, float]]:
        link = Link(profile)
        log: list[tuple[str, int, float]] = []
        for name, length in lengths.items():
            link.enqueue(Flow(name, length, log))
        assert not log  # nothing leaves from within a write
        await asyncio.sleep(1000)
        return log

    return run_virtual(story())


def test_an_unlimited_link_sends_everything_at_once() -> None:
    log = departures(LinkProfile(), a=1_000_000, b=5)
    assert log == [("b", 5, 0.0), ("a", 1_000_000, 0.0)]


def test_flows_take_turns() -> None:
    log = departures(LinkProfile(up=MIN_QUANTUM), a=2 * MIN_QUANTUM, b=MIN_QUANTUM + 1, c=0)
    assert log == [
        ("c", 0, 0.0),
        ("a", MIN_QUANTUM, 1.0),
        ("b", MIN_QUANTUM, 2.0),
        ("a", MIN_QUANTUM, 3.0),
        ("b", 1, pytest.approx(3 + 1 / MIN_QUANTUM)),
    ]


def test_a_short_message_of_an_idle_flow_waits_for_one_turn_only() -> None:
    async def story() -> list[tuple[str, int, float]]:
        link = Link(LinkProfile(up=MIN_QUANTUM))
        log: list[tuple[str, int, float]] = []
        for name in "abc":
            link.enqueue(Flow(name, 2 * MIN_QUANTUM, log))
        await asyncio.sleep(0.5)
        link.enqueue(Flow("late", SPARSE_LENGTH + 1, log))
        link.enqueue(Flow("short", SPARSE_LENGTH, log))
        await asyncio.sleep(100)
        return log

    order = [name for name, _, _ in run_virtual(story())]
    assert order == ["a", "short", "b", "c", "a", "late", "b", "c"]


def test_an_idle_link_starts_again() -> None:
    async def story() -> list[tuple[str, int, float]]:
        link = Link(LinkProfile(up=1000))
        log: list[tuple[str, int, float]] = []
        link.enqueue(Flow("a", 1000, log))
        await asyncio.sleep(10)
        link.enqueue(Flow("b", 1000, log))
        await asyncio.sleep(10)
        return log

    assert run_virtual(story()) == [("a", 1000, 1.0), ("b", 1000, 11.0)]


def test_the_downlink_is_first_come_first_served() -> None:
    link = Link(LinkProfile(down=1000))
    assert link.through_downlink(0.0, 1000) == 1.0
    assert link.through_downlink(0.5, 500) == 1.5
    assert link.through_downlink(10.0, 1000) == 11.0
    assert Link(LinkProfile()).through_downlink(3.0, 1000) == 3.0


def test_quanta_are_a_part_of_the_rate_within_bounds() -> None:
    assert quantum(1) == MIN_QUANTUM
    assert quantum(1_000_000) == 50_000
    assert quantum(1e9) == MAX_QUANTUM


@pytest.mark.parametrize(
    "wrong", [{"up": 0}, {"down": -1.0}, {"latency": -0.1}, {"loss": 1.0}, {"loss": -0.1}]
)
def test_profiles_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="link"):
        LinkProfile(**wrong)
