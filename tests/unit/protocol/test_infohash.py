from __future__ import annotations

import hashlib

import pytest

from millstream.errors import MalformedDataError
from millstream.protocol.infohash import InfoHash

DIGEST = hashlib.sha1(b"millstream").digest()


def test_it_is_its_bytes():
    info_hash = InfoHash(DIGEST)
    assert info_hash == DIGEST
    assert {info_hash: 1}[DIGEST] == 1


def test_text_is_lower_case_hex():
    assert str(InfoHash(DIGEST)) == DIGEST.hex()
    assert repr(InfoHash(DIGEST)) == f"InfoHash({DIGEST.hex()})"


def test_hex_in_either_case_is_read():
    assert InfoHash.from_hex(DIGEST.hex().upper()) == InfoHash.from_hex(DIGEST.hex()) == DIGEST


@pytest.mark.parametrize("text", ["", "ab", "zz" * 20, "ab" * 21, "ab" * 32])
def test_other_text_is_refused(text):
    with pytest.raises(MalformedDataError):
        InfoHash.from_hex(text)


@pytest.mark.parametrize("length", [0, 19, 21, 32])
def test_other_lengths_are_refused(length):
    with pytest.raises(MalformedDataError, match=f"not {length}"):
        InfoHash(bytes(length))
