"""Log lines for people."""

from __future__ import annotations

import logging
import time

from millstream.logging.entry import LogEntry

# As many digits of an infohash as tell a user's torrents apart; Git shows seven of a commit.
SHORT_HASH = 8


class HumanFormatter(logging.Formatter):
    """One line a record, and the lines of a traceback below it.

    `2026-01-31 18:30:05.123 INFO    peer     [c0ffee00 192.0.2.7:6881] banned: sent corrupt data`,
    in local time. Control characters, line breaks among them, are shown as escapes: no peer can
    forge a line or steer the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without the break at its end."""
        return human_lines(LogEntry.of(record))


def human_lines(entry: LogEntry) -> str:
    """The line for an entry, and those of its traceback."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time))
    about = " ".join(filter(None, ((entry.torrent or "")[:SHORT_HASH], entry.peer)))
    text = f"[{about}] {entry.message}" if about else entry.message
    line = (
        f"{moment}.{int(entry.time % 1 * 1000):03} {entry.level_name:<7} "
        f"{entry.component:<8} {text}"
    )
    lines = [line, *(entry.exception or "").splitlines()]
    return "\n".join(map(_harmless, lines))


def _harmless(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
