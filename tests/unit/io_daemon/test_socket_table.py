"""TCP and UDP through `/io`: what is sent arrives, and nobody waits for anybody else."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from millstream.io_daemon import socket_table
from millstream.io_daemon.stream_socket import SEND_WINDOW
from millstream.io_wire.datagrams import Datagram, Membership, datagram_header
from millstream.io_wire.envelope import Opcode, encode_frame
from millstream.io_wire.streams import (
    FIRST_ACCEPTED,
    FIRST_ACCEPTED_BEFORE_CREDIT,
    Accepted,
    Bound,
    Credit,
    Place,
    SocketData,
    SocketStatus,
    encode_socket,
)

from .conftest import TOKEN
from .io_client import IoClient


async def connect(client, peer, number=1):
    place = Place(number, peer.port, "127.0.0.1")
    await client.send(Opcode.TCP_CONNECT, place.encode(), request=number + 100)
    frame = await client.receive(Opcode.TCP_CONNECTED)
    assert frame.request == number + 100
    assert SocketStatus.parse(frame.payload) == SocketStatus(number)
    return await peer.accepted()


async def send(client, data, number=1):
    await client.send(Opcode.TCP_SEND, encode_socket(number) + data)


async def give_credit(client, length, number=1):
    await client.send(Opcode.CREDIT, Credit(number, length).encode())


async def become(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


# Connections.


async def test_bytes_go_both_ways(client, peer, daemon):
    reader, writer = await connect(client, peer)
    await send(client, b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.write(b"world")
    assert await client.receive_data(5, 1) == b"world"
    stats = daemon.stats()
    assert (stats["tcp_sockets"], stats["bytes_sent"], stats["bytes_received"]) == (1, 5, 5)


async def test_the_peer_may_speak_first(client, peer):
    _, writer = await connect(client, peer)
    writer.write(b"first")
    assert await client.receive_data(5) == b"first"


async def test_without_credit_a_connection_waits_for_the_client(url, peer, daemon):
    async with IoClient(url, TOKEN, features=None) as old:
        assert old.server_hello is None
        reader, writer = await connect(old, peer)
        writer.write(b"first")
        assert daemon.stats()["pending_tcp"] == 1
        assert await old.nothing_comes()
        await send(old, b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert await old.receive_data(5) == b"first"
        assert daemon.stats()["pending_tcp"] == 0


async def test_the_peers_end_is_told(client, peer, daemon):
    _, writer = await connect(client, peer)
    writer.write(b"last")
    writer.close()
    assert await client.receive_data(4) == b"last"
    frame = await client.receive(Opcode.TCP_CLOSE)
    assert SocketStatus.parse(frame.payload) == SocketStatus(1)
    assert daemon.stats()["tcp_sockets"] == 0
    await send(client, b"too late")
    assert await client.nothing_comes(0.01)


async def test_a_reset_has_its_number(client, peer):
    _, writer = await connect(client, peer)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
    status = SocketStatus.parse((await client.receive(Opcode.TCP_CLOSE)).payload)
    assert (status.status, status.errno) == (1, errno.ECONNRESET)


async def test_the_client_closes(client, peer):
    reader, _ = await connect(client, peer)
    await client.send(Opcode.TCP_CLOSE, encode_socket(1))
    assert await reader.read() == b""
    assert SocketStatus.parse((await client.receive(Opcode.TCP_CLOSE)).payload).status == 0


async def test_a_port_where_nobody_is(client, peer):
    await peer.close()
    await client.send(Opcode.TCP_CONNECT, Place(1, peer.port, "127.0.0.1").encode(), request=9)
    frame = await client.receive(Opcode.TCP_CONNECTED)
    status = SocketStatus.parse(frame.payload)
    assert (frame.request, status.status, status.errno) == (9, 1, errno.ECONNREFUSED)
    assert status.why


@pytest.mark.parametrize("host", ["", "no such host", "256.0.0.1", "[::1", "a\0b"])
async def test_a_host_that_is_none(client, host):
    await client.send(Opcode.TCP_CONNECT, Place(1, 80, host).encode())
    assert SocketStatus.parse((await client.receive(Opcode.TCP_CONNECTED)).payload).status == 1


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_ipv6(client, host):
    came = asyncio.Queue()
    server = await asyncio.start_server(lambda *pair: came.put_nowait(pair), "::1", 0)
    port = server.sockets[0].getsockname()[1]
    await client.send(Opcode.TCP_CONNECT, Place(1, port, host).encode())
    assert SocketStatus.parse((await client.receive(Opcode.TCP_CONNECTED)).payload).status == 0
    (await came.get())[1].transport.abort()
    server.close()


async def test_a_connection_takes_so_long_at_most(client, monkeypatch):
    monkeypatch.setattr(socket_table, "CONNECT_TIME", 0.01)

    async def never(_network, _host):
        await asyncio.sleep(60)

    monkeypatch.setattr("millstream.adapters.native.network.NativeNetwork.resolve", never)
    await client.send(Opcode.TCP_CONNECT, Place(1, 80, "slow.example").encode())
    status = SocketStatus.parse((await client.receive(Opcode.TCP_CONNECTED)).payload)
    assert "no connection within" in status.why


async def test_a_connection_on_its_way_can_be_closed(client, daemon, monkeypatch):
    async def never(_network, _host):
        await asyncio.sleep(60)

    monkeypatch.setattr("millstream.adapters.native.network.NativeNetwork.resolve", never)
    await client.send(Opcode.TCP_CONNECT, Place(1, 80, "slow.example").encode())
    await become(lambda: daemon.stats()["pending_connects"] == 1)
    await client.send(Opcode.TCP_CLOSE, encode_socket(1))
    assert SocketStatus.parse((await client.receive(Opcode.TCP_CONNECTED)).payload).status == 1
    await become(lambda: daemon.stats()["pending_connects"] == 0)


# Flow control.


async def test_no_more_is_received_than_there_is_credit_for(url, peer):
    async with IoClient(url, TOKEN, window=1000) as client:
        _, writer = await connect(client, peer)
        writer.write(b"x" * 5000)
        assert len(await client.receive_data(1000)) == 1000
        assert await client.nothing_comes()
        await give_credit(client, 1)
        assert await client.receive_data(1) == b"x"
        assert await client.nothing_comes(0.01)
        await give_credit(client, 10_000)
        assert len(await client.receive_data(3999)) == 3999


async def test_a_socket_that_nobody_reads_from_stalls_no_other(url, peer):
    async with IoClient(url, TOKEN, window=1000) as client:
        _, slow = await connect(client, peer, 1)
        _, fast = await connect(client, peer, 2)
        slow.write(b"s" * 1_000_000)
        assert len(await client.receive_data(1000, 1)) == 1000
        for _ in range(50):
            fast.write(b"f" * 1000)
            assert await client.receive_data(1000, 2) == b"f" * 1000
            await give_credit(client, 1000, 2)
        received = 1000
        while received < 1_000_000:
            await give_credit(client, 99_900, 1)
            received += len(await client.receive_data(min(99_900, 1_000_000 - received), 1))
        assert await client.nothing_comes(0.01)


async def test_a_peer_that_reads_nothing_stalls_no_other(client, peer):
    slow, _ = await connect(client, peer, 1)
    fast, writer = await connect(client, peer, 2)
    slow._transport.pause_reading()
    sent, credit, stuck = 0, SEND_WINDOW, False
    while not stuck:
        while credit >= 16384:
            await send(client, b"s" * 16384, 1)
            sent, credit = sent + 16384, credit - 16384
        stuck = await client.nothing_comes()
        while not stuck and client._frames:
            number, length = Credit.parse((await client.receive(Opcode.CREDIT)).payload)
            assert number == 1
            credit += length
    await send(client, b"hello", 2)
    assert await fast.readexactly(5) == b"hello"
    writer.write(b"world")
    assert await client.receive_data(5, 2) == b"world"
    slow._transport.resume_reading()
    assert len(await slow.readexactly(sent)) == sent


async def test_who_sends_beyond_the_credit_loses_the_socket_and_no_other(client, peer):
    slow, _ = await connect(client, peer, 1)
    fast, _ = await connect(client, peer, 2)
    slow._transport.pause_reading()
    await send(client, bytes(SEND_WINDOW + 1), 1)
    status = SocketStatus.parse((await client.receive(Opcode.TCP_CLOSE)).payload)
    assert (status.socket, status.status) == (1, 1)
    assert "credit" in status.why
    await send(client, b"hello", 2)
    assert await fast.readexactly(5) == b"hello"


async def test_what_is_sent_comes_back_as_credit(client, peer):
    reader, _ = await connect(client, peer)
    for _ in range(4):
        await send(client, bytes(SEND_WINDOW // 4))
    assert len(await reader.readexactly(SEND_WINDOW)) == SEND_WINDOW
    back = 0
    while back < SEND_WINDOW:
        back += Credit.parse((await client.receive(Opcode.CREDIT)).payload).length
    assert back >= SEND_WINDOW


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_not_read_for(client, peer, daemon, monkeypatch):
    monkeypatch.setattr("millstream.io_daemon.outbox.MAX_WAITING_BYTES", 100_000)
    monkeypatch.setattr("millstream.io_daemon.outbox.RESUME_BELOW", 50_000)
    _, writer = await connect(client, peer)
    await give_credit(client, 1 << 30)
    total = 24 << 20
    writer.write(bytes(total))
    before = -1
    while before != daemon.stats()["bytes_received"]:
        before = daemon.stats()["bytes_received"]
        await asyncio.sleep(0.05)
    assert before < total
    assert len(await client.receive_data(total)) == total


# Listeners.


@pytest.mark.parametrize("features", [None, 3])
async def test_listening(url, features, daemon):
    async with IoClient(url, TOKEN, features=features) as client:
        await client.send(Opcode.TCP_LISTEN, Place(5, 0, "127.0.0.1").encode(), request=7)
        frame = await client.receive(Opcode.TCP_LISTEN_RESULT)
        bound = Bound.parse(frame.payload)
        assert (frame.request, bound.socket, bound.status) == (7, 5, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.port)
        accepted = Accepted.parse((await client.receive(Opcode.TCP_ACCEPT)).payload)
        first = FIRST_ACCEPTED if features else FIRST_ACCEPTED_BEFORE_CREDIT
        own = writer.get_extra_info("sockname")
        assert accepted == Accepted(5, first, own[1], "127.0.0.1")
        writer.write(b"hello")
        assert await client.receive_data(5, first) == b"hello"
        await send(client, b"world", first)
        assert await reader.readexactly(5) == b"world"
        await client.send(Opcode.TCP_STOP_LISTEN, encode_socket(5))
        await become(lambda: daemon.stats()["tcp_servers"] == 0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", bound.port)
        writer.write(b"still there")
        assert await client.receive_data(11, first) == b"still there"
        writer.transport.abort()


async def test_a_port_that_is_taken(client, peer):
    await client.send(Opcode.TCP_LISTEN, Place(5, peer.port, "127.0.0.1").encode())
    bound = Bound.parse((await client.receive(Opcode.TCP_LISTEN_RESULT)).payload)
    assert (bound.status, bound.errno) == (1, errno.EADDRINUSE)
    await client.send(Opcode.TCP_LISTEN, Place(5, 0, "127.0.0.1").encode())
    bound = Bound.parse((await client.receive(Opcode.TCP_LISTEN_RESULT)).payload)
    assert bound.status == 0


# Datagrams.


async def bind(client, number=1, host="127.0.0.1", request=0):
    await client.send(Opcode.UDP_BIND, Place(number, 0, host).encode(), request)
    frame = await client.receive(Opcode.UDP_BOUND)
    assert frame.request == request
    return Bound.parse(frame.payload)


async def test_datagrams_go_both_ways(client, daemon):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        bound = await bind(client, request=3)
        assert bound.status == 0
        port = other.getsockname()[1]
        header = datagram_header(1, port, "127.0.0.1")
        await client.send(Opcode.UDP_SEND, header + b"ping")
        await become(lambda: daemon.stats()["bytes_sent"] == 4)
        assert other.recvfrom(100) == (b"ping", ("127.0.0.1", bound.port))
        other.sendto(b"pong", ("127.0.0.1", bound.port))
        other.sendto(b"", ("127.0.0.1", bound.port))
        came = [Datagram.parse((await client.receive(Opcode.UDP_RECV)).payload) for _ in range(2)]
        assert came == [(1, port, "127.0.0.1", b"pong"), (1, port, "127.0.0.1", b"")]
        await client.send(Opcode.UDP_CLOSE, encode_socket(1))
        await become(lambda: daemon.stats()["udp_sockets"] == 0)


async def test_datagrams_have_credit_too(url):
    async with IoClient(url, TOKEN, window=5) as client:
        bound = await bind(client)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for data in (b"one", b"two", b"three"):
                other.sendto(data, ("127.0.0.1", bound.port))
            for data in (b"one", b"two"):
                frame = await client.receive(Opcode.UDP_RECV)
                assert Datagram.parse(frame.payload).data == data
            assert await client.nothing_comes(0.01)
            await give_credit(client, 2)
            frame = await client.receive(Opcode.UDP_RECV)
            assert Datagram.parse(frame.payload).data == b"three"


@pytest.mark.parametrize("host", ["localhost", "192.0.2.1", "x\0"])
async def test_an_address_that_cannot_be_bound(client, host):
    assert (await bind(client, host=host)).status == 1


async def test_a_group(client):
    await bind(client, host="")
    for opcode in (Opcode.UDP_JOIN_MULTICAST, Opcode.UDP_LEAVE_MULTICAST):
        for group in ("127.0.0.1", "no group", "ff02::1"):
            await client.send(opcode, Membership(1, group).encode(), request=4)
            assert (await client.receive(Opcode.ERROR)).request == 4


# What makes no sense.


@pytest.mark.parametrize("opcode", [Opcode.TCP_CONNECT, Opcode.TCP_LISTEN, Opcode.UDP_BIND])
@pytest.mark.parametrize("number", [1, FIRST_ACCEPTED, 0xFFFF_FFFF])
async def test_a_number_that_is_taken_or_the_servers(client, peer, opcode, number):
    await connect(client, peer, 1)
    await client.send(Opcode.TCP_LISTEN, Place(1, 0, "127.0.0.1").encode())
    await client.receive(Opcode.TCP_LISTEN_RESULT)
    await client.send(opcode, Place(number, 0, "127.0.0.1").encode(), request=8)
    assert (await client.receive(Opcode.ERROR)).request == 8


async def test_sockets_that_are_not_there(client):
    for opcode in (
        *(Opcode.TCP_SEND, Opcode.TCP_CLOSE, Opcode.TCP_STOP_LISTEN, Opcode.UDP_CLOSE),
        Opcode.CREDIT,
    ):
        await client.send(opcode, encode_socket(77) + bytes(4))
    header = datagram_header(77, 1, "127.0.0.1")
    await client.send(Opcode.UDP_SEND, header)
    await client.send(Opcode.UDP_JOIN_MULTICAST, Membership(77, "239.0.0.1").encode())
    assert await client.nothing_comes(0.01)


async def test_short_payloads_are_refused_alone(client, peer):
    reader, _ = await connect(client, peer)
    opcodes = [
        *(Opcode.TCP_CONNECT, Opcode.TCP_SEND, Opcode.TCP_CLOSE, Opcode.TCP_LISTEN),
        *(Opcode.TCP_STOP_LISTEN, Opcode.TCP_SECURE, Opcode.CREDIT, Opcode.UDP_BIND),
        *(Opcode.UDP_SEND, Opcode.UDP_CLOSE, Opcode.UDP_JOIN_MULTICAST),
    ]
    frames = [encode_frame(opcode, 5, b"\1\0\0") for opcode in opcodes]
    await client.send_frames(*frames)
    for _ in opcodes:
        assert (await client.receive(Opcode.ERROR)).request == 5
    await send(client, b"hello")
    assert await reader.readexactly(5) == b"hello"


async def test_there_are_so_many_at_most(client, peer, monkeypatch):
    monkeypatch.setattr(socket_table, "MAX_SOCKETS", 1)
    await connect(client, peer, 1)
    await client.send(Opcode.UDP_BIND, Place(2, 0, "127.0.0.1").encode())
    await client.receive(Opcode.ERROR)


async def test_a_client_that_goes_frees_its_sockets(url, peer, daemon):
    async with IoClient(url, TOKEN) as client:
        reader, _ = await connect(client, peer)
        await client.send(Opcode.TCP_LISTEN, Place(5, 0, "127.0.0.1").encode())
        bound = Bound.parse((await client.receive(Opcode.TCP_LISTEN_RESULT)).payload)
        await bind(client, 2)
        # As if it was killed: no goodbye.
        client.socket._response.connection.transport.abort()
        assert await reader.read() == b""
    await become(lambda: daemon.stats()["ws_connections"] == 0)
    stats = daemon.stats()
    assert (stats["tcp_sockets"], stats["tcp_servers"], stats["udp_sockets"]) == (0, 0, 0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", bound.port)


async def test_a_stream_comes_through_whole(client, peer):
    reader, writer = await connect(client, peer)
    total, sent, given = 8 << 20, 0, 1 << 20
    data = bytes(range(256)) * (total // 256)
    writer.write(data)
    received = b""
    while len(received) < total:
        frame = await client.receive(Opcode.TCP_RECV)
        found = SocketData.parse(frame.payload)
        received += found.data
        sent += len(found.data)
        if given - sent < 1 << 19:
            await give_credit(client, 1 << 20)
            given += 1 << 20
    assert received == data
    reader.feed_eof()
