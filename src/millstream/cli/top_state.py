"""What `millstream top` shows of the torrents, and how keys change it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millstream.cli.torrent_table import COLUMNS, FIELDS, NAME

SORTS = {column.label: column.sort for column in COLUMNS} | {NAME: "name"}
"""The heads of the columns, and the fields of the daemon by which they are sorted."""

# Words begin with A, amounts with the largest.
_ASCENDING = {"id", "state", "name", "eta"}

FILTERS = {
    "all": "",
    "active": "downloading_metadata,checking,downloading,seeding",
    "downloading": "downloading_metadata,downloading",
    "seeding": "seeding",
    "checking": "checking",
    "queued": "queued",
    "stopped": "stopped",
    "error": "error",
}
"""What `f` chooses in turn, and the daemon's states for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopState:
    """What is looked at.

    Attributes:
        sort: the head of the column by which the torrents are sorted.
        reverse: whether the other way round than usual.
        shown: one of FILTERS.
        name: what must be in their names.
        offset: how many are above the first row.
    """

    sort: str = "DOWN"
    reverse: bool = False
    shown: str = "all"
    name: str | None = None
    offset: int = 0

    def pressed(self, key: str, rows: int, count: int) -> TopState | None:
        """The state after a key; None if it ends the view.

        Args:
            key: as `top_keys` names it.
            rows: how many torrents fit.
            count: how many there are to be seen.
        """
        match key:
            case "q" | "escape":
                return None
            case "s" | "right":
                return replace(self, sort=_next(SORTS, self.sort), reverse=False, offset=0)
            case "left":
                return replace(self, sort=_next(SORTS, self.sort, -1), reverse=False, offset=0)
            case "r":
                return replace(self, reverse=not self.reverse, offset=0)
            case "f":
                return replace(self, shown=_next(FILTERS, self.shown), offset=0)
        steps = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": rows, " ": rows, "pageup": -rows}
        offset = {"home": 0, "end": count}.get(key, self.offset + steps.get(key, 0))
        return replace(self, offset=max(0, min(offset, count - rows)))

    def query(self, rows: int | None) -> dict[str, str | int | None]:
        """What the daemon is asked for.

        Args:
            rows: how many torrents fit; None for all.
        """
        field = SORTS[self.sort]
        descends = (field not in _ASCENDING) != self.reverse
        # Of those that are alike the busy ones come first.
        keys = ["-" * descends + field, "-downloadRate", "-uploadRate", "name"]
        return {
            "fields": ",".join(FIELDS),
            "sort": ",".join(keys),
            "state": FILTERS[self.shown] or None,
            "name": self.name,
            "offset": self.offset,
            "limit": rows,
            "totals": "true",
        }


def _next(words: dict[str, str], word: str, step: int = 1) -> str:
    order = list(words)
    return order[(order.index(word) + step) % len(order)]
