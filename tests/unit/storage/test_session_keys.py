import pytest

from millstream.protocol import bencode
from millstream.protocol.infohash import InfoHash
from millstream.storage.session_keys import (
    decode_index,
    encode_index,
    metainfo_key,
    peers_key,
    state_key,
    torrents_of,
)

A, B = InfoHash(bytes(range(20))), InfoHash(b"\xff" * 20)


def test_the_keys_are_those_of_the_design():
    text = "000102030405060708090a0b0c0d0e0f10111213"
    assert state_key(A) == f"torrent:{text}:state"
    assert metainfo_key(A) == f"torrent:{text}:metainfo"
    assert peers_key(A) == f"torrent:{text}:peers"


def test_a_torrent_is_one_that_has_a_state():
    keys = [
        *(state_key(B), metainfo_key(A), peers_key(A), "torrents", "torrent::state"),
        *("torrent:zz:state", "torrent:00:state", "dht:state", state_key(A)),
        f"torrent:{str(B).upper()}:state",
    ]
    assert torrents_of(keys) == [B, A]


def test_the_index_keeps_the_order():
    assert decode_index(encode_index([B, A])) == [B, A]
    assert decode_index(encode_index([])) == []


@pytest.mark.parametrize("data", [None, b"", b"x", b"le", b"de", bencode.encode({b"torrents": 1})])
def test_an_index_that_cannot_be_read_says_nothing(data):
    assert decode_index(data) == []


def test_half_an_infohash_and_a_second_one_are_left_out():
    said = {b"torrents": bytes(A) + bytes(B) + bytes(A) + b"half", b"version": 9}
    assert decode_index(bencode.encode(said)) == [A, B]
