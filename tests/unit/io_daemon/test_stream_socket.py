"""TLS on a lent socket; what goes without it is in `test_socket_table.py`."""

from __future__ import annotations

import asyncio

import pytest
from tests.certificates import own_certificate

from millstream.io_daemon import stream_socket
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import (
    Credit,
    Place,
    Secure,
    Secured,
    SocketStatus,
    encode_socket,
)

from .conftest import TOKEN, Peer
from .io_client import IoClient


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
async def secure_peer(context):
    peer = Peer()
    await peer.start(ssl=context)
    yield peer
    await peer.close()


async def connect(client, peer):
    await client.send(Opcode.TCP_CONNECT, Place(1, peer.port, "127.0.0.1").encode())
    await client.receive(Opcode.TCP_CONNECTED)


async def secure(client, *, skips_validation=True, host="localhost"):
    asked = Secure(1, host, skips_validation)
    await client.send(Opcode.TCP_SECURE, asked.encode(), request=5)
    frame = await client.receive(Opcode.TCP_SECURED)
    assert frame.request == 5
    return Secured.parse(frame.payload)


@pytest.mark.parametrize("features", [None, 3])
async def test_bytes_go_both_ways(url, secure_peer, features):
    async with IoClient(url, TOKEN, features=features) as client:
        await connect(client, secure_peer)
        assert await secure(client) == Secured(1)
        reader, writer = await secure_peer.accepted()
        for size in (5, 100_000):
            await client.send(Opcode.TCP_SEND, encode_socket(1) + b"h" * size)
            assert await reader.readexactly(size) == b"h" * size
        writer.write(b"w" * 200_000)
        assert await client.receive_data(200_000, 1) == b"w" * 200_000


async def test_credit_is_for_what_was_decrypted(url, secure_peer):
    async with IoClient(url, TOKEN, window=0) as client:
        await connect(client, secure_peer)
        assert await secure(client) == Secured(1)
        _, writer = await secure_peer.accepted()
        writer.write(b"w" * 50_000)
        writer.close()
        assert await client.nothing_comes()
        received = 0
        while received < 50_000:
            await client.send(Opcode.CREDIT, Credit(1, 10_001).encode())
            received += len(await client.receive_data(min(10_001, 50_000 - received), 1))
        frame = await client.receive(Opcode.TCP_CLOSE)
        assert SocketStatus.parse(frame.payload).status == 0


async def test_a_certificate_of_nobody_is_refused(client, secure_peer):
    await connect(client, secure_peer)
    secured = await secure(client, skips_validation=False)
    assert secured.status == 1
    assert "CERTIFICATE_VERIFY_FAILED" in secured.why
    status = SocketStatus.parse((await client.receive(Opcode.TCP_CLOSE)).payload)
    assert (status.socket, status.status) == (1, 1)


async def test_a_peer_that_knows_no_tls(client, peer):
    await connect(client, peer)
    reader, writer = await peer.accepted()
    writer.write(b"220 plain\r\n")
    assert await client.receive_data(11) == b"220 plain\r\n"
    await client.send(Opcode.TCP_SECURE, Secure(1, "localhost", True).encode())
    assert await reader.readexactly(1) == b"\x16"  # a record of a handshake
    writer.write(b"what?\r\n")
    frame = await client.receive(Opcode.TCP_SECURED)
    assert Secured.parse(frame.payload).status == 1
    await client.receive(Opcode.TCP_CLOSE)


async def test_a_handshake_takes_so_long_at_most(client, peer, monkeypatch):
    monkeypatch.setattr(stream_socket, "TLS_TIME", 0.01)
    await connect(client, peer)
    secured = await secure(client)
    assert (secured.status, secured.why) == (1, "the handshake took too long")
    await client.receive(Opcode.TCP_CLOSE)


async def test_twice_and_nowhere(client, secure_peer):
    assert (await secure(client)).why == "there is no socket 1"
    await connect(client, secure_peer)
    assert (await secure(client)).status == 0
    assert "already" in (await secure(client)).why
    await secure_peer.accepted()


async def test_nothing_is_sent_before_the_handshake_is_over(client, peer):
    await connect(client, peer)
    reader, _ = await peer.accepted()
    await client.send(Opcode.TCP_SECURE, Secure(1, "localhost", True).encode())
    await client.send(Opcode.TCP_SEND, encode_socket(1) + b"plain")
    status = SocketStatus.parse((await client.receive(Opcode.TCP_CLOSE)).payload)
    assert "not secured yet" in status.why
    async with asyncio.timeout(5):
        assert b"plain" not in await reader.read()
