from __future__ import annotations

import asyncio
from types import SimpleNamespace

from millstream.events import PieceVerified, TorrentCompleted
from millstream.protocol.infohash import InfoHash
from millstream.rpc.feed import MAX_PENDING, Feed

HASHES = [InfoHash(letter * 20) for letter in (b"a", b"b")]


def torrent(info_hash):
    listeners = []
    return SimpleNamespace(info_hash=info_hash, listen=listeners.append, listeners=listeners)


async def test_passes_on_what_happens_to_every_torrent():
    feed = Feed()
    first, second = map(torrent, HASHES)
    feed.watch(first)
    feed.watch(second)
    subscription = feed.subscribe()
    first.listeners[0](PieceVerified(7))
    second.listeners[0](TorrentCompleted())
    assert await subscription.take() == [
        {"type": "pieceVerified", "piece": 7, "id": str(HASHES[0])},
        {"type": "torrentCompleted", "id": str(HASHES[1])},
    ]


async def test_a_subscription_may_be_of_one_torrent():
    feed = Feed()
    subscription = feed.subscribe("a")
    for event in ({"type": "x", "id": "b"}, {"type": "y", "id": "a"}, {"type": "engineStopped"}):
        feed.tell(event)
    assert [event["type"] for event in await subscription.take()] == ["y", "engineStopped"]


async def test_waits_until_there_is_something():
    feed = Feed()
    subscription = feed.subscribe()
    taking = asyncio.create_task(subscription.take())
    await asyncio.sleep(0)
    assert not taking.done()
    feed.tell({"type": "x"})
    assert await taking == [{"type": "x"}]


async def test_who_does_not_read_loses_the_oldest_and_is_told():
    feed = Feed()
    subscription = feed.subscribe()
    for number in range(MAX_PENDING + 3):
        feed.tell({"type": "x", "n": number})
    events = await subscription.take()
    assert events[:2] == [{"type": "lost", "count": 3}, {"type": "x", "n": 3}]
    assert len(events) == MAX_PENDING + 1


async def test_nothing_comes_after_the_end():
    feed = Feed()
    subscription = feed.subscribe()
    feed.unsubscribe(subscription)
    feed.tell({"type": "x"})
    taking = asyncio.create_task(subscription.take())
    await asyncio.sleep(0)
    assert not taking.done()
    taking.cancel()
