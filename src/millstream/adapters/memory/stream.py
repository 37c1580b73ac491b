"""One direction of a simulated connection: from the sender's window to the receiver's buffer."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Protocol

from millstream.adapters.memory.link import MAX_QUANTUM, MIN_QUANTUM, Link, Segment, quantum

# The bytes a stream holds between its two ends, as a kernel's two socket buffers do: sized to the
# path, within bounds. Linux grows a receive buffer up to 6 MB (net.ipv4.tcp_rmem).
MAX_WINDOW = 4 << 20
PLAIN_WINDOW = 1 << 20

PACKET_LENGTH = 1460  # TCP's payload on Ethernet; loss strikes packets, not quanta
MIN_RETRANSMIT_DELAY = 0.01  # a loss costs something even on a path without latency


class StreamSender(Protocol):
    """The end that writes."""

    def room_made(self) -> None:
        """The window has room again."""


class StreamReceiver(Protocol):
    """The end that reads."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be read any more."""

    def read(self) -> None:
        """Take what arrived."""

    def be_reset(self) -> None:
        """Learn that the other end is gone without farewell."""


class Stream:
    """Bytes on their way, in order. The ends are given by `attach` before anything is sent.

    Attributes:
        backlog_bytes: what waits for the uplink.
        ended: whether the end of the stream arrived.
    """

    __slots__ = (
        "_agenda",
        "_arrived",
        "_backlog",
        "_end_sent",
        "_ending",
        "_in_flight",
        "_landing",
        "_last_arrival",
        "_queued",
        "_receiver",
        "_reset",
        "_rng",
        "_sender",
        "_source",
        "_target",
        "_travelling",
        "_window",
        "backlog_bytes",
        "ended",
    )

    _sender: StreamSender
    _receiver: StreamReceiver

    def __init__(self, source: Link, target: Link, rng: random.Random) -> None:
        self._source = source
        self._target = target
        self._agenda = source.agenda
        self._rng = rng
        self._window = _window(source, target)
        self._backlog: deque[bytes | memoryview] = deque()
        self.backlog_bytes = 0
        self._queued = False  # at the uplink
        self._travelling: deque[Segment] = deque()  # between the links, arrival times ascend
        self._last_arrival = 0.0
        self._landing: deque[Segment] = deque()  # in the downlink
        self._arrived: deque[bytes | memoryview] = deque()  # waits for the receiver
        self._in_flight = 0  # everything put and not yet consumed
        self._ending = False
        self._end_sent = False
        self._reset = False
        self.ended = False

    def attach(self, sender: StreamSender, receiver: StreamReceiver) -> None:
        """Name the two ends."""
        self._sender = sender
        self._receiver = receiver

    @property
    def latency(self) -> float:
        """Seconds from one end to the other, not counting the time for the bytes themselves."""
        return self._source.profile.latency + self._target.profile.latency

    @property
    def is_online(self) -> bool:
        """Whether both hosts are there. What arrives meanwhile waits, as if sent again later."""
        return self._source.online and self._target.online

    # The sender's end

    @property
    def room(self) -> int:
        """How many bytes `put` takes now."""
        return self._window - self._in_flight

    def put(self, data: bytes | memoryview) -> None:
        """Send bytes which nobody changes any more, at most `room`."""
        self._backlog.append(data)
        self.backlog_bytes += len(data)
        self._in_flight += len(data)
        self._queue()

    def end(self) -> None:
        """End the stream behind what was put."""
        self._ending = True
        self._queue()

    def reset(self) -> None:
        """Tear the stream off: what has not arrived is lost, and the receiver learns of it."""
        self._reset = True
        self._backlog.clear()
        self.backlog_bytes = 0
        now = asyncio.get_running_loop().time()
        self._agenda.at(now + self.latency, self._announce_reset)

    def _announce_reset(self) -> None:
        if self.is_online:
            self._receiver.be_reset()

    def catch_up(self) -> None:
        """Deliver what waited for a host that is online again."""
        if self._reset:
            self._announce_reset()
        else:
            self._receiver.read()

    # On the way

    def _queue(self) -> None:
        if not self._queued:
            self._queued = True
            self._source.enqueue(self)

    def take(self, limit: int | None) -> Segment:
        """Take the next bytes for the uplink."""
        down = self._target.profile.down
        if down is not None:  # more would hold the receiver's downlink too long
            limit = min(limit or MAX_QUANTUM, quantum(down))
        backlog = self._backlog
        length = self.backlog_bytes
        if limit is None or length <= limit:
            buffers = list(backlog)
            backlog.clear()
        else:
            buffers, length = [], limit
            while limit:
                head = backlog.popleft()
                if len(head) > limit:
                    rest = memoryview(head)
                    backlog.appendleft(rest[limit:])
                    head = rest[:limit]
                buffers.append(head)
                limit -= len(head)
        self.backlog_bytes -= length
        self._end_sent = self._ending and not backlog
        return Segment(buffers, length, self._end_sent)

    def has_more(self) -> bool:
        """Whether the uplink should come back; otherwise the next `put` queues again."""
        self._queued = bool(self._backlog) or (self._ending and not self._end_sent)
        return self._queued

    def travel(self, segment: Segment) -> None:
        """Take the way from the uplink to the downlink, behind whatever was delayed before."""
        now = asyncio.get_running_loop().time()
        delay = self.latency + self._retransmit_delay(segment.length)
        self._last_arrival = arrival = max(now + delay, self._last_arrival)
        self._travelling.append(segment)
        if self._agenda.is_due(arrival, now):
            self._arrive()
        else:
            self._agenda.at(arrival, self._arrive)

    def _retransmit_delay(self, length: int) -> float:
        near, far = self._source.profile.loss, self._target.profile.loss
        if not near and not far:
            return 0.0
        arrives = (1 - near) * (1 - far)
        packets = -(-length // PACKET_LENGTH)
        if self._rng.random() < arrives**packets:
            return 0.0
        # The sender learns of the loss by the acknowledgements of what came after it, one round
        # trip later; a lost retransmission waits twice as long, as TCP's timer does (RFC 6298).
        step = max(2 * self.latency, MIN_RETRANSMIT_DELAY)
        delay = step
        while self._rng.random() >= arrives:
            step *= 2
            delay += step
        return delay

    # Both steps pop the head: timers with equal deadlines may fire in any order, bytes may not.

    def _arrive(self) -> None:
        segment = self._travelling.popleft()
        self._landing.append(segment)
        now = asyncio.get_running_loop().time()
        through = self._target.through_downlink(now, segment.length)
        if self._agenda.is_due(through, now):
            self._land()
        else:
            self._agenda.at(through, self._land)

    def _land(self) -> None:
        segment = self._landing.popleft()
        if self._receiver.is_closed:
            self.consumed(segment.length)
            return
        self._arrived.extend(segment.buffers)
        self.ended = segment.last
        self._receiver.read()

    # The receiver's end

    def read_into(self, buffer: memoryview) -> int:
        """Copy what arrived into `buffer`, as much as fits; return how many bytes."""
        position = 0
        room = len(buffer)
        arrived = self._arrived
        while arrived and position < room:
            head = arrived.popleft()
            if len(head) > room - position:
                rest = memoryview(head)
                arrived.appendleft(rest[room - position :])
                head = rest[: room - position]
            buffer[position : position + len(head)] = head
            position += len(head)
        return position

    @property
    def is_at_end(self) -> bool:
        """Whether the end of the stream is all that is left to read."""
        return self.ended and not self._arrived

    def consumed(self, length: int) -> None:
        """Give room back to the sender."""
        if length:
            self._in_flight -= length
            self._sender.room_made()

    def drop_arrived(self) -> None:
        """Forget what arrived: the receiver closed."""
        length = sum(map(len, self._arrived))
        self._arrived.clear()
        self.consumed(length)


def _window(source: Link, target: Link) -> int:
    """Size the window: twice what the path holds in a round trip, and never idle for want of it."""
    rates = [rate for rate in (source.profile.up, target.profile.down) if rate is not None]
    latency = source.profile.latency + target.profile.latency
    if not rates:
        return MAX_WINDOW if latency else PLAIN_WINDOW
    rate = min(rates)
    return min(MAX_WINDOW, max(4 * quantum(rate), 4 * MIN_QUANTUM, int(4 * rate * latency)))
