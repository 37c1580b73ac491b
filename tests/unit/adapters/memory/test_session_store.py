from __future__ import annotations

from millstream.adapters.memory import MemorySessionStore
from millstream.interfaces.session_store import SessionStore
from millstream.testing import run_virtual


def test_it_is_a_session_store() -> None:
    store: SessionStore = MemorySessionStore()
    assert store


def test_values_are_copies() -> None:
    async def story() -> None:
        store = MemorySessionStore()
        value = bytearray(b"before")
        await store.set("a", value)
        await store.apply({"b": value})
        value[:] = b"after!"
        assert await store.get("a") == await store.get("b") == b"before"

    run_virtual(story())


def test_it_outlives_the_loop() -> None:
    store = MemorySessionStore()
    run_virtual(store.set("torrents", b"x"))
    assert run_virtual(store.get("torrents")) == b"x"
