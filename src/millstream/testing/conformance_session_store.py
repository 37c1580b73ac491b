"""What every `interfaces.session_store.SessionStore` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager

from millstream.interfaces.session_store import SessionStore


class _BrokenBatch(Mapping[str, bytes | None]):
    """A batch whose second half cannot be had."""

    def __getitem__(self, key: str) -> bytes | None:
        if key != "a":
            raise ValueError(key)
        return b"changed"

    def __iter__(self) -> Iterator[str]:
        yield "a"
        yield "b"

    def __len__(self) -> int:
        return 2


class SessionStoreConformance:
    """Derive, override `open_store`, and run the tests."""

    def open_store(self) -> AbstractAsyncContextManager[SessionStore]:
        """Give an empty store; it is closed at the end."""
        raise NotImplementedError

    async def test_what_was_set_is_there(self) -> None:
        """A value comes back; setting again replaces it; keys are apart."""
        async with self.open_store() as store:
            assert await store.get("torrents") is None
            await store.set("torrents", b"one")
            await store.set("torrents", b"two")
            await store.set("dht:state", b"three")
            assert await store.get("torrents") == b"two"
            assert await store.get("dht:state") == b"three"

    async def test_values_are_any_bytes(self) -> None:
        """Nothing is something; every byte comes back, also a mebibyte of them."""
        async with self.open_store() as store:
            for value in (b"", bytes(range(256)), bytes(1 << 20)):
                await store.set("key", value)
                found = await store.get("key")
                assert found == value
                assert isinstance(found, bytes)

    async def test_delete_removes(self) -> None:
        """A deleted key is absent; deleting an absent one is fine."""
        async with self.open_store() as store:
            await store.set("a", b"1")
            await store.set("b", b"2")
            await store.delete("a")
            await store.delete("a")
            assert await store.get("a") is None
            assert await store.keys() == ["b"]

    async def test_keys_are_sorted_by_prefix(self) -> None:
        """Exactly the keys that begin with the prefix, case and all, in order."""
        async with self.open_store() as store:
            keys = ["torrent:b:state", "torrent:a:state", "torrents", "Torrent:c", "dht:state"]
            for key in keys:
                await store.set(key, b"x")
            assert await store.keys() == sorted(keys)
            assert await store.keys("torrent:") == ["torrent:a:state", "torrent:b:state"]
            assert await store.keys("torrents") == ["torrents"]
            assert await store.keys("nothing") == []

    async def test_prefixes_are_no_patterns(self) -> None:
        """Characters that mean something to a database mean themselves, in any script."""
        async with self.open_store() as store:
            keys = ["a%b", "a_b", "a*b", "a[b", "a'b", "a\\b", "axb", "é:1", "\U0010ffff:1"]
            for key in keys:
                await store.set(key, key.encode())
            for key in keys:
                assert await store.keys(key) == [key]
                assert await store.keys(key[:2]) == [key]
                assert await store.get(key) == key.encode()

    async def test_clear_removes_everything(self) -> None:
        """After clearing there is no key, and new ones can be set."""
        async with self.open_store() as store:
            await store.set("a", b"1")
            await store.clear()
            assert await store.keys() == []
            await store.set("b", b"2")
            assert await store.keys() == ["b"]

    async def test_apply_sets_and_removes(self) -> None:
        """A batch stores its bytes and removes its Nones, absent ones too."""
        async with self.open_store() as store:
            await store.set("old", b"1")
            await store.set("kept", b"2")
            await store.apply({"old": None, "absent": None, "new": b"3", "empty": b""})
            assert await store.keys() == ["empty", "kept", "new"]
            assert await store.get("new") == b"3"
            assert await store.get("empty") == b""
            await store.apply({})
            assert await store.keys() == ["empty", "kept", "new"]

    async def test_apply_is_all_or_nothing(self) -> None:
        """A batch that fails half-way changes nothing."""
        async with self.open_store() as store:
            await store.set("a", b"before")
            try:
                await store.apply(_BrokenBatch())
            except Exception:  # noqa: BLE001  which error it is, is not the contract's matter
                assert await store.get("a") == b"before"
                assert await store.keys() == ["a"]
            else:
                raise AssertionError("the broken batch was taken")

    async def test_a_later_change_of_the_batch_means_nothing(self) -> None:
        """The caller's mapping is read during the call only."""
        async with self.open_store() as store:
            batch: dict[str, bytes | None] = {"a": b"1"}
            await store.apply(batch)
            batch["a"] = b"2"
            assert await store.get("a") == b"1"

    async def test_calls_may_overlap(self) -> None:
        """Fifty calls at once all take effect."""
        async with self.open_store() as store:
            await asyncio.gather(*(store.set(f"key:{n:02}", b"%d" % n) for n in range(50)))
            assert len(await store.keys("key:")) == 50
            values = await asyncio.gather(*(store.get(f"key:{n:02}") for n in range(50)))
            assert values == [b"%d" % n for n in range(50)]

    async def test_many_at_once(self) -> None:
        """The values of those keys that are there, however many are asked for."""
        async with self.open_store() as store:
            keys = [f"key:{n}" for n in range(1200)]
            await store.apply({key: key.encode() for key in keys[::2]})
            assert await store.get_many(keys) == {key: key.encode() for key in keys[::2]}
            assert await store.get_many(iter(["key:0", "absent", "key:0"])) == {"key:0": b"key:0"}
            assert await store.get_many([]) == {}

    async def test_closed_it_keeps_everything_and_opens_again(self) -> None:
        """Closing frees what it holds, may be repeated, and the next call finds all."""
        async with self.open_store() as store:
            await store.close()
            await store.set("a", b"1")
            await store.close()
            await store.close()
            assert await store.get("a") == b"1"
            await store.apply({"a": None, "b": b"2"})
            await store.close()
            assert await store.keys() == ["b"]
