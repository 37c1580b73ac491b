from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from millstream.core.config import SwarmConfig
from millstream.core.turnover import MIN_STAY, Turnover, is_useless, replaceable, worst_first
from millstream.protocol.compact import PeerAddress

NOW = 1000.0
SOMEWHERE = PeerAddress("1.2.3.4", 1)


@dataclass
class Meter:
    total: int = 0


@dataclass
class FakePeer:
    name: str
    am_interested: bool = True
    peer_interested: bool = False
    snubbed: bool = False
    is_seed: bool = False
    connected_at: float = 0.0
    downloaded: Meter = field(default_factory=Meter)
    uploaded: Meter = field(default_factory=Meter)
    address: PeerAddress = SOMEWHERE


def fast(name: str, rate: int, **known: object) -> FakePeer:
    return FakePeer(name, downloaded=Meter(int(rate * NOW)), **known)


def names(peers: list[FakePeer]) -> list[str]:
    return [peer.name for peer in peers]


@pytest.mark.parametrize(
    ("peer", "complete", "expected"),
    [
        (FakePeer("it has something"), False, False),
        (FakePeer("it wants something", am_interested=False, peer_interested=True), False, False),
        (FakePeer("neither", am_interested=False), False, True),
        (FakePeer("seed of a leech", is_seed=True), False, False),
        (FakePeer("both seeds", am_interested=False, is_seed=True), True, True),
        (
            FakePeer("both seeds", am_interested=False, is_seed=True, peer_interested=True),
            True,
            True,
        ),
        (FakePeer("leech of a seed", am_interested=False, peer_interested=True), True, False),
    ],
)
def test_who_is_useless(peer, complete, expected):
    assert is_useless(peer, complete=complete) is expected


def test_the_worst_of_a_download():
    peers = [
        fast("fast", 1000),
        fast("slow", 10),
        fast("slow but young", 1000, connected_at=NOW / 2),
        fast("too young", 0, connected_at=NOW - MIN_STAY + 1),
        fast("snubs", 500, snubbed=True),
        fast("takes", 900, am_interested=False, peer_interested=True),
        fast("useless", 900, am_interested=False),
    ]
    assert names(worst_first(peers, NOW, complete=False)) == [
        "useless",
        "takes",
        "snubs",
        "slow",
        "fast",
        "slow but young",
    ]


def test_the_worst_of_a_seed():
    def leech(name: str, rate: int, **known: object) -> FakePeer:
        return FakePeer(
            name,
            am_interested=False,
            uploaded=Meter(int(rate * NOW)),
            **{"peer_interested": True} | known,
        )

    peers = [
        leech("fast", 1000),
        leech("slow", 10),
        leech("seed", 900, is_seed=True),
        leech("wants nothing", 900, peer_interested=False),
    ]
    worst = names(worst_first(peers, NOW, complete=True))
    assert set(worst[:2]) == {"seed", "wants nothing"}
    assert worst[2:] == ["slow", "fast"]


# Turnover.


def full(count: int) -> list[FakePeer]:
    return [fast(str(number), number) for number in range(count)]


def started(**limits: float) -> Turnover:
    turnover = Turnover(SwarmConfig(**limits))
    assert turnover.choose(full(100), 100, 100, NOW - 300, complete=False) == []
    return turnover


def test_a_share_goes_every_interval():
    turnover = started()
    assert turnover.choose(full(100), 100, 100, NOW - 1, complete=False) == []
    assert names(turnover.choose(full(100), 100, 100, NOW, complete=False)) == ["0", "1", "2", "3"]
    assert turnover.choose(full(100), 100, 100, NOW + 299, complete=False) == []
    assert turnover.choose(full(100), 100, 100, NOW + 300, complete=False)


def test_when_it_is_worth_looking():
    turnover = Turnover(SwarmConfig())
    assert not turnover.is_due(100, 100, 0, NOW - 300)
    assert turnover.is_due(1, 100, 1, NOW - 300)
    turnover.choose(full(100), 100, 100, NOW - 300, complete=False)
    assert not turnover.is_due(100, 100, 1, NOW - 1)
    assert turnover.is_due(90, 100, 1, NOW)
    assert not turnover.is_due(89, 100, 1, NOW)


@pytest.mark.parametrize(
    ("connected", "limit", "candidates", "expected"),
    [
        (90, 100, 100, 3),
        (89, 100, 100, 0),  # there is room
        (100, 100, 2, 2),
        (100, 100, 0, 0),  # nobody would come for them
        (10, 10, 100, 1),
        (5, 5, 100, 0),  # too few to lose any
    ],
)
def test_only_when_there_is_hardly_room(connected, limit, candidates, expected):
    chosen = started().choose(full(connected), limit, candidates, NOW, complete=False)
    assert len(chosen) == expected


def test_it_can_be_switched_off():
    assert started(turnover_share=0).choose(full(100), 100, 100, NOW, complete=False) == []


# Replacing.

NEWCOMER = PeerAddress("9.9.9.9", 9)


def ranked(*ranks: int) -> tuple[list[FakePeer], dict[PeerAddress, int]]:
    peers = [fast(str(rank), 100 + at) for at, rank in enumerate(ranks)]
    for at, peer in enumerate(peers):
        peer.address = PeerAddress(f"1.2.3.{at}", 1)
    return peers, {peer.address: rank for peer, rank in zip(peers, ranks, strict=True)}


def test_a_useless_one_goes_for_anybody():
    peers, ranks = ranked(5, 6, 7)
    peers[2].am_interested = False
    assert replaceable(peers, None, ranks.get, NOW, complete=False) is peers[2]
    assert replaceable(peers, NEWCOMER, ranks.get, NOW, complete=False) is peers[2]


@pytest.mark.parametrize(
    ("rank", "gone"), [(100, "2"), (3, "2"), (2, None), (1, None), (None, None)]
)
def test_of_the_worse_half_the_lowest_rank_goes_for_a_higher_one(rank, gone):
    peers, ranks = ranked(5, 2, 4, 1, 0)  # the last two are the fastest: they stay
    if rank is not None:
        ranks[NEWCOMER] = rank
    found = replaceable(peers, NEWCOMER, ranks.get, NOW, complete=False)
    assert (found and found.name) == gone


def test_nobody_goes_for_a_stranger_or_before_its_time():
    peers, ranks = ranked(1, 2)
    ranks[NEWCOMER] = 100
    assert replaceable(peers, None, ranks.get, NOW, complete=False) is None
    for peer in peers:
        peer.connected_at = NOW - 1
    assert replaceable(peers, NEWCOMER, ranks.get, NOW, complete=False) is None
    assert replaceable([], NEWCOMER, ranks.get, NOW, complete=False) is None
