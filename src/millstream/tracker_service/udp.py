"""UDP: datagrams in and out of the tracker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from millstream.tracker.udp_tracker import UdpTracker
from millstream.tracker_service.sockets import client_host


class UdpServer(asyncio.DatagramProtocol):
    """One UDP socket of a tracker.

    Args:
        tracker: answers.
        clock: gives `now`.
    """

    def __init__(self, tracker: UdpTracker, clock: Callable[[], float]) -> None:
        self._tracker = tracker
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int, *tuple[int, ...]]) -> None:
        """Answer at once, or not at all."""
        transport = self._transport
        if transport is None or self._is_full:
            return
        answer = self._tracker.answer(data, client_host(addr[0]), self._clock())
        if answer is not None:
            transport.sendto(answer, addr)

    def pause_writing(self) -> None:
        """The kernel takes no more: what cannot leave now is lost, as in any network."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The kernel takes again."""
        self._is_full = False

    def error_received(self, exc: Exception) -> None:
        """Nothing: a client that is gone is no news."""
