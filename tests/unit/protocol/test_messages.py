from __future__ import annotations

import pytest
from fakes import decode

from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH

LONGEST = 2**32 - 1


@pytest.mark.parametrize(
    ("encoded", "wire"),
    [
        (messages.KEEP_ALIVE, "00000000"),
        (messages.CHOKE, "00000001 00"),
        (messages.UNCHOKE, "00000001 01"),
        (messages.INTERESTED, "00000001 02"),
        (messages.NOT_INTERESTED, "00000001 03"),
        (messages.have(0x01020304), "00000005 04 01020304"),
        (messages.bitfield(b"\x80\x01"), "00000003 05 8001"),
        (messages.request(1, 0x4000, 0x4000), "0000000d 06 00000001 00004000 00004000"),
        (messages.piece_header(1, 0x4000, 0x4000), "00004009 07 00000001 00004000"),
        (messages.cancel(1, 0x4000, 0x4000), "0000000d 08 00000001 00004000 00004000"),
        (messages.HAVE_ALL, "00000001 0e"),
        (messages.HAVE_NONE, "00000001 0f"),
        (messages.reject(1, 0x4000, 0x4000), "0000000d 10 00000001 00004000 00004000"),
    ],
)
def test_they_are_as_on_the_wire(encoded, wire):
    assert encoded == bytes.fromhex(wire)


def test_haves_are_packed():
    assert messages.haves([3, 1, LONGEST]) == b"".join(map(messages.have, [3, 1, LONGEST]))
    assert messages.haves([]) == b""


@pytest.mark.parametrize("index", [0, 1, 0xFF, 0x100, 0x01020304, LONGEST])
def test_requests_for_a_piece_are_its_requests_one_by_one(index):
    packed = messages.requests(index, 4 * BLOCK_LENGTH, 0, 4)
    assert packed == b"".join(
        messages.request(index, block * BLOCK_LENGTH, BLOCK_LENGTH) for block in range(4)
    )


def test_requests_for_a_part_of_a_piece():
    assert decode(messages.requests(7, 8 * BLOCK_LENGTH, 5, 2)) == [
        ("request", 7, 5 * BLOCK_LENGTH, BLOCK_LENGTH),
        ("request", 7, 6 * BLOCK_LENGTH, BLOCK_LENGTH),
    ]


@pytest.mark.parametrize("last", [1, 100, BLOCK_LENGTH - 1, BLOCK_LENGTH])
def test_the_last_block_of_a_piece_may_be_short(last):
    assert decode(messages.requests(7, 2 * BLOCK_LENGTH + last, 1, 2)) == [
        ("request", 7, BLOCK_LENGTH, BLOCK_LENGTH),
        ("request", 7, 2 * BLOCK_LENGTH, last),
    ]


def test_the_template_is_not_spoiled_by_its_use():
    first = messages.requests(0x01020304, 2 * BLOCK_LENGTH, 0, 2)
    messages.requests(LONGEST, 2 * BLOCK_LENGTH, 0, 2)
    assert messages.requests(0x01020304, 2 * BLOCK_LENGTH, 0, 2) == first
