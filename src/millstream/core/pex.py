"""Peer exchange (BEP 11): telling peers whom we are connected to, and judging what they tell.

This knows nothing of private torrents (BEP 27): for one of those nobody makes a `PexExchange`.
"""

from __future__ import annotations

import math

from millstream.core.geometry import ConnectionId
from millstream.core.host_kind import HostKind, host_kind, may_tell
from millstream.errors import RemoteProtocolError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.ut_pex import (
    MAX_PEX_ADDED,
    MAX_PEX_DROPPED,
    PexFlag,
    PexMessage,
    PexPeer,
)

# BEP 11 allows one message a minute. The clocks at both ends and the way between them differ, and
# libtorrent drops who sends too often.
INTERVAL = 61.0

# A peer that has just come hears nothing for a moment: others may be about to come, too, and after
# its first message it would hear of them a minute later.
FIRST_WAIT = 1.0

# How many messages of a peer may be early. They may have waited together where data is slowed down;
# libtorrent looks back at six.
MAX_EARLY_MESSAGES = 6

# What counts as a minute when it was waited at the other end.
_EARNED_EVERY = 50.0

# How many peers that one peer told of and did not take back are remembered, lest it tell them
# again; more are ignored. Libtorrent's `max_pex_peers` is 50; here a first message and two more.
MAX_HEARD = 150


class _Partner:
    """A peer that speaks ut_pex: what it was told, and what it told."""

    __slots__ = (
        "address",
        "early",
        "early_at",
        "has_told",
        "heard",
        "hosts",
        "kind",
        "next_at",
        "told",
    )

    def __init__(self, address: PeerAddress, now: float) -> None:
        self.address = address
        self.kind = host_kind(address.host)
        self.next_at = now + FIRST_WAIT
        self.told: dict[PeerAddress, None] = {}
        self.heard: dict[PeerAddress, None] = {}
        self.hosts: set[str] = set()
        self.has_told = False
        self.early = float(MAX_EARLY_MESSAGES)
        self.early_at = now

    def spend_message(self, now: float) -> None:
        """A message came."""
        earned = (now - self.early_at) / _EARNED_EVERY
        self.early = min(MAX_EARLY_MESSAGES, self.early + earned) - 1
        self.early_at = now
        if self.early < 0:
            raise RemoteProtocolError("flood of ut_pex messages: more than BEP 11 allows a minute")


class PexExchange:
    """What the peers of one torrent are told of each other, and what they tell.

    A peer is told only of those whose listening address is known: peers that we connected to, and
    peers that came and said where they listen.
    """

    __slots__ = ("_kinds", "_listening", "_live", "_next_at", "_partners")

    def __init__(self) -> None:
        self._partners: dict[ConnectionId, _Partner] = {}
        self._listening: dict[ConnectionId, PexPeer] = {}
        self._live: dict[PeerAddress, PexFlag] = {}
        self._kinds: dict[PeerAddress, HostKind] = {}
        self._next_at = math.inf

    # Who is here.

    def add_peer(self, connection: ConnectionId, now: float, address: PeerAddress) -> None:
        """A peer said that it takes ut_pex messages; it may say so again.

        Args:
            connection: whose it is.
            now: monotonic seconds.
            address: where it listens, or as long as that is unknown, where it is connected from.
        """
        partner = self._partners.get(connection)
        if partner is None:
            partner = self._partners[connection] = _Partner(address, now)
            self._next_at = min(self._next_at, partner.next_at)
        else:
            partner.address = address

    def connected(self, connection: ConnectionId, address: PeerAddress, flags: PexFlag) -> None:
        """A connected peer listens at an address: the others may hear of it.

        It may be said again, when the flags changed, or the address.
        """
        if host_kind(address.host) <= HostKind.NAME:
            return
        peer = PexPeer(address, flags)
        before = self._listening.get(connection)
        if before == peer:
            return
        if before is not None and before.address != address:
            self._leave(connection)
        self._listening[connection] = peer
        if (partner := self._partners.get(connection)) is not None:
            partner.address = address
        self._live[address] = flags
        self._kinds[address] = host_kind(address.host)
        self._next_at = -math.inf

    def remove_peer(self, connection: ConnectionId) -> None:
        """A connection is closed: the peer hears nothing more, and the others hear of that."""
        self._partners.pop(connection, None)
        self._leave(connection)

    def _leave(self, connection: ConnectionId) -> None:
        peer = self._listening.pop(connection, None)
        if peer is None:
            return
        # Two connections that name one address are lies or leftovers of a twin; one of them stays.
        if all(other.address != peer.address for other in self._listening.values()):
            del self._live[peer.address], self._kinds[peer.address]
        self._next_at = -math.inf

    # Telling.

    def due(self, now: float) -> list[tuple[ConnectionId, PexMessage]]:
        """The messages to send now: to each peer who is new to it and who left, once a minute."""
        if now < self._next_at:
            return []
        messages: list[tuple[ConnectionId, PexMessage]] = []
        self._next_at = math.inf
        for connection, partner in self._partners.items():
            if partner.next_at <= now:
                message = self._news(partner)
                if not message.added and not message.dropped:
                    continue  # until somebody comes or goes
                messages.append((connection, message))
                partner.next_at = now + INTERVAL
            self._next_at = min(self._next_at, partner.next_at)
        return messages

    def _news(self, partner: _Partner) -> PexMessage:
        """What a peer was not told yet; it counts as told."""
        told, live, kinds = partner.told, self._live, self._kinds
        dropped = [address for address in told if address not in live][:MAX_PEX_DROPPED]
        for address in dropped:
            del told[address]
        added: list[PexPeer] = []
        # The latest come first: of many, the others are known better, and may be told in a minute.
        for address, flags in reversed(live.items()):
            if len(added) == MAX_PEX_ADDED:
                break
            if (
                address not in told
                and address != partner.address
                and may_tell(partner.kind, kinds[address])
            ):
                added.append(PexPeer(address, flags))
                told[address] = None
        return PexMessage(tuple(added), tuple(dropped))

    # Being told.

    def received(self, connection: ConnectionId, message: PexMessage, now: float) -> list[PexPeer]:
        """Take a peer's message.

        Of what it adds, only the first `MAX_PEX_ADDED` are believed, each once; of the internet's
        hosts one port each, so that nobody sends us at all the ports of a victim; and hosts of a
        private network only if the peer is in one itself.

        Returns:
            The peers that are news.

        Raises:
            RemoteProtocolError: it sends too often, or too much too often.
        """
        partner = self._partners.get(connection)
        if partner is None:
            return []  # it tells without wanting to be told
        partner.spend_message(now)
        if len(message.added) > MAX_PEX_ADDED and partner.has_told:
            partner.spend_message(now)  # only the first may be long (BEP 11)
        partner.has_told = True
        for address in message.dropped:
            if address in partner.heard:
                del partner.heard[address]
                partner.hosts.discard(address.host)
        found: list[PexPeer] = []
        for peer in message.added[:MAX_PEX_ADDED]:
            address = peer.address
            kind = host_kind(address.host)
            if not address.port or not may_tell(partner.kind, kind):
                continue
            if address in partner.heard or len(partner.heard) >= MAX_HEARD:
                continue
            if kind is HostKind.GLOBAL:
                if address.host in partner.hosts:
                    continue
                partner.hosts.add(address.host)
            partner.heard[address] = None
            found.append(peer)
        return found
