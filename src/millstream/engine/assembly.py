"""What a torrent in the engine is made of: a membership, and its stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millstream.core.torrent_state import TorrentState
from millstream.engine.connector import Connector
from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.engine.shared import Shared
from millstream.engine.torrent_options import TorrentOptions
from millstream.errors import ConfigError
from millstream.protocol.address_scope import is_local
from millstream.protocol.compact import PeerAddress
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.storage.roots import StorageRoot
from millstream.tracker.tracker_url import TrackerUrl

if TYPE_CHECKING:
    from millstream.engine.magnet import MagnetStage


class Assembly:
    """Puts torrents together; the engine admits them.

    Args:
        shared: what all torrents share.
        connector: makes connections for all of them.
    """

    def __init__(self, shared: Shared, connector: Connector[Membership]) -> None:
        self._shared = shared
        self._connector = connector

    def make(
        self,
        source: Metainfo | Magnet,
        root: StorageRoot,
        options: TorrentOptions,
        *,
        peers: Sequence[PeerAddress] = (),
        trackers: Sequence[str] = (),
        allow_local: bool = False,
    ) -> Membership:
        """A membership with its first stage.

        Args:
            source: the torrent, or what is known of it.
            root: what its files are under.
            options: how to go about it.
            peers: those it was added with.
            trackers: announce URLs besides its own.
            allow_local: whether its trackers and web seeds may be at addresses that are not global,
                whoever came with it.

        Raises:
            ConfigError: there is no such file to select.
            TrackerError: one of `trackers` is no announce URL.
        """
        tiers: list[Sequence[str]] = []
        hosts = [peer.host for peer in peers]
        fetch = None
        if isinstance(source, Magnet):
            tiers += _tiers(source)
            hosts += [peer.host for peer in source.peers]
            # Here: most torrents come with their metainfo.
            from millstream.core.metadata_fetch import MetadataFetch  # noqa: PLC0415

            fetch = MetadataFetch(source.info_hash, self._shared.rng)
        else:
            tiers += source.trackers
        for url in trackers:
            tiers.append([url])
            hosts.append(TrackerUrl.parse(url).host)
        member = Membership(
            source,
            tiers,
            root,
            self._shared,
            self._connector,
            # Whoever came with hosts of a local network may have its trackers there.
            allow_local=allow_local
            or any(map(is_local, hosts))
            or self._shared.config.trackers.allow_local,
            fetch=fetch,
        )
        try:
            if isinstance(source, Metainfo):
                member.stage = self._session(source, member, options)
            else:
                member.stage = self._magnet_stage(source, member, options)
        except ConfigError:
            member.discard()
            raise
        return member

    def _session(
        self, metainfo: Metainfo, member: Membership, options: TorrentOptions
    ) -> TorrentSession:
        session = TorrentSession(metainfo, member, self._shared)
        session.machine.need.sequential = options.sequential
        session.machine.need.keep_seeds = options.observe
        session.start_with(options.choose(metainfo))
        return session

    def _magnet_stage(
        self, magnet: Magnet, member: Membership, options: TorrentOptions
    ) -> MagnetStage:
        from millstream.engine.magnet import MagnetStage  # noqa: PLC0415 - as above

        def arrived(info: bytes) -> None:
            metainfo = Metainfo.from_info(info, _tiers(magnet), magnet.web_seeds)
            session = self._session(metainfo, member, options.or_select(magnet.select))
            session.machine.state = TorrentState.FETCHING_METADATA
            member.stage = session
            session.check()

        return MagnetStage(member, arrived)


def _tiers(magnet: Magnet) -> list[list[str]]:
    """A magnet's trackers are all equal: a tier each, as libtorrent has it."""
    return [[url] for url in magnet.trackers]
