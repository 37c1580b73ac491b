from __future__ import annotations

import random

from fakes import RecordingEvents, make_geometry, make_peer, pieces

from millstream.core.availability import Availability
from millstream.core.peer import Peer
from millstream.core.super_seeding import SuperSeeding
from millstream.protocol.bitfield import every_piece, piece_bit

COUNT = 6
GEOMETRY = make_geometry(COUNT)


class Stage:
    def __init__(self) -> None:
        self.availability = Availability(COUNT)
        self.seeding = SuperSeeding(COUNT, self.availability, random.Random(1))
        self.links = {}

    def peer(self, has: str = " " * COUNT, *, fast: bool = True) -> Peer:
        peer, link = make_peer(len(self.links) + 1, GEOMETRY, RecordingEvents(), fast=fast)
        self.links[peer.id] = link
        self.seeding.greet(peer)
        assert link.read() == ([("have_none",)] if fast else [])
        self.has(peer, pieces(has))
        return peer

    def has(self, peer: Peer, gained: int) -> None:
        before, peer.pieces = peer.pieces, peer.pieces | gained
        self.availability.change(before, peer.pieces)
        self.seeding.pieces_changed(peer, peer.pieces & ~before)

    def got(self, peer: Peer, piece: int) -> None:
        self.has(peer, piece_bit(piece, COUNT))

    def shown(self, peer: Peer) -> list[int]:
        self.seeding.show()
        return [message[1] for message in self.links[peer.id].read()]


def test_each_peer_is_shown_one_other_piece():
    stage = Stage()
    peers = [stage.peer() for _ in range(COUNT)]
    shown = [stage.shown(peer) for peer in peers]
    assert [len(each) for each in shown] == [1] * COUNT
    assert {piece for [piece] in shown} == set(range(COUNT))
    assert stage.shown(peers[0]) == []


def test_what_the_swarm_lacks_is_shown_first():
    stage = Stage()
    stage.peer("***  *")
    assert stage.shown(stage.peer())[0] in {3, 4}


def test_a_peer_is_not_shown_what_it_has():
    stage = Stage()
    assert stage.shown(stage.peer("*** **")) == [3]
    assert stage.shown(stage.peer("******")) == []


def test_the_next_piece_is_for_who_passed_the_last_one_on():
    stage = Stage()
    alice, bob = stage.peer(), stage.peer()
    [first] = stage.shown(alice)
    [other] = stage.shown(bob)
    stage.got(alice, first)
    assert stage.shown(alice) == []
    stage.got(bob, first)
    [second] = stage.shown(alice)
    assert second not in {first, other}
    assert stage.shown(bob) == []
    stage.got(alice, other)  # from bob, although bob did not say that it has it
    assert len(stage.shown(bob)) == 1


def test_a_peer_that_is_alone_can_pass_on_nothing():
    stage = Stage()
    alice = stage.peer()
    for _ in range(COUNT):
        [piece] = stage.shown(alice)
        assert stage.shown(alice) == []
        stage.got(alice, piece)
    assert stage.shown(alice) == []


def test_a_bitfield_that_comes_late_is_reckoned_with():
    stage = Stage()
    stage.peer()
    alice = stage.peer()
    [first] = stage.shown(alice)
    stage.has(alice, pieces("******") & ~piece_bit((first + 1) % COUNT, COUNT))
    assert stage.shown(alice) == [(first + 1) % COUNT]


def test_what_was_not_shown_is_hidden():
    stage = Stage()
    alice = stage.peer()
    [first] = stage.shown(alice)
    assert [piece for piece in range(COUNT) if not stage.seeding.hides(alice, piece)] == [first]
    stranger, _ = make_peer(99, GEOMETRY)
    assert not stage.seeding.hides(stranger, 0)


def test_when_all_is_shown_peers_are_shown_the_same():
    stage = Stage()
    for _ in range(COUNT):
        stage.shown(stage.peer())
    assert len(stage.shown(stage.peer())) == 1


def test_what_who_went_was_shown_is_shown_to_another():
    stage = Stage()
    for _ in range(COUNT - 1):
        stage.shown(stage.peer())
    alice = stage.peer()
    first = stage.shown(alice)
    stage.seeding.peer_gone(alice)
    stage.seeding.peer_gone(alice)
    assert not stage.seeding.hides(alice, 0)
    assert stage.shown(stage.peer()) == first


def test_in_the_end_everything_is_shown():
    stage = Stage()
    alice, bob = stage.peer(), stage.peer(" ** **", fast=False)
    [first] = stage.shown(alice)
    stage.shown(bob)
    stage.seeding.end(every_piece(COUNT))
    told = [message[1] for message in stage.links[alice.id].read()]
    assert sorted([*told, first]) == list(range(COUNT))
    assert not stage.seeding.hides(alice, 0)
    stage.seeding.pieces_changed(alice, pieces("******"))
    stage.seeding.show()
    assert stage.links[alice.id].read() == []


def test_in_the_end_nothing_is_shown_that_was_lost():
    stage = Stage()
    alice = stage.peer(" ** **")
    [first] = stage.shown(alice)
    stage.seeding.end(pieces("**** *"))
    told = [message[1] for message in stage.links[alice.id].read()]
    assert sorted([*told, first]) == [0, 3]
