"""The levels of the log as the settings say, under those of the command line."""

from __future__ import annotations

import logging
from collections.abc import Collection

from millstream.logging import set_level
from millstream.logging.components import ROOT, logger_name
from millstream.service.config import LogConfig


class LogLevels:
    """Puts the settings' levels into force, and takes them back.

    Args:
        fixed: components whose level the command line says; None stands for all that have none of
            their own.
    """

    def __init__(self, fixed: Collection[str | None] = ()) -> None:
        self._fixed = fixed
        self._before: dict[str | None, int] = {}

    def apply(self, config: LogConfig) -> None:
        """Be heard from these levels on; what an earlier call set and this does not is as it was."""
        wanted: dict[str | None, str] = {} if config.level is None else {None: config.level}
        for text in config.components:
            component, _, level = text.partition("=")
            wanted[component] = level
        for gone in [each for each in self._before if each not in wanted]:
            set_level(self._before.pop(gone), gone)
        for each, level in wanted.items():
            if each not in self._fixed:
                name = ROOT if each is None else logger_name(each)
                self._before.setdefault(each, logging.getLogger(name).level)
                set_level(level, each)

    def restore(self) -> None:
        """Be heard as before."""
        self.apply(LogConfig())
