"""Who may be connected: peers that are admitted, and peers that make room for others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from millstream.core.geometry import ConnectionId
from millstream.core.peer import Peer
from millstream.core.swarm import Swarm
from millstream.core.turnover import Turnover, replaceable
from millstream.core.twins import keep_new
from millstream.engine.connector import Connector, S
from millstream.engine.link import Link
from millstream.engine.shared import Shared
from millstream.engine.stage import Stage
from millstream.errors import RemoteProtocolError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.handshake import Handshake
from millstream.protocol.infohash import InfoHash


class Reachable(Protocol):
    """Who wants to know where a peer can be reached: `engine.membership`."""

    def peer_listens(self, link: Link, address: PeerAddress) -> None:
        """A peer that came to us can be reached there."""


class Admission:
    """The rules of one torrent.

    Args:
        info_hash: the torrent.
        swarm: the peers it knows of.
        links: the connections that belong to it.
        shared: what all torrents share.
        torrent: told where a peer that came to us can be reached, if a second connection shows it.
    """

    __slots__ = ("_info_hash", "_links", "_peer_id", "_swarm", "_torrent", "_turnover")

    def __init__(
        self,
        info_hash: InfoHash,
        swarm: Swarm,
        links: Mapping[ConnectionId, Link],
        shared: Shared,
        torrent: Reachable,
    ) -> None:
        self._info_hash = info_hash
        self._swarm = swarm
        self._links = links
        self._peer_id = shared.peer_id
        self._torrent = torrent
        self._turnover = Turnover(shared.config.swarm)

    def check(self, link: Link, handshake: Handshake, stage: Stage) -> None:
        """Raise RemoteProtocolError if the peer behind the link is not wanted."""
        if handshake.info_hash != self._info_hash:
            raise RemoteProtocolError("handshake for another torrent")
        if self._swarm.is_banned(link.address, incoming=link.incoming):
            raise RemoteProtocolError("peer is banned")
        if handshake.peer_id == self._peer_id:
            if not link.incoming:
                self._swarm.ban(link.address, incoming=False)
            raise RemoteProtocolError("connected to ourselves")
        known = self._swarm.find(link.address)
        if not link.incoming and known is not None and not known.source:
            # A peer told of it, and the torrent turned out private meanwhile (BEP 27).
            raise RemoteProtocolError("a private torrent's peers come from its trackers")
        if not stage.is_active:
            raise RemoteProtocolError(f"torrent is {stage.state.value}")
        self._refuse_twin(link, handshake.peer_id)

    def _refuse_twin(self, link: Link, peer_id: bytes) -> None:
        """Keep one connection to each peer."""
        for twin in [other for other in self._links.values() if other.peer_id == peer_id]:
            if not keep_new(
                self._peer_id,
                peer_id,
                existing_incoming=twin.incoming,
                new_incoming=link.incoming,
                same_host=twin.address.host == link.address.host,
            ):
                if twin.incoming and not link.incoming:
                    self._torrent.peer_listens(twin, link.address)
                raise RemoteProtocolError("connected to this peer already")
            twin.close("connected to this peer twice")

    def make_room(self, newcomer: PeerAddress | None, stage: Stage) -> bool:
        """Close the connection of a peer that is worth less than a newcomer, if there is one."""
        loser = replaceable(
            self._replaceable(),
            newcomer,
            self._swarm.priority,
            asyncio.get_running_loop().time(),
            complete=stage.is_complete,
        )
        if loser is None:
            return False
        loser.link.close("made room for another peer")
        return True

    def turn_over(self, connector: Connector[S], seeker: S, stage: Stage, now: float) -> None:
        """From time to time, when there is hardly room, the worst make way for untried peers."""
        limit = connector.limit(seeker)
        candidates = self._swarm.candidate_count(seeds=not stage.is_complete)
        if not self._turnover.is_due(len(self._links), limit, candidates, now):
            return
        for peer in self._turnover.choose(
            self._replaceable(), limit, candidates, now, complete=stage.is_complete
        ):
            peer.link.close("made way for an untried peer")

    def _replaceable(self) -> list[Peer]:
        return [
            link.peer
            for link in self._links.values()
            if isinstance(link.peer, Peer) and not self._is_named(link)
        ]

    def _is_named(self, link: Link) -> bool:
        known = self._swarm.find(link.address)
        return known is not None and known.is_named
