import pytest

from millstream.protocol import bencode
from millstream.storage.limits_record import LimitsRecord


@pytest.mark.parametrize(
    "record",
    [
        LimitsRecord((None, None), (1000, None)),
        LimitsRecord((5000, 1 << 62), (None, None)),
    ],
)
def test_a_record_comes_back(record):
    assert LimitsRecord.decode(record.encode()) == record


@pytest.mark.parametrize(
    "said",
    [
        {},
        {b"version": 2, b"configured": [0, 0], b"set": [0, 0]},
        {b"version": 1, b"configured": [0, 0]},
        {b"version": 1, b"configured": [0, 0], b"set": [0]},
        {b"version": 1, b"configured": [0, 0], b"set": [-1, 0]},
        {b"version": 1, b"configured": [0, 0], b"set": [1 << 63, 0]},
        {b"version": 1, b"configured": [0, b"0"], b"set": [0, 0]},
        [],
    ],
)
def test_what_is_no_record_says_nothing(said):
    assert LimitsRecord.decode(bencode.encode(said)) is None


@pytest.mark.parametrize("data", [None, b"", b"x", b"d", b"i1e"])
def test_what_is_not_even_bencoded_says_nothing(data):
    assert LimitsRecord.decode(data) is None
