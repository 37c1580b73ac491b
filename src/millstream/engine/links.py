"""All connections of an engine: numbered, opened within their time, and given to their torrents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from millstream.core.geometry import ConnectionId
from millstream.engine.config import Encryption, EngineConfig
from millstream.engine.connector import Connector
from millstream.engine.link import Link, LinkTerms
from millstream.engine.membership import Membership
from millstream.errors import RemoteProtocolError
from millstream.interfaces.network import Connection
from millstream.interfaces.platform import Platform
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_keys import torrent_hash


class Links:
    """Every link, from its first byte on.

    Args:
        config: the settings.
        platform: its network and cryptography.
        find: finds a torrent by its infohash.
        everyone: gives all torrents.

    Attributes:
        connector: opens connections for the torrents.
    """

    def __init__(
        self,
        config: EngineConfig,
        platform: Platform,
        find: Callable[[InfoHash], Membership | None],
        everyone: Callable[[], Iterable[Membership]],
    ) -> None:
        self._config = config
        self._find = find
        self._everyone = everyone
        self._links: dict[ConnectionId, Link] = {}
        self._ids = count(1)
        # An encrypted handshake names its torrent by this hash of the infohash.
        self._obfuscated: dict[bytes, InfoHash] = {}
        self._terms = LinkTerms(
            config.encryption, platform.cryptography, self._find_owner, self._obfuscated.get
        )
        self.connector: Connector[Membership] = Connector(
            platform.network,
            config.network,
            self.__len__,
            self._connected,
            config.swarm,
            _unreachable,
        )

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._links.values()))

    def next_connection(self) -> ConnectionId:
        """A number that no connection had before."""
        return ConnectionId(next(self._ids))

    def add_torrent(self, info_hash: InfoHash) -> None:
        """Let encrypted connections find the torrent."""
        self._obfuscated[torrent_hash(info_hash)] = info_hash

    def remove_torrent(self, info_hash: InfoHash) -> None:
        """The torrent leaves."""
        del self._obfuscated[torrent_hash(info_hash)]

    async def close(self) -> None:
        """Abandon attempts and drop every connection."""
        await self.connector.close()
        for link in self:
            link.close("engine is closed")

    def accept(self, connection: Connection) -> Link:
        """A connection came: its handshake will say for which torrent."""
        fits = self.connector.may_accept(self._everyone())
        link = self._add(connection, None, encrypt=False)
        if not fits:
            link.close("too many connections")
        return link

    def _connected(self, connection: Connection, member: Membership) -> Link:
        policy = self._config.encryption.policy
        encrypt = policy is Encryption.REQUIRE or (
            policy is Encryption.PREFER and member.swarm.wants_encryption(connection.remote)
        )
        return self._add(connection, member, encrypt=encrypt)

    def _add(self, connection: Connection, member: Membership | None, *, encrypt: bool) -> Link:
        link = Link(
            self.next_connection(), connection, member, self._terms, self._closed, encrypt=encrypt
        )
        self._links[link.id] = link
        link.deadline = asyncio.get_running_loop().call_later(
            self._config.network.handshake_timeout, _expect_handshake, link
        )
        return link

    def _find_owner(self, info_hash: InfoHash) -> Membership:
        member = self._find(info_hash)
        if member is None or not member.is_active:
            raise RemoteProtocolError(f"handshake for torrent {info_hash}, which is not active")
        return member

    def _closed(self, link: Link) -> None:
        self._links.pop(link.id, None)
        if link.deadline is not None:
            link.deadline.cancel()
        self.connector.room_freed()


def _unreachable(member: Membership, address: PeerAddress, error: Exception) -> None:
    member.journal.peer_unreachable(address, error)


def _expect_handshake(link: Link) -> None:
    if link.peer is None:
        link.close("no handshake in time")
