"""What happened to a torrent, for scripts and webhooks."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Occasion(enum.Enum):
    """When scripts run and webhooks are sent; the value is its name in the settings."""

    ADDED = "added"
    """A torrent came into the engine, and not from the last run."""
    COMPLETED = "completed"
    """The last wanted piece was verified; not if a check found everything there."""
    ERROR = "error"
    """The torrent stopped because of an error."""
    REMOVED = "removed"
    """The torrent left the engine, which runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One torrent at one occasion.

    Attributes:
        occasion: what happened.
        time: seconds since the epoch.
        infohash: 40 hex digits.
        name: the torrent's name, as hostile as any string from the network.
        root: the directory under which its files are.
        path: its file or folder below `root`; empty while its metadata is not known.
        size: bytes of the files that are wanted; None while its metadata is not known.
        error: why it stopped; empty at other occasions.
    """

    occasion: Occasion
    time: float
    infohash: str
    name: str
    root: str
    path: str = ""
    size: int | None = None
    error: str = ""

    def words(self) -> dict[str, str]:
        """What stands for each placeholder; also, in capitals, for the environment."""
        return {
            "event": self.occasion.value,
            "infohash": self.infohash,
            "name": self.name,
            "root": self.root,
            "path": self.path,
            "size": "" if self.size is None else str(self.size),
            "error": self.error,
        }


PLACEHOLDERS = tuple(
    Happening(occasion=Occasion.ADDED, time=0, infohash="", name="", root="").words()
)
"""Their names, in the order in which they are documented."""
