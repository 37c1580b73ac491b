"""Peers that are never talked to again."""

from __future__ import annotations

from millstream.protocol.compact import PeerAddress

# Bans that are kept, of addresses and of hosts each; then the oldest are forgotten. Every one of
# them took its peer a connection and a proof of guilt.
MAX_BANS = 10_000


class Bans:
    """The bans of one torrent."""

    __slots__ = ("_addresses", "_hosts")

    def __init__(self) -> None:
        self._addresses: dict[PeerAddress, None] = {}
        self._hosts: dict[str, None] = {}

    def add(self, address: PeerAddress, *, incoming: bool) -> None:
        """Never again. A peer that came to us is known by its host alone: its port was random."""
        self._addresses[address] = None
        if len(self._addresses) > MAX_BANS:
            del self._addresses[next(iter(self._addresses))]
        if incoming:
            self._hosts[address.host] = None
            if len(self._hosts) > MAX_BANS:
                del self._hosts[next(iter(self._hosts))]

    def has(self, address: PeerAddress, *, incoming: bool) -> bool:
        """Whether the peer was banned."""
        return (incoming and address.host in self._hosts) or address in self._addresses
