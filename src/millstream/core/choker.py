"""Whom to upload to: tit for tat, with a chance for everyone (BEP 3, "Choking").

Every ten seconds the peers that want something are ranked, and the best get the regular slots. One
slot in five, and every slot for which there is nobody else, is optimistic: every half minute it
goes to another of the rest, drawn by lot, and three times as likely to one that never had a slot. A
slot that becomes free is filled at once.

What decides the rank, in order; re-check this list when changing anything here:

1. What the peer sent us in the last twenty seconds. So free riders come after all who contribute.
2. Whether it had its turn: a slot is for twenty pieces, and a minute at least; then others that
   gave as much go first. Between free riders, and always when we seed, that is a rotation
   (libtorrent's round robin).
3. How fast it took what we sent since the last ranking: a slow peer does not keep a slot idle.
4. How long it has waited.

A peer that we wait for in vain gets no regular slot (anti-snubbing); its lot is in the draw.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Protocol, TypeVar

from millstream.core.geometry import ConnectionId
from millstream.core.rates import RateMeter
from millstream.core.upload_capacity import PROVEN_LENGTH, UploadCapacity

# Seconds between rankings and between draws (BEP 3; libtorrent 15 and 30).
RECHOKE_INTERVAL = 10.0
OPTIMISTIC_INTERVAL = 30.0
# One slot in so many is optimistic, and one at least, as in libtorrent.
SLOTS_PER_OPTIMISTIC = 5
# How much likelier a newcomer is to be drawn (BEP 3).
NEWCOMER_WEIGHT = 3
# A peer's turn while others wait (libtorrent's `seeding_piece_quota`, and its minute).
TURN_PIECES = 20
TURN_TIME = 60.0

_NOBODY: frozenset[ConnectionId] = frozenset()


class Candidate(Protocol):
    """What the decision needs to know of a peer.

    Attributes:
        id: its connection.
        am_choking: whether we choke it.
        peer_interested: whether it wants to be served.
        choke_changed_at: when it was last unchoked or choked, or when it came.
        downloaded: counts what it gave us.
        uploaded: counts what we gave it.
    """

    id: ConnectionId
    am_choking: bool
    peer_interested: bool
    choke_changed_at: float
    downloaded: RateMeter
    uploaded: RateMeter

    def is_snubbing(self, now: float) -> bool:
        """Whether it owes us blocks and sent none for long."""


C = TypeVar("C", bound=Candidate)


class _Standing:
    """What is remembered of a peer.

    Attributes:
        gave: bytes that it sent in the last two rounds.
        took: bytes that it was sent in the last round.
        turn_began: what it had taken in all when it was unchoked.
        is_new: whether it never had a slot.
    """

    __slots__ = ("_given", "_in_round", "_taken", "gave", "is_new", "took", "turn_began")

    def __init__(self) -> None:
        self.gave = self.took = self._in_round = self._given = self._taken = self.turn_began = 0
        self.is_new = True

    def end_round(self, peer: Candidate) -> None:
        """Ten seconds are over."""
        in_round, self._in_round = self._in_round, peer.downloaded.total - self._given
        self.gave = in_round + self._in_round
        self.took = peer.uploaded.total - self._taken
        self._given, self._taken = peer.downloaded.total, peer.uploaded.total


class Choker:
    """The choking of one torrent.

    Args:
        slots: how many peers are served at once; None: as many as `capacity` says.
        piece_length: bytes; a turn is measured in pieces.
        rng: draws the optimistic unchokes.

    Attributes:
        capacity: knows the limit, and how many slots suit it.
    """

    __slots__ = (
        *("_drawn_at", "_optimistic", "_rng", "_round_began", "_slots", "_standings"),
        *("_turn_length", "capacity"),
    )

    def __init__(self, slots: int | None, piece_length: int, rng: random.Random) -> None:
        self._slots = slots
        self._turn_length = TURN_PIECES * piece_length
        self._rng = rng
        self.capacity = UploadCapacity()
        self._standings: dict[ConnectionId, _Standing] = {}
        self._optimistic = _NOBODY
        self._round_began: float | None = None
        self._drawn_at = 0.0

    @property
    def slots(self) -> int:
        """How many peers are served at once."""
        return self.capacity.slots if self._slots is None else self._slots

    def forget(self, connection: ConnectionId) -> None:
        """The peer is gone."""
        self._standings.pop(connection, None)
        self._optimistic -= {connection}

    def choose(self, peers: Iterable[C], now: float, *, seeding: bool) -> tuple[list[C], list[C]]:
        """Decide. To be called as often as anything changed, and about twice a second.

        Args:
            peers: all peers of the torrent.
            now: monotonic seconds.
            seeding: whether we want nothing; then who has waited longest is next in the draw.

        Returns:
            (peers to unchoke, peers to choke).
        """
        everyone = list(peers)
        wanting = [peer for peer in everyone if peer.peer_interested]
        if self._round_began is None:
            self._round_began = self._drawn_at = now
        is_round = now - self._round_began >= RECHOKE_INTERVAL
        if is_round:
            self._end_round(everyone, now - self._round_began)
            self._round_began = now
        is_draw = now - self._drawn_at >= OPTIMISTIC_INTERVAL
        if is_draw:
            self._drawn_at = now
        if self._slots is None and len(wanting) > self.capacity.slots:
            self._prove_capacity(wanting, now)
        if not everyone:  # as with ten thousand idle torrents
            self._optimistic = _NOBODY
            return [], []
        served = self._regular(wanting, now, anew=is_round)
        served |= self._optimists(wanting, served, anew=is_draw, seeding=seeding)
        self._optimistic = self._optimistic.intersection(served)
        unchoke = [peer for peer in served.values() if peer.am_choking]
        choke = [peer for peer in everyone if not peer.am_choking and peer.id not in served]
        for peer in unchoke:
            standing = self._standing(peer)
            standing.is_new = False
            standing.turn_began = peer.uploaded.total
        return unchoke, choke

    def _end_round(self, everyone: list[C], seconds: float) -> None:
        sent = served = waiting = 0
        for peer in everyone:
            standing = self._standing(peer)
            standing.end_round(peer)
            sent += standing.took
            if not peer.am_choking:
                served += 1
            elif peer.peer_interested:
                waiting += 1
        self.capacity.seen(sent / seconds, served=served, waiting=waiting)

    def _prove_capacity(self, wanting: list[C], now: float) -> None:
        """More want a slot than there are; see whether the line can do more."""
        rate = 0.0
        for peer in wanting:
            if not peer.am_choking:
                taken = peer.uploaded.total - self._standing(peer).turn_began
                if taken >= PROVEN_LENGTH:
                    rate += peer.uploaded.rate(now)
        self.capacity.proven(rate)

    def _regular(self, wanting: list[C], now: float, *, anew: bool) -> dict[ConnectionId, C]:
        """Who has the regular slots: all dealt anew, or only those that are free."""
        places = self.slots - self._optimistic_slots
        keep: dict[ConnectionId, C] = {}
        if not anew:
            for peer in wanting:
                if not peer.am_choking and peer.id not in self._optimistic:
                    keep[peer.id] = peer
        if len(keep) > places:  # there are fewer slots than before
            anew = True
            keep.clear()
        if len(keep) < places:
            others = [
                peer for peer in wanting if (anew or peer.am_choking) and not peer.is_snubbing(now)
            ]
            others.sort(key=lambda peer: self._rank(peer, now))
            for peer in others[: places - len(keep)]:
                keep[peer.id] = peer
            self._optimistic = self._optimistic.difference(keep)
        return keep

    def _optimists(
        self, wanting: list[C], regular: dict[ConnectionId, C], *, anew: bool, seeding: bool
    ) -> dict[ConnectionId, C]:
        """Who has the slots that are left."""
        places = self.slots - len(regular)
        rest = [peer for peer in wanting if peer.id not in regular]
        holding = [peer for peer in rest if peer.id in self._optimistic][: max(0, places)]
        waiting = [peer for peer in rest if peer.id not in self._optimistic]
        free = places - len(holding)
        if anew:
            # Nobody makes room for nobody.
            free = min(places, max(free, len(waiting)))
            holding = holding[: places - free]
        drawn = self._draw(waiting, free, seeding=seeding) if free > 0 else []
        chosen = {peer.id: peer for peer in (*holding, *drawn)}
        self._optimistic = self._optimistic.union(chosen)
        return chosen

    @property
    def _optimistic_slots(self) -> int:
        return min(self.slots, max(1, self.slots // SLOTS_PER_OPTIMISTIC))

    def _rank(self, peer: Candidate, now: float) -> tuple[float, ...]:
        """The lower the better."""
        standing = self._standing(peer)
        had_its_turn = (
            not peer.am_choking
            and peer.uploaded.total - standing.turn_began > self._turn_length
            and now - peer.choke_changed_at > TURN_TIME
        )
        took = 0 if peer.am_choking else standing.took
        return (-standing.gave, had_its_turn, -took, peer.choke_changed_at)

    def _draw(self, waiting: list[C], most: int, *, seeding: bool) -> list[C]:
        if seeding or len(waiting) <= most:
            return sorted(waiting, key=lambda peer: peer.choke_changed_at)[:most]
        drawn: list[C] = []
        lots = list(waiting)
        weights = [NEWCOMER_WEIGHT if self._standing(peer).is_new else 1 for peer in lots]
        for _ in range(most):
            (at,) = self._rng.choices(range(len(lots)), weights)
            drawn.append(lots.pop(at))
            weights.pop(at)
        return drawn

    def _standing(self, peer: Candidate) -> _Standing:
        standing = self._standings.get(peer.id)
        if standing is None:
            standing = self._standings[peer.id] = _Standing()
        return standing
