"""What happens to an engine, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream.logging.component_logger import component_logger

if TYPE_CHECKING:
    from millstream.engine.torrent import Torrent

_LOG = component_logger("engine")


@dataclass(frozen=True, slots=True)
class TorrentAdded:
    """A torrent came.

    Attributes:
        torrent: which.
        restored: whether it is back from the last run.
    """

    torrent: Torrent
    restored: bool = False


@dataclass(frozen=True, slots=True)
class TorrentRemoved:
    """A torrent is about to be removed, by the user or for the goals it reached.

    Attributes:
        torrent: which; it is still as it was.
        delete_data: whether its files go, too.
    """

    torrent: Torrent
    delete_data: bool = False


EngineEvent = TorrentAdded | TorrentRemoved


class EngineHub:
    """Tells whoever listens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[EngineEvent], None]] = []

    def listen(self, listener: Callable[[EngineEvent], None]) -> None:
        """Call this with every event as it happens."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[EngineEvent], None]) -> None:
        """Call it no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def emit(self, event: EngineEvent) -> None:
        """Tell everyone; who fails is logged."""
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - it is logged whole
                _LOG.exception("a listener failed")
