from __future__ import annotations

import pytest

from millstream.core.peer_priority import crc32c, peer_priority
from millstream.protocol.compact import PeerAddress


def test_the_checksum():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogue of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
    assert crc32c(b"") == 0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # BEP 40
        ("123.213.32.10", "98.76.54.32", 0xEC2D7224),
        ("123.213.32.10", "123.213.32.234", 0x99568189),
    ],
)
def test_vectors_of_the_bep(one, other, expected):
    assert peer_priority(PeerAddress(one, 1), PeerAddress(other, 2)) == expected
    assert peer_priority(PeerAddress(other, 2), PeerAddress(one, 1)) == expected


ONES = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


@pytest.mark.parametrize(
    ("one", "other", "hashed"),
    [  # libtorrent, test/test_peer_priority.cpp: whose checksum it must be
        ("230.12.123.3", "230.12.123.3", "012c04d2"),
        ("230.12.123.1", "230.12.123.3", "e60c7b01e60c7b03"),
        ("230.12.23.1", "230.12.123.3", "e60c1701e60c7b01"),
        ("230.120.23.1", "230.12.123.3", "e60c5101e6781501"),
        (ONES, ONES, "012c04d2"),
        (
            ONES,
            "ffff:0fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "ffff0fffffff55555555555555555555ffffffffffff55555555555555555555",
        ),
        (
            ONES,
            "ffff:ffff:0fff:ffff:ffff:ffff:ffff:ffff",
            "ffffffff0fff55555555555555555555ffffffffffff55555555555555555555",
        ),
        (
            ONES,
            "ffff:ffff:ff0f:ffff:ffff:ffff:ffff:ffff",
            "ffffffffff0fff555555555555555555ffffffffffffff555555555555555555",
        ),
        (
            ONES,
            "ffff:ffff:ffff:0fff:ffff:ffff:ffff:ffff",
            "ffffffffffff0fff5555555555555555ffffffffffffffff5555555555555555",
        ),
    ],
)
def test_what_is_hashed(one, other, hashed):
    near, far = PeerAddress(one, 0x4D2), PeerAddress(other, 0x12C)
    assert peer_priority(near, far) == crc32c(bytes.fromhex(hashed)) == peer_priority(far, near)


def test_a_mapped_address_is_the_address():
    mapped = PeerAddress("::ffff:98.76.54.32", 1)
    assert peer_priority(PeerAddress("123.213.32.10", 1), mapped) == 0xEC2D7224


@pytest.mark.parametrize("host", ["2001:db8::1", "name.example"])
def test_there_is_none_between_families(host):
    assert peer_priority(PeerAddress("1.2.3.4", 1), PeerAddress(host, 1)) is None
