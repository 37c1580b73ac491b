"""A fetch among honest, lying, slow, silent and vanishing peers, in virtual time."""

from __future__ import annotations

import hashlib
import heapq
import random
from dataclasses import dataclass
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_fetch import MAX_ATTEMPTS, MAX_OUTSTANDING, MetadataFetch
from millstream.protocol.infohash import InfoHash
from millstream.protocol.ut_metadata import (
    METADATA_PIECE_LENGTH,
    MetadataData,
    piece_count,
    piece_length,
)

LONGEST_SECONDS = 3600.0
BEAT_SECONDS = 1.0
JUNK = bytes(METADATA_PIECE_LENGTH)

# What a peer does with each request.
HONEST = "honest"
POISONER = "sends junk of the true size"
SOMETIMES = "sends junk every other time"
FANTASIST = "claims a size and sends junk"
TURNCOAT = "claims another size in its answers"
SHORT = "sends too little"
SILENT = "says nothing"
REFUSER = "refuses"
INTRUDER = "sends what nobody asked for"
FAULTS = [POISONER, SOMETIMES, FANTASIST, TURNCOAT, SHORT, SILENT, REFUSER, INTRUDER]


@dataclass
class Actor:
    kind: str
    size: int
    delay: float
    comes: float
    leaves: float


class Simulation:
    def __init__(self, info: bytes, actors: list[Actor], seed: int) -> None:
        self.info = info
        self.fetch = MetadataFetch(InfoHash(hashlib.sha1(info).digest()), random.Random(seed))
        self.actors = {ConnectionId(number): actor for number, actor in enumerate(actors)}
        self.culprits: set[ConnectionId] = set()
        self.rng = random.Random(seed)
        self.numbers = count()
        self.events: list[tuple[float, int, str, ConnectionId, int]] = []
        for connection, actor in self.actors.items():
            self.schedule(actor.comes, "come", connection)
            self.schedule(actor.leaves, "leave", connection)

    def schedule(self, at: float, what: str, connection: ConnectionId, piece: int = 0) -> None:
        if at < LONGEST_SECONDS:
            heapq.heappush(self.events, (at, next(self.numbers), what, connection, piece))

    def run(self) -> float:
        """Returns when the metadata was there."""
        self.schedule(0.0, "beat", ConnectionId(-1))
        while self.events:
            now, _, what, connection, piece = heapq.heappop(self.events)
            actor = self.actors.get(connection)
            if actor is None:
                self.schedule(now + BEAT_SECONDS, "beat", connection)
            elif connection in self.culprits:
                continue
            elif what == "come":
                self.fetch.add_peer(connection, actor.size)
            elif what == "leave":
                self.fetch.remove_peer(connection)
            else:
                self.answer(connection, actor, piece, now)
            for found in self.fetch.culprits():
                self.culprits.add(found)
            if self.fetch.metadata is not None:
                return now
            for asked, index in self.fetch.requests(now):
                self.schedule(now + self.actors[asked].delay, "answer", asked, index)
            self.check()
        raise AssertionError("nobody's answers were enough")

    def answer(self, connection: ConnectionId, actor: Actor, piece: int, now: float) -> None:
        size, data = actor.size, JUNK[: piece_length(actor.size, piece)]
        kind = actor.kind
        if kind == SILENT:
            return
        if kind == REFUSER:
            self.fetch.rejected(connection, piece, now)
            return
        if kind == HONEST or (kind == SOMETIMES and self.rng.random() < 0.5):
            data = self.info[piece * METADATA_PIECE_LENGTH :][:METADATA_PIECE_LENGTH]
        elif kind == TURNCOAT:
            size += 1
        elif kind == SHORT:
            data = data[:-1]
        elif kind == INTRUDER:
            piece += 7
        self.fetch.data_received(connection, MetadataData(piece, size, data), now)

    def check(self) -> None:
        running = [assembly for _, assembly in self.fetch._running()]
        assert len(running) <= MAX_ATTEMPTS
        assert len(self.fetch._attempts) <= len(self.fetch._sources) + MAX_ATTEMPTS
        for source in self.fetch._sources.values():
            assert len(source.asked) <= MAX_OUTSTANDING
            assert sum(source.late.values()) <= LONGEST_SECONDS
        for assembly in running:
            for piece, askings in assembly._asked.items():
                assert piece not in assembly
                for connection in askings:
                    assert piece in self.fetch._sources[connection].asked


SIZES = st.sampled_from([1, METADATA_PIECE_LENGTH, METADATA_PIECE_LENGTH + 1, 90_000])
FALSE_SIZES = st.sampled_from([2, 16_000, 200_000, 1 << 20, 30 << 20])
TIMES = st.floats(0.0, 40.0)
DELAYS = st.floats(0.0, 0.5) | st.floats(0.0, 12.0)


def honest(size: int) -> st.SearchStrategy[Actor]:
    """It stays, and answers."""
    return st.builds(Actor, st.just(HONEST), st.just(size), DELAYS, TIMES, st.just(1e9))


def other(size: int) -> st.SearchStrategy[Actor]:
    """It may do anything, and leave at any time."""

    def build(kind: str, false: int, delay: float, comes: float, stays: float) -> Actor:
        claimed = false if kind == FANTASIST else size
        return Actor(kind, claimed, delay, comes, comes + stays)

    stays = st.floats(0.0, 60.0) | st.just(1e9)
    return st.builds(build, st.sampled_from([HONEST, *FAULTS]), FALSE_SIZES, DELAYS, TIMES, stays)


@settings(deadline=None, max_examples=150)
@given(
    SIZES.flatmap(
        lambda size: st.tuples(st.just(size), honest(size), st.lists(other(size), max_size=10))
    ),
    st.integers(0, 1000),
)
def test_one_honest_peer_is_enough_and_is_never_accused(cast, seed):
    size, hero, others = cast
    info = random.Random(seed).randbytes(size)
    simulation = Simulation(info, [hero, *others], seed)

    simulation.run()

    assert simulation.fetch.metadata == info
    kinds = {simulation.actors[connection].kind for connection in simulation.culprits}
    assert kinds.isdisjoint({HONEST, SILENT, REFUSER})


@settings(deadline=None, max_examples=30)
@given(SIZES, st.integers(1, 30), st.integers(0, 1000))
def test_honest_peers_alone_waste_no_time(size, peers, seed):
    info = random.Random(seed).randbytes(size)
    actors = [Actor(HONEST, size, 0.1, 0.0, 1e9) for _ in range(peers)]
    simulation = Simulation(info, actors, seed)

    elapsed = simulation.run()

    rounds = -(-piece_count(size) // (MAX_OUTSTANDING * peers))
    assert elapsed <= rounds * 0.1 + 1e-6
    assert not simulation.culprits


CONNECTIONS = st.integers(1, 4).map(ConnectionId)
CLAIMS = st.sampled_from([-1, 0, 1, 5, 16_384, 16_385, 40_000, 30 << 20, 10**19])
PIECES = st.sampled_from([0, 1, 2, 1919, 10**19])
DATA = st.sampled_from([b"", b"x", bytes(5), bytes(7232), bytes(16_384)])
STEPS = st.lists(
    st.tuples(st.just("add"), CONNECTIONS, CLAIMS)
    | st.tuples(st.just("remove"), CONNECTIONS)
    | st.tuples(st.just("reject"), CONNECTIONS, PIECES)
    | st.tuples(st.just("data"), CONNECTIONS, st.builds(MetadataData, PIECES, CLAIMS, DATA))
    | st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 6.0, 30.0])),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_whatever_peers_do_in_any_order_raises_nothing(steps):
    simulation = Simulation(b"never sent", [], 1)
    fetch, now = simulation.fetch, 0.0
    for step in steps:
        match step:
            case "add", connection, size:
                fetch.add_peer(connection, size)
            case "remove", connection:
                fetch.remove_peer(connection)
            case "reject", connection, piece:
                fetch.rejected(connection, piece, now)
            case "data", connection, message:
                fetch.data_received(connection, message, now)
            case "wait", seconds:
                now += seconds
        asked = fetch.requests(now)
        assert len(asked) == len(set(asked))
        assert 0.0 <= fetch.progress < 1.0
        simulation.check()
    for connection in list(fetch._sources):
        fetch.remove_peer(connection)
    assert not any(attempt.peers for attempt in fetch._attempts.values())
    assert len(fetch._attempts) <= MAX_ATTEMPTS
