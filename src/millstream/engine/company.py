"""What a torrent has only for others: its peers, and whoever limits or watches it.

Of ten thousand torrents most are alone: nobody is connected or known, nobody listens, nothing is
limited. So all of this is made when it is first needed. It would cost the others memory, and time
whenever the garbage collector passes by.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from millstream.core.geometry import ConnectionId
from millstream.core.swarm import PeerSource, Swarm
from millstream.core.transfer import Transfer
from millstream.engine import events
from millstream.engine.admission import Admission
from millstream.engine.extensions import Extensions
from millstream.engine.journal import Journal
from millstream.engine.link import Link
from millstream.engine.shared import Shared
from millstream.engine.stage import Stage
from millstream.engine.standing import Standing
from millstream.engine.torrent_limits import TorrentLimits
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.ut_pex import PexPeer

if TYPE_CHECKING:
    from millstream.core.metadata_fetch import MetadataFetch


class Company(Standing, ABC):
    """The part of a membership that is there once somebody else is.

    Implements what `engine.extensions.ExtensionUser`, `engine.admission.Reachable` and
    `engine.torrent_limits.LimitedTorrent` ask for, but for what it leaves to `engine.membership`.

    Args:
        info_hash: the torrent.
        shared: what all torrents share.
        fetch: fetches the metadata; None if it is known.

    Attributes:
        stage: what the torrent is at the moment; set before anything else happens.
        links: the connections that belong to it, by id.
        journal: where what happens to it goes, for the log.
    """

    __slots__ = (
        *("_admission", "_extensions", "_hub", "_info", "_is_private", "_limits", "_shared"),
        *("_swarm", "_transfer", "journal", "links", "stage"),
    )
    stage: Stage

    def __init__(self, info_hash: InfoHash, shared: Shared, fetch: MetadataFetch | None) -> None:
        super().__init__(info_hash, shared.queue)
        self._shared = shared
        self.links: dict[ConnectionId, Link] = {}
        self.journal = Journal(info_hash)
        self._info: bytes | None = None
        self._is_private = False
        self._transfer: Transfer | None = None
        # Made when first needed.
        self._swarm: Swarm | None = None
        self._admission: Admission | None = None
        self._extensions: Extensions | None = None
        self._hub: events.EventHub | None = None
        self._limits: TorrentLimits | None = None
        if fetch is not None:
            self._extensions = Extensions(self, shared, fetch)
        if shared.limits.of_each != (None, None):
            self._limits = shared.limits.torrent(self, *shared.limits.of_each)

    @abstractmethod
    def wake(self) -> None:
        """There is something to do: tick soon."""

    @abstractmethod
    def peer_listens(self, link: Link, address: PeerAddress) -> None:
        """A peer that came to us can be reached there."""

    @abstractmethod
    def peers_told(self, peers: Iterable[PexPeer]) -> None:
        """A peer told of others."""

    # Who is known, and who may be connected.

    @property
    def swarm(self) -> Swarm:
        """The peers it knows of."""
        if self._swarm is None:
            self._swarm = Swarm(self._shared.config.swarm, self._shared.rng)
        return self._swarm

    @property
    def known_peers(self) -> int:
        """How many peers it knows of."""
        return 0 if self._swarm is None else len(self._swarm)

    @property
    def admission(self) -> Admission:
        """Who may be connected."""
        if self._admission is None:
            self._admission = Admission(self.info_hash, self.swarm, self.links, self._shared, self)
        return self._admission

    # Extensions.

    @property
    def extensions(self) -> Extensions:
        """What is said by extensions."""
        if self._extensions is None:
            self._extensions = Extensions(self, self._shared, None)
            if self._info is not None:
                self._extensions.metadata_known(self._info, private=self._is_private)
        return self._extensions

    @property
    def metadata_progress(self) -> float:
        """The share of the metadata that came, 0 to 1."""
        fetch = None if self._extensions is None else self._extensions.exchange.fetch
        return 1.0 if fetch is None else fetch.progress

    def metadata_known(self, info: bytes, *, private: bool) -> None:
        """Serve the metadata from now on. What a private torrent's peers told is forgotten."""
        self._info, self._is_private = info, private
        if self._extensions is not None:
            self._extensions.metadata_known(info, private=private)
        if private and self._swarm is not None:
            self._swarm.forget(PeerSource.PEX | PeerSource.DHT | PeerSource.LSD)
            for link in list(self.links.values()):
                known = self._swarm.find(link.address)
                if not link.incoming and (known is None or not known.source):
                    link.close("a private torrent's peers come from its trackers")

    # Who listens.

    @property
    def hub(self) -> events.EventHub:
        """Hands what happens to whoever listens; see `tell`."""
        if self._hub is None:
            self._hub = events.EventHub()
        return self._hub

    def tell(self, event: events.Event) -> None:
        """Something happened: say it to the log, and to whoever listens."""
        self.journal.note(event)
        if self._hub is not None:
            self._hub.emit(event)

    # Rate limits.

    @property
    def limits(self) -> TorrentLimits:
        """Its rate limits, its own and that of all, in force."""
        if self._limits is None:
            self._limits = self._shared.limits.torrent(self)
            if self._transfer is not None:
                self._limits.govern(self._transfer)
        return self._limits

    @property
    def own_limits(self) -> tuple[int | None, int | None]:
        """Its own rate limits, down and up, bytes a second; None: as fast as all may be."""
        if self._limits is None:
            return None, None
        return self._limits.download, self._limits.upload

    def limit_rates(self, *, download: int | None, upload: int | None) -> None:
        """Set its own rate limits, bytes a second. Raises ConfigError if one is too low."""
        if (download, upload) != self.own_limits:
            self.limits.set(download=download, upload=upload)

    def transfer_made(self, transfer: Transfer) -> None:
        """Its data can be moved from now on, by this; the rate limits hold for it."""
        self._transfer = transfer
        if self._limits is not None:
            self._limits.govern(transfer)

    def part(self) -> None:
        """The torrent leaves the engine: nobody limits or hears it any more."""
        # Both are made for that: who still has the torrent could make them later.
        self.limits.close()
        self.hub.end()
