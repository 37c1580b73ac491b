from dataclasses import replace

import pytest

from millstream.protocol import bencode
from millstream.storage.claims import Claims, FileRecord

CLAIMS = Claims(
    piece_count=10,
    flushed=0b11_0000_0001,
    written=0b00_1100_0000,
    files=(FileRecord(0, 0), None, FileRecord(1 << 40, -5), FileRecord(7, 1_700_000_000 * 10**9)),
    running=True,
    taken_at=1_700_000_000 * 10**9 + 1,
)


def back(said):
    return Claims.decode(bencode.decode(bencode.encode(said)))


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS,
        replace(CLAIMS, written=0, files=(), running=False),
        Claims(piece_count=1),
        Claims(piece_count=2_000_000, flushed=(1 << 2_000_000) - 1),
    ],
)
def test_claims_come_back(claims):
    assert back(claims.encode()) == claims


def test_a_file_that_cannot_be_described_is_not_known():
    odd = (FileRecord(-1, 0), FileRecord(1 << 63, 0), FileRecord(0, 1 << 63), FileRecord(1, 2))
    found = back(replace(CLAIMS, files=odd).encode())
    assert found.files == (None, None, None, FileRecord(1, 2))


@pytest.mark.parametrize("key", sorted(CLAIMS.encode()))
def test_every_part_is_needed_and_checked(key):
    said = CLAIMS.encode()
    value = said.pop(key)
    assert back(said) is None
    said[key] = value + 1 if isinstance(value, int) else value[:-1] + bytes([value[-1] ^ 1])
    assert back(said) is None
    said[key] = [value]
    assert back(said) is None
    said[key] = value
    assert back(said) == CLAIMS


def test_claims_with_the_right_checksum_that_make_no_sense_claim_nothing():
    for odd in (
        replace(CLAIMS, piece_count=0, flushed=0, written=0),
        replace(CLAIMS, piece_count=-3, flushed=0, written=0),
    ):
        said = {**CLAIMS.encode(), b"piece count": odd.piece_count}
        assert back(resealed(said)) is None
    for key, value in (
        (b"flushed", b"\0"),
        (b"flushed", b"\xff\xff"),
        (b"written", b"\0\0\0"),
        (b"files", bytes(15)),
        (b"piece count", 1 << 40),
        (b"running", b"1"),
    ):
        assert back(resealed({**CLAIMS.encode(), key: value})) is None


def test_what_is_no_dictionary_claims_nothing():
    for said in (None, 7, b"x", [], {}):
        assert Claims.decode(said) is None


def resealed(said):
    import zlib

    body = {key: value for key, value in said.items() if key != b"checksum"}
    return {**body, b"checksum": zlib.crc32(bencode.encode(body))}
