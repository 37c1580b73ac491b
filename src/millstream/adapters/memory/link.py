"""A host's line to the simulated internet: rates, latency and loss.

Cost decides the shape. A swarm of hundreds of peers must be simulated in seconds, so bytes travel
in quanta of up to 64 KiB and each costs at most three events: it left the uplink, it arrived, it
came through the downlink. What costs no time costs no event (see `agenda`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from millstream.adapters.memory.agenda import Agenda
from millstream.errors import ConfigError

# What a connection may put on the uplink before it is another's turn: 50 ms of the line, within
# bounds. Less is fairer and costs more events.
QUANTUM_SECONDS = 0.05
MIN_QUANTUM = 16 * 1024
MAX_QUANTUM = 64 * 1024
# A flow that was idle and has no more than this goes first, as in the queues of Linux (fq_codel, RFC
# 8290, section 1.2): real lines change turns by the packet, and a request waits for no 16 KiB of
# each of the others.
SPARSE_LENGTH = 1460


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkProfile:
    """How a host is connected.

    Attributes:
        up: bytes per second out of the host, shared by its connections in turns; None: unlimited.
        down: bytes per second into the host, first come first served; None: unlimited.
        latency: seconds that the host's end adds to a path, each way: between two hosts the
            one-way latency is the sum of both.
        loss: probability, 0 up to but not including 1, that a packet is lost at the host's end. A
            stream loses no bytes: loss delays, and all that follows waits behind.
    """

    up: float | None = None
    down: float | None = None
    latency: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        if (self.up is not None and self.up <= 0) or (self.down is not None and self.down <= 0):
            raise ConfigError("a link's rate must be above zero, or None for unlimited")
        if self.latency < 0:
            raise ConfigError(f"a link's latency is {self.latency}; it must not be negative")
        if not 0 <= self.loss < 1:
            raise ConfigError(f"a link's loss is {self.loss}; it must be at least 0 and below 1")


class Segment(NamedTuple):
    """Bytes that travel together; `last` ends the stream behind them."""

    buffers: list[bytes | memoryview]
    length: int
    last: bool


class Flow(Protocol):
    """What a link asks of the streams that leave through it."""

    @property
    def backlog_bytes(self) -> int:
        """How many bytes there are to take."""

    def take(self, limit: int | None) -> Segment:
        """Hand over the next bytes, at most `limit`."""

    def has_more(self) -> bool:
        """Whether there is more to take; False means that the flow will queue itself again."""

    def travel(self, segment: Segment) -> None:
        """Go on from the uplink."""


class Link:
    """The state of one host's line. `profile` and `online` may change at any time.

    Args:
        profile: how the host is connected.
        agenda: what the links of a network have in common; None for one of its own.
    """

    def __init__(self, profile: LinkProfile, agenda: Agenda | None = None) -> None:
        self.profile = profile
        self.agenda = agenda or Agenda()
        self.online = True
        self._fresh: deque[Flow] = deque()  # were idle
        self._waiting: deque[Flow] = deque()
        self._sending = False
        self._uplink_free_at = 0.0
        self._downlink_free_at = 0.0

    def enqueue(self, flow: Flow) -> None:
        """Take a flow with something to send into the turns of the uplink."""
        self._fresh.append(flow)
        if not self._sending:
            self._sending = True
            # Not now: whatever else is written in this iteration of the loop joins the quantum.
            self.agenda.soon(self._send)

    def _send(self) -> None:
        now = asyncio.get_running_loop().time()
        self._uplink_free_at = max(now, self._uplink_free_at)
        self._send_next(now)

    def _send_next(self, now: float) -> None:
        # One turn for those who wait now. Flows that a delivery wakes come in the next event, so
        # that an unlimited link never holds the loop for longer than a window of each flow.
        for _ in range(len(self._fresh) + len(self._waiting)):
            flow = self._next()
            rate = self.profile.up
            segment = flow.take(None if rate is None else quantum(rate))
            if rate is not None and segment.length:
                self._uplink_free_at += segment.length / rate
                if not self.agenda.is_due(self._uplink_free_at, now):
                    self.agenda.at(self._uplink_free_at, partial(self._sent, flow, segment))
                    return
            self._pass_on(flow, segment)
        if self._waiting or self._fresh:
            self.agenda.soon(self._send)
        else:
            self._sending = False

    def _next(self) -> Flow:
        while self._fresh:
            flow = self._fresh.popleft()
            if flow.backlog_bytes <= SPARSE_LENGTH:
                return flow
            self._waiting.append(flow)
        return self._waiting.popleft()

    def _sent(self, flow: Flow, segment: Segment) -> None:
        self._pass_on(flow, segment)
        # From the exact time on, which the agenda rounded.
        self._send_next(asyncio.get_running_loop().time())

    def _pass_on(self, flow: Flow, segment: Segment) -> None:
        if flow.has_more():
            self._waiting.append(flow)
        flow.travel(segment)

    def through_downlink(self, now: float, length: int) -> float:
        """Reserve the downlink for bytes that arrive now; return when the last one is through."""
        rate = self.profile.down
        if rate is None:
            return now
        self._downlink_free_at = max(now, self._downlink_free_at) + length / rate
        return self._downlink_free_at


def quantum(rate: float) -> int:
    """Return the most bytes that one flow sends in its turn on a line of `rate` bytes/s."""
    return max(MIN_QUANTUM, min(MAX_QUANTUM, int(rate * QUANTUM_SECONDS)))
