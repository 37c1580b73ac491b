"""Log lines for programs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from millstream.logging.entry import LogEntry


class JsonLinesFormatter(logging.Formatter):
    """One JSON object a line, all of it ASCII.

    Keys: `time` (RFC 3339, UTC, milliseconds), `level`, `component`, `message`, and where they apply
    `torrent` (infohash), `peer` (`host:port`) and `exception` (a traceback).
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without the break at its end."""
        entry = LogEntry.of(record)
        moment = datetime.fromtimestamp(entry.time, UTC)
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": entry.level_name,
            "component": entry.component,
            "torrent": entry.torrent,
            "peer": entry.peer,
            "message": entry.message,
            "exception": entry.exception,
        }
        return json.dumps({key: value for key, value in fields.items() if value is not None})
