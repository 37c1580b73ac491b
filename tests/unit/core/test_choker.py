from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from millstream.core.choker import (
    OPTIMISTIC_INTERVAL,
    RECHOKE_INTERVAL,
    TURN_PIECES,
    TURN_TIME,
    Choker,
)
from millstream.core.geometry import ConnectionId
from millstream.core.rates import RateMeter
from millstream.core.upload_capacity import INITIAL_SLOTS

PIECE = 1000


@dataclass(eq=False)
class Somebody:
    id: ConnectionId
    peer_interested: bool = True
    am_choking: bool = True
    choke_changed_at: float = 0.0
    gives: float = 0.0  # bytes a second, whether it is served or not
    takes: float = 0.0  # bytes a second, while it is served
    snubs: bool = False
    downloaded: RateMeter = field(default_factory=lambda: RateMeter(0.0))
    uploaded: RateMeter = field(default_factory=lambda: RateMeter(0.0))

    def is_snubbing(self, now: float) -> bool:
        return self.snubs


class Stage:
    def __init__(self, slots: int | None, *, seeding: bool = False, seed: int = 1) -> None:
        self.choker = Choker(slots, PIECE, random.Random(seed))
        self.seeding = seeding
        self.peers: dict[int, Somebody] = {}
        self.now = 0.0
        self.served_for: Counter[int] = Counter()

    def peer(self, **what) -> Somebody:
        number = max(self.peers, default=0) + 1
        somebody = Somebody(ConnectionId(number), choke_changed_at=self.now, **what)
        self.peers[number] = somebody
        return somebody

    def gone(self, peer: Somebody) -> None:
        del self.peers[peer.id]
        self.choker.forget(peer.id)

    def choose(self) -> list[int]:
        """Decide once; returns who is served then."""
        peers = list(self.peers.values())
        unchoke, choke = self.choker.choose(peers, self.now, seeding=self.seeding)
        assert all(peer.am_choking for peer in unchoke)
        assert not any(peer.am_choking for peer in choke)
        for peer in (*unchoke, *choke):
            peer.am_choking = not peer.am_choking
            peer.choke_changed_at = self.now
        served = [peer for peer in peers if not peer.am_choking]
        assert len(served) <= self.choker.slots
        assert all(peer.peer_interested for peer in served)
        return [int(peer.id) for peer in served]

    def run(self, seconds: float) -> list[int]:
        """Time passes in beats."""
        served = self.choose()
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            for peer in self.peers.values():
                peer.downloaded.total += round(peer.gives / 2)
                if not peer.am_choking:
                    peer.uploaded.total += round(peer.takes / 2)
                    self.served_for[int(peer.id)] += 1
            served = self.choose()
        return served


def test_everyone_who_asks_is_served_while_there_are_slots():
    stage = Stage(4)
    stage.peer()
    assert stage.choose() == [1]
    stage.peer()
    stranger = stage.peer(peer_interested=False)
    assert stage.choose() == [1, 2]
    stranger.peer_interested = True
    assert stage.choose() == [1, 2, 3]
    assert stage.run(120) == [1, 2, 3]


def test_on_a_fast_line_all_are_served_within_a_second_by_default():
    stage = Stage(None)
    for _ in range(32):
        stage.peer(takes=1e8)
    assert len(stage.choose()) == INITIAL_SLOTS
    assert len(stage.run(1.0)) == 32


def test_on_a_slow_line_few_are_served_by_default():
    stage = Stage(None)
    peers = [stage.peer() for _ in range(32)]
    stage.choose()
    for _ in range(1000):
        served = sum(not peer.am_choking for peer in peers)
        for peer in peers:
            peer.takes = 100_000 / served
        stage.run(0.5)
    assert sum(not peer.am_choking for peer in peers) in {7, 8}


def test_a_free_slot_is_filled_at_once():
    stage = Stage(2)
    first, second, _ = (stage.peer() for _ in range(3))
    assert stage.choose() == [1, 2]
    first.peer_interested = False
    assert stage.choose() == [2, 3]
    stage.gone(second)
    first.peer_interested = True
    assert stage.choose() == [1, 3]


def test_no_slots_no_service():
    stage = Stage(0)
    stage.peer(gives=1e6)
    assert stage.run(100) == []


def test_who_gives_most_is_served():
    stage = Stage(5)
    for number in range(20):
        stage.peer(gives=1000 * number)
    stage.run(2 * RECHOKE_INTERVAL)
    assert [number for number in stage.run(1) if number > 16] == [17, 18, 19, 20]
    stage.peers[1].gives = 1e6
    stage.run(RECHOKE_INTERVAL)
    assert 1 in stage.choose()


def test_free_riders_come_after_all_who_give():
    stage = Stage(10)
    for _ in range(20):
        stage.peer()
    stage.run(RECHOKE_INTERVAL)
    for _ in range(8):
        stage.peer(gives=100)
    served = stage.run(2 * RECHOKE_INTERVAL)
    assert sum(number > 20 for number in served) == 8


def test_only_what_was_given_of_late_counts():
    stage = Stage(2)
    once = stage.peer(gives=1e9)
    stage.run(30)
    once.gives = 0
    stage.peer(gives=100)
    stage.peer()
    stage.run(3 * RECHOKE_INTERVAL)
    stage.served_for.clear()
    stage.run(300)
    assert stage.served_for[2] == 600
    assert 0 < stage.served_for[1] < 600


def test_slots_change_hands_every_ten_seconds_only():
    stage = Stage(2)
    for _ in range(2):
        stage.peer()
    before = stage.choose()
    stage.peer(gives=1e6)
    assert stage.run(RECHOKE_INTERVAL - 0.5) == before
    assert 3 in stage.run(0.5)


def test_everyone_has_a_chance():
    stage = Stage(5)
    for number in range(20):
        stage.peer(gives=1000 if number < 10 else 0)
    stage.run(30 * OPTIMISTIC_INTERVAL)
    assert min(stage.served_for[number] for number in range(11, 21)) > 0


def test_newcomers_are_three_times_as_likely_to_be_drawn():
    drawn: Counter[bool] = Counter()
    for seed in range(300):
        stage = Stage(1, seed=seed)
        [old] = [stage.peer()]
        assert stage.choose() == [1]
        old.peer_interested = False
        [current] = [stage.peer()]
        assert stage.choose() == [2]
        old.peer_interested = True
        stage.peer()
        stage.now += OPTIMISTIC_INTERVAL
        [chosen] = stage.choose()
        assert chosen != current.id
        drawn[chosen == 3] += 1
    assert 190 < drawn[True] < 260


def test_the_draw_is_repeatable():
    def story() -> list[int]:
        stage = Stage(3, seed=7)
        for _ in range(30):
            stage.peer()
        return [number for _ in range(10) for number in stage.run(OPTIMISTIC_INTERVAL)]

    assert story() == story()


def test_an_optimistic_peer_that_gives_keeps_a_slot_and_another_is_drawn():
    stage = Stage(5)
    for _ in range(4):
        stage.peer(gives=1000)
    newcomer = stage.peer()
    assert len(stage.choose()) == 5
    for _ in range(5):
        stage.peer()
    newcomer.gives = 5000
    served = stage.run(2 * RECHOKE_INTERVAL)
    assert 5 in served
    assert len(served) == 5
    stage.served_for.clear()
    stage.run(300)
    assert stage.served_for[5] == 600


def test_who_snubs_us_has_only_its_chance():
    stage = Stage(5)
    for _ in range(10):
        stage.peer()
    stage.run(RECHOKE_INTERVAL)
    snubbing = stage.peer(gives=1e6, snubs=True)
    stage.run(1200)
    assert 0 < stage.served_for[int(snubbing.id)] < 1200
    alone = Stage(5)
    alone.peer(snubs=True)
    assert alone.run(100) == [1]  # nobody wants the slot


@pytest.mark.parametrize("slots", [1, 4])
def test_a_seed_serves_all_in_turn(slots):
    stage = Stage(slots, seeding=True)
    for _ in range(12):
        stage.peer(takes=PIECE)
    stage.run(24 * TURN_TIME)
    times = [stage.served_for[number] for number in range(1, 13)]
    assert max(times) < 2.5 * min(times)


def test_a_turn_is_twenty_pieces_and_a_minute():
    stage = Stage(5, seeding=True)
    for _ in range(4):
        stage.peer(takes=2 * TURN_PIECES * PIECE / TURN_TIME)
    stage.run(RECHOKE_INTERVAL)
    for _ in range(3):
        stage.peer()
    assert {1, 2, 3, 4} <= set(stage.run(TURN_TIME - RECHOKE_INTERVAL))
    assert not {1, 2, 3} <= set(stage.run(2 * RECHOKE_INTERVAL))


def test_a_seed_prefers_who_takes_fast():
    stage = Stage(5, seeding=True)
    for number in range(1, 6):
        stage.peer(takes=100 if number < 5 else 1)
    stage.run(2 * RECHOKE_INTERVAL)
    for _ in range(2):
        stage.peer()
    served = stage.run(3 * RECHOKE_INTERVAL)
    assert {1, 2, 3, 4} <= set(served)


def test_slots_follow_the_limit():
    stage = Stage(None)
    for _ in range(40):
        stage.peer()
    assert len(stage.choose()) == INITIAL_SLOTS
    stage.choker.capacity.limit = 100_000
    assert len(stage.choose()) == 7
    stage.choker.capacity.limit = 1_000_000
    assert len(stage.choose()) == 24
    fixed = Stage(3)
    fixed.choker.capacity.limit = 1 << 30
    assert fixed.choker.slots == 3


def test_who_is_gone_is_forgotten():
    stage = Stage(1)
    peer = stage.peer()
    stage.choose()
    stage.gone(peer)
    stage.choose()
    assert stage.choker._standings == {}
    assert stage.choker._optimistic == set()
