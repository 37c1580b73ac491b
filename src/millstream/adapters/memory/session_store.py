"""A session store that lasts as long as its object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class MemorySessionStore:
    """Implements `interfaces.session_store.SessionStore`.

    Give the same object to the next engine, and it finds what the last one stored.
    """

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        return self._values.get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are there."""
        return {key: self._values[key] for key in keys if key in self._values}

    async def set(self, key: str, value: bytes) -> None:
        """Store a value."""
        self._values[key] = bytes(value)

    async def delete(self, key: str) -> None:
        """Remove a key; an absent one is fine."""
        self._values.pop(key, None)

    async def keys(self, prefix: str = "") -> list[str]:
        """Return all keys that begin with `prefix`, sorted."""
        return sorted(key for key in self._values if key.startswith(prefix))

    async def clear(self) -> None:
        """Remove everything."""
        self._values.clear()

    async def apply(self, batch: Mapping[str, bytes | None]) -> None:
        """Store and remove many keys: all of them or none."""
        values = dict(self._values)
        for key, value in batch.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = bytes(value)
        self._values = values

    async def close(self) -> None:
        """Do nothing: everything stays for the next engine."""
