"""What a torrent without web seeds has in the place of `engine.web_seeding`."""

from __future__ import annotations

from millstream.engine.status import PeerStatus, WebSeedStatus
from millstream.protocol.compact import PeerAddress


class NoWebSeeds:
    """No web seeds: nothing is fetched, and nobody comes to rest. One for all torrents.

    Attributes:
        departed_downloaded: none of the bytes came from web seeds.
        is_tended: time alone brings nothing about.
    """

    __slots__ = ()
    departed_downloaded = 0
    is_tended = False

    def statuses(self, now: float) -> list[WebSeedStatus]:
        """There are none."""
        return []

    def peer_statuses(self, now: float) -> list[PeerStatus]:
        """None is at work."""
        return []

    def tend(self, now: float) -> None:
        """There is nobody to put to work."""

    def close(self, reason: str) -> None:
        """Nobody is at work."""

    async def finish(self) -> None:
        """There is nothing to wait for."""

    def hold(self) -> None:
        """Nobody brings anything."""

    def release(self, now: float) -> None:
        """Nobody was held."""

    def ban(self, identity: PeerAddress, reason: str) -> bool:
        """It is a peer's."""
        return False


# Of most torrents.
NO_WEB_SEEDS = NoWebSeeds()
