from millstream.core import bans as bans_module
from millstream.core.bans import Bans
from millstream.protocol.compact import PeerAddress

PEER = PeerAddress("192.0.2.1", 6881)
SAME_HOST = PeerAddress("192.0.2.1", 50000)


def test_nobody_is_banned_at_first():
    bans = Bans()
    assert not bans.has(PEER, incoming=False)
    assert not bans.has(PEER, incoming=True)


def test_a_peer_that_was_reached_is_banned_by_its_address():
    bans = Bans()
    bans.add(PEER, incoming=False)
    assert bans.has(PEER, incoming=False)
    assert bans.has(PEER, incoming=True)
    assert not bans.has(SAME_HOST, incoming=False)
    assert not bans.has(SAME_HOST, incoming=True)


def test_a_peer_that_came_is_banned_by_its_host_for_those_that_come():
    bans = Bans()
    bans.add(SAME_HOST, incoming=True)
    assert bans.has(PEER, incoming=True)
    assert not bans.has(PEER, incoming=False)


def test_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(bans_module, "MAX_BANS", 2)
    bans = Bans()
    peers = [PeerAddress(f"192.0.2.{number}", 6881) for number in range(1, 4)]
    for peer in peers:
        bans.add(peer, incoming=True)
    assert [bans.has(peer, incoming=False) for peer in peers] == [False, True, True]
    assert [bans.has(peer, incoming=True) for peer in peers] == [False, True, True]
