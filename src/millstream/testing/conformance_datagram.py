"""What every `interfaces.network.Network` must do with datagrams and names."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from millstream.errors import NetworkError
from millstream.interfaces.network import DatagramSocket, Network
from millstream.protocol.compact import PeerAddress
from millstream.testing.conformance_waiting import error_of, settle, until


@dataclass(frozen=True, slots=True)
class DatagramsUnderTest:
    """Two networks, or one given twice, between which datagrams travel and none are lost.

    Attributes:
        client: one of them.
        server: the other.
        client_host: the address text of the client, as the server sees it.
        server_host: the address text at which the client reaches the server.
        name: a host name that the client can resolve.
        name_addresses: its addresses; what is found is among them.
    """

    client: Network
    server: Network
    client_host: str
    server_host: str
    name: str
    name_addresses: tuple[str, ...]


class RecordingDatagramHandler:
    """Notes what comes."""

    def __init__(self, opened: DatagramSocket) -> None:
        self.socket = opened
        self.received: list[tuple[bytes, PeerAddress]] = []
        self.breaches: list[str] = []
        self.echo = False
        self.close_at_next = False

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        came: object = data
        if not isinstance(came, memoryview):
            self.breaches.append("datagram_received got no memoryview")
        self.received.append((bytes(data), address))
        if self.close_at_next:
            self.socket.close()
        if self.echo:
            self.socket.send(bytes(data), address)


class DatagramConformance:
    """Derive, override `open_datagrams`, and run the tests."""

    def open_datagrams(
        self, *, ipv6: bool = False
    ) -> AbstractAsyncContextManager[DatagramsUnderTest]:
        """Give two networks that reach each other.

        Raise `unittest.SkipTest` on entering if `ipv6` is asked and the platform has none.
        """
        raise NotImplementedError

    async def test_a_datagram_arrives_whole_with_its_sender(self) -> None:
        async with self.open_datagrams() as under_test:
            await _converse(under_test)

    async def test_ipv6(self) -> None:
        async with self.open_datagrams(ipv6=True) as under_test:
            await _converse(under_test)

    async def test_datagrams_keep_their_bounds(self) -> None:
        async with self.open_datagrams() as under_test:
            near, far = await _open_both(under_test)
            parts = [bytes([number]) * length for number, length in enumerate((1, 1400, 9000, 2))]
            for part in parts:
                near.socket.send(part, _at(under_test.server_host, far))
            await until(lambda: len(far.received) == len(parts), "all datagrams arrived")
            assert [data for data, _ in far.received] == parts
            _close(near, far)

    async def test_every_socket_has_a_port_of_its_own(self) -> None:
        async with self.open_datagrams() as under_test:
            near = await _open(under_test.client, under_test.client_host)
            other = await _open(under_test.client, under_test.client_host)
            assert 0 < near.socket.address.port != other.socket.address.port > 0
            _close(near, other)

    async def test_a_port_that_is_taken_is_an_error(self) -> None:
        async with self.open_datagrams() as under_test:
            near = await _open(under_test.client, under_test.client_host)
            taken = near.socket.address
            await error_of(
                NetworkError, under_test.client.open_datagram(taken, RecordingDatagramHandler)
            )
            near.socket.close()
            again = await under_test.client.open_datagram(taken, RecordingDatagramHandler)
            again.close()

    async def test_an_address_of_somebody_else_is_an_error(self) -> None:
        async with self.open_datagrams() as under_test:
            elsewhere = PeerAddress("198.51.100.7", 0)
            await error_of(
                NetworkError, under_test.client.open_datagram(elsewhere, RecordingDatagramHandler)
            )

    async def test_what_cannot_be_sent_is_lost(self) -> None:
        async with self.open_datagrams() as under_test:
            near, far = await _open_both(under_test)
            port = far.socket.address.port
            for address in (
                PeerAddress("a.name.example", port),
                PeerAddress("", port),
                PeerAddress("0\0", port),
                PeerAddress(
                    "2001:db8::1" if ":" not in under_test.server_host else "1.2.3.4", port
                ),
                PeerAddress(under_test.server_host, 0),
            ):
                near.socket.send(b"lost", address)
            near.socket.send(bytes(70_000), _at(under_test.server_host, far))
            near.socket.send(b"kept", _at(under_test.server_host, far))
            await until(lambda: bool(far.received), "a datagram arrived")
            await settle(lambda: len(far.received))
            assert [data for data, _ in far.received] == [b"kept"]
            _close(near, far)

    async def test_sending_to_a_port_where_nobody_is_leaves_the_socket_usable(self) -> None:
        async with self.open_datagrams() as under_test:
            near, far = await _open_both(under_test)
            gone = await _open(under_test.server, under_test.server_host)
            gone.socket.close()
            for _ in range(3):
                near.socket.send(b"x", _at(under_test.server_host, gone))
                await asyncio.sleep(0.002)
            near.socket.send(b"y", _at(under_test.server_host, far))
            await until(lambda: bool(far.received), "a datagram arrived")
            _close(near, far)

    async def test_a_closed_socket_neither_sends_nor_receives(self) -> None:
        async with self.open_datagrams() as under_test:
            near, far = await _open_both(under_test)
            far.socket.close()
            far.socket.close()
            near.socket.send(b"x", _at(under_test.server_host, far))
            far.socket.send(b"x", _at(under_test.client_host, near))
            await settle(lambda: (len(near.received), len(far.received)))
            assert not near.received
            assert not far.received
            _close(near, far)

    async def test_a_handler_may_close_its_socket(self) -> None:
        async with self.open_datagrams() as under_test:
            near, far = await _open_both(under_test)
            far.close_at_next = True
            for _ in range(3):
                near.socket.send(b"x", _at(under_test.server_host, far))
            await until(lambda: bool(far.received), "a datagram arrived")
            await settle(lambda: len(far.received))
            assert len(far.received) == 1
            _close(near, far)

    async def test_an_address_resolves_to_itself(self) -> None:
        async with self.open_datagrams() as under_test:
            assert await under_test.client.resolve("1.2.3.4") == ["1.2.3.4"]
            assert await under_test.client.resolve("2001:DB8:0::1") == ["2001:db8::1"]

    async def test_a_name_resolves_to_addresses(self) -> None:
        async with self.open_datagrams() as under_test:
            found = await under_test.client.resolve(under_test.name)
            assert found
            assert set(found) <= set(under_test.name_addresses)
            assert len(set(found)) == len(found)

    async def test_an_unknown_name_is_an_error_that_names_it(self) -> None:
        async with self.open_datagrams() as under_test:
            error = await error_of(NetworkError, under_test.client.resolve("nowhere.invalid"))
            assert "nowhere.invalid" in str(error)
            await error_of(NetworkError, under_test.client.resolve("a" * 300))
            await error_of(NetworkError, under_test.client.resolve("a..b"))


async def _open(network: Network, host: str) -> RecordingDatagramHandler:
    handlers: list[RecordingDatagramHandler] = []

    def make_handler(opened: DatagramSocket) -> RecordingDatagramHandler:
        handlers.append(RecordingDatagramHandler(opened))
        return handlers[-1]

    opened = await network.open_datagram(PeerAddress(host, 0), make_handler)
    assert len(handlers) == 1
    assert handlers[0].socket is opened
    return handlers[0]


async def _open_both(
    under_test: DatagramsUnderTest,
) -> tuple[RecordingDatagramHandler, RecordingDatagramHandler]:
    return (
        await _open(under_test.client, under_test.client_host),
        await _open(under_test.server, under_test.server_host),
    )


def _at(host: str, handler: RecordingDatagramHandler) -> PeerAddress:
    return PeerAddress(host, handler.socket.address.port)


def _close(*handlers: RecordingDatagramHandler) -> None:
    for handler in handlers:
        assert not handler.breaches
        handler.socket.close()


async def _converse(under_test: DatagramsUnderTest) -> None:
    near, far = await _open_both(under_test)
    far.echo = True
    near.socket.send(b"hello", _at(under_test.server_host, far))
    await until(lambda: bool(near.received), "the echo arrived")
    assert far.received == [(b"hello", _at(under_test.client_host, near))]
    assert near.received == [(b"hello", _at(under_test.server_host, far))]
    _close(near, far)
