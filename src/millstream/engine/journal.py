"""What the log says of one torrent, and of connections that belong to none.

All words are here. What is told to the user as an event is told to the log by the same call; the rest
has a method. Nothing here is called for a block or a message.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from millstream.core.idleness import Idleness, IdleReason
from millstream.engine import events
from millstream.errors import MillstreamError, StorageError
from millstream.logging.component_logger import component_logger
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceResponse

_TORRENT = component_logger("torrent")
_PEER = component_logger("peer")
_TRACKER = component_logger("tracker")
_METADATA = component_logger("metadata")
_WEB_SEED = component_logger("web_seed")
_DISK = component_logger("disk")

# Of files that were changed, in one line of the log.
MAX_FILES_NAMED = 5


class Journal:
    """What happens to one torrent, in words.

    Args:
        info_hash: the torrent.
        hub: its events are told, too.
    """

    __slots__ = ("_holds", "_idle_seen", "_idle_told", "_info_hash")

    def __init__(self, info_hash: InfoHash, hub: events.EventHub | None = None) -> None:
        self._info_hash = info_hash
        self._idle_seen: IdleReason | None = None
        self._idle_told: IdleReason | None = None
        self._holds = False
        if hub is not None:
            hub.listen(self.note)

    def note(self, event: events.Event) -> None:
        """Tell what the user is told; of single verified pieces the log says nothing."""
        match event:
            case events.PieceVerified():
                pass
            case events.PeerConnected():
                self._peer(logging.DEBUG, event.address, "connected: %s", event.client)
            case events.PeerDisconnected():
                self._peer(logging.DEBUG, event.address, "gone: %s", event.reason)
            case events.PeerBanned():
                self._peer(logging.INFO, event.address, "banned: %s", event.reason)
            case events.StateChanged():
                before, after = event.before.value, event.after.value
                _TORRENT.bind(torrent=self._info_hash).info("%s, was %s", after, before)
            case events.PieceFailed():
                _TORRENT.bind(torrent=self._info_hash).info(
                    "piece %d does not match its digest and is thrown away", event.piece
                )
            case events.TorrentCompleted():
                _TORRENT.bind(torrent=self._info_hash).info("complete")
            case events.TorrentFailed():
                log = _DISK if isinstance(event.error, StorageError) else _TORRENT
                log.bind(torrent=self._info_hash).error("failed: %s", event.error)
            case events.TorrentMoved():
                _DISK.bind(torrent=self._info_hash).info("moved to %s", event.save_path)
            case events.FilesRenamed():
                count, some = len(event.paths), list(event.paths.values())[:MAX_FILES_NAMED]
                _DISK.bind(torrent=self._info_hash).info(
                    "%d file%s renamed: %s", count, "s"[count == 1 :], ", ".join(some)
                )

    # The life of a torrent.

    def broke(self, error: Exception) -> None:
        """It met an error that is a mistake of ours."""
        _TORRENT.bind(torrent=self._info_hash).error("an error within Millstream", exc_info=error)

    def added(self, name: str) -> None:
        """It is in the engine."""
        _TORRENT.bind(torrent=self._info_hash).info("added: %s", name)

    def removed(self) -> None:
        """The engine forgets it; nothing is said at the engine's own end."""
        _TORRENT.bind(torrent=self._info_hash).info("removed")

    def metadata_found(self, length: int) -> None:
        """The info dictionary is here and matches the infohash."""
        _METADATA.bind(torrent=self._info_hash).info("found, %d bytes", length)

    def metadata_refused(self, error: Exception) -> None:
        """It makes no usable torrent."""
        _METADATA.bind(torrent=self._info_hash).info("refused: %s", error)

    # Peers.

    def peer_refused(self, address: PeerAddress, reason: str) -> None:
        """A connection ended before its peer was admitted: refused by it, or by us."""
        self._peer(logging.DEBUG, address, "not admitted: %s", reason)

    def peer_unreachable(self, address: PeerAddress, error: Exception) -> None:
        """No connection came about."""
        reason = str(error) or "no answer in time"
        self._peer(logging.DEBUG, address, "cannot be reached: %s", reason)

    def _peer(self, level: int, address: PeerAddress, message: str, words: str) -> None:
        if _PEER.isEnabledFor(level):
            _PEER.bind(torrent=self._info_hash, peer=address).log(level, message, words)

    # Trackers and web seeds. Their URLs often hold what identifies the user: the log has the host.

    def tracker_answered(self, url: str, response: AnnounceResponse) -> None:
        """A tracker took an announce."""
        if _TRACKER.isEnabledFor(logging.DEBUG):
            _TRACKER.bind(torrent=self._info_hash).debug(
                "%s named %d peers", _site(url), len(response.peers)
            )

    def tracker_failed(self, url: str, error: Exception) -> None:
        """A tracker did not."""
        if _TRACKER.isEnabledFor(logging.INFO):
            _TRACKER.bind(torrent=self._info_hash).info("%s failed: %s", _site(url), error)

    def web_seed_failed(self, url: str, error: str) -> None:
        """A web seed is given up for a while."""
        if _WEB_SEED.isEnabledFor(logging.INFO):
            _WEB_SEED.bind(torrent=self._info_hash).info("%s failed: %s", _site(url), error)

    def web_seed_banned(self, url: str, reason: str) -> None:
        """A web seed is given up for good."""
        if _WEB_SEED.isEnabledFor(logging.INFO):
            _WEB_SEED.bind(torrent=self._info_hash).info("%s is banned: %s", _site(url), reason)

    # The disk.

    def held(self) -> None:
        """The disk took all it can: peers are not read. May be called often."""
        if not self._holds:
            self._holds = True
            _DISK.bind(torrent=self._info_hash).debug("full: peers are not read for now")

    def released(self) -> None:
        """The disk can take more. May be called often."""
        if self._holds:
            self._holds = False
            _DISK.bind(torrent=self._info_hash).debug("takes more again")

    def files_changed(self, paths: Sequence[str | None]) -> None:
        """Somebody deleted, cut or replaced files while it runs."""
        _DISK.bind(torrent=self._info_hash).warning(
            "deleted or changed by somebody, and looked at again: %s%s",
            ", ".join(map(str, paths[:MAX_FILES_NAMED])),
            f" and {len(paths) - MAX_FILES_NAMED} more" * (len(paths) > MAX_FILES_NAMED),
        )

    def leftovers(self, root: str, error: StorageError) -> None:
        """Files have another place, and something is left at the old one."""
        _DISK.bind(torrent=self._info_hash).warning("not all is cleared up at %s: %s", root, error)

    def not_rearranged(self, error: MillstreamError) -> None:
        """What was to be done with its files in the background could not be done."""
        _DISK.bind(torrent=self._info_hash).warning("files stay as they are: %s", error)

    def suffix_stays(self, error: StorageError) -> None:
        """Complete files could not lose the suffix of incomplete ones."""
        _DISK.bind(torrent=self._info_hash).warning("complete files keep their suffix: %s", error)

    # Why it does nothing.

    def looked_at(self, idleness: Idleness | None) -> None:
        """Tell why it is not moving, when it was so at two looks in a row, and once for each reason."""
        seen, self._idle_seen = self._idle_seen, idleness and idleness.reason
        if idleness is None:
            if self._idle_told is not None:
                self._idle_told = None
                _TORRENT.bind(torrent=self._info_hash).info("moves again")
        elif idleness.reason is seen and seen is not self._idle_told:
            self._idle_told = seen
            _TORRENT.bind(torrent=self._info_hash).info("is not moving: %s", idleness.text)


def stranger_refused(address: PeerAddress, reason: str) -> None:
    """A connection that came ended before it said for which torrent."""
    if _PEER.isEnabledFor(logging.DEBUG):
        _PEER.bind(peer=address).debug("not admitted: %s", reason)


def _site(url: str) -> str:
    """A URL without what follows its host, and without a user's name before it."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{host}"
