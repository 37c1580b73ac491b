"""What happened to a torrent, for whoever wants to know."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from millstream.core.torrent_state import TorrentState
from millstream.errors import MillstreamError
from millstream.protocol.compact import PeerAddress

# Events kept for a subscriber that does not read; libtorrent keeps 2000 alerts. The oldest go.
MAX_PENDING_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The torrent's state changed."""

    before: TorrentState
    after: TorrentState


@dataclass(frozen=True, slots=True)
class PieceVerified:
    """A piece matched its digest and is on the disk."""

    piece: int


@dataclass(frozen=True, slots=True)
class PieceFailed:
    """A piece did not match its digest and was thrown away."""

    piece: int


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A peer finished its handshake."""

    address: PeerAddress
    client: str


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """A peer is gone, and why."""

    address: PeerAddress
    reason: str


@dataclass(frozen=True, slots=True)
class PeerBanned:
    """A peer will not be talked to again, and why."""

    address: PeerAddress
    reason: str


@dataclass(frozen=True, slots=True)
class TorrentCompleted:
    """The last wanted piece was verified."""


@dataclass(frozen=True, slots=True)
class TorrentFailed:
    """The torrent stopped in its error state."""

    error: MillstreamError


@dataclass(frozen=True, slots=True)
class TorrentMoved:
    """Its files are at another place."""

    save_path: str


@dataclass(frozen=True, slots=True)
class FilesRenamed:
    """Files have other paths, by their numbers in the metainfo's order."""

    paths: Mapping[int, str]


Event = (
    StateChanged
    | PieceVerified
    | PieceFailed
    | PeerConnected
    | PeerDisconnected
    | PeerBanned
    | TorrentCompleted
    | TorrentFailed
    | TorrentMoved
    | FilesRenamed
)


class EventStream(AsyncIterator[Event]):
    """One subscriber's view of the events, from its creation on. Ends with the torrent."""

    def __init__(self) -> None:
        self._pending: deque[Event] = deque(maxlen=MAX_PENDING_EVENTS)
        self._news = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Append an event."""
        self._pending.append(event)
        self._news.set()

    def end(self) -> None:
        """No more events will come."""
        self._ended = True
        self._news.set()

    async def __anext__(self) -> Event:
        while not self._pending:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._pending.popleft()


class EventHub:
    """Hands every event of a torrent to all subscribers."""

    __slots__ = ("_ended", "_listeners", "_streams")

    def __init__(self) -> None:
        self._streams: tuple[EventStream, ...] = ()
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._ended = False

    def subscribe(self) -> EventStream:
        """A new stream, from now on."""
        stream = EventStream()
        if self._ended:
            stream.end()
        else:
            self._streams = (*self._streams, stream)
        return stream

    def unsubscribe(self, stream: EventStream) -> None:
        """Forget a stream."""
        self._streams = tuple([each for each in self._streams if each is not stream])

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call this with every event, at once: it must be quick and raise nothing."""
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Callable[[Event], None]) -> None:
        """Forget a listener."""
        self._listeners = tuple([each for each in self._listeners if each is not listener])

    def emit(self, event: Event) -> None:
        """Tell all subscribers."""
        for listener in self._listeners:
            listener(event)
        for stream in self._streams:
            stream.put(event)

    def end(self) -> None:
        """End all streams, now and to come."""
        self._ended = True
        for stream in self._streams:
            stream.end()
        self._streams = ()
        self._listeners = ()
