"""Peers that abuse the extension protocol, while a good one serves.

Each meets a victim twice: one that downloads, and one that has a magnet link and nothing else yet.
What must not be said has a reason for which the peer is dropped; what is merely odd is put up with.
Either way the download goes on, nothing is raised in the event loop, and memory is bounded.
"""

from __future__ import annotations

import asyncio
import gc
import random
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from millstream.core.metadata_peer import MAX_ALLOWED_FAST, MetadataPeer
from millstream.core.metadata_serve import MAX_UNSENT, MAX_WAITING
from millstream.core.peer import MAX_UNSENT_BYTES
from millstream.core.pex import MAX_HEARD
from millstream.protocol.compact import PeerAddress, pack_peers
from millstream.protocol.metainfo import MAX_PIECES

from .conftest import MakeVictim
from .raw_peer import (
    ALLOWED_FAST,
    BITFIELD,
    EXTENDED,
    EXTENDING,
    HAVE,
    HAVE_ALL,
    LT_DONTHAVE,
    METADATA_PIECE,
    REQUEST,
    UNCHOKE,
    UPLOAD_ONLY,
    UT_METADATA,
    UT_PEX,
    RawPeer,
    extended,
    extension_handshake,
    message,
    metadata_data,
    metadata_request,
)
from .victim import Victim, dropped, events_now

pytestmark = pytest.mark.timeout(60)

MIB = 1 << 20
STAGES = pytest.mark.parametrize("magnet", [False, True], ids=["downloading", "magnet"])


@pytest.fixture(autouse=True)
async def _nothing_is_raised_in_the_loop() -> AsyncIterator[None]:
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    yield
    gc.collect()  # tasks whose exception nobody asked for say so when they go
    assert raised == []


async def meet(victim: Victim) -> RawPeer:
    """A hostile peer that has shaken hands."""
    return await victim.meet(reserved=EXTENDING)


# What is put up with. Fields of odd types and values count as not said.


def key(name: bytes, value: bytes) -> bytes:
    return b"%d:%b%b" % (len(name), name, value)


HUGE = b"i" + b"9" * 18 + b"e"
VALUES = {
    "negative": b"i-1e",
    "zero": b"i0e",
    "255": b"i255e",
    "256": b"i256e",
    "a million": b"i1000000e",
    "huge": HUGE,
    "huge negative": b"i-" + HUGE[1:],
    "string": b"4:spam",
    "empty string": b"0:",
    "list": b"li1ee",
    "dictionary": b"d1:ai1ee",
}
NAMES = (b"p", b"reqq", b"metadata_size", b"upload_only", b"e", b"v", b"yourip", b"ipv4", b"ipv6")
INNER = (b"ut_metadata", b"ut_pex", b"lt_donthave", b"upload_only", b"ut_holepunch", b"")


def with_all_fields(value: bytes) -> bytes:
    """A handshake in which everything has this value, in `m` and beside it."""
    inner = b"".join(key(name, value) for name in sorted(INNER))
    outer = dict.fromkeys(NAMES, value) | {b"m": b"d" + inner + b"e"}
    if value == HUGE:  # too huge for metadata, see `MAGNETS_ONLY`
        del outer[b"metadata_size"]
    return extension_handshake(*(key(name, outer[name]) for name in sorted(outer)))


TOLERATED = {
    **{f"every field {name}": with_all_fields(value) for name, value in VALUES.items()},
    "m of another type": extension_handshake(b"1:mi5e"),
    "m a list": extension_handshake(b"1:ml11:ut_metadatai1ee"),
    "empty handshake": extended(0, b"de"),
    "bytes behind the handshake": extended(0, b"de" + bytes(5000)),
    "unsorted keys": extension_handshake(b"1:v1:a1:pi5e1:md6:ut_pexi5e1:ai1ee"),
    "32 KiB of names": extension_handshake(
        b"1:md" + b"".join(b"6:x%05di1e" % number for number in range(2000)) + b"e"
    ),
    "a long client name": extension_handshake(b"1:v30000:" + b"\x1b[2J" * 7500),
    "a client name of no characters": extension_handshake(b"1:v4:\xff\xfe\x00\x1b"),
    "two ids alike": extension_handshake(b"1:md11:ut_metadatai7e6:ut_pexi7ee"),
    "everything under the handshake's id": extension_handshake(
        b"1:md11:ut_metadatai0e6:ut_pexi0e11:upload_onlyi0ee"
    ),
    "an address of this machine as ours": extension_handshake(b"6:yourip4:\x7f\0\0\1"),
    "another address as ours": extension_handshake(b"6:yourip4:\x08\x08\x08\x08"),
    "no address as ours": extension_handshake(b"6:yourip3:abc"),
    "a multicast address as ours": extension_handshake(b"6:yourip16:" + b"\xff" * 16),
    "a thousand handshakes": b"".join(
        extension_handshake(b"1:md6:ut_pexi%dee1:pi%de" % (number % 256, number))
        for number in range(1000)
    ),
    "ids that were never given": b"".join(
        extended(number, b"junk") for number in (5, 6, 77, 254, 255)
    ),
    "empty messages under them": b"".join(extended(number, b"") for number in range(5, 256)),
    "metadata messages of an unknown kind": extended(UT_METADATA, b"d8:msg_typei99ee"),
    "metadata refused that was not asked for": extended(UT_METADATA, b"d8:msg_typei2e5:piecei0ee")
    * 100,
    "requests for metadata that nobody has": b"".join(
        metadata_request(piece) for piece in (1, 255, 10**6, 2**31, 2**32, 2**63 - 1)
    ),
    "upload_only to and fro": (extended(UPLOAD_ONLY, b"\1") + extended(UPLOAD_ONLY, b"\0")) * 500,
    "odd upload_only": extended(UPLOAD_ONLY, b"\xff"),
    "lost pieces that it never had": b"".join(
        extended(LT_DONTHAVE, piece.to_bytes(4, "big")) for piece in range(8)
    ),
    "peers of no port": extended(UT_PEX, b"d5:added6:\x08\x08\x08\x08\0\0e"),
    "peers that nobody is": extended(
        UT_PEX,
        b"d5:added36:"
        + b"".join(
            bytes(host) + b"\x1a\xe1"
            for host in (
                (0, 0, 0, 0),
                (224, 0, 0, 1),
                (239, 255, 255, 250),
                (255, 255, 255, 255),
                (240, 0, 0, 1),
                (0, 1, 2, 3),
            )
        )
        + b"e",
    ),
    "no peers": extended(UT_PEX, b"de"),
    "flags of another length": extended(UT_PEX, b"d5:added0:7:added.f100:" + bytes(100) + b"e"),
    "flags of another type": extended(UT_PEX, b"d5:added0:7:added.fi5ee"),
    "dropped peers that it never told of": extended(
        UT_PEX, b"d7:dropped6000:" + b"\x08\x08\x08\x08\x1a\xe1" * 1000 + b"e"
    ),
    "the same peer a thousand times": extended(
        UT_PEX, b"d5:added6000:" + b"\x7f\0\0\1\0\1" * 1000 + b"e"
    ),
}


@STAGES
@pytest.mark.parametrize("data", TOLERATED.values(), ids=TOLERATED.keys())
async def test_what_is_odd_is_put_up_with(data: bytes, magnet: bool, make_victim: MakeVictim):
    victim = await make_victim(magnet=magnet)
    odd = await meet(victim)
    odd.send(data, extension_handshake())
    await odd.ping()
    odd.send(data)
    await odd.ping()
    await odd.close()
    await victim.complete()


# What must not be said.

BAD = {
    "handshake of nothing": (extended(0, b""), "extension handshake is not bencoded"),
    "handshake of junk": (extended(0, random.Random(1).randbytes(1000)), "extension handshake"),
    "handshake of 32 KiB of junk": (
        extended(0, b"\0" + random.Random(1).randbytes(32_700)),
        "extension handshake is not bencoded",
    ),
    "handshake beyond 32 KiB": (extended(0, bytes(32_800)), "message of"),
    "handshake that is a list": (extended(0, b"le"), "extension handshake is no dictionary"),
    "handshake that is a number": (extended(0, b"i5e"), "extension handshake is no dictionary"),
    "handshake that is a string": (extended(0, b"4:spam"), "extension handshake is no dictionary"),
    "handshake that has no end": (extended(0, b"d1:a"), "extension handshake is not bencoded"),
    "handshake of deep lists": (
        extended(0, b"d1:a" + b"l" * 15_000 + b"e" * 15_000 + b"e"),
        "extension handshake is not bencoded: .*nested",
    ),
    "handshake of deep dictionaries": (
        extended(0, b"d1:a" * 5000 + b"de" + b"e" * 5000),
        "extension handshake is not bencoded: .*nested",
    ),
    "handshake with a number of 400 digits": (
        extended(0, b"d1:pi" + b"9" * 400 + b"ee"),
        "extension handshake is not bencoded",
    ),
    "handshake with a number that has no end": (
        extended(0, b"d1:pi" + b"9" * 30_000 + b"ee"),
        "extension handshake is not bencoded",
    ),
    "request for a piece of 30 digits": (metadata_request(10**30), "ut_metadata is not bencoded"),
    "handshake with a string that is too long": (
        extended(0, b"d1:v99999999:abce"),
        "extension handshake is not bencoded",
    ),
    "message without an id": (message(EXTENDED), "kind 20 with 1 bytes"),
    "metadata message of nothing": (extended(UT_METADATA, b""), "ut_metadata is not bencoded"),
    "metadata message of junk": (extended(UT_METADATA, bytes(99)), "ut_metadata is not bencoded"),
    "metadata message of a list": (extended(UT_METADATA, b"le"), "ut_metadata is no dictionary"),
    "metadata message of no kind": (extended(UT_METADATA, b"de"), "proper msg_type"),
    "request for no piece": (extended(UT_METADATA, b"d8:msg_typei0ee"), "proper piece"),
    "request for a negative piece": (
        extended(UT_METADATA, b"d8:msg_typei0e5:piecei-1ee"),
        "proper piece",
    ),
    "metadata piece that is too long": (
        metadata_data(0, 20_000, bytes(METADATA_PIECE + 1)),
        "ut_metadata piece of 16385 bytes",
    ),
    "metadata without a size": (
        extended(UT_METADATA, b"d8:msg_typei1e5:piecei0eexxx"),
        "proper total_size",
    ),
    "upload_only of nothing": (extended(UPLOAD_ONLY, b""), "upload_only of 0 bytes"),
    "upload_only of much": (extended(UPLOAD_ONLY, bytes(9)), "upload_only of 9 bytes"),
    "short lt_donthave": (extended(LT_DONTHAVE, bytes(3)), "lt_donthave of 3 bytes"),
    "long lt_donthave": (extended(LT_DONTHAVE, bytes(5)), "lt_donthave of 5 bytes"),
    "PEX of nothing": (extended(UT_PEX, b""), "ut_pex is not bencoded"),
    "PEX of a list": (extended(UT_PEX, b"le"), "ut_pex is no dictionary"),
    "PEX with half an address": (extended(UT_PEX, b"d5:added3:abce"), "ut_pex with added"),
    "PEX with half an IPv6 address": (extended(UT_PEX, b"d6:added63:abce"), "ut_pex with added6"),
    "PEX with a number": (extended(UT_PEX, b"d5:addedi5ee"), "ut_pex with added that is no string"),
    "PEX flood": (extended(UT_PEX, b"de") * 10, "flood of ut_pex messages"),
    "PEX flood of addresses": (
        b"".join(
            extended(
                UT_PEX,
                b"d5:added3000:"
                + b"".join(bytes([8, first, at >> 8, at & 255, 26, 225]) for at in range(500))
                + b"e",
            )
            for first in range(20)
        ),
        "flood of ut_pex messages",
    ),
}


@STAGES
@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
async def test_what_must_not_be_said(
    data: bytes, reason: str, magnet: bool, make_victim: MakeVictim
) -> None:
    victim = await make_victim(magnet=magnet)
    events = victim.torrent.events()
    hostile = await meet(victim)
    hostile.send(extension_handshake())
    await hostile.ping()

    hostile.send(data)

    assert re.search(reason, await dropped(events, hostile))
    await hostile.wait_closed()
    await hostile.close()
    await victim.complete()


MAGNETS_ONLY = {
    "metadata of 1 GiB": (extension_handshake(*[b"1:md11:ut_metadatai1ee13:metadata_sizei1073741824e"]), "claimed metadata of 1073741824 bytes"),
    "metadata that was not asked for": (extension_handshake(*[b"1:md11:ut_metadatai1ee13:metadata_sizei99999e"]) + metadata_data(6, 99_999, bytes(99_999 % METADATA_PIECE)), "without being asked"),
    "metadata of another size": (extension_handshake(*[b"1:md11:ut_metadatai1ee13:metadata_sizei5000e"]), ""),
    "have of no piece there can be": (message(HAVE, MAX_PIECES), f"have of piece {MAX_PIECES}"),
    "have far beyond": (message(HAVE, 0xFFFFFFFF), "have of piece 4294967295"),
    "a bitfield that no torrent has": (message(BITFIELD, payload=bytes(MAX_PIECES // 8 + 1)), "message of"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), MAGNETS_ONLY.values(), ids=MAGNETS_ONLY.keys())
async def test_what_must_not_be_said_before_the_metadata(
    data: bytes, reason: str, make_victim: MakeVictim
) -> None:
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    hostile = await meet(victim)

    hostile.send(data)
    if not reason:  # it claims 5000 bytes, and is believed until it sends others
        reason = "claimed metadata of 5000 bytes, and others"
        await hostile.receive_extended(1)
        hostile.send(metadata_data(0, 6000, bytes(6000)))

    assert re.search(reason, await dropped(events, hostile))
    await hostile.close()
    await victim.complete()


PIECES_ONLY = {
    "losing a piece that there is not": (extended(LT_DONTHAVE, bytes([0, 0, 0, 8])), "piece 8"),
    "losing a piece far beyond": (extended(LT_DONTHAVE, b"\xff" * 4), "piece 4294967295"),
}


@pytest.mark.parametrize(("data", "reason"), PIECES_ONLY.values(), ids=PIECES_ONLY.keys())
async def test_what_must_not_be_said_once_there_are_pieces(
    data: bytes, reason: str, make_victim: MakeVictim
) -> None:
    victim = await make_victim()
    events = victim.torrent.events()
    hostile = await meet(victim)
    hostile.send(data)
    assert re.search(reason, await dropped(events, hostile))
    await hostile.close()
    await victim.complete()


async def test_early_nonsense_is_found_out_when_the_metadata_comes(make_victim: MakeVictim) -> None:
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    hostile = await meet(victim)
    hostile.send(message(HAVE, MAX_PIECES - 1), message(UNCHOKE))
    await hostile.ping()
    await victim.complete()
    assert "bitfield" in await dropped(events, hostile)
    await hostile.close()


# Metadata: asked for without end, and sent wrong.


@STAGES
async def test_a_hundred_thousand_requests_for_metadata(
    magnet: bool, make_victim: MakeVictim
) -> None:
    """All are answered, nearly all by a refusal, and nothing piles up."""
    victim = await make_victim(magnet=magnet)
    asking = await meet(victim)
    asking.send(extension_handshake())
    await asking.ping()
    served, refused, most = 0, 0, 0
    for _ in range(100):
        asking.send(metadata_request(0) * 999 + metadata_request(1))
        rest = b""
        while True:  # until the answer to the one that differs
            rest = rest[-60:] + await asking.reader.read(1 << 20)
            most = max(most, unsent(victim))
            served += rest.count(b"8:msg_typei1e")
            refused += rest.count(b"8:msg_typei2e5:piecei0e")
            if b"piecei1e" in rest:
                break
            rest = rest[rest.rfind(b"8:msg") + 20 :]
    # Three copies at once, and one more a minute.
    assert served == (0 if magnet else 3)
    assert refused > 90_000
    assert most < MAX_UNSENT + MIB
    await asking.close()
    await victim.complete()


@STAGES
async def test_requests_for_metadata_whose_answers_are_not_read(
    magnet: bool, make_victim: MakeVictim
) -> None:
    victim = await make_victim(magnet=magnet)
    events = victim.torrent.events()
    hostile = await deaf(victim)
    hostile.send(extension_handshake())
    most = waiting = 0
    serving = victim.torrent._membership.extensions.exchange.serve
    with suppress(ConnectionError):
        while True:  # until it is dropped
            hostile.send(metadata_request(0) * 1000)
            await hostile.writer.drain()
            most = max(most, unsent(victim))
            waiting = max([waiting, *(len(each.waiting) for each in serving._clients.values())])
    assert "requests for metadata wait" in await dropped(events, hostile)
    assert most < MAX_UNSENT + MIB
    assert waiting <= MAX_WAITING
    assert not serving._clients
    hostile.writer.transport.abort()
    await victim.complete()


async def test_requests_for_blocks_before_there_is_metadata(make_victim: MakeVictim) -> None:
    """Each is refused; who does not read the refusals is dropped before they fill our memory."""
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    hostile = await deaf(victim)
    most = 0
    with suppress(ConnectionError):
        while True:
            hostile.send(message(REQUEST, 0, 0, 16384) * 10_000)
            await hostile.writer.drain()
            most = max(most, unsent(victim))
    assert "flood of requests" in await dropped(events, hostile)
    assert most < MAX_UNSENT_BYTES + MIB
    hostile.writer.transport.abort()
    await victim.complete()


async def deaf(victim: Victim) -> RawPeer:
    """A hostile peer that reads nothing behind the handshake."""
    hostile = await RawPeer.connect(victim.engine.listen_port, receive_buffer=4096)
    await hostile.greet(victim.share.info_hash, EXTENDING)
    hostile.writer.transport.pause_reading()
    return hostile


def unsent(victim: Victim) -> int:
    """The bytes that wait for the slowest of its peers."""
    return max((link.unsent_bytes for link in victim.engine._links), default=0)


Answer = Callable[[int], bytes]
LIES: dict[str, Answer] = {
    "garbage": lambda size: metadata_data(0, size, b"\xaa" * size),
    "nothing": lambda size: metadata_data(0, size, b""),
    "a byte less": lambda size: metadata_data(0, size, bytes(size - 1)),
    "a byte more": lambda size: metadata_data(0, size, bytes(size + 1)),
    "another piece": lambda size: metadata_data(1, size, bytes(size)),
    "a negative size": lambda size: metadata_data(0, -size, bytes(size)),
    "a huge size": lambda size: metadata_data(0, 10**18, bytes(size)),
}


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES.keys())
async def test_answers_that_are_lies(answer: Answer, make_victim: MakeVictim) -> None:
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    hostile = await meet(victim)
    size = len(victim.share.metainfo.info)
    hostile.send(extension_handshake(b"1:md11:ut_metadatai1ee", b"13:metadata_sizei%de" % size))
    await hostile.receive_extended(1)
    hostile.send(answer(size))
    assert "metadata" in await dropped(events, hostile)
    await hostile.close()
    await victim.complete()


@pytest.mark.parametrize("answers", [True, False], ids=["refusing", "silent"])
async def test_no_answer_at_all(answers: bool, make_victim: MakeVictim) -> None:
    victim = await make_victim(magnet=True)
    hostile = await meet(victim)
    size = len(victim.share.metainfo.info)
    hostile.send(extension_handshake(b"1:md11:ut_metadatai1ee", b"13:metadata_sizei%de" % size))
    await hostile.receive_extended(1)
    if answers:
        hostile.send(extended(UT_METADATA, b"d8:msg_typei2e5:piecei0ee"))
    await victim.complete()
    await hostile.close()


async def test_a_crowd_that_claims_thirty_megabytes_each(make_victim: MakeVictim) -> None:
    """What is set aside for the metadata is for what came, not for what was claimed."""
    victim = await make_victim(magnet=True)
    async with bounded_memory(8 * MIB):
        crowd = [await meet(victim) for _ in range(20)]
        for number, hostile in enumerate(crowd):
            size = (30 << 20) - number
            hostile.send(
                extension_handshake(b"1:md11:ut_metadatai1ee", b"13:metadata_sizei%de" % size)
            )
        for hostile in crowd:
            await hostile.ping()
    good_size = len(victim.share.metainfo.info)
    assert good_size < MIB
    for hostile in crowd:
        await hostile.close()
    await victim.complete()


# Peer exchange.


async def test_addresses_that_are_nobodys_business_are_not_tried(make_victim: MakeVictim) -> None:
    """Ours, one that is connected, ports of this machine: who told is on it, too, and may."""
    victim = await make_victim()
    met: asyncio.Queue[int] = asyncio.Queue()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.put_nowait(writer.get_extra_info("sockname")[1])
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    hostile = await meet(victim)
    ours = PeerAddress("127.0.0.1", victim.engine.listen_port or 0)
    addresses = [
        ours,
        PeerAddress("127.0.0.1", victim.good.port),
        PeerAddress("0.0.0.0", port),  # noqa: S104 - told, not bound
        PeerAddress("224.0.0.1", port),
        PeerAddress("127.0.0.1", 0),
        PeerAddress("127.0.0.1", port),
    ]
    packed = pack_peers(addresses)
    hostile.send(extension_handshake())
    hostile.send(extended(UT_PEX, b"d5:added%d:" % len(packed) + packed + b"e"))
    await hostile.ping()
    assert await met.get() == port
    known = {peer.address for peer in victim.torrent._membership.swarm}
    assert PeerAddress("0.0.0.0", port) not in known  # noqa: S104
    assert PeerAddress("224.0.0.1", port) not in known
    assert PeerAddress("127.0.0.1", 0) not in known
    server.close()
    await hostile.ping()
    await hostile.close()
    await victim.complete()


@STAGES
async def test_pex_cannot_fill_the_list_of_known_peers(
    magnet: bool, make_victim: MakeVictim
) -> None:
    """Each teller is believed so many; all together no more than there is room for."""
    victim = await make_victim(magnet=magnet)
    swarm = victim.torrent._membership.swarm
    before = len(swarm)
    for number in range(10):
        hostile = await meet(victim)
        hostile.send(extension_handshake())
        for part in range(5):
            ports = range(20_000 + 3000 * number + 500 * part, 20_500 + 3000 * number + 500 * part)
            packed = pack_peers(PeerAddress("127.0.0.1", port) for port in ports)
            hostile.send(extended(UT_PEX, b"d5:added%d:" % len(packed) + packed + b"e"))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await hostile.ping()
        assert len(swarm) - before <= (number + 1) * MAX_HEARD
        await hostile.close()
    await victim.complete()


async def test_pex_of_a_peer_that_never_offered_it(make_victim: MakeVictim) -> None:
    victim = await make_victim()
    hostile = await meet(victim)
    before = len(victim.torrent._membership.swarm)
    for number in range(100):
        hostile.send(extended(UT_PEX, b"d5:added6:" + bytes([8, 8, 8, number, 1, 1]) + b"e"))
    await hostile.ping()
    assert len(victim.torrent._membership.swarm) == before
    await hostile.close()
    await victim.complete()


# Before the metadata: what is kept until it makes sense is bounded.


async def test_floods_before_the_metadata(make_victim: MakeVictim) -> None:
    victim = await make_victim(magnet=True)
    hostile = await meet(victim)
    for _ in range(5):
        hostile.send(b"".join(message(HAVE, piece) for piece in range(0, MAX_PIECES, 211)))
        hostile.send(b"".join(message(ALLOWED_FAST, piece) for piece in range(5000)))
        hostile.send(message(BITFIELD, payload=bytes(MAX_PIECES // 8)))
        await hostile.ping()
    [peer] = [link.peer for link in victim.engine._links if link.address.port == hostile.port]
    assert isinstance(peer, MetadataPeer)
    assert len(peer._bits) <= MAX_PIECES // 8
    assert len(peer._allowed_fast) == MAX_ALLOWED_FAST
    await victim.complete()
    await hostile.close()


async def test_a_seed_that_loses_pieces_without_end_before_the_metadata(
    make_victim: MakeVictim,
) -> None:
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    hostile = await meet(victim)
    hostile.send(message(HAVE_ALL))
    hostile.send(*(extended(LT_DONTHAVE, piece.to_bytes(4, "big")) for piece in range(100_000)))
    assert "lost over 1024 pieces" in await dropped(events, hostile)
    await hostile.close()
    await victim.complete()


async def test_how_many_requests_a_peer_takes_is_kept_to(make_victim: MakeVictim) -> None:
    """And however few it says, it is asked for one block at least."""
    for said in (1, 2, 5):
        victim = await make_victim()
        slow = await meet(victim)
        slow.send(extension_handshake(b"4:reqqi%de" % said), message(HAVE, 7), message(UNCHOKE))
        slow.send(*(message(HAVE, piece) for piece in (4, 5, 6)))
        await slow.receive_kind(REQUEST)
        await asyncio.sleep(0.2)
        [peer] = [link.peer for link in victim.engine._links if link.address.port == slow.port]
        assert 1 <= peer.outstanding <= said
        await slow.close()
        await victim.complete()
        await victim.engine.close()
        victim.directory.joinpath(victim.share.name).unlink()


async def test_every_abuse_at_once(make_victim: MakeVictim) -> None:
    victim = await make_victim(magnet=True)
    crowd = [(await meet(victim), data) for data, _ in (*BAD.values(), *MAGNETS_ONLY.values())]
    crowd += [(await meet(victim), data) for data in TOLERATED.values()]
    for hostile, data in crowd:
        hostile.send(data)
    await victim.complete()
    for hostile, _ in crowd:
        await hostile.close()


async def test_abuse_goes_on_while_the_metadata_comes(make_victim: MakeVictim) -> None:
    """The stage changes under the hands of those who speak."""
    victim = await make_victim(magnet=True)
    events = victim.torrent.events()
    crowd = [await meet(victim) for _ in range(10)]

    async def speak(hostile: RawPeer) -> None:
        sayings = [*TOLERATED.values()]
        random.Random(hostile.port).shuffle(sayings)
        with suppress(ConnectionError):
            for data in sayings:
                hostile.send(data)
                await hostile.writer.drain()
                await asyncio.sleep(0)

    speaking = [asyncio.create_task(speak(hostile)) for hostile in crowd]
    await victim.complete()
    await asyncio.gather(*speaking)
    assert events_now(events)
    for hostile in crowd:
        await hostile.close()


@asynccontextmanager
async def bounded_memory(most: int) -> AsyncIterator[None]:
    """What is done meanwhile never holds so many bytes more than were held before."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < most
