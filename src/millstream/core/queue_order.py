"""The order in which torrents get their turns."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class QueueMove(enum.Enum):
    """Where torrents are moved to within the order."""

    UP = "up"
    DOWN = "down"
    TOP = "top"
    BOTTOM = "bottom"


class QueueOrder(Generic[K]):
    """One order for all torrents, positions 0 up without gaps.

    Downloads, seeds and stopped torrents are all in it, so that a download keeps its place when it
    is complete. libtorrent's has downloads only, and its seeds are ranked without the user.
    """

    __slots__ = ("_keys", "_positions")

    def __init__(self) -> None:
        self._keys: list[K] = []
        # Made when somebody asks, and thrown away when the order changes.
        self._positions: dict[K, int] | None = {}

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: K) -> bool:
        # Without making the index: all that leave, one after the other, would make it for each.
        return key in (self._keys if self._positions is None else self._positions)

    def add(self, key: K) -> None:
        """Put a torrent at the end, if it is not there yet."""
        index = self._index()
        if key not in index:
            index[key] = len(self._keys)
            self._keys.append(key)

    def remove(self, key: K) -> None:
        """Take a torrent out. Raises KeyError."""
        if self._positions is not None:
            del self._keys[self._positions[key]]
        else:
            try:
                self._keys.remove(key)
            except ValueError:
                raise KeyError(key) from None
        self._positions = None

    def position(self, key: K) -> int:
        """A torrent's place. Raises KeyError."""
        return self._index()[key]

    def move(self, keys: Iterable[K], where: QueueMove) -> bool:
        """Move torrents, which keep the order among themselves; whether anything changed.

        Up and down move each by one place; those that have reached the end stay there together.
        Raises KeyError.
        """
        chosen = self._known(keys)
        before = list(self._keys)
        match where:
            case QueueMove.UP:
                _step(self._keys, chosen)
            case QueueMove.DOWN:
                self._keys.reverse()
                _step(self._keys, chosen)
                self._keys.reverse()
            case QueueMove.TOP:
                self._keys.sort(key=lambda key: key not in chosen)
            case QueueMove.BOTTOM:
                self._keys.sort(key=chosen.__contains__)
        return self._has_changed(before)

    def place(self, key: K, position: int) -> bool:
        """Move a torrent to a position, or to the nearest there is; whether anything changed.

        Raises KeyError.
        """
        before = list(self._keys)
        del self._keys[self.position(key)]
        self._keys.insert(max(0, position), key)
        return self._has_changed(before)

    def arrange(self, keys: Iterable[K]) -> bool:
        """Put torrents in an order of old, as far as they are here; others stay behind them.

        Returns:
            Whether anything changed.
        """
        before = list(self._keys)
        here = self._index()
        first = [key for key in dict.fromkeys(keys) if key in here]
        self._keys = list(dict.fromkeys([*first, *before]))
        return self._has_changed(before)

    def _known(self, keys: Iterable[K]) -> set[K]:
        index, chosen = self._index(), set(keys)
        for key in chosen:
            if key not in index:
                raise KeyError(key)
        return chosen

    def _has_changed(self, before: list[K]) -> bool:
        if self._keys == before:
            return False
        self._positions = None
        return True

    def _index(self) -> dict[K, int]:
        if self._positions is None:
            self._positions = {key: position for position, key in enumerate(self._keys)}
        return self._positions


def _step(keys: list[K], chosen: set[K]) -> None:
    """Let each of the chosen change places with the one before it, unless that is chosen, too."""
    for at in range(1, len(keys)):
        if keys[at] in chosen and keys[at - 1] not in chosen:
            keys[at - 1], keys[at] = keys[at], keys[at - 1]
