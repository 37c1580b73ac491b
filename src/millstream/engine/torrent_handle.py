"""What every part of a torrent's public face stands on."""

from __future__ import annotations

from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.errors import MetadataPendingError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import Metainfo


class TorrentHandle:
    """A torrent in an engine, by name."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    @property
    def _session(self) -> TorrentSession:
        """The torrent with pieces. Raises MetadataPendingError."""
        stage = self._membership.stage
        if isinstance(stage, TorrentSession):
            return stage
        raise MetadataPendingError(f"the metadata of {self.name!r} is not here yet")

    @property
    def has_metadata(self) -> bool:
        """Whether its files and pieces are known; a magnet's are not at first."""
        return isinstance(self._membership.stage, TorrentSession)

    @property
    def metainfo(self) -> Metainfo:
        """What the torrent file says. Raises MetadataPendingError."""
        return self._session.metainfo

    @property
    def info_hash(self) -> InfoHash:
        """The torrent's name in the network."""
        return self._membership.info_hash

    @property
    def name(self) -> str:
        """The torrent's name for people; as hostile as any string from the network."""
        stage = self._membership.stage
        return stage.metainfo.name if isinstance(stage, TorrentSession) else self._membership.name
