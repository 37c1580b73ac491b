"""Scripts that run when something happens to a torrent."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from millstream.logging import ComponentLogger, component_logger
from millstream.service.config import HooksConfig
from millstream.service.occasion import Happening
from millstream.service.script import Outcome, run_script
from millstream.service.template import as_argument, fill

# Scripts that wait for their turn: a session of 10,000 torrents may fail as one, with its disk.
MAX_WAITING = 20_000
# Seconds at the end of the service for scripts that run.
CLOSING_TIME = 10.0
# Lines of a script's output that go to the log, which keeps 500 of all that happens.
MAX_LINES = 20
# Variables of ours that no script needs.
WITHHELD = frozenset({"MILLSTREAM_WEBHOOKS_SECRET"})

RunScript = Callable[[Sequence[str], Mapping[str, str], float], Awaitable[Outcome]]

_LOG = component_logger("service")


class Hooks:
    """Runs the scripts, some at a time, in the order of what happened.

    Args:
        config: which scripts.
        environment: what they get besides words of their own.
        run: runs one.
    """

    def __init__(
        self,
        config: HooksConfig,
        environment: Mapping[str, str] | None = None,
        run: RunScript = run_script,
    ) -> None:
        self.config = config
        given = os.environ if environment is None else environment
        self._environment = {name: text for name, text in given.items() if name not in WITHHELD}
        self._run = run
        self._waiting: deque[tuple[Happening, tuple[str, ...]]] = deque()
        self._running: dict[asyncio.Task[None], str] = {}
        self._closing = False

    def configure(self, config: HooksConfig) -> None:
        """Change the settings: what waits already runs as it was meant."""
        self.config = config
        self._start_some()

    def happened(self, happening: Happening) -> None:
        """Run the script for this, if there is one: now, or when it is its turn."""
        command = self.config.command(happening.occasion)
        if not command:
            return
        about = _about(happening)
        if self._closing or len(self._waiting) >= MAX_WAITING:
            why = "the service ends" if self._closing else f"{MAX_WAITING} wait already"
            about.warning("the script for %r is not run: %s", happening.occasion.value, why)
            return
        self._waiting.append((happening, command))
        self._start_some()

    async def close(self) -> None:
        """Let the scripts that run come to their end, for some seconds; run no others."""
        self._closing = True
        while self._waiting:
            happening, _ = self._waiting.popleft()
            _about(happening).warning(
                "the script for %r is not run: the service ends", happening.occasion.value
            )
        running = dict(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=CLOSING_TIME)
        for task in late:
            task.cancel()
            _LOG.warning("ended with the service: %s", running[task])
        for task in late:
            with suppress(asyncio.CancelledError):
                await task

    def _start_some(self) -> None:
        while self._waiting and len(self._running) < self.config.max_running:
            happening, command = self._waiting.popleft()
            task = asyncio.create_task(self._carry_out(happening, command), name="script")
            self._running[task] = f"the script {command[0]!r} for {happening.occasion.value!r}"
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not self._closing:
            self._start_some()

    async def _carry_out(self, happening: Happening, command: tuple[str, ...]) -> None:
        about, event = _about(happening), happening.occasion.value
        words = happening.words()
        arguments = [fill(argument, words) for argument in command]
        own = {f"MILLSTREAM_{name.upper()}": as_argument(word) for name, word in words.items()}
        timeout = self.config.timeout
        try:
            outcome = await self._run(arguments, {**self._environment, **own}, timeout)
        except (OSError, ValueError) as error:
            # ValueError: what no system takes as an argument.
            about.error("the script for %r cannot be run: %s", event, error)
            return
        said = [
            line for line in outcome.output.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        for line in said[:MAX_LINES]:
            about.info("the script for %r says: %s", event, line)
        if len(said) > MAX_LINES:
            about.info("the script for %r says %d lines more", event, len(said) - MAX_LINES)
        if outcome.timed_out:
            about.error("the script for %r was ended: it took more than %g s", event, timeout)
        elif outcome.code:
            about.error("the script for %r failed: %s", event, _exit_words(outcome.code))
        else:
            about.info("the script for %r ran", event)


def _about(happening: Happening) -> ComponentLogger:
    return _LOG.bind(torrent=happening.infohash)


def _exit_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
