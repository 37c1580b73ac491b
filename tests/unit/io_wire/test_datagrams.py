from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire.datagrams import Datagram, Membership, datagram_header


def test_a_datagram_is_that_of_the_tables():
    payload = datagram_header(7, 0x1A0A, "::1") + b"data"
    assert payload == b"\7\0\0\0\x0a\x1a\3\0::1data"
    assert Datagram.parse(memoryview(payload)) == (7, 0x1A0A, "::1", b"data")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\7\0\0\0\x0a\x1a\3\0::", b"\7\0\0\0\x0a\x1a\xff\xff" + b"x" * 70_000],
)
def test_a_length_that_lies(payload):
    with pytest.raises(MalformedFrameError):
        Datagram.parse(memoryview(payload))


def test_memberships():
    membership = Membership(7, "239.192.152.143")
    assert membership.encode() == b"\7\0\0\x00239.192.152.143"
    assert Membership.parse(memoryview(membership.encode())) == membership
    with pytest.raises(MalformedFrameError, match="256 bytes"):
        Membership.parse(memoryview(Membership(7, "x" * 256).encode()))
