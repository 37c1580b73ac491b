"""A TCP socket that is lent: credit decides how much of it is on its way, in each direction.

From the peer to the client, no more is received than the client gave credit for; the rest waits in the
kernel, and then at the peer. From the client to the peer, the client sends no more than its credit,
which comes back as the kernel takes what it sent. So a socket that nobody reads from, or whose
peer reads nothing, holds a window's worth of memory, and holds up nobody.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from millstream.errors import NetworkError
from millstream.interfaces.network import Connection
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.outbox import Outbox
from millstream.io_daemon.tls_layer import TlsLayer
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Credit, Secured, SocketStatus, encode_socket
from millstream.io_wire.window import FIRST_WINDOW, Window, WindowRoom

# What is received at once, and thus the longest TCP_RECV: a message of this length waits little
# longer than a short one.
MAX_RECEIVE = 256 << 10

# What a client may have on its way to a peer to begin with; more for those that take it as it comes.
# The kernel's own buffer comes after it.
SEND_WINDOW = FIRST_WINDOW

# The same of a client that knows of no credit; beyond, the socket is closed rather than anything lost.
MAX_UNSENT_WITHOUT_CREDIT = 16 << 20

# Shorter data may be joined with what follows.
JOINED_LENGTH = 16 << 10

# Seconds for a handshake of TLS.
TLS_TIME = 30.0


class StreamSocket:
    """The handler of one connection (`interfaces.network.ConnectionHandler`).

    Args:
        number: the socket's, for the client.
        connection: not started yet.
        outbox: to the client.
        counters: what went through.
        window: bytes that the client takes before it gives more credit; None for a client that
            knows of no credit.
        room: for what the client sends, shared by all of its sockets.
        gone: called when the connection is lost.
    """

    __slots__ = (
        *("_connection", "_counters", "_credit", "_deadline", "_failure", "_gone", "_held"),
        *("_allowance", "_is_pending", "_is_secured", "_outbox", "_prefix", "_request", "_tls"),
        *("_uncredited", "_window"),
        *("_uses_credit", "number"),
    )

    def __init__(
        self,
        number: int,
        connection: Connection,
        outbox: Outbox,
        counters: Counters,
        window: int | None,
        room: WindowRoom,
        gone: Callable[[StreamSocket], None],
    ) -> None:
        self.number = number
        self._connection = connection
        self._outbox = outbox
        self._counters = counters
        self._uses_credit = window is not None
        self._credit = window or 0
        self._gone = gone
        self._prefix = encode_socket(number)
        self._is_pending = False
        self._window = Window(room)
        self._allowance = SEND_WINDOW if self._uses_credit else MAX_UNSENT_WITHOUT_CREDIT
        self._uncredited = 0  # sent by the client, and not taken by the kernel
        self._held: deque[bytes] = deque()  # decrypted beyond the credit
        self._failure: tuple[int, str] | None = None
        self._tls: TlsLayer | None = None
        self._is_secured = False
        self._request = 0
        self._deadline: asyncio.TimerHandle | None = None
        counters.tcp_sockets += 1
        self.update_reading()

    # From the peer.

    def data_received(self, view: memoryview) -> None:
        """See `interfaces.network.ConnectionHandler`."""
        self._counters.bytes_received += len(view)
        if self._tls is None:
            self._tell(view)
        else:
            self._decrypt(view)
        self.update_reading()

    def output_drained(self) -> None:
        """See `interfaces.network.ConnectionHandler`."""
        self._give_credit()

    def connection_lost(self, reason: Exception | None) -> None:
        """See `interfaces.network.ConnectionHandler`."""
        self._counters.tcp_sockets -= 1
        self._window.close()
        self._set_pending(False)
        if self._deadline is not None:
            self._deadline.cancel()
        number, why = self._failure or (_errno(reason), str(reason) if reason else "")
        status = SocketStatus(self.number, int(bool(number or why)), number, why)
        self._outbox.put(Opcode.TCP_CLOSE, 0, status.encode())
        self._gone(self)

    # From the client.

    def wait_for_client(self) -> None:
        """Receive nothing until the client has sent something: it may want TLS first.

        For clients without credit; others decide by it.
        """
        self._set_pending(True)
        self.update_reading()

    def send(self, data: memoryview) -> None:
        """Send a copy of it; raises NetworkError if the client had no credit for it."""
        if len(data) > self._allowance:
            raise NetworkError(f"socket {self.number} was sent more than its credit")
        self._allowance -= len(data)
        self._uncredited += len(data)
        self._counters.bytes_sent += len(data)
        if self._is_pending:
            self._set_pending(False)
            self.update_reading()
        if self._tls is not None:
            self._encrypt(data)
        elif len(data) <= JOINED_LENGTH:
            self._connection.write(bytes(data))
        else:
            self._connection.write_many([bytes(data)], self._give_credit)
        self._give_credit()

    def add_credit(self, length: int) -> None:
        """The client takes so many more bytes."""
        self._credit += length
        self._tell_held()
        self.update_reading()

    def update_reading(self) -> None:
        """Receive, or not: by credit, and by the room that there is for all sockets."""
        is_shaking_hands = self._tls is not None and not self._is_secured
        # A handshake takes no credit, and needs none.
        has_credit = not self._uses_credit or self._credit > 0 or is_shaking_hands
        if self._is_pending or self._outbox.is_full or self._held or not has_credit:
            self._connection.pause_reading()
            return
        most = min(MAX_RECEIVE, self._credit) if self._credit > 0 else MAX_RECEIVE
        self._connection.limit_receive(most)
        self._connection.resume_reading()

    def secure(self, request: int, host: str, *, skips_validation: bool) -> None:
        """Go on with TLS. Raises NetworkError if that cannot be."""
        if self._tls is not None:
            raise NetworkError(f"socket {self.number} is secured already")
        try:
            self._tls = TlsLayer(host, skips_validation=skips_validation)
            first = self._tls.begin()
        except (ValueError, ssl.SSLError) as error:
            raise NetworkError(f"no TLS with {host[:80]!r}: {error}") from error
        self._request = request
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(TLS_TIME, self._fail_tls, "the handshake took too long")
        self._connection.write(first)
        self._set_pending(False)
        self.update_reading()

    def close(self, failure: tuple[int, str] | None = None) -> None:
        """Close now, with an error number and why if it is a failure; the client is told."""
        self._failure = self._failure or failure
        self._connection.close()

    # Within.

    def _tell(self, data: memoryview | bytes) -> None:
        if self._uses_credit:
            self._credit -= len(data)
        self._outbox.put(Opcode.TCP_RECV, 0, self._prefix, data)

    def _tell_held(self) -> None:
        """Tell what was decrypted, as far as the credit goes; then the end, if it has come."""
        while self._held and (not self._uses_credit or self._credit > 0):
            data = self._held.popleft()
            most = self._credit if self._uses_credit else len(data)
            self._tell(data[:most])
            if most < len(data):
                self._held.appendleft(data[most:])
        if self._tls is not None and self._tls.is_closed and not self._held:
            self.close()

    def _decrypt(self, view: memoryview) -> None:
        tls = self._tls
        if tls is None:
            return
        try:
            plain, answer = tls.receive(view)
        except ssl.SSLError as error:
            if self._is_secured:
                self.close((0, f"TLS failed: {error}"))
            else:
                self._fail_tls(str(error))
            return
        if answer:
            self._connection.write(answer)
        if tls.is_ready and not self._is_secured:
            self._is_secured = True
            if self._deadline is not None:
                self._deadline.cancel()
            self._outbox.put(Opcode.TCP_SECURED, self._request, Secured(self.number).encode())
        self._held.extend(plain)
        self._tell_held()

    def _fail_tls(self, why: str) -> None:
        answer = Secured(self.number, 1, why).encode()
        self._outbox.put(Opcode.TCP_SECURED, self._request, answer)
        self.close((0, f"TLS failed: {why}"))

    def _encrypt(self, data: memoryview) -> None:
        if self._tls is None or not self._is_secured:
            raise NetworkError(f"socket {self.number} is not secured yet")
        try:
            self._connection.write(self._tls.encrypt(data))
        except ssl.SSLError as error:
            self.close((0, f"TLS failed: {error}"))

    def _give_credit(self) -> None:
        """Give back what the kernel took, a quarter of the window at a time."""
        taken = self._uncredited - self._connection.unsent_bytes
        if taken <= 0:
            return
        self._uncredited -= taken
        if not self._uses_credit:
            self._allowance += taken
            return
        credit = self._window.taken(taken)
        if credit:
            self._allowance += credit
            self._outbox.put(Opcode.CREDIT, 0, Credit(self.number, credit).encode())

    def _set_pending(self, is_pending: bool) -> None:
        self._counters.pending_tcp += is_pending - self._is_pending
        self._is_pending = is_pending


def _errno(reason: Exception | None) -> int:
    # The resolver's numbers are below zero, and others' than the system's.
    return max(0, reason.errno or 0) if isinstance(reason, OSError) else 0


def connection_failure(error: NetworkError) -> tuple[int, str]:
    """The system's number for it, and why."""
    return _errno(error.__cause__ if isinstance(error.__cause__, OSError) else None), str(error)
