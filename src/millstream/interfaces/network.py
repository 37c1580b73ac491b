"""Streams and datagrams: what the engine asks of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from millstream.protocol.compact import PeerAddress

Buffer = bytes | bytearray | memoryview


class ConnectionHandler(Protocol):
    """The engine's end of a connection. All calls come from the loop's thread, none re-entrantly."""

    def data_received(self, view: memoryview) -> None:
        """Take what arrived. `view` is borrowed: it is valid until return, and never empty.

        It is writable: who decrypts, decrypts in place.

        It must not raise; what a peer sends is no exception to the loop.
        """

    def output_drained(self) -> None:
        """`unsent_bytes` fell back to zero after a write could not be sent whole at once."""

    def connection_lost(self, reason: Exception | None) -> None:
        """The connection is gone; called exactly once. None: closed in order, by either side."""


class Connection(Protocol):
    """One byte stream to a peer. Every method may be called after the close and then does nothing."""

    @property
    def remote(self) -> PeerAddress:
        """Where the peer is."""

    @property
    def unsent_bytes(self) -> int:
        """How many bytes were written and not yet handed to the network."""

    def write(self, data: bytes) -> None:
        """Send, after everything written before. Never blocks; what does not fit is kept."""

    def write_many(self, buffers: Sequence[Buffer], sent: Callable[[], None] | None = None) -> None:
        """Send the buffers in order, by one vectored send where the platform can.

        The buffers are borrowed until `sent` is called, which happens exactly once: when the last
        byte was handed over (perhaps before this returns), or when the connection is or was lost.
        """

    def pause_reading(self) -> None:
        """Stop calling `data_received`: the back-pressure from the disk to the peer."""

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""

    def limit_receive(self, most: int | None) -> None:
        """Bring at most so many bytes, one or more, by one `data_received`; None: as many as come.

        For rate limits: one receive can bring more than a slow limit allows in a second.
        """

    def close(self) -> None:
        """Close now, dropping what is unsent. `connection_lost(None)` follows, not from within."""


class Listener(Protocol):
    """A listening port."""

    @property
    def address(self) -> PeerAddress:
        """Where it listens, with the port that was really bound."""

    def close(self) -> None:
        """Stop accepting. Accepted connections stay."""


class DatagramHandler(Protocol):
    """The engine's end of a datagram socket. All calls come from the loop's thread."""

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        """Take a datagram. `data` is borrowed: it is valid until return. It must not raise."""


class DatagramSocket(Protocol):
    """A bound datagram socket."""

    @property
    def address(self) -> PeerAddress:
        """Where it is bound, with the port that was really bound."""

    def send(self, data: bytes, address: PeerAddress) -> None:
        """Send, or lose it: a datagram that cannot leave at once is dropped, and so are errors."""

    def close(self) -> None:
        """Close. Nothing is received any more."""


class Network(Protocol):
    """A platform's streams."""

    async def connect(
        self, address: PeerAddress, make_handler: Callable[[Connection], ConnectionHandler]
    ) -> Connection:
        """Connect, then ask for the handler. Raises NetworkError; cancelling abandons the attempt."""

    async def listen(
        self, address: PeerAddress, accept: Callable[[Connection], ConnectionHandler]
    ) -> Listener:
        """Accept connections at `address` (port 0: any free port). Raises NetworkError."""

    async def open_datagram(
        self, address: PeerAddress, make_handler: Callable[[DatagramSocket], DatagramHandler]
    ) -> DatagramSocket:
        """Bind a datagram socket at `address` (port 0: any free port). Raises NetworkError."""

    async def resolve(self, host: str) -> list[str]:
        """The addresses of a host name, IPv4 and IPv6, best first; an address is its own.

        Raises NetworkError if there is none.
        """
