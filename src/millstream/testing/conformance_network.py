"""What every `interfaces.network.Network` must do."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from unittest import SkipTest

from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, Listener, Network
from millstream.protocol.compact import PeerAddress
from millstream.testing.conformance_waiting import error_of, settle, until

# More than the buffers between two ends hold on any platform met so far: writes must wait.
FLOOD_LENGTH = 32 << 20
PART_LENGTH = 256 << 10


@dataclass(frozen=True, slots=True)
class NetworkUnderTest:
    """Two networks, or one given twice, between which connections can be made.

    Attributes:
        client: where connections are made from.
        server: where they are accepted.
        server_host: the address text at which the client reaches the server.
    """

    client: Network
    server: Network
    server_host: str


class RecordingHandler:
    """A connection's handler that notes everything, and every breach of the handler's contract."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.received = bytearray()
        self.drained = 0
        self.lost: list[Exception | None] = []
        self.breaches: list[str] = []
        self.on_data: Callable[[bytes], None] | None = None
        self._thread = threading.get_ident()
        self._entered = False

    def data_received(self, view: memoryview) -> None:
        with self._entry("data_received"):
            if not isinstance(view, memoryview) or not view:
                self.breaches.append("data_received got no bytes in a memoryview")
            if self.lost:
                self.breaches.append("data_received came after connection_lost")
            data = bytes(view)
            view[:] = bytes(len(view))  # who decrypts does it here; nobody else may notice
            self.received += data
            if self.on_data is not None:
                self.on_data(data)

    def output_drained(self) -> None:
        with self._entry("output_drained"):
            self.drained += 1
            if self.lost:
                self.breaches.append("output_drained came after connection_lost")

    def connection_lost(self, reason: Exception | None) -> None:
        with self._entry("connection_lost"):
            self.lost.append(reason)
            if len(self.lost) > 1:
                self.breaches.append("connection_lost came twice")

    def doing(self, what: Callable[[], None]) -> None:
        """Call something of the connection; handlers must not be called from within."""
        with self._entry("(the test)"):
            what()

    def _entry(self, name: str) -> _Entry:
        return _Entry(self, name)


class _Entry:
    def __init__(self, handler: RecordingHandler, name: str) -> None:
        self._handler = handler
        self._name = name

    def __enter__(self) -> None:
        if self._handler._entered:  # noqa: SLF001  two halves of one thing
            self._handler.breaches.append(f"{self._name} was called from within another call")
        if threading.get_ident() != self._handler._thread:  # noqa: SLF001
            self._handler.breaches.append(f"{self._name} was called from another thread")
        self._handler._entered = True  # noqa: SLF001

    def __exit__(self, *error: object) -> None:
        self._handler._entered = False  # noqa: SLF001


class _Meeting:
    """A listener, and connections to it: `connect` gives both ends."""

    def __init__(self, network: NetworkUnderTest) -> None:
        self.network = network
        self.listener: Listener
        self.accepted: list[RecordingHandler] = []
        self.handlers: list[RecordingHandler] = []

    def accept(self, connection: Connection) -> RecordingHandler:
        handler = self.handler(connection)
        self.accepted.append(handler)
        return handler

    def handler(self, connection: Connection) -> RecordingHandler:
        handler = RecordingHandler(connection)
        self.handlers.append(handler)
        return handler

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.network.server_host, self.listener.address.port)

    async def connect(self) -> tuple[RecordingHandler, RecordingHandler]:
        """Connect; return the connecting end and the accepting end."""
        before = len(self.accepted)
        connection = await self.network.client.connect(self.address, self.handler)
        near = self.handlers[-1] if self.handlers[-1].connection is connection else None
        near = near or next(h for h in self.handlers if h.connection is connection)
        await until(lambda: len(self.accepted) > before, "the connection was accepted")
        return near, self.accepted[-1]


class NetworkConformance:
    """Derive, override `open_network`, and run the tests."""

    def open_network(self, *, ipv6: bool = False) -> AbstractAsyncContextManager[NetworkUnderTest]:
        """Give two networks that reach each other.

        Raise `unittest.SkipTest` on entering if `ipv6` is asked and the platform has none.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def _meeting(self, *, ipv6: bool = False) -> AsyncIterator[_Meeting]:
        async with self.open_network(ipv6=ipv6) as network:
            meeting = _Meeting(network)
            meeting.listener = await network.server.listen(
                PeerAddress(network.server_host, 0), meeting.accept
            )
            try:
                yield meeting
                breaches = [breach for handler in meeting.handlers for breach in handler.breaches]
                assert not breaches, breaches
            finally:
                meeting.listener.close()
                for handler in meeting.handlers:
                    handler.connection.close()
                await until(lambda: all(h.lost for h in meeting.handlers), "all closed")

    # Connecting

    async def test_bytes_go_both_ways(self) -> None:
        """Each side receives what the other wrote, in order."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.write(b"hello ")
            near.connection.write(b"there")
            far.connection.write(b"good morning")
            await until(lambda: far.received == b"hello there", "the greeting came")
            await until(lambda: near.received == b"good morning", "the answer came")

    async def test_ipv6(self) -> None:
        """The same over IPv6, where the platform has it."""
        try:
            async with self._meeting(ipv6=True) as meeting:
                near, far = await meeting.connect()
                near.connection.write(b"hello")
                await until(lambda: far.received == b"hello", "the greeting came")
                assert meeting.listener.address.is_ipv6
                assert near.connection.remote == meeting.address
                assert far.connection.remote.is_ipv6
        except SkipTest:
            raise
        except NetworkError as error:
            raise AssertionError("the platform claims IPv6 and cannot use it") from error

    async def test_remote_says_where_the_peer_is(self) -> None:
        """The connecting side sees the listener's address, the accepting side a real port."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            assert near.connection.remote == meeting.address
            assert isinstance(far.connection.remote, PeerAddress)
            assert far.connection.remote.port > 0
            assert not far.connection.remote.is_ipv6

    async def test_connect_returns_the_connection_given_to_the_handler(self) -> None:
        """`make_handler` is called once, with the connection that `connect` returns."""
        async with self._meeting() as meeting:
            made: list[Connection] = []

            def make(connection: Connection) -> RecordingHandler:
                made.append(connection)
                return meeting.handler(connection)

            connection = await meeting.network.client.connect(meeting.address, make)
            assert len(made) == 1
            assert made[0] is connection

    async def test_a_refused_connect_raises_network_error(self) -> None:
        """Where nobody listens any more, connecting fails and no handler is asked for."""
        async with self._meeting() as meeting:
            address = meeting.address
            meeting.listener.close()
            made: list[Connection] = []

            def make(connection: Connection) -> RecordingHandler:
                made.append(connection)
                return meeting.handler(connection)

            await error_of(NetworkError, meeting.network.client.connect(address, make))
            assert not made

    async def test_a_cancelled_connect_is_abandoned(self) -> None:
        """Cancelling leaves no handler behind, and the accepting side loses what it accepted."""
        async with self._meeting() as meeting:
            made: list[RecordingHandler] = []

            def make(connection: Connection) -> RecordingHandler:
                made.append(meeting.handler(connection))
                return made[-1]

            attempt = asyncio.ensure_future(meeting.network.client.connect(meeting.address, make))
            await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])
            if attempt.cancelled():
                assert not made
                await settle(lambda: len(meeting.accepted))
                await until(lambda: all(h.lost for h in meeting.accepted), "the peer noticed")

    async def test_port_0_is_any_free_port(self) -> None:
        """Two listeners at port 0 get two real ports, and both accept."""
        async with self._meeting() as meeting:
            host = meeting.network.server_host
            other = await meeting.network.server.listen(PeerAddress(host, 0), meeting.accept)
            try:
                ports = {meeting.listener.address.port, other.address.port}
                assert len(ports) == 2
                assert 0 not in ports
                for port in sorted(ports):
                    before = len(meeting.accepted)
                    await meeting.network.client.connect(PeerAddress(host, port), meeting.handler)
                    await until(lambda n=before: len(meeting.accepted) > n, "it was accepted")  # type: ignore[misc]
            finally:
                other.close()

    async def test_a_taken_port_raises_network_error(self) -> None:
        """A second listener at the same port is refused."""
        async with self._meeting() as meeting:
            attempt = meeting.network.server.listen(meeting.address, meeting.accept)
            await error_of(NetworkError, attempt)

    async def test_a_closed_listener_leaves_its_connections(self) -> None:
        """Closing a listener, even twice, stops accepting and touches nothing else."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            address = meeting.address
            meeting.listener.close()
            meeting.listener.close()
            await error_of(NetworkError, meeting.network.client.connect(address, meeting.handler))
            near.connection.write(b"still here")
            await until(lambda: far.received == b"still here", "the bytes came")
            again = await meeting.network.server.listen(address, meeting.accept)
            again.close()

    async def test_many_connections_keep_their_bytes_apart(self) -> None:
        """Twenty connections at once to one listener, each with its own bytes."""
        async with self._meeting() as meeting:
            pairs = [await meeting.connect() for _ in range(20)]
            for number, (near, far) in enumerate(pairs):
                near.connection.write(b"%d " % number * 1000)
                far.connection.write(b"%d," % number * 1000)
            for number, (near, far) in enumerate(pairs):
                up, down = b"%d " % number * 1000, b"%d," % number * 1000
                await until(lambda h=far, d=up: h.received == d, "bytes came")  # type: ignore[misc]
                await until(lambda h=near, d=down: h.received == d, "bytes came")  # type: ignore[misc]

    # Sending

    async def test_big_transfers_both_ways_keep_their_bytes(self) -> None:
        """Eight mebibytes each way at once, in writes of every size, arrive as they were sent."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            rng = random.Random(1)
            data = rng.randbytes(8 << 20)
            sizes = [1, 17, 16_397, 70_000, 300_000]
            position = 0
            while position < len(data):
                size = rng.choice(sizes)
                near.connection.write(data[position : position + size])
                far.connection.write_many([memoryview(data)[position : position + size]])
                position += size
            await until(lambda: len(far.received) >= len(data), "all went there")
            await until(lambda: len(near.received) >= len(data), "all came back")
            assert far.received == data
            assert near.received == data

    async def test_write_many_keeps_the_order(self) -> None:
        """Buffers of all kinds go out in order, between the writes before and after."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.write(b"first ")
            near.connection.write_many(
                [b"bytes ", bytearray(b"bytearray "), memoryview(b"view "), b"", memoryview(b"")]
            )
            near.connection.write(b"")
            near.connection.write_many([])
            near.connection.write(b"last")
            expected = b"first bytes bytearray view last"
            await until(lambda: far.received == expected, "all arrived in order")

    async def test_write_many_takes_any_number_of_buffers(self) -> None:
        """Five thousand buffers are more than one vectored send may carry."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            parts = [b"%d," % number for number in range(5000)]
            calls: list[int] = []
            near.connection.write_many(parts, lambda: calls.append(len(far.received)))
            expected = b"".join(parts)
            await until(lambda: far.received == expected, "all arrived in order")
            assert len(calls) == 1

    async def test_buffers_are_free_once_sent(self) -> None:
        """After `sent` the lender may overwrite its buffers: what arrives is what was lent."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            far.connection.pause_reading()
            lent = [bytearray(bytes([number]) * PART_LENGTH) for number in range(64)]
            freed: list[int] = []

            def free(number: int) -> None:
                freed.append(number)
                lent[number][:] = b"\xff" * PART_LENGTH

            for number, buffer in enumerate(lent):
                half = PART_LENGTH // 2
                near.connection.write_many(
                    [memoryview(buffer)[:half], memoryview(buffer)[half:]],
                    lambda n=number: free(n),  # type: ignore[misc]
                )
            far.connection.resume_reading()
            await until(lambda: len(far.received) == 64 * PART_LENGTH, "all arrived")
            assert freed == list(range(64))
            for number in range(64):
                part = far.received[number * PART_LENGTH : (number + 1) * PART_LENGTH]
                assert part == bytes([number]) * PART_LENGTH

    async def test_sent_may_write_again(self) -> None:
        """Writing from `sent` continues the stream, a thousand times over."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            count = 0

            def next_part() -> None:
                nonlocal count
                if count < 1000:
                    count += 1
                    near.connection.write_many([b"%04d" % count], next_part)

            next_part()
            expected = b"".join(b"%04d" % number for number in range(1, 1001))
            await until(lambda: far.received == expected, "all arrived in order")

    async def test_sent_is_called_without_buffers(self) -> None:
        """With nothing to send, `sent` is called once all the same."""
        async with self._meeting() as meeting:
            near, _ = await meeting.connect()
            calls: list[None] = []
            near.connection.write_many([], lambda: calls.append(None))
            await until(lambda: len(calls) == 1, "sent was called")
            await settle(lambda: len(calls))
            assert len(calls) == 1

    async def test_sent_is_called_once_when_closing_with_unsent_bytes(self) -> None:
        """Closing drops the unsent bytes and gives every buffer back, once."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            far.connection.pause_reading()
            calls = _flood(near)
            assert near.connection.unsent_bytes > 0
            near.doing(near.connection.close)
            await until(lambda: bool(near.lost), "the connection was lost")
            assert sorted(calls) == list(range(len(calls)))
            assert len(calls) == FLOOD_LENGTH // PART_LENGTH
            assert near.connection.unsent_bytes == 0

    async def test_sent_is_called_once_when_the_peer_goes(self) -> None:
        """A connection that the peer ends gives every lent buffer back, once."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            far.connection.pause_reading()
            calls = _flood(near)
            assert near.connection.unsent_bytes > 0
            far.connection.close()
            await until(lambda: bool(near.lost), "the connection was lost")
            assert sorted(calls) == list(range(FLOOD_LENGTH // PART_LENGTH))

    # Back-pressure

    async def test_pausing_stops_the_sender(self) -> None:
        """While the reader pauses, bytes stay with the sender; they all come after resuming."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            far.connection.pause_reading()
            far.connection.pause_reading()
            calls = _flood(near)
            waiting = near.connection.unsent_bytes
            assert 0 < waiting <= FLOOD_LENGTH
            await settle(lambda: near.connection.unsent_bytes)
            waiting = near.connection.unsent_bytes
            assert 0 < waiting < FLOOD_LENGTH
            assert not far.received
            assert len(calls) < FLOOD_LENGTH // PART_LENGTH
            assert near.drained == 0
            near.connection.write(b"more")
            assert near.connection.unsent_bytes == waiting + 4
            far.connection.resume_reading()
            far.connection.resume_reading()
            await until(lambda: len(far.received) == FLOOD_LENGTH + 4, "all came")
            await until(lambda: near.drained == 1, "output_drained was called")
            assert near.connection.unsent_bytes == 0
            assert calls == list(range(FLOOD_LENGTH // PART_LENGTH))
            assert far.received[-4:] == b"more"

    async def test_pausing_within_data_received(self) -> None:
        """A handler that pauses when data comes gets no more until it resumes."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            calls = 0

            def pause(_data: bytes) -> None:
                nonlocal calls
                calls += 1
                far.connection.pause_reading()

            far.on_data = pause
            near.connection.write(bytes(2 << 20))
            await until(lambda: calls == 1, "some of it came")
            await settle(lambda: len(far.received))
            assert calls == 1
            far.connection.resume_reading()
            await until(lambda: calls == 2, "more came")
            far.on_data = None
            far.connection.resume_reading()
            await until(lambda: len(far.received) == 2 << 20, "all came")

    async def test_a_receive_limit_bounds_every_receive(self) -> None:
        """A limited connection brings less at a time, and loses nothing."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            data = random.Random(2).randbytes(100_003)
            sizes: list[int] = []
            far.on_data = lambda part: sizes.append(len(part))
            far.connection.limit_receive(1000)
            near.connection.write(data)
            await until(lambda: len(far.received) == len(data), "all came")
            assert far.received == data
            assert max(sizes) <= 1000
            far.connection.limit_receive(None)
            far.connection.pause_reading()
            near.connection.write(data)
            await settle(lambda: near.connection.unsent_bytes)
            far.connection.resume_reading()
            await until(lambda: len(far.received) == 2 * len(data), "all came again")
            assert max(sizes) > 1000

    async def test_changing_the_receive_limit_within_data_received(self) -> None:
        """The bytes at hand stay as they are; the next receive keeps the new limit."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            sizes: list[int] = []

            def shrink(part: bytes) -> None:
                sizes.append(len(part))
                far.connection.limit_receive(1 + len(sizes) % 7)
                if len(sizes) == 5:
                    far.connection.pause_reading()

            far.on_data = shrink
            far.connection.limit_receive(1)
            near.connection.write(bytes(range(100)))
            await until(lambda: len(sizes) == 5, "some of it came")
            await settle(lambda: len(sizes))
            assert all(size <= most for size, most in zip(sizes, (1, 2, 3, 4, 5), strict=True))
            far.connection.resume_reading()
            await until(lambda: far.received == bytes(range(100)), "all came")

    async def test_pausing_before_the_handler_is_there(self) -> None:
        """A connection paused while its handler is made stays paused."""
        async with self._meeting() as meeting:

            def paused(connection: Connection) -> RecordingHandler:
                connection.pause_reading()
                return meeting.handler(connection)

            connection = await meeting.network.client.connect(meeting.address, paused)
            near = meeting.handlers[0]
            if near.connection is not connection:
                near = meeting.handlers[1]
            await until(lambda: bool(meeting.accepted), "the connection was accepted")
            meeting.accepted[0].connection.write(b"wait")
            await settle(lambda: len(near.received))
            assert not near.received
            connection.resume_reading()
            await until(lambda: near.received == b"wait", "the bytes came")

    async def test_pausing_one_way_leaves_the_other(self) -> None:
        """Who reads nothing may still write."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.pause_reading()
            near.connection.write(b"I do not listen")
            await until(lambda: far.received == b"I do not listen", "the bytes came")

    async def test_a_write_that_fits_drains_nothing(self) -> None:
        """`output_drained` follows only writes that could not be sent whole at once."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.write(b"small")
            assert near.connection.unsent_bytes == 0
            await until(lambda: far.received == b"small", "the bytes came")
            await settle(lambda: near.drained)
            assert near.drained == 0

    # Closing

    async def test_closing_is_told_to_both_sides_once(self) -> None:
        """The closer hears of it, though not from within; what was sent before arrives."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.write(b"goodbye")
            near.doing(near.connection.close)
            assert not near.lost
            near.doing(near.connection.close)
            await until(lambda: bool(near.lost and far.lost), "both sides lost the connection")
            await settle(lambda: len(near.lost) + len(far.lost))
            assert near.lost == [None]
            assert far.lost == [None]
            assert far.received == b"goodbye"

    async def test_closing_while_paused_tells_the_closer(self) -> None:
        """A paused connection is closed like any other."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.pause_reading()
            near.doing(near.connection.close)
            await until(lambda: bool(near.lost and far.lost), "both sides lost the connection")
            assert near.lost == [None]

    async def test_nothing_is_received_after_closing(self) -> None:
        """What the peer sent before it knew is dropped, also what had arrived already."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.pause_reading()
            far.connection.write(bytes(100_000))
            await settle(lambda: far.connection.unsent_bytes)
            near.connection.resume_reading()
            near.connection.close()
            await until(lambda: bool(near.lost and far.lost), "both sides lost the connection")
            assert not near.received
            assert near.lost == [None]

    async def test_closing_within_data_received(self) -> None:
        """A handler may close; no more data follows, and the loss is told afterwards."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            calls = 0

            def close(_data: bytes) -> None:
                nonlocal calls
                calls += 1
                far.connection.close()

            far.on_data = close
            near.connection.write(bytes(1 << 20))
            await until(lambda: bool(near.lost and far.lost), "both sides lost the connection")
            assert calls == 1
            assert far.lost == [None]

    async def test_everything_may_be_called_after_closing(self) -> None:
        """A closed connection ignores every call, and still gives lent buffers back."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            near.connection.close()
            calls: list[str] = []

            def use(when: str) -> None:
                near.connection.write(b"too late")
                near.connection.write_many([b"too late"], lambda: calls.append(when))
                near.connection.pause_reading()
                near.connection.resume_reading()
                near.connection.limit_receive(1)
                near.connection.close()
                assert near.connection.unsent_bytes == 0
                assert near.connection.remote == meeting.address

            use("closed")
            await until(lambda: bool(near.lost and far.lost), "both sides lost the connection")
            use("lost")
            await until(lambda: calls == ["closed", "lost"], "the buffers came back")
            await settle(lambda: len(calls) + len(near.lost))
            assert calls == ["closed", "lost"]
            assert near.lost == [None]
            assert not far.received

    async def test_the_end_waits_for_a_paused_reader(self) -> None:
        """A reader that pauses gets everything that was sent before the close, then the end."""
        async with self._meeting() as meeting:
            near, far = await meeting.connect()
            far.connection.pause_reading()
            near.connection.write(b"x" * 50_000)
            assert near.connection.unsent_bytes == 0
            near.connection.close()
            await until(lambda: bool(near.lost), "the closer knows")
            await settle(lambda: len(far.received) + len(far.lost))
            assert not far.received
            far.connection.resume_reading()
            await until(lambda: bool(far.lost), "the reader knows")
            assert len(far.received) == 50_000
            assert far.lost == [None]


def _flood(handler: RecordingHandler) -> list[int]:
    """Write more than fits anywhere; return the list in which `sent` calls are noted."""
    calls: list[int] = []
    part = bytes(PART_LENGTH)
    for number in range(FLOOD_LENGTH // PART_LENGTH):
        handler.connection.write_many([part], lambda n=number: calls.append(n))  # type: ignore[misc]
    return calls
