"""Peers that break the protocol, while a good one serves: dropped with a reason, no harm done.

What the extension protocol adds to that is in `test_hostile_extensions.py`.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from millstream import NetworkConfig, PeerAddress
from millstream.core.peer import MAX_UNSENT_BYTES
from millstream.events import PeerConnected, PieceFailed

from .conftest import MakeVictim, Share, StartEngine
from .raw_peer import (
    ALLOWED_FAST,
    BITFIELD,
    BLOCK,
    CHOKE,
    FAST,
    HAVE,
    HAVE_ALL,
    HAVE_NONE,
    INTERESTED,
    PIECE,
    PLAIN,
    REJECT,
    REQUEST,
    SUGGEST,
    UNCHOKE,
    RawPeer,
    handshake,
    message,
    new_peer_id,
)
from .victim import Victim, dropped, events_now

pytestmark = pytest.mark.timeout(60)

LAST_LENGTH = 20_000

# What can be wrong before the handshake is done. No event tells of it: nobody was met.


BAD_OPENINGS = {
    "garbage": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "binary garbage": bytes(range(256)) * 300,
    "garbage after a good start": b"\x13BitTorrent protocal" + bytes(48),
    "another torrent": handshake(bytes(20), new_peer_id()),
    "another torrent and more": handshake(bytes(20), new_peer_id()) + message(UNCHOKE),
    "an encrypted handshake": new_peer_id() * 20,
}


@pytest.mark.parametrize("opening", BAD_OPENINGS.values(), ids=BAD_OPENINGS.keys())
async def test_incoming_that_opens_badly(opening: Callable[[Share], bytes], victim: Victim) -> None:
    events = victim.torrent.events()
    hostile = await RawPeer.connect(victim.engine.listen_port)

    hostile.send(opening)

    assert await hostile.wait_closed() == b"", "it was told something"
    await hostile.close()
    await victim.complete()
    assert not [e for e in events_now(events) if isinstance(e, PeerConnected)]


@pytest.mark.parametrize("opening", BAD_OPENINGS.values(), ids=BAD_OPENINGS.keys())
async def test_outgoing_that_opens_badly(opening: Callable[[Share], bytes], victim: Victim) -> None:
    events = victim.torrent.events()
    met: asyncio.Queue[RawPeer] = asyncio.Queue()

    async with listening(met) as address:
        victim.torrent.add_peer(address)
        hostile = await met.get()
        hostile.send(opening)
        # Our own handshake comes first, since we connected.
        assert await hostile.wait_closed() in {b"", handshake_of(victim)}
        await hostile.close()
        await victim.complete()

    assert not [e for e in events_now(events) if isinstance(e, PeerConnected)]


async def test_connecting_and_leaving_at_once(victim: Victim) -> None:
    for _ in range(20):
        hostile = await RawPeer.connect(victim.engine.listen_port)
        hostile.reset()
    for _ in range(20):
        hostile = await RawPeer.connect(victim.engine.listen_port)
        await hostile.close()
    await victim.complete()


async def test_leaving_within_the_handshake(victim: Victim) -> None:
    whole = handshake(victim.share.info_hash, new_peer_id())
    for length in (1, 19, 20, 28, 47, 48, 67):
        hostile = await RawPeer.connect(victim.engine.listen_port)
        hostile.send(whole[:length])
        await hostile.close()
    await victim.complete()


async def test_silence_is_not_waited_for_for_ever(
    make_victim: MakeVictim,
) -> None:
    """Half handshakes, and nothing at all, on connections of either direction."""
    network = NetworkConfig(listen_hosts=("127.0.0.1",), handshake_timeout=1)
    victim = await make_victim(network)
    met: asyncio.Queue[RawPeer] = asyncio.Queue()
    whole = handshake(victim.share.info_hash, new_peer_id())
    async with listening(met) as first, listening(met) as second:
        victim.torrent.add_peer(first)
        victim.torrent.add_peer(second)
        incoming = [await RawPeer.connect(victim.engine.listen_port) for _ in range(3)]
        outgoing = [await met.get(), await met.get()]
        for hostile, length in zip(incoming + outgoing, (0, 30, 67, 0, 67), strict=True):
            hostile.send(whole[:length])

        await asyncio.gather(*(hostile.wait_closed() for hostile in incoming + outgoing))

        for hostile in incoming + outgoing:
            await hostile.close()
    assert [peer.address.port for peer in victim.torrent.peers()] == [victim.good.port]
    await victim.complete()


async def test_more_connections_than_there_is_room_for(
    make_victim: MakeVictim,
) -> None:
    network = NetworkConfig(listen_hosts=("127.0.0.1",), max_connections=3)
    victim = await make_victim(network)

    hostile = [await RawPeer.connect(victim.engine.listen_port) for _ in range(30)]
    # All but two are turned away at once; those two hold their places and no more.
    await asyncio.gather(*(peer.wait_closed() for peer in hostile[2:]))

    await victim.complete()
    for peer in hostile:
        await peer.close()


async def test_connecting_to_ourselves(victim: Victim) -> None:
    ourselves = PeerAddress("127.0.0.1", victim.engine.listen_port or 0)
    events = victim.torrent.events()
    swarm = victim.torrent._membership.swarm

    victim.torrent.add_peer(ourselves)
    while not swarm.is_banned(ourselves, incoming=False):  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)

    another = await victim.meet()  # other peers still come in from this host
    while not isinstance(event := await anext(events), PeerConnected):
        pass
    assert event.address.port == another.port
    await another.close()
    await victim.complete()


async def test_the_same_peer_twice(victim: Victim) -> None:
    events = victim.torrent.events()
    twin = await RawPeer.connect(victim.engine.listen_port)
    twin.peer_id = victim.good.peer_id

    await twin.greet(victim.share.info_hash)
    await twin.wait_closed()

    await twin.close()
    await victim.complete()
    assert not [e for e in events_now(events) if isinstance(e, PeerConnected)]


# What can be wrong after it. Each of these ends in PeerDisconnected with a reason.


def length_prefix(length: int) -> bytes:
    return struct.pack(">I", length)


BAD_MESSAGES = {
    "length of 4 GiB": (FAST, length_prefix(0xFFFFFFFF), "4294967295 bytes"),
    "length of 1 MiB": (FAST, length_prefix(1 << 20) + bytes([PIECE]), "1048577|1048576 bytes"),
    "giant message of no known kind": (FAST, length_prefix(40_000) + bytes([99]), "40000 bytes"),
    "giant message of an extension": (FAST, length_prefix(40_000) + bytes([20]), "40000 bytes"),
    "choke with a payload": (FAST, length_prefix(2) + bytes([CHOKE, 0]), "kind 0 with 2 bytes"),
    "short have": (FAST, length_prefix(4) + bytes([HAVE, 0, 0, 0]), "kind 4 with 4 bytes"),
    "long have": (FAST, message(HAVE, 0, 0), "kind 4 with 9 bytes"),
    "short request": (FAST, message(REQUEST, 0, 0), "kind 6 with 9 bytes"),
    "block without a header": (FAST, message(PIECE, 0), "kind 7 with 5 bytes"),
    "long bitfield": (FAST, message(BITFIELD, payload=bytes(2)), "bitfield"),
    "empty bitfield": (FAST, message(BITFIELD), "bitfield"),
    "have beyond the end": (FAST, message(HAVE, 8), "piece 8"),
    "have far beyond the end": (FAST, message(HAVE, 0xFFFFFFFF), "piece 4294967295"),
    "block that was not asked for": (
        FAST,
        message(PIECE, 5, 0, payload=bytes(BLOCK)),
        "not requested",
    ),
    "block of a piece that is there": (
        FAST,
        message(PIECE, 0, 0, payload=bytes(BLOCK)),
        "not requested",
    ),
    "block beyond the end": (
        FAST,
        message(PIECE, 0xFFFFFFFF, 0xFFFFFFFF, payload=bytes(BLOCK)),
        "not requested",
    ),
    "empty block": (FAST, message(PIECE, 5, 0), "not requested"),
    "request of nothing": (FAST, message(REQUEST, 0, 0, 0), "request for 0 bytes"),
    "request of too much": (FAST, message(REQUEST, 0, 0, BLOCK + 1), "request for 16385 bytes"),
    "request of a whole piece": (FAST, message(REQUEST, 0, 0, 32768), "request for 32768 bytes"),
    "request over the piece's end": (FAST, message(REQUEST, 0, BLOCK + 1, BLOCK), "request for"),
    "request over the last piece's end": (FAST, message(REQUEST, 7, BLOCK, BLOCK), "request for"),
    "request far beyond the piece": (FAST, message(REQUEST, 0, 0xFFFFFFFF, BLOCK), "request for"),
    "request of no such piece": (FAST, message(REQUEST, 8, 0, BLOCK), "piece 8"),
    "request of a missing piece": (PLAIN, message(REQUEST, 7, 0, BLOCK), "which we do not have"),
    "reject of no such piece": (FAST, message(REJECT, 8, 0, BLOCK), "piece 8"),
    "suggestion of no such piece": (FAST, message(SUGGEST, 8), "piece 8"),
    "allowed fast of no such piece": (FAST, message(ALLOWED_FAST, 8), "piece 8"),
    "have all without Fast": (PLAIN, message(HAVE_ALL), "without the Fast extension"),
    "have none without Fast": (PLAIN, message(HAVE_NONE), "without the Fast extension"),
    "reject without Fast": (PLAIN, message(REJECT, 0, 0, BLOCK), "without the Fast extension"),
    "suggestion without Fast": (PLAIN, message(SUGGEST, 0), "without the Fast extension"),
    "allowed fast without Fast": (PLAIN, message(ALLOWED_FAST, 0), "without the Fast extension"),
}


@pytest.mark.parametrize(
    ("reserved", "data", "reason"), BAD_MESSAGES.values(), ids=BAD_MESSAGES.keys()
)
async def test_message_that_breaks_the_protocol(
    reserved: bytes, data: bytes, reason: str, victim: Victim
) -> None:
    events = victim.torrent.events()
    hostile = await victim.meet(reserved=reserved)

    hostile.send(data)

    assert re.search(reason, await dropped(events, hostile))
    await hostile.wait_closed()
    await hostile.close()
    await victim.complete()


async def test_bad_message_in_single_bytes(victim: Victim) -> None:
    events = victim.torrent.events()
    hostile = await victim.meet()
    for byte in message(HAVE, 7) + message(UNCHOKE) + message(HAVE, 8):
        hostile.send(bytes([byte]))
        await hostile.writer.drain()
        await asyncio.sleep(0)
    assert "piece 8" in await dropped(events, hostile)
    await hostile.close()
    await victim.complete()


async def test_spare_bits_in_a_bitfield(start_engine: StartEngine, tmp_path: Path) -> None:
    from .conftest import make_share

    share = make_share(5 * 16384, 16384, "five.bin")
    engine = await start_engine(tmp_path)
    torrent = await engine.add(share.data)
    events = torrent.events()
    await torrent.wait_checked()
    hostile = await RawPeer.connect(engine.listen_port)
    await hostile.greet(share.info_hash)

    hostile.send(message(BITFIELD, payload=b"\xff"))

    assert "bitfield" in await dropped(events, hostile)
    await hostile.close()


BAD_ANSWERS = {
    "too short": (0, BLOCK - 1),
    "too long": (0, BLOCK + 1),
    "much too long": (0, 2 * BLOCK - 20),
    "empty": (0, 0),
    "shifted by a byte": (1, BLOCK),
    "at a wrong place": (0xFFFFC000, BLOCK),
}


@pytest.mark.parametrize(("shift", "length"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_answer_that_was_not_asked_for(shift: int, length: int, victim: Victim) -> None:
    events = victim.torrent.events()
    hostile = await victim.meet()
    hostile.send(message(HAVE_ALL), message(UNCHOKE))
    index, begin, asked = await hostile.receive_kind(REQUEST)
    assert asked in {BLOCK, LAST_LENGTH - BLOCK}

    answer = message(PIECE, index, (begin + shift) & 0xFFFFFFFF, payload=bytes(length))
    hostile.send(answer)

    assert re.search("block of|not requested|bytes", await dropped(events, hostile))
    await hostile.close()
    await victim.complete()


async def test_answer_sent_twice(victim: Victim) -> None:
    events = victim.torrent.events()
    hostile = await victim.meet()
    hostile.send(message(HAVE, 5), message(UNCHOKE))
    index, begin, length = await hostile.receive_kind(REQUEST)
    at = index * victim.share.piece_length + begin
    answer = message(PIECE, index, begin, payload=victim.share.content[at : at + length])

    hostile.send(answer, answer)

    assert "not requested" in await dropped(events, hostile)
    await hostile.close()
    await victim.complete()


async def test_all_bad_blocks_and_then_the_same_address_is_refused(victim: Victim) -> None:
    """Zeros of the right length pass the wire and fail the hash."""
    events = victim.torrent.events()
    hostile = await victim.meet()
    hostile.send(message(HAVE, 5))
    serving = asyncio.create_task(hostile.serve(bytes(1 << 20), victim.share.piece_length))

    assert "corrupt" in await dropped(events, hostile)
    await serving
    await hostile.close()

    again = await RawPeer.connect(victim.engine.listen_port)
    await again.greet(victim.share.info_hash)
    assert await again.wait_closed() == b""
    await again.close()
    await victim.complete()
    assert not [e for e in events_now(events) if isinstance(e, PeerConnected | PieceFailed)]


async def test_reset_in_the_middle_of_a_message(victim: Victim) -> None:
    events = victim.torrent.events()
    hostile = await victim.meet()
    hostile.send(message(HAVE_ALL), message(UNCHOKE))
    index, begin, length = await hostile.receive_kind(REQUEST)
    hostile.send(message(PIECE, index, begin, payload=bytes(length))[: length // 2])
    await hostile.writer.drain()
    hostile.reset()

    assert re.search("reset|closed", await dropped(events, hostile))
    await victim.complete()


async def test_missing_piece_is_rejected_if_the_peer_speaks_fast(victim: Victim) -> None:
    hostile = await victim.meet()
    hostile.send(message(INTERESTED))
    await hostile.receive_kind(UNCHOKE)
    hostile.send(message(REQUEST, 7, 0, BLOCK), message(REQUEST, 0, 0, BLOCK))
    assert await hostile.receive_kind(REJECT) == (7, 0, BLOCK)
    kind, payload = await hostile.receive()
    assert (kind, payload[8:]) == (PIECE, victim.share.content[:BLOCK])
    await hostile.close()
    await victim.complete()


async def test_unknown_messages_are_passed_over(victim: Victim) -> None:
    """BEP 10 peers may send what we did not offer."""
    stranger = await victim.meet()
    stranger.send(message(20, payload=b"\0d1:md11:ut_metadatai1eee"), message(200), bytes(4))
    stranger.send(message(INTERESTED))
    await stranger.receive_kind(UNCHOKE)
    await stranger.close()
    await victim.complete()


async def test_all_kinds_of_hostility_at_once(victim: Victim) -> None:
    hostile = [await victim.meet(reserved=reserved) for reserved, _, _ in BAD_MESSAGES.values()]
    for peer, (_, data, _) in zip(hostile, BAD_MESSAGES.values(), strict=True):
        peer.send(message(HAVE, 6), data)
    await victim.complete()
    await asyncio.gather(*(peer.wait_closed() for peer in hostile))
    for peer in hostile:
        await peer.close()


# What breaks no rule and helps nobody: the download goes on all the same.


async def test_peer_that_never_answers(victim: Victim) -> None:
    """It owes all that is left, and is not waited for."""
    hostile = await victim.meet()
    hostile.send(message(HAVE_ALL), message(UNCHOKE))
    for _ in range(7):
        await hostile.receive_kind(REQUEST)
    await victim.complete()
    await hostile.close()


async def test_peer_that_rejects_everything(victim: Victim) -> None:
    """It is not asked again and again for what it refuses."""
    hostile = await victim.meet()
    hostile.send(message(HAVE_ALL), message(UNCHOKE))
    requests = 0

    async def reject() -> None:
        nonlocal requests
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                wish = await hostile.receive_kind(REQUEST)
                requests += 1
                hostile.send(message(REJECT, *wish))

    rejecting = asyncio.create_task(reject())
    while not requests:  # noqa: ASYNC110 - until it is at it
        await asyncio.sleep(0)
    await victim.complete()
    await hostile.close()
    await rejecting
    assert requests < 1000


@pytest.mark.parametrize("reserved", [FAST, PLAIN], ids=["fast", "plain"])
async def test_peer_that_chokes_and_unchokes_all_the_time(reserved: bytes, victim: Victim) -> None:
    hostile = await victim.meet(reserved=reserved)
    hostile.send(message(BITFIELD, payload=b"\xff"))

    async def flip() -> None:
        with suppress(ConnectionError):
            while True:
                hostile.send(message(UNCHOKE), message(CHOKE))
                await hostile.writer.drain()
                await asyncio.sleep(0)

    flipping = asyncio.create_task(flip())
    await victim.complete()
    flipping.cancel()
    await hostile.close()


# Memory: what a peer can make us hold is bounded.


FLOODS = {
    "while choked": (FAST, False, [(0, 0, BLOCK)]),
    "of missing pieces": (FAST, True, [(7, 0, BLOCK)]),
    "of good blocks": (FAST, True, [(0, 0, BLOCK), (1, BLOCK, BLOCK), (2, 0, BLOCK)]),
    "of single bytes": (FAST, True, [(0, 0, 1), (0, 100, 1)]),
}


@pytest.mark.parametrize(("reserved", "interested", "wishes"), FLOODS.values(), ids=FLOODS.keys())
async def test_flood_of_requests_without_reading_the_answers(
    reserved: bytes, interested: bool, wishes: list[tuple[int, int, int]], victim: Victim
) -> None:
    events = victim.torrent.events()
    hostile = await RawPeer.connect(victim.engine.listen_port, receive_buffer=4096)
    await hostile.greet(victim.share.info_hash, reserved)
    if interested:
        hostile.send(message(INTERESTED))
        await hostile.receive_kind(UNCHOKE)
    hostile.writer.transport.pause_reading()

    thousand = b"".join(message(REQUEST, *wish) for wish in wishes) * (1000 // len(wishes))
    most = 0
    with suppress(ConnectionError):
        while True:  # until it is dropped
            hostile.send(thousand)
            await hostile.writer.drain()
            for link in victim.engine._links:
                most = max(most, link.unsent_bytes)

    assert "flood of requests" in await dropped(events, hostile)
    assert most < MAX_UNSENT_BYTES + (1 << 20)
    hostile.writer.transport.abort()
    await victim.complete()


async def test_requests_that_cannot_be_refused_are_dropped_in_silence(victim: Victim) -> None:
    """Without the Fast extension there is no reject: what is too much is not kept."""
    hostile = await victim.meet(reserved=PLAIN)
    hostile.send(message(INTERESTED))
    await hostile.receive_kind(UNCHOKE)
    hostile.writer.transport.pause_reading()
    for _ in range(20):
        hostile.send(message(REQUEST, 0, 0, BLOCK) * 1000)
        await hostile.writer.drain()
    for peer in victim.torrent._session.machine.peers.values():
        assert peer.uploads.requests <= 2000
    hostile.writer.transport.abort()
    await victim.complete()


# How it is told.


def handshake_of(victim: Victim) -> bytes:
    return victim.good.engine_handshake


@asynccontextmanager
async def listening(met: asyncio.Queue[RawPeer]) -> AsyncIterator[str]:
    """A hostile listener; whoever connects is put into the queue."""

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.put_nowait(RawPeer(reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        while not met.empty():
            await met.get_nowait().close()
