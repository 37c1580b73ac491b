from __future__ import annotations

import socket

import pytest

from millstream.errors import NetworkError
from millstream.io_daemon import datagram_socket
from millstream.io_daemon.datagram_socket import MULTICAST_TTL, DatagramSocket
from millstream.protocol.compact import PeerAddress

GROUP = "239.192.152.143"  # BEP 14's


@pytest.fixture
async def make():
    made = []

    def make(host="127.0.0.1", port=0, window=None):
        made.append(DatagramSocket(1, PeerAddress(host, port), lambda *_: None, window))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_it_is_bound_where_it_says(make):
    bound = make()
    assert bound.address.host == "127.0.0.1"
    assert bound.address.port
    assert make("::1").address.host == "::1"


async def test_local_discovery_shares_a_port(make):
    first = make(port=0)
    assert make(port=first.address.port).address == first.address


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "2001:db8::1", "a\0"])
async def test_where_it_cannot_be_bound(make, host):
    with pytest.raises(NetworkError, match="cannot bind"):
        make(host)


async def test_what_cannot_leave_is_dropped(make):
    bound = make()
    assert bound.send(memoryview(b"x"), PeerAddress("127.0.0.1", 9))
    assert not bound.send(memoryview(b"x"), PeerAddress("localhost", 9))
    assert not bound.send(memoryview(b"x"), PeerAddress("::1", 9))
    assert not bound.send(memoryview(bytes(70_000)), PeerAddress("127.0.0.1", 9))


async def test_a_group_is_joined_at_every_interface_but_loopback(make, monkeypatch):
    options = []

    class Recorded(socket.socket):
        def setsockopt(self, level, option, value):
            options.append((option, value))

    interfaces = [{"address": "127.0.0.1"}, {"address": "192.0.2.1"}, {"address": "10.0.0.1"}]
    monkeypatch.setattr(datagram_socket, "network_interfaces", lambda: interfaces)
    monkeypatch.setattr(socket, "socket", Recorded)
    bound = make()
    assert (socket.IP_MULTICAST_TTL, MULTICAST_TTL) in options
    options.clear()
    bound.join(GROUP)
    bound.join(GROUP, leave=True)
    group = socket.inet_aton(GROUP)
    assert options == [
        (socket.IP_ADD_MEMBERSHIP, group + b"\xc0\0\2\1"),
        (socket.IP_ADD_MEMBERSHIP, group + b"\x0a\0\0\1"),
        (socket.IP_DROP_MEMBERSHIP, group + b"\xc0\0\2\1"),
        (socket.IP_DROP_MEMBERSHIP, group + b"\x0a\0\0\1"),
    ]
    options.clear()
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (7, "eth0")])
    make("::1").join("ff15::efc0:988f")
    packed = socket.inet_pton(socket.AF_INET6, "ff15::efc0:988f")
    assert options[-1] == (socket.IPV6_JOIN_GROUP, packed + b"\7\0\0\0")


async def test_a_group_that_is_none(make, monkeypatch):
    for group, why in (
        ("x", "no address"),
        ("192.0.2.1", "no multicast"),
        ("ff02::1", "another family"),
    ):
        with pytest.raises(NetworkError, match=why):
            make().join(group)
    monkeypatch.setattr(datagram_socket, "network_interfaces", list)
    with pytest.raises(NetworkError, match="no interface"):
        make().join(GROUP)
    interfaces = [{"address": "192.0.2.1"}]
    monkeypatch.setattr(datagram_socket, "network_interfaces", lambda: interfaces)
    with pytest.raises(NetworkError, match="cannot join"):
        make().join(GROUP)
