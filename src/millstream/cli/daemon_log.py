"""What the daemon logs to stderr where the options before the command say nothing of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from millstream.logging.components import ROOT, logger_name, parse_level
from millstream.logging.human_formatter import HumanFormatter
from millstream.service.config import LogConfig


class DaemonLog(logging.Filter):
    """Shows what the settings ask for, and what a user must know whatever they say.

    The loggers' own levels are `service.log_levels`'; here is what of it reaches the terminal or the
    journal: `millstream log` needs more than either.

    Args:
        least: from this level on everything is shown.
        config: what the settings say now.
    """

    def __init__(self, least: int, config: LogConfig) -> None:
        super().__init__()
        self._least = least
        self.follow(config)

    def follow(self, config: LogConfig) -> None:
        """The settings say this from now on."""
        self._level = config.level
        self._asked = tuple([logger_name(text.partition("=")[0]) for text in config.components])

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown."""
        if self._level is not None or record.levelno >= self._least:
            return True
        return record.name.startswith(self._asked) if self._asked else False

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Log so until the end of the block."""
        handler = logging.StreamHandler()
        handler.setFormatter(HumanFormatter())
        handler.addFilter(self)
        log = logging.getLogger(ROOT)
        before = log.level
        if self._level is not None:
            # Until the service does: what happens while the engine starts is of interest, too.
            log.setLevel(parse_level(self._level))
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.setLevel(before)
            handler.close()
