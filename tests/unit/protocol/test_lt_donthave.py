from __future__ import annotations

import pytest

from millstream.errors import LocalProtocolError, RemoteProtocolError
from millstream.protocol import lt_donthave


@pytest.mark.parametrize("index", [0, 1, 258, 2**32 - 1])
def test_there_and_back(index):
    assert lt_donthave.parse(memoryview(lt_donthave.encode(index))) == index


def test_it_is_big_endian():
    assert lt_donthave.encode(258) == b"\0\0\1\2"


@pytest.mark.parametrize("payload", [b"", bytes(3), bytes(5)])
def test_any_other_length_is_refused(payload):
    with pytest.raises(RemoteProtocolError):
        lt_donthave.parse(payload)


@pytest.mark.parametrize("index", [-1, 2**32])
def test_only_indexes_are_sent(index):
    with pytest.raises(LocalProtocolError):
        lt_donthave.encode(index)
