"""`--json`: one JSON object per line.

Every object has the key `event`. The keys of each event are part of the interface: they are added
to, never renamed.

- `started`: `name`, `infohash`, `total_length`, `piece_count`, `save_path`, `port`; of a magnet link
  the sizes are null, and so is the name if the link has none
- `metadata`, of a magnet link, when it is here: `name`, `infohash`, `total_length`, `piece_count`,
  `file_count`
- `tracker`, when its answer is another one: `url`, `state` (`working`, `failed`, `disabled`),
  `error`, `warning`, `seeders`, `leechers`, `peers` (how many it named), `next_announce`
- `progress`, about once a second: either a transfer with the keys of TRANSFER_KEYS and
  `waiting_for` (why it has no peers, in words), or a count with `doing`, `done`, `total`, `unit`
- `peers`, about once a second, of `millstream peers` and with `--show-peers`: `seeds`, `waiting_for`
  and `peers`, each of which has `address` and the keys of PEER_KEYS
- `seeding`: `name`, `infohash`, `port`
- `watching`: `name`, `infohash`, `port`
- `file_made`, `torrent_made`, `seeder_ready`, `downloaded`, `compared`: the steps of `demo`
- `complete`, once, when the work is done; its keys are those of the command
- `info`, alone: the answer of `millstream info`
- `magnet`, alone: `magnet`, `infohash`, `name`, `trackers`, `web_seeds`
- `scrape`, for each tracker and torrent: `url`, `infohash`, `seeders`, `leechers`, `completed`,
  `error`
- `tracking`: `http_url`, `udp_url`, `hosts`, `port`, `interval`
- `swarm`, when its numbers have changed: `infohash`, `seeders`, `leechers`, `completed`
- `daemon`, once it runs: `url`, `port`, `peer_port`, `torrents` (how many came back)
- `added`: `infohash`, `name`; `paused`, `resumed`, `rechecking`, `removed`: `infohash`; `limits`:
  `download`, `upload`
- `queue`: `infohash`, `position` (from 0), `count`, `forced`, `auto_managed`; `goals`: `infohash`,
  `ratio`, `seed_time`, `idle_time`, `action`, each of which may be null or `inherit`
- `moved`: `infohash`, `save_path`; `moving`, with `--no-wait`; `renamed`: `infohash`, `old`, `new`
- `files`: `infohash` and `files`, each of which has `index`, `path`, `size`, `done`, `priority`
- `root`, for each storage root, and `root_removed`: `token`, `label`, `path`, `default`, `implicit`,
  `torrents`
- `torrent`, for each of `list`: the keys of `/torrent/{id}/status` (docs/control.md) in snake case,
  `infohash` for `id`; of `show` also `files`, `trackers` and `connected`, the peers
- `top`, alone: `totals`, `count` and `torrents`, with keys as of `torrent`
- `log`, for each line of the daemon's log: `number`, `time`, `level`, `component`, `torrent`, `peer`,
  `message`, `exception`; `lost`: `count`, lines that came too fast
- `settings`, alone: `path`, `exists` and `settings`, each of which has the keys of
  `cli.show_settings.facts`
- `stopped`: `progress`, `exit_code`
- `error`, last: `message`, `exit_code`

Sizes are bytes, rates bytes per second, times seconds; what is unknown is null.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from millstream.cli.display import JsonValue, Snapshot, Unit
from millstream.cli.exit_codes import exit_code_of
from millstream.cli.failures import is_reportable, sentence_of
from millstream.cli.swarm_changes import SwarmChanges

if TYPE_CHECKING:
    from millstream import InfoHash, PeerStatus, ScrapeEntry

INTERVAL = 1.0

TRANSFER_KEYS = (
    "progress",
    "metadata_progress",
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

PEER_KEYS = (
    "client",
    "incoming",
    "progress",
    "download_rate",
    "upload_rate",
    "downloaded",
    "uploaded",
    "flags",
    "source",
    "encryption",
)


class JsonLines:
    """Writes events as lines of JSON, flushed one by one."""

    def __init__(self, output: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._next = -1.0
        self._last_doing = ""
        self._swarms = SwarmChanges()

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Write the facts; the sentence is for people."""
        self.write(name, facts)

    def note(self, sentence: str, /) -> None:
        """Nothing: it is for people."""

    def lines(self, lines: Iterable[str], /) -> None:
        """Nothing: they are for people."""

    def transfer(self, snapshot: Snapshot) -> None:
        """Write a status about once a second, and at each change of state."""
        state = str(snapshot.status.state.value)
        if self._is_due(state):
            facts: dict[str, JsonValue] = {"state": state}
            facts.update({key: _rounded(getattr(snapshot.status, key)) for key in TRANSFER_KEYS})
            facts["waiting_for"] = snapshot.waiting_for or None
            self.write("progress", facts)
            if snapshot.peers is not None:
                self._write_peers(snapshot, snapshot.peers)

    def peers(self, snapshot: Snapshot) -> None:
        """Write the peers about once a second, and at each change of state."""
        if self._is_due(str(snapshot.status.state.value)):
            self._write_peers(snapshot, snapshot.peers or ())

    def swarms(self, swarms: Mapping[InfoHash, ScrapeEntry]) -> None:
        """Write the swarms that changed."""
        changed, _ = self._swarms.look(swarms)
        for info_hash, counts in changed:
            self.event(
                "swarm",
                infohash=str(info_hash),
                seeders=counts.seeders,
                leechers=counts.leechers,
                completed=counts.completed,
            )

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

    def _write_peers(self, snapshot: Snapshot, peers: Sequence[PeerStatus]) -> None:
        self.event(
            "peers",
            seeds=snapshot.status.seeds,
            waiting_for=snapshot.waiting_for or None,
            peers=[
                {"address": str(peer.address)}
                | {key: _rounded(getattr(peer, key)) for key in PEER_KEYS}
                for peer in peers
            ],
        )

    def _is_due(self, doing: str) -> bool:
        now = self._clock()
        if doing == self._last_doing and now < self._next:
            return False
        self._last_doing = doing
        self._next = now + INTERVAL
        return True


def _rounded(value: JsonValue) -> JsonValue:
    return round(value, 4) if isinstance(value, float) else value
