"""What happens to torrents, told to scripts and webhooks alike."""

from __future__ import annotations

import os
from collections.abc import Callable

from millstream import Torrent, TorrentState
from millstream.events import Event, TorrentCompleted, TorrentFailed
from millstream.service.occasion import Happening, Occasion
from millstream.storage.names import safe_component


class Happenings:
    """Listens to every torrent; costs a call for each of its events, and no task.

    Args:
        tell: called with what happened; it must be quick and raise nothing.
        wall_time: seconds since the epoch.
    """

    def __init__(self, tell: Callable[[Happening], None], wall_time: Callable[[], float]) -> None:
        self._tell = tell
        self._wall_time = wall_time

    def torrent_entered(self, torrent: Torrent, *, is_new: bool) -> None:
        """A torrent is in the engine: a new one, or one of the last run."""

        def happened(event: Event) -> None:
            match event:
                case TorrentCompleted():
                    self._happened(torrent, Occasion.COMPLETED)
                case TorrentFailed(error):
                    self._happened(torrent, Occasion.ERROR, str(error))

        torrent.listen(happened)
        if is_new:
            self._happened(torrent, Occasion.ADDED)
        if torrent.state is TorrentState.ERROR:
            # It failed while others came back, before anybody listened.
            self._happened(torrent, Occasion.ERROR, str(torrent.error))

    def torrent_leaving(self, torrent: Torrent) -> Callable[[], None]:
        """A torrent is about to be removed; what this gives is called when it is gone."""
        happening = happening_of(torrent, Occasion.REMOVED, self._wall_time())
        return lambda: self._tell(happening)

    def _happened(self, torrent: Torrent, occasion: Occasion, error: str = "") -> None:
        self._tell(happening_of(torrent, occasion, self._wall_time(), error))


def happening_of(torrent: Torrent, occasion: Occasion, now: float, error: str = "") -> Happening:
    """A torrent as it is now, seconds since the epoch."""
    path, size = "", None
    if torrent.has_metadata:
        path = os.path.join(torrent.save_path, safe_component(torrent.metainfo.name))  # noqa: PTH118 - a text
        size = torrent.status().total_length
    return Happening(
        occasion=occasion,
        time=now,
        infohash=str(torrent.info_hash),
        name=torrent.name,
        root=torrent.save_path,
        path=path,
        size=size,
        error=error,
    )
