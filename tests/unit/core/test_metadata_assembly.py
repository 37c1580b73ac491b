from __future__ import annotations

import hashlib

import pytest

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_assembly import MAX_COPIES, PATIENCE_SECONDS, MetadataAssembly
from millstream.protocol.ut_metadata import METADATA_PIECE_LENGTH

PEERS = [ConnectionId(n) for n in range(10)]
A, B, C, D = PEERS[:4]


def ask(assembly: MetadataAssembly, peer: ConnectionId, now: float = 0.0) -> int | None:
    piece = assembly.choose(peer, now)
    if piece is not None:
        assembly.asked(peer, piece, now)
    return piece


def test_pieces_make_the_whole():
    parts = [bytes([n]) * METADATA_PIECE_LENGTH for n in range(2)] + [b"end"]
    assembly = MetadataAssembly(2 * METADATA_PIECE_LENGTH + 3)
    assert assembly.progress == 0.0
    for piece in (2, 0, 1):
        assert not assembly.is_complete
        assembly.put(A, piece, parts[piece])
        assert piece in assembly
    assert assembly.is_complete
    assert assembly.progress == 1.0
    assert assembly.senders == {2: A, 0: A, 1: A}
    assert assembly.join() == b"".join(parts)
    assert assembly.digest() == hashlib.sha1(b"".join(parts)).digest()
    assert assembly.piece_digests() == [hashlib.sha1(part).digest() for part in parts]


def test_peers_are_asked_for_different_pieces():
    assembly = MetadataAssembly(3 * METADATA_PIECE_LENGTH)
    assert [ask(assembly, A), ask(assembly, B), ask(assembly, A)] == [0, 1, 2]


def test_what_one_will_not_send_is_asked_of_the_next():
    assembly = MetadataAssembly(3 * METADATA_PIECE_LENGTH)
    ask(assembly, A)
    ask(assembly, A)
    assembly.give_up(A, 0)
    assembly.give_up(A, 0)
    assert [ask(assembly, B), ask(assembly, B)] == [0, 2]


def test_what_came_is_not_asked_for():
    assembly = MetadataAssembly(3 * METADATA_PIECE_LENGTH)
    ask(assembly, A)
    assembly.give_up(A, 0)
    assembly.put(A, 0, b"late")
    assembly.put(A, 1, b"late")
    assert ask(assembly, B) == 2
    assembly.give_up(B, 0)
    assert 0 in assembly


def test_in_the_end_several_are_asked_for_the_same():
    assembly = MetadataAssembly(2 * METADATA_PIECE_LENGTH)
    assert [ask(assembly, A, 0.0), ask(assembly, A, 0.1)] == [0, 1]
    assert ask(assembly, A, 0.2) is None
    assert [ask(assembly, B, 0.2), ask(assembly, B, 0.2), ask(assembly, B, 0.2)] == [0, 1, None]
    assert [ask(assembly, C, 0.3), ask(assembly, C, 0.3), ask(assembly, D, 0.3)] == [0, 1, None]


def test_more_are_asked_when_those_are_slow():
    assembly = MetadataAssembly(1)
    assert [ask(assembly, peer) for peer in PEERS] == [0] * MAX_COPIES + [None] * 7
    later = PATIENCE_SECONDS
    assert [ask(assembly, peer, later) for peer in PEERS[5:]] == [0, None, None, None, None]


@pytest.mark.parametrize("size", [1, 30 << 20])
def test_a_claim_holds_no_memory(size):
    assembly = MetadataAssembly(size)
    assert not assembly._pieces
    assert not assembly._given_back
