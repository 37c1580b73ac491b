"""Peers that open by MSE, well and badly, on real sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from millstream import Engine, EngineConfig, NetworkConfig, Torrent
from millstream.engine.config import Encryption, EncryptionConfig, PayloadEncryption
from millstream.events import PeerConnected

from .conftest import LOOPBACK, Share, StartEngine
from .raw_mse import PLAINTEXT, PUBLIC, RC4, MsePeer, sha1
from .raw_peer import BITFIELD, RawPeer, handshake, message

pytestmark = pytest.mark.timeout(60)

REQUIRE = EncryptionConfig(policy=Encryption.REQUIRE)
DISABLE = EncryptionConfig(policy=Encryption.DISABLE)
PREFER_RC4 = EncryptionConfig(prefer_rc4=True)
ALL_PIECES = message(BITFIELD, payload=b"\xff")


class Leech:
    """An engine that wants the torrent: `engine, torrent = await leech(encryption)` starts it."""

    def __init__(self, start_engine: StartEngine, share: Share, directory: Path) -> None:
        self._start_engine = start_engine
        self._share = share
        self._directory = directory

    async def __call__(
        self, encryption: EncryptionConfig = PREFER_RC4, network: NetworkConfig = LOOPBACK
    ) -> tuple[Engine, Torrent]:
        config = EngineConfig(network=network, encryption=encryption)
        engine = await self._start_engine(self._directory, config)
        torrent = await engine.add(self._share.data)
        self._events = torrent.events()
        await torrent.wait_checked()
        return engine, torrent

    async def refuses(self, peer: RawPeer) -> bytes:
        """It closes, and never met anybody; returns what it said before."""
        said = await peer.wait_closed()
        assert not [event for event in self._events._pending if isinstance(event, PeerConnected)]
        return said


@pytest.fixture
def leech(start_engine: StartEngine, share: Share, tmp_path: Path) -> Leech:
    return Leech(start_engine, share, tmp_path / "downloads")


async def serve_all(peer: RawPeer, torrent: Torrent, share: Share, tmp_path: Path) -> None:
    """The peer has said what it has: serve until the torrent is complete and right."""
    serving = asyncio.create_task(peer.serve(share.content, share.piece_length))
    await torrent.wait_complete()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert share.stored(tmp_path / "downloads") == share.content


@asynccontextmanager
async def listening(kind: type[RawPeer]) -> AsyncIterator[tuple[str, asyncio.Queue[RawPeer]]]:
    """A listening peer: its address, and those who connected."""
    met: asyncio.Queue[RawPeer] = asyncio.Queue()
    server = await asyncio.start_server(
        lambda reader, writer: met.put_nowait(kind(reader, writer)), "127.0.0.1"
    )
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", met
    finally:
        server.close()


# Connections that come about.


@pytest.mark.parametrize("pad", [0, 512])
@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("provide", [PLAINTEXT, RC4, PLAINTEXT | RC4])
async def test_incoming(leech, share, tmp_path, provide: int, step: int, pad: int) -> None:
    engine, torrent = await leech()
    peer = await MsePeer.connect(engine.listen_port)
    peer.step = step
    select = await peer.shake_hands(share.info_hash, provide=provide, pad=pad)
    assert select == (RC4 if provide & RC4 else PLAINTEXT)
    assert peer.engine_handshake[28:48] == share.info_hash
    peer.send(ALL_PIECES)
    await serve_all(peer, torrent, share, tmp_path)


@pytest.mark.parametrize("provide", [PLAINTEXT, RC4])
@pytest.mark.parametrize("early", [0, 1, 68, 69, 68 + len(ALL_PIECES)])
async def test_initial_payload_of_any_length(leech, share, tmp_path, early: int, provide: int):
    """Nothing, a part of the handshake, or the handshake and messages."""
    engine, torrent = await leech()
    peer = await MsePeer.connect(engine.listen_port)
    await peer.shake_hands(share.info_hash, provide=provide, more=ALL_PIECES, split_payload=early)
    await serve_all(peer, torrent, share, tmp_path)


@pytest.mark.parametrize("pad", [0, 512])
@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("select", [PLAINTEXT, RC4])
async def test_outgoing(leech, share, tmp_path, select: int, step: int, pad: int) -> None:
    _, torrent = await leech()
    async with listening(MsePeer) as (address, met):
        torrent.add_peer(address)
        peer = await met.get()
        peer.step = step
        assert await peer.answer(share.info_hash, select=select, pad=pad) == PLAINTEXT | RC4
        assert peer.engine_handshake[:20] == b"\x13BitTorrent protocol"
        assert peer.engine_handshake[28:48] == share.info_hash
        peer.send(ALL_PIECES)
        await serve_all(peer, torrent, share, tmp_path)


@pytest.mark.parametrize(
    ("level", "provided"),
    [
        (PayloadEncryption.RC4, RC4),
        (PayloadEncryption.PLAINTEXT, PLAINTEXT),
        (PayloadEncryption.BOTH, PLAINTEXT | RC4),
        (None, RC4),
    ],
)
async def test_what_is_provided(leech, share, level, provided: int) -> None:
    _, torrent = await leech(EncryptionConfig(policy=Encryption.REQUIRE, payload=level))
    async with listening(MsePeer) as (address, met):
        torrent.add_peer(address)
        assert await (await met.get()).answer(share.info_hash) == provided


async def test_a_peer_that_refuses_encryption_is_met_plainly(leech, share, tmp_path) -> None:
    _, torrent = await leech()
    async with listening(RawPeer) as (address, met):
        torrent.add_peer(address)
        first = await met.get()
        await first.reader.readexactly(96)
        await first.close()

        second = await met.get()
        await second.greet(share.info_hash)
        second.send(ALL_PIECES)
        await serve_all(second, torrent, share, tmp_path)


async def test_plain_incoming_where_encryption_is_preferred(leech, share, tmp_path) -> None:
    engine, torrent = await leech()
    peer = await RawPeer.connect(engine.listen_port)
    for byte in handshake(share.info_hash, peer.peer_id):
        peer.send(bytes([byte]))
        await asyncio.sleep(0)
    await peer.reader.readexactly(68)
    peer.send(ALL_PIECES)
    await serve_all(peer, torrent, share, tmp_path)


# Connections that do not.


async def test_plain_incoming_where_encryption_is_required(leech, share) -> None:
    engine, _ = await leech(REQUIRE)
    peer = await RawPeer.connect(engine.listen_port)
    peer.send(handshake(share.info_hash, peer.peer_id))
    assert await leech.refuses(peer) == b""


async def test_encrypted_incoming_where_it_is_disabled(leech, share) -> None:
    engine, _ = await leech(DISABLE)
    peer = await MsePeer.connect(engine.listen_port)
    await peer.send_key()
    assert await leech.refuses(peer) == b""


async def test_plain_outgoing_where_encryption_is_required(leech, share) -> None:
    _, torrent = await leech(REQUIRE)
    async with listening(RawPeer) as (address, met):
        torrent.add_peer(address)
        peer = await met.get()
        peer.send(handshake(share.info_hash, peer.peer_id))
        said = await leech.refuses(peer)
        assert share.info_hash not in said


async def test_garbage_longer_than_any_pad(leech) -> None:
    engine, _ = await leech()
    peer = await RawPeer.connect(engine.listen_port)
    peer.send(b"\x7f" * 700)
    assert len(await leech.refuses(peer)) <= 608


async def test_a_flood_of_garbage(leech) -> None:
    engine, _ = await leech()
    peer = await RawPeer.connect(engine.listen_port)
    peer.send(b"\x7f" * (4 << 20))
    await leech.refuses(peer)


@pytest.mark.parametrize("key", [bytes(96), b"\xff" * 96], ids=["zero", "beyond the prime"])
async def test_keys_that_fix_the_secret(leech, key: bytes) -> None:
    engine, _ = await leech()
    peer = await RawPeer.connect(engine.listen_port)
    peer.send(key)
    assert await leech.refuses(peer) == b""


BAD_OFFERS = {
    "another torrent": lambda peer, _: peer.offer(bytes(20), b""),
    "nothing provided": lambda peer, share: peer.offer(share.info_hash, b"", provide=0),
    "unknown methods": lambda peer, share: peer.offer(share.info_hash, b"", provide=0xFC),
    "no constant": lambda peer, share: peer.offer(share.info_hash, b"", constant=b"12345678"),
    "a long pad": lambda peer, share: peer.offer(share.info_hash, b"", pad=513),
    "a long payload": lambda peer, share: peer.offer(share.info_hash, bytes(5000)),
    "a payload that is no handshake": lambda peer, share: peer.offer(share.info_hash, b"GET /"),
    "another torrent within": lambda peer, share: peer.offer(
        share.info_hash, handshake(bytes(20), peer.peer_id)
    ),
}


@pytest.mark.parametrize("offer", BAD_OFFERS.values(), ids=list(BAD_OFFERS))
async def test_bad_offers(leech, share, offer: Callable) -> None:
    engine, _ = await leech()
    peer = await MsePeer.connect(engine.listen_port)
    await peer.send_key(300)
    await peer.receive_key()
    peer.writer.write(offer(peer, share)[0])
    await leech.refuses(peer)


@pytest.mark.parametrize("select", [0, 3, 4, 1 << 31])
async def test_bad_choices(leech, share, select: int) -> None:
    _, torrent = await leech(REQUIRE)
    async with listening(MsePeer) as (address, met):
        torrent.add_peer(address)
        peer = await met.get()
        await peer.answer(share.info_hash, select=select, greet=False)
        await leech.refuses(peer)


@pytest.mark.parametrize("handshake_timeout", [1.0])
async def test_silence_within_the_handshake(leech, share, handshake_timeout: float) -> None:
    network = NetworkConfig(listen_hosts=("127.0.0.1",), handshake_timeout=handshake_timeout)
    engine, torrent = await leech(network=network)

    async def half_a_key(peer: MsePeer) -> None:
        peer.writer.write(PUBLIC[:40])

    async def only_a_key(peer: MsePeer) -> None:
        await peer.send_key(100)

    async def half_an_offer(peer: MsePeer) -> None:
        await peer.send_key(100)
        await peer.receive_key()
        peer.writer.write(peer.offer(share.info_hash, b"hello")[0][:60])

    async def no_handshake(peer: MsePeer) -> None:
        await peer.send_key()
        await peer.receive_key()
        peer.writer.write(peer.offer(share.info_hash, b"")[0])

    async def only_a_mark(peer: MsePeer) -> None:
        await peer.send_key()
        await peer.receive_key()
        peer.writer.write(sha1(b"req1", peer.secret))

    stories = (half_a_key, only_a_key, half_an_offer, no_handshake, only_a_mark)
    peers = [await MsePeer.connect(engine.listen_port) for _ in stories]
    await asyncio.gather(*(story(peer) for story, peer in zip(stories, peers, strict=True)))
    async with asyncio.timeout(10):
        await asyncio.gather(*(peer.wait_closed() for peer in peers))
    assert not torrent.peers()


# What it costs who does not use it.


def modules_after(program: str) -> set[str]:
    program += "\nimport sys; print('loaded:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.rpartition("loaded:")[2].split())


DOWNLOAD = """
import asyncio
from millstream import EngineConfig, NetworkConfig, create_native_engine
from millstream.engine.config import Encryption, EncryptionConfig

async def main():
    config = EngineConfig(
        network=NetworkConfig(listen_hosts=("127.0.0.1",)),
        encryption=EncryptionConfig(policy=Encryption.{policy}),
    )
    async with (
        create_native_engine(config, save_path={seeded!r}) as seed,
        create_native_engine(config, save_path={leeched!r}) as leech,
    ):
        data = open({torrent!r}, "rb").read()
        await (await seed.add(data)).wait_complete()
        peers = [f"127.0.0.1:{{seed.listen_port}}"]
        await (await leech.add(data, peers=peers)).wait_complete()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "loads"), [("DISABLE", False), ("REQUIRE", True)])
def test_openssl_is_loaded_by_the_first_encrypted_connection(
    share: Share, tmp_path: Path, policy: str, loads: bool
) -> None:
    torrent = tmp_path / "x.torrent"
    torrent.write_bytes(share.data)
    program = DOWNLOAD.format(
        policy=policy,
        seeded=str(share.store(tmp_path / "seeded")),
        leeched=str(tmp_path / "leeched"),
        torrent=str(torrent),
    )
    assert ("cryptography" in modules_after(program)) is loads
    assert share.stored(tmp_path / "leeched") == share.content


@pytest.mark.slow
def test_asking_for_the_version_loads_no_cryptography() -> None:
    program = (
        "import sys\nfrom millstream.cli import main\nsys.argv = ['millstream', '--version']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert "cryptography" not in modules_after(program)
