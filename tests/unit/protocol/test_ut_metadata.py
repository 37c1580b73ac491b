from __future__ import annotations

import pytest

from millstream.errors import RemoteProtocolError
from millstream.protocol.ut_metadata import (
    METADATA_PIECE_LENGTH,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    encode,
    parse,
    piece_count,
    piece_length,
)


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (MetadataRequest(0), b"d8:msg_typei0e5:piecei0ee"),
        (
            MetadataData(0, 34256, b"xxxxxxxx"),
            b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
        ),
        (MetadataReject(7), b"d8:msg_typei2e5:piecei7ee"),
    ],
)
def test_the_messages_of_bep_9(message, payload):
    assert encode(message) == payload
    assert parse(payload) == message
    assert parse(memoryview(payload)) == message


def test_keys_in_any_order():
    assert parse(b"d10:total_sizei9e5:piecei2e8:msg_typei1eeabc") == MetadataData(2, 9, b"abc")


def test_what_others_add_is_left_out():
    assert parse(b"d8:msg_typei0e5:piecei0e10:total_sizei9eetrailing") == MetadataRequest(0)


@pytest.mark.parametrize("payload", [b"d8:msg_typei3ee", b"d8:msg_typei99e5:piecei0ee"])
def test_other_types_are_ignored(payload):
    assert parse(payload) is None


def test_data_may_look_like_bencoding():
    assert parse(b"d8:msg_typei1e5:piecei0e10:total_sizei9eede").data == b"de"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"i0e",
        b"le",
        b"de",
        b"d8:msg_typei0ee",
        b"d5:piecei0ee",
        b"d8:msg_type1:05:piecei0ee",
        b"d8:msg_typei-1e5:piecei0ee",
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecelee",
        b"d8:msg_typei1e5:piecei0ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei0ee",
        b"d8:msg_typei1e5:piecei0e10:total_size1:5e",
        b"d8:msg_typei1e5:piecei0e10:total_sizei5e",
        b"l" * 30_000,
    ],
)
def test_what_makes_no_sense_is_refused(payload):
    with pytest.raises(RemoteProtocolError, match="ut_metadata"):
        parse(payload)


def test_no_piece_is_longer_than_16_kib():
    head = b"d8:msg_typei1e5:piecei0e10:total_sizei99999ee"
    assert len(parse(head + bytes(METADATA_PIECE_LENGTH)).data) == METADATA_PIECE_LENGTH
    with pytest.raises(RemoteProtocolError, match="16385 bytes"):
        parse(head + bytes(METADATA_PIECE_LENGTH + 1))


@pytest.mark.parametrize(
    ("size", "lengths"),
    [(1, [1]), (16384, [16384]), (16385, [16384, 1]), (40000, [16384, 16384, 7232])],
)
def test_pieces_of_a_size(size, lengths):
    assert [piece_length(size, piece) for piece in range(piece_count(size))] == lengths
