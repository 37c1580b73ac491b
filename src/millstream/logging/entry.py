"""A log record as a value: what every formatter and the ring buffer show of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from millstream.logging.components import ROOT

# Characters of a message and of a traceback that an entry keeps: entries are kept by the hundred,
# and a message may quote what came from the network.
MAX_MESSAGE = 2000
MAX_EXCEPTION = 8000

_TRACEBACKS = logging.Formatter()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """What was logged once.

    Attributes:
        time: seconds since 1970, UTC.
        level: its number: 10 is DEBUG, 40 is ERROR.
        component: who says it: one of `COMPONENTS`, or the first part of another logger's name.
        message: the words; what they quote of the network is as hostile as anything from there.
        torrent: the infohash in hex, if it is about one.
        peer: `host:port`, if it is about one.
        exception: the traceback, if there is one.
    """

    time: float
    level: int
    component: str
    message: str
    torrent: str | None = None
    peer: str | None = None
    exception: str | None = None

    @property
    def level_name(self) -> str:
        """`INFO` and so on."""
        return logging.getLevelName(self.level)

    @classmethod
    def of(cls, record: logging.LogRecord) -> LogEntry:
        """What a record says, whoever made it."""
        fields = vars(record)
        exception = record.exc_text
        if exception is None and record.exc_info:
            exception = _TRACEBACKS.formatException(record.exc_info)
        return cls(
            time=record.created,
            level=record.levelno,
            component=fields.get("component") or _component(record.name),
            message=_cut(record.getMessage(), MAX_MESSAGE),
            torrent=fields.get("torrent"),
            peer=fields.get("peer"),
            # The end of a traceback says most.
            exception=exception and exception[-MAX_EXCEPTION:],
        )


def _component(name: str) -> str:
    """Who a standard logger is: `millstream.disk` and what is below it are the disk."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first == ROOT and rest else first


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
