"""What the log says of one torrent, and of connections that belong to none.

All words are here. What is told to the user as an event is told to the log by the same call; the rest
has a method. Nothing here is called for a block or a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from logging import DEBUG, ERROR, INFO, WARNING
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from millstream.engine import events
from millstream.errors import MillstreamError, StorageError
from millstream.logging.component_logger import ComponentLogger, component_logger
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceResponse

if TYPE_CHECKING:
    from millstream.core.idleness import Idleness, IdleReason

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
    """

    __slots__ = ("_holds", "_idle_seen", "_idle_told", "_info_hash")

    def __init__(self, info_hash: InfoHash) -> None:
        self._info_hash = info_hash
        self._idle_seen: IdleReason | None = None
        self._idle_told: IdleReason | None = None
        self._holds = False

    def note(self, event: events.Event) -> None:
        """Tell what the user is told; of single verified pieces the log says nothing."""
        match event:
            case events.PieceVerified():
                pass
            case events.StateChanged():
                before, after = event.before.value, event.after.value
                self._say(_TORRENT, INFO, "%s, was %s", after, before)
            case events.PeerConnected():
                self._peer(DEBUG, event.address, "connected: %s", event.client)
            case events.PeerDisconnected():
                self._peer(DEBUG, event.address, "gone: %s", event.reason)
            case events.PeerBanned():
                self._peer(INFO, event.address, "banned: %s", event.reason)
            case events.PieceFailed():
                words = "piece %d does not match its digest and is thrown away"
                self._say(_TORRENT, INFO, words, event.piece)
            case events.TorrentCompleted():
                self._say(_TORRENT, INFO, "complete")
            case events.TorrentFailed():
                log = _DISK if isinstance(event.error, StorageError) else _TORRENT
                self._say(log, ERROR, "failed: %s", event.error)
            case events.TorrentMoved():
                self._say(_DISK, INFO, "moved to %s", event.save_path)
            case events.FilesRenamed():
                count, s = len(event.paths), "s"[len(event.paths) == 1 :]
                some = ", ".join(list(event.paths.values())[:MAX_FILES_NAMED])
                self._say(_DISK, INFO, "%d file%s renamed: %s", count, s, some)

    # The life of a torrent.

    def broke(self, error: Exception) -> None:
        """It met an error that is a mistake of ours."""
        _TORRENT.bind(torrent=self._info_hash).error("an error within Millstream", exc_info=error)

    def added(self, name: str) -> None:
        """It is in the engine."""
        self._say(_TORRENT, INFO, "added: %s", name)

    def removed(self) -> None:
        """The engine forgets it; nothing is said at the engine's own end."""
        self._say(_TORRENT, INFO, "removed")

    def metadata_found(self, length: int) -> None:
        """The info dictionary is here and matches the infohash."""
        self._say(_METADATA, INFO, "found, %d bytes", length)

    def metadata_refused(self, error: Exception) -> None:
        """It makes no usable torrent."""
        self._say(_METADATA, INFO, "refused: %s", error)

    # Peers.

    def peer_refused(self, address: PeerAddress, reason: str) -> None:
        """A connection ended before its peer was admitted: refused by it, or by us."""
        self._peer(DEBUG, address, "not admitted: %s", reason)

    def peer_unreachable(self, address: PeerAddress, error: Exception) -> None:
        """No connection came about."""
        reason = str(error) or "no answer in time"
        self._peer(DEBUG, address, "cannot be reached: %s", reason)

    def _peer(self, level: int, address: PeerAddress, message: str, words: str) -> None:
        self._say(_PEER, level, message, words, peer=address)

    def _say(
        self,
        log: ComponentLogger,
        level: int,
        message: str,
        *words: object,
        peer: PeerAddress | None = None,
    ) -> None:
        # A logger that knows of whom it speaks is made where somebody listens, and not for the rest.
        if log.isEnabledFor(level):
            log.bind(torrent=self._info_hash, peer=peer).log(level, message, *words)

    # Trackers and web seeds. Their URLs often hold what identifies the user: the log has the host.

    def tracker_answered(self, url: str, response: AnnounceResponse) -> None:
        """A tracker took an announce."""
        if _TRACKER.isEnabledFor(DEBUG):
            self._say(_TRACKER, DEBUG, "%s named %d peers", _site(url), len(response.peers))

    def tracker_failed(self, url: str, error: Exception) -> None:
        """A tracker did not."""
        if _TRACKER.isEnabledFor(INFO):
            self._say(_TRACKER, INFO, "%s failed: %s", _site(url), error)

    def web_seed_failed(self, url: str, error: str) -> None:
        """A web seed is given up for a while."""
        if _WEB_SEED.isEnabledFor(INFO):
            self._say(_WEB_SEED, INFO, "%s failed: %s", _site(url), error)

    def web_seed_banned(self, url: str, reason: str) -> None:
        """A web seed is given up for good."""
        if _WEB_SEED.isEnabledFor(INFO):
            self._say(_WEB_SEED, INFO, "%s is banned: %s", _site(url), reason)

    # The disk.

    def held(self) -> None:
        """The disk took all it can: peers are not read. May be called often."""
        if not self._holds:
            self._holds = True
            self._say(_DISK, DEBUG, "full: peers are not read for now")

    def released(self) -> None:
        """The disk can take more. May be called often."""
        if self._holds:
            self._holds = False
            self._say(_DISK, DEBUG, "takes more again")

    def files_changed(self, paths: Sequence[str | None]) -> None:
        """Somebody deleted, cut or replaced files while it runs."""
        self._say(
            _DISK,
            WARNING,
            "deleted or changed by somebody, and looked at again: %s%s",
            ", ".join(map(str, paths[:MAX_FILES_NAMED])),
            f" and {len(paths) - MAX_FILES_NAMED} more" * (len(paths) > MAX_FILES_NAMED),
        )

    def leftovers(self, root: str, error: StorageError) -> None:
        """Files have another place, and something is left at the old one."""
        self._say(_DISK, WARNING, "not all is cleared up at %s: %s", root, error)

    def not_rearranged(self, error: MillstreamError) -> None:
        """What was to be done with its files in the background could not be done."""
        self._say(_DISK, WARNING, "files stay as they are: %s", error)

    def suffix_stays(self, error: StorageError) -> None:
        """Complete files could not lose the suffix of incomplete ones."""
        self._say(_DISK, WARNING, "complete files keep their suffix: %s", error)

    # Why it does nothing.

    def looked_at(self, idleness: Idleness | None) -> None:
        """Tell why it is not moving, when it was so at two looks in a row, and once for each reason."""
        seen, self._idle_seen = self._idle_seen, idleness and idleness.reason
        if idleness is None:
            if self._idle_told is not None:
                self._idle_told = None
                self._say(_TORRENT, INFO, "moves again")
        elif idleness.reason is seen and seen is not self._idle_told:
            self._idle_told = seen
            self._say(_TORRENT, INFO, "is not moving: %s", idleness.text)


def stranger_refused(address: PeerAddress, reason: str) -> None:
    """A connection that came ended before it said for which torrent."""
    if _PEER.isEnabledFor(DEBUG):
        _PEER.bind(peer=address).debug("not admitted: %s", reason)


def _site(url: str) -> str:
    """A URL without what follows its host, and without a user's name before it."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{host}"
