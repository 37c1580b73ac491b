from __future__ import annotations

from fakes import make_geometry, make_peer

from millstream.core.newcomers import MAX_TIMES_SERVED, Newcomers
from millstream.protocol.allowed_fast import allowed_fast_set
from millstream.protocol.bitfield import piece_set

COUNT, SIZE = 1000, 10
GEOMETRY = make_geometry(COUNT, 2)
INFO_HASH = b"\xaa" * 20


def make(*, size: int = SIZE, info_hash: bytes | None = INFO_HASH, fast: bool = True):
    peer, link = make_peer(1, GEOMETRY, fast=fast)
    return Newcomers(GEOMETRY, info_hash, size), peer, link


def test_it_is_told_once_and_in_one_send():
    newcomers, peer, link = make()
    newcomers.allow(peer)
    newcomers.allow(peer)
    allowed = allowed_fast_set(peer.address.host, INFO_HASH, COUNT, SIZE)
    assert link.read() == [("allowed_fast", piece) for piece in allowed]
    assert link.sends == 1


def test_who_has_enough_to_trade_or_could_not_understand_is_not_told():
    newcomers, peer, link = make()
    peer.pieces = piece_set(range(SIZE + 1), COUNT)
    newcomers.allow(peer)
    assert link.read() == []
    for what in ({"fast": False}, {"size": 0}, {"info_hash": None}):
        newcomers, peer, link = make(**what)
        newcomers.allow(peer)
        assert link.read() == []


def test_only_what_was_allowed_may_be_had_and_only_while_it_has_little():
    newcomers, peer, _ = make()
    allowed = allowed_fast_set(peer.address.host, INFO_HASH, COUNT, SIZE)
    assert not newcomers.may_have(peer, allowed[0])
    newcomers.allow(peer)
    assert newcomers.may_have(peer, allowed[0])
    other = next(piece for piece in range(COUNT) if piece not in allowed)
    assert not newcomers.may_have(peer, other)
    peer.pieces = piece_set(range(SIZE), COUNT)
    assert newcomers.may_have(peer, allowed[0])
    peer.pieces = piece_set(range(SIZE + 1), COUNT)
    assert not newcomers.may_have(peer, allowed[0])


def test_nobody_is_served_the_same_without_end():
    newcomers, peer, _ = make()
    newcomers.allow(peer)
    first, second, *_ = peer.offered_fast
    served = sum(newcomers.may_have(peer, first) for _ in range(100))
    assert served == MAX_TIMES_SERVED * GEOMETRY.blocks_per_piece
    assert newcomers.may_have(peer, second)
