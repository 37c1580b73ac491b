"""The settings of an engine that can change while it runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from millstream.engine.config import EngineConfig
from millstream.engine.goal_watch import GoalWatch
from millstream.engine.limits import Limits
from millstream.engine.queue import Queue
from millstream.errors import ConfigError

if TYPE_CHECKING:
    from millstream.engine.persistence import Persistence
    from millstream.storage.limits_record import Rates


class RunningSettings:
    """Puts settings into force, and remembers those that were set on the way.

    Args:
        config: what the engine was made with.
        limits: hold the rates.
        queue: gives torrents their turns.
        goals: ends torrents.
        persistence: remembers; None if nothing is.

    Attributes:
        config: what holds, but for rates that were set by `set_rates`.
    """

    def __init__(
        self,
        config: EngineConfig,
        limits: Limits,
        queue: Queue,
        goals: GoalWatch,
        persistence: Persistence | None,
    ) -> None:
        self.config = config
        self._limits = limits
        self._queue = queue
        self._goals = goals
        self._persistence = persistence

    @property
    def rates(self) -> Rates:
        """What holds now for all torrents together."""
        return self._limits.download, self._limits.upload

    def set_rates(self, rates: Rates) -> None:
        """Limit all torrents together. Raises ConfigError."""
        self._limits.set(download=rates[0], upload=rates[1])
        if self._persistence is not None:
            self._persistence.limits_set(self._configured, rates)

    def restore(self) -> None:
        """Set what was set in the last run, unless the configuration has changed since."""
        saved = None if self._persistence is None else self._persistence.limits
        if saved is not None and saved.configured == self._configured:
            with suppress(ConfigError):  # a limit that is out of the range of today
                self._limits.set(download=saved.set[0], upload=saved.set[1])

    def configure(self, config: EngineConfig) -> None:
        """Put into force what is another in `config` than before, and can be."""
        self._limits.follow(self.config.limits, config.limits)
        if config.queue != self.config.queue:
            self._queue.configure(config.queue)
        if config.goals != self.config.goals:
            self._goals.configure(config.goals)
        self.config = replace(
            self.config, limits=config.limits, queue=config.queue, goals=config.goals
        )

    @property
    def _configured(self) -> Rates:
        return self.config.limits.download, self.config.limits.upload
