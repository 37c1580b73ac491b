"""One connection to an io-daemon, from hello to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.outbox import Buffer, Outbox
from millstream.adapters.daemon.upgrade import connect, upgrade
from millstream.adapters.daemon.web_socket import WebSocket
from millstream.errors import MalformedFrameError, NetworkError
from millstream.io_wire.envelope import (
    MAX_MESSAGE,
    VERSION,
    Frame,
    Opcode,
    encode_frame,
    pack_frames,
    split_message,
)
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello

# Seconds for connecting and all that comes before the first request.
OPEN_TIME = 10.0

# A frame and its payload, or why there is none.
_Said: TypeAlias = tuple[Frame, bytes] | NetworkError

_FEATURES = Feature.PACKED | Feature.CREDIT


class Link:
    """Frames in both directions.

    Args:
        address: where the daemon is, for messages.
        received: takes frames after the introduction.

    Attributes:
        outbox: frames to the daemon.
        hello: what the daemon said of itself.
        round_trip: seconds that it took for that.
        lost: done when the connection is gone, with the reason.
    """

    def __init__(self, address: DaemonAddress, received: Callable[[Frame], None]) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._address = address
        self._take = received
        self._socket: WebSocket | None = None
        self._is_flushing = False
        self._introduction: asyncio.Queue[_Said] | None = asyncio.Queue()
        self._is_packed = False
        self.outbox = Outbox(self._send, self._is_busy, self._wake)
        self.hello = Hello()
        self.round_trip = 0.0
        self.lost: asyncio.Future[NetworkError] = loop.create_future()

    async def introduce(self, socket_window: int) -> None:
        """Connect, and say hello and the token. Raises NetworkError."""
        address = self._address
        connected = await connect(address)
        try:
            early = await upgrade(connected, address)
        except BaseException:
            connected.close()
            raise
        self._socket = WebSocket(
            connected, self._received, self.outbox.flush, self._gone, MAX_MESSAGE, early
        )
        hello = Hello(_FEATURES, MAX_MESSAGE, socket_window)
        asked_at = self._loop.time()
        self._socket.send([encode_frame(Opcode.CLIENT_HELLO, 0, hello.encode())])
        answer = Hello.parse(memoryview(await self._answer(Opcode.SERVER_HELLO)))
        self.round_trip = self._loop.time() - asked_at
        if answer is None or answer.features & _FEATURES != _FEATURES:
            raise NetworkError(f"the io-daemon at {address} is too old for this engine")
        self.hello = answer
        # From its hello on, messages are packed in both directions.
        auth = encode_frame(Opcode.AUTH, 0, Auth(address.token).encode())
        self._socket.send([pack_frames([auth])])
        result = AuthResult.parse(memoryview(await self._answer(Opcode.AUTH_RESULT)))
        if not result.is_right:
            raise NetworkError(f"the io-daemon at {address} refuses: {result.why}")
        self._introduction = None

    def close(self) -> None:
        """End it now."""
        if self._socket is not None:
            self._socket.close()

    async def _answer(self, opcode: Opcode) -> bytes:
        """The next frame's payload."""
        if self._introduction is None:
            raise NetworkError("the introduction is over")
        found = await self._introduction.get()
        if isinstance(found, NetworkError):
            raise NetworkError(f"the io-daemon at {self._address} is gone: {found}")
        frame, payload = found
        if frame.opcode == Opcode.ERROR:
            why = payload.decode("utf-8", "replace")
            raise NetworkError(f"the io-daemon at {self._address} refuses: {why}")
        if frame.opcode != opcode or frame.version != VERSION:
            raise NetworkError(f"{self._address} is no io-daemon that this engine knows")
        return payload

    # Messages.

    def _received(self, message: memoryview) -> None:
        try:
            for frame in split_message(message, packed=self._is_packed):
                if self._introduction is None:
                    self._take(frame)
                    continue
                self._is_packed = True
                # As borrowed memory it would not last until it is looked at.
                self._introduction.put_nowait((frame, bytes(frame.payload)))
        except MalformedFrameError as error:
            if self._socket is not None:
                self._socket.close(NetworkError(f"what it says makes no sense: {error}"))

    def _gone(self, error: NetworkError) -> None:
        if self._introduction is not None:
            self._introduction.put_nowait(error)
        if not self.lost.done():
            self.lost.set_result(error)

    def _send(self, message: Sequence[Buffer]) -> None:
        if self._socket is not None:
            self._socket.send(message)

    def _is_busy(self) -> bool:
        return self._socket is None or self._socket.is_sending

    def _wake(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        self.outbox.flush()


async def open_link(
    address: DaemonAddress, socket_window: int, received: Callable[[Frame], None]
) -> Link:
    """Connect and be introduced.

    Args:
        address: where the daemon is.
        socket_window: bytes that each socket may bring before it gets credit.
        received: takes frames; payloads are borrowed, and writable.

    Raises:
        NetworkError: it cannot be.
    """
    link = Link(address, received)
    try:
        async with asyncio.timeout(OPEN_TIME):
            await link.introduce(socket_window)
    except BaseException as error:
        link.close()
        if isinstance(error, TimeoutError):
            raise NetworkError(
                f"the io-daemon at {address} does not answer within {OPEN_TIME:g} s"
            ) from None
        if isinstance(error, MalformedFrameError):
            raise NetworkError(f"{address} is no io-daemon: {error}") from error
        raise
    return link
