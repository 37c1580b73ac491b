"""Where an engine keeps what it must remember between runs (seeds 002 and 003)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class SessionStore(Protocol):
    """Bytes under text keys such as `torrent:{infohash}:state`.

    A store opens itself at the first call. Every method raises StorageError if the store cannot be
    used, another process having it for one. What a call stored is there in the next run, whatever
    happens to this one.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those keys that are there, in one go."""

    async def set(self, key: str, value: bytes) -> None:
        """Store a value."""

    async def delete(self, key: str) -> None:
        """Remove a key; an absent one is fine."""

    async def keys(self, prefix: str = "") -> list[str]:
        """All keys that begin with `prefix`, sorted."""

    async def clear(self) -> None:
        """Remove everything."""

    async def apply(self, batch: Mapping[str, bytes | None]) -> None:
        """Store (bytes) and remove (None) many keys: all of them or none."""

    async def close(self) -> None:
        """Let others have it, and free what it holds. Idempotent; the next call opens it again."""
