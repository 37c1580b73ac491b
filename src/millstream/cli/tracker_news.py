"""What trackers answer, told once for each change: without it, `no peers` has no reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from millstream.cli.display import Display
from millstream.cli.formatting import format_duration, plural, safe_text

if TYPE_CHECKING:
    from millstream import TrackerStatus

# Failing trackers that people are told of: of the hundred in some magnet links half are gone for
# years. Scripts are told of all.
MAX_TOLD = 10

# How the library says that an address is not global (`protocol.address_scope`).
_REFUSAL = "unless that is allowed"

_Standing: TypeAlias = "tuple[str, str | None, str | None, int | None, int | None, int]"


class TrackerNews:
    """Compares each look at the trackers of a torrent with the one before."""

    def __init__(self) -> None:
        self._seen: dict[str, _Standing] = {}
        self._failing: set[str] = set()
        self._told = 0

    def tell(self, display: Display, trackers: Iterable[TrackerStatus]) -> None:
        """Say what is new: failures to people and scripts, all else to scripts."""
        from millstream import TrackerState

        for tracker in trackers:
            # While an announce is under way the tracker is what it was before.
            if tracker.state in {TrackerState.ANNOUNCING, TrackerState.IDLE}:
                continue
            standing = (
                tracker.state.value,
                tracker.error,
                tracker.warning,
                tracker.seeders,
                tracker.leechers,
                tracker.peers,
            )
            before = self._seen.get(tracker.url)
            if standing == before:
                continue
            self._seen[tracker.url] = standing
            new_warning = before is None or before[2] != tracker.warning
            sentence = self._sentence(tracker, new_warning=new_warning)
            display.event(
                "tracker",
                sentence,
                good=None if not sentence else tracker.error is None,
                url=tracker.url,
                state=tracker.state.value,
                error=tracker.error,
                warning=tracker.warning,
                seeders=tracker.seeders,
                leechers=tracker.leechers,
                peers=tracker.peers,
                next_announce=_whole(tracker.next_announce),
            )

    def _sentence(self, tracker: TrackerStatus, *, new_warning: bool) -> str:
        url = safe_text(tracker.url)
        if tracker.error is not None:
            self._failing.add(tracker.url)
            self._told += 1
            if self._told > MAX_TOLD:
                over = self._told == MAX_TOLD + 1
                return "More trackers fail; --json tells of all." if over else ""
            hint = "; --allow-local allows it" if tracker.error.endswith(_REFUSAL) else ""
            again = (
                f"; next try in {format_duration(_whole(tracker.next_announce))}"
                if tracker.next_announce and not hint
                else ""
            )
            return f"Tracker {url}: {safe_text(' '.join(tracker.error.split()))}{hint}{again}"
        if tracker.url in self._failing:
            self._failing.discard(tracker.url)
            return f"Tracker {url} answers now: {_counts(tracker)}"
        if tracker.warning and new_warning:
            return f"Tracker {url} says: {safe_text(tracker.warning)}"
        return ""


def _counts(tracker: TrackerStatus) -> str:
    if tracker.seeders is None or tracker.leechers is None:
        return plural(tracker.peers, "peer")
    return f"{plural(tracker.seeders, 'seeder')}, {plural(tracker.leechers, 'leecher')}"


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
