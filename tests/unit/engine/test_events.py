from __future__ import annotations

import asyncio

import pytest

from millstream.engine.events import (
    MAX_PENDING_EVENTS,
    EventHub,
    EventStream,
    PieceFailed,
    PieceVerified,
    TorrentCompleted,
)
from millstream.testing import in_virtual_time


async def everything(stream: EventStream) -> list[object]:
    return [event async for event in stream]


@in_virtual_time
class TestEvents:
    async def test_events_come_in_order(self):
        hub = EventHub()
        stream = hub.subscribe()
        for event in (PieceVerified(1), PieceFailed(2), TorrentCompleted()):
            hub.emit(event)
        hub.end()
        assert await everything(stream) == [PieceVerified(1), PieceFailed(2), TorrentCompleted()]

    async def test_a_subscriber_waits_for_news(self):
        hub = EventHub()
        stream = hub.subscribe()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(100)
        assert not waiting.done()
        hub.emit(PieceVerified(1))
        assert await waiting == PieceVerified(1)
        waiting = asyncio.ensure_future(everything(stream))
        await asyncio.sleep(100)
        hub.end()
        assert await waiting == []

    async def test_every_subscriber_sees_what_happens_after_it_came(self):
        hub = EventHub()
        early = hub.subscribe()
        hub.emit(PieceVerified(1))
        late = hub.subscribe()
        hub.emit(PieceVerified(2))
        hub.end()
        assert await everything(early) == [PieceVerified(1), PieceVerified(2)]
        assert await everything(late) == [PieceVerified(2)]

    async def test_who_unsubscribed_hears_no_more(self):
        hub = EventHub()
        stream = hub.subscribe()
        hub.emit(PieceVerified(1))
        hub.unsubscribe(stream)
        hub.unsubscribe(stream)
        hub.emit(PieceVerified(2))
        stream.end()
        assert await everything(stream) == [PieceVerified(1)]

    async def test_after_the_end_there_is_nothing(self):
        hub = EventHub()
        hub.end()
        hub.emit(PieceVerified(1))
        assert await everything(hub.subscribe()) == []

    async def test_an_ended_stream_stays_ended(self):
        stream = EventHub().subscribe()
        stream.end()
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    async def test_of_too_many_events_the_oldest_go(self):
        hub = EventHub()
        stream = hub.subscribe()
        for piece in range(MAX_PENDING_EVENTS + 3):
            hub.emit(PieceVerified(piece))
        hub.end()
        kept = await everything(stream)
        assert len(kept) == MAX_PENDING_EVENTS
        assert kept[0] == PieceVerified(3)
