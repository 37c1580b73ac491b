"""`--json`: one JSON object per line.

Every object has the key `event`. The keys of each event are part of the interface: they are added
to, never renamed.

- `started`: `name`, `infohash`, `total_length`, `piece_count`, `save_path`, `port`
- `progress`, about once a second: either a transfer with the keys of TRANSFER_KEYS, or a count
  with `doing`, `done`, `total`, `unit`
- `seeding`: `name`, `infohash`, `port`
- `file_made`, `torrent_made`, `seeder_ready`, `downloaded`, `compared`: the steps of `demo`
- `complete`, once, when the work is done; its keys are those of the command
- `info`, alone: the answer of `millstream info`
- `magnet`, alone: `magnet`, `infohash`, `name`, `trackers`, `web_seeds`
- `scrape`, for each tracker and torrent: `url`, `infohash`, `seeders`, `leechers`, `completed`,
  `error`
- `tracking`: `http_url`, `udp_url`, `hosts`, `port`, `interval`
- `swarm`, when its numbers have changed: `infohash`, `seeders`, `leechers`, `completed`
- `stopped`: `progress`, `exit_code`
- `error`, last: `message`, `exit_code`

Sizes are bytes, rates bytes per second, times seconds; what is unknown is null.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from millstream.cli.display import JsonValue, Unit
from millstream.cli.exit_codes import exit_code_of
from millstream.cli.failures import is_reportable, sentence_of

if TYPE_CHECKING:
    from millstream import TorrentStatus

INTERVAL = 1.0

TRANSFER_KEYS = (
    "progress",
    "pieces_have",
    "piece_count",
    "checked_pieces",
    "bytes_done",
    "total_length",
    "download_rate",
    "upload_rate",
    "downloaded",
    "uploaded",
    "wasted",
    "peers",
    "seeds",
    "eta",
)


class JsonLines:
    """Writes events as lines of JSON, flushed one by one."""

    def __init__(self, output: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._next = -1.0
        self._last_doing = ""

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Write the facts; the sentence is for people."""
        self.write(name, facts)

    def note(self, sentence: str, /) -> None:
        """Nothing: it is for people."""

    def transfer(self, name: str, status: TorrentStatus, pieces: bytes) -> None:
        """Write a status about once a second, and at each change of state."""
        state = str(status.state.value)
        if self._is_due(state):
            facts: dict[str, JsonValue] = {"state": state}
            facts.update({key: _rounded(getattr(status, key)) for key in TRANSFER_KEYS})
            self.write("progress", facts)

    def count(self, doing: str, what: str, done: int, total: int, unit: Unit = "piece") -> None:
        """Write a count about once a second."""
        if self._is_due(doing):
            self.write(
                "progress",
                {"doing": doing.lower(), "done": done, "total": total, "unit": unit},
            )

    def write(self, name: str, facts: Mapping[str, JsonValue]) -> None:
        """Write an event."""
        # ASCII only: a pipe's encoding is anybody's guess, and file names may hold surrogates.
        self._output.write(json.dumps({"event": name, **facts}) + "\n")
        self._output.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and is_reportable(error):
            self.event("error", message=sentence_of(error), exit_code=int(exit_code_of(error)))

    def _is_due(self, doing: str) -> bool:
        now = self._clock()
        if doing == self._last_doing and now < self._next:
            return False
        self._last_doing = doing
        self._next = now + INTERVAL
        return True


def _rounded(value: JsonValue) -> JsonValue:
    return round(value, 4) if isinstance(value, float) else value
