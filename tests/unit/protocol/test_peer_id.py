from __future__ import annotations

import random

import pytest

from millstream.protocol.peer_id import PEER_ID_PREFIX, client_name, make_peer_id


def test_ours_has_20_bytes_and_our_name():
    peer_id = make_peer_id(random.Random(1))
    assert len(peer_id) == 20
    assert peer_id.startswith(PEER_ID_PREFIX)
    assert client_name(peer_id) == "Millstream 0.1.0"


def test_ours_differs_by_the_generator_given():
    assert make_peer_id(random.Random(1)) == make_peer_id(random.Random(1))
    assert make_peer_id(random.Random(1)) != make_peer_id(random.Random(2))


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"-TR4060-", "Transmission 4.0.6"),
        (b"-qB5010-", "qBittorrent 5.0.1"),
        (b"-lt0D80-", "rTorrent 0.13.8"),
        (b"-LT20B1-", "libtorrent 2.0.11.1"),
        (b"-ZZ1234-", "ZZ 1.2.3.4"),
        (b"-7T0000-", "aTorrent 0.0.0"),
    ],
)
def test_azureus_style_is_read(start, name):
    assert client_name(start + bytes(12)) == name


@pytest.mark.parametrize(
    "peer_id",
    [
        b"",
        bytes(20),
        b"\xff" * 20,
        b"M7-9-2--" + bytes(12),  # Mainline
        b"S58B-----" + bytes(11),  # Shadow
        b"-TR40\xb20-" + bytes(12),  # a digit to str.isdigit and not to us
        b"-TR406-" + bytes(13),
        b"TR4060-" + bytes(13),
    ],
)
def test_anything_else_is_unknown(peer_id):
    assert client_name(peer_id) == "unknown"
