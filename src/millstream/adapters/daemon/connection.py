"""The connection to an io-daemon, which comes back when it was lost.

Who asks for something while it is away waits for a while. Who was promised an answer is told that
there is none, and whatever lived in the daemon, sockets above all, is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.link import Link, open_link
from millstream.adapters.daemon.outbox import Buffer
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Frame, Opcode
from millstream.io_wire.handshake import Hello
from millstream.logging.component_logger import component_logger

# Seconds between attempts to connect again: the original's, but for the first; the last one repeats.
RECONNECT_DELAYS = (0.1, 1.0, 2.0, 4.0, 8.0, 16.0)

# Seconds that who asks for something waits for a daemon that is away.
PATIENCE = 10.0

_LOG = component_logger("io_daemon")


class Request(Protocol):
    """Who waits for an answer."""

    def answered(self, frame: Frame) -> bool:
        """Take an answer; whether it was the last. The payload is borrowed."""

    def failed(self, error: NetworkError) -> None:
        """There will be none."""


class Observer(Protocol):
    """Who has something in the daemon."""

    def daemon_lost(self, error: NetworkError) -> None:
        """The connection is gone, and all that the daemon held for it."""

    def daemon_found(self) -> None:
        """There is a connection again, or for the first time."""


class DaemonConnection:
    """All that one engine says to its daemon. Create and use it within one loop.

    Args:
        address: where it is.
        socket_window: bytes that each socket may bring before it gets credit.
        patience: seconds to wait for a daemon that is away.

    Attributes:
        address: where it is.
        socket_window: see above.
        patience: see above.
        why: the last reason why there is no connection.
    """

    def __init__(
        self, address: DaemonAddress, *, socket_window: int = 0, patience: float = PATIENCE
    ) -> None:
        self.address = address
        self.socket_window = socket_window
        self.patience = patience
        self.why = NetworkError(f"not connected to the io-daemon at {address}")
        self._handlers: dict[int, Callable[[Frame], None]] = {}
        self._observers: list[Observer] = []
        self._requests: dict[int, Request] = {}
        self._last_request = 0
        self._link: Link | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._up = asyncio.Event()
        self._is_over = False

    # For those who have something in the daemon.

    def handle(self, opcode: Opcode, handler: Callable[[Frame], None]) -> None:
        """Let frames of this kind, that answer nobody, go there."""
        self._handlers[opcode] = handler

    def observe(self, observer: Observer) -> None:
        """Tell it when the connection comes and goes."""
        self._observers.append(observer)

    @property
    def is_up(self) -> bool:
        """Whether the daemon can be asked."""
        return self._link is not None

    @property
    def hello(self) -> Hello:
        """What the daemon said of itself; of no use while it is away."""
        return self._link.hello if self._link is not None else Hello()

    @property
    def round_trip(self) -> float:
        """Seconds that the daemon took for its hello."""
        return self._link.round_trip if self._link is not None else 0.0

    @property
    def unsent_bytes(self) -> int:
        """What waits to be sent."""
        return self._link.outbox.unsent_bytes if self._link is not None else 0

    def open(self) -> None:
        """Begin to connect, if nobody has yet."""
        if self._keeping is None and not self._is_over:
            self._first = asyncio.get_running_loop().create_future()
            self._keeping = asyncio.ensure_future(self._keep(self._first))

    async def ready(self) -> None:
        """Return when the daemon can be asked.

        Raises:
            NetworkError: it cannot, and does not come back within the time of `patience`.
        """
        if self._link is not None:
            return
        self.open()
        first = self._first
        if first is not None:
            await asyncio.shield(first)
            return
        if not self._is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    await self._up.wait()
        if self._link is None:
            raise self._error()

    def put(self, opcode: Opcode, *payload: Buffer) -> None:
        """Say something that has no answer; nobody hears it while the daemon is away."""
        if self._link is not None:
            self._link.outbox.put(opcode, 0, payload)

    def put_long(self, opcode: Opcode, *payload: Buffer) -> None:
        """As `put`, in line with what is asked as `long`."""
        if self._link is not None:
            self._link.outbox.put_long(opcode, 0, payload)

    def ask(
        self, request: Request, opcode: Opcode, payload: Sequence[Buffer], *, long: bool = False
    ) -> int:
        """Ask something.

        Args:
            request: hears the answer; not from within.
            opcode: what is asked.
            payload: in parts, which are copied at once.
            long: the parts are borrowed instead, until there is an answer, and wait for their turn.

        Returns:
            The number of the request.

        Raises:
            NetworkError: the daemon is away.
        """
        if self._link is None:
            raise self._error()
        # 0 is for what nobody asked.
        self._last_request = self._last_request % 0xFFFF_FFFF + 1
        number = self._last_request
        self._requests[number] = request
        put = self._link.outbox.put_long if long else self._link.outbox.put
        put(opcode, number, payload)
        return number

    async def close(self) -> None:
        """End it. Idempotent."""
        self._is_over = True
        keeping = self._keeping
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        error = NetworkError("the connection to the io-daemon was closed")
        self._fail_first(error)
        self._lose(error)

    # Keeping it.

    async def _keep(self, first: asyncio.Future[None]) -> None:
        try:
            lost = await self._connect()
        except NetworkError as error:
            # Nobody was ever there: whoever needs it says so, and may try again.
            self._keeping = None
            self._fail_first(error)
            return
        self._first = None
        first.set_result(None)
        while True:
            self._lose(await lost)
            if self.address.connected is not None:
                self._is_over = True
                return
            lost = await self._connect_again()

    async def _connect_again(self) -> asyncio.Future[NetworkError]:
        attempt = 0
        while True:
            await asyncio.sleep(RECONNECT_DELAYS[min(attempt, len(RECONNECT_DELAYS) - 1)])
            attempt += 1
            try:
                lost = await self._connect()
            except NetworkError as error:
                self.why = error
            else:
                _LOG.info("the io-daemon at %s is back", self.address)
                return lost

    async def _connect(self) -> asyncio.Future[NetworkError]:
        link = await open_link(self.address, self.socket_window, self._received)
        self._link = link
        self._up.set()
        for observer in self._observers:
            observer.daemon_found()
        return link.lost

    def _fail_first(self, error: NetworkError) -> None:
        """There is no connection, and who waits for the first one is told."""
        first, self._first = self._first, None
        self.why = error
        if first is not None:
            first.set_exception(error)
            first.exception()  # whether anybody waits or not

    def _lose(self, error: NetworkError) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        self.why = NetworkError(f"the io-daemon at {self.address} is gone: {error}")
        if not self._is_over:
            _LOG.warning("%s", self.why)
        self._up.clear()
        link.close()
        requests, self._requests = self._requests, {}
        for request in requests.values():
            request.failed(self.why)
        for observer in self._observers:
            observer.daemon_lost(self.why)

    def _error(self) -> NetworkError:
        return NetworkError(str(self.why))

    def _received(self, frame: Frame) -> None:
        request = self._requests.get(frame.request)
        if request is None:
            handler = self._handlers.get(frame.opcode)
            if handler is not None:
                handler(frame)
            elif frame.opcode == Opcode.ERROR:
                _LOG.warning("the io-daemon complains: %s", str(frame.payload, "utf-8", "replace"))
        elif frame.opcode == Opcode.ERROR:
            del self._requests[frame.request]
            request.failed(NetworkError(str(frame.payload, "utf-8", "replace")))
        elif request.answered(frame):
            self._requests.pop(frame.request, None)
