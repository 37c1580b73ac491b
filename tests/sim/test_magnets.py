"""Torrents added by magnet link, in whole swarms and among peers that mean no good."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import random

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile, MemoryWeb
from millstream.core.config import SwarmConfig
from millstream.core.peer import Peer
from millstream.engine.config import Encryption, EncryptionConfig
from millstream.errors import (
    ConfigError,
    MalformedTorrentError,
    MetadataPendingError,
    TorrentFailedError,
)
from millstream.events import PeerConnected, PeerDisconnected, PieceVerified
from millstream.protocol import bencode, messages, ut_metadata
from millstream.protocol.bitfield import has_piece
from millstream.protocol.extension import OUR_IDS, ExtensionHandshake, extended
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.messages import MessageId
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.ut_metadata import METADATA_PIECE_LENGTH, MetadataData, MetadataReject
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.tracker import MemoryTracker
from millstream.testing.virtual_time import run_virtual
from millstream.tracker.announce import AnnounceEvent

from .scripted_peer import ScriptedPeer, until

MIB = 1 << 20
HOME = LinkProfile(up=1 * MIB, down=4 * MIB, latency=0.02, loss=0.001)
SMALL = {"length": 5 * 16384 + 77, "piece_length": 16384}


def with_metadata_of(rng: random.Random, length: int) -> SimulatedSwarm:
    """A swarm whose info dictionary has exactly this length."""

    def make(padding: int) -> SimulatedSwarm:
        return SimulatedSwarm(random.Random(1), extra={b"x-padding": bytes(padding)}, **SMALL)

    bare = len(make(0).metainfo.info)
    for padding in range(length - bare - 8, length - bare + 1):
        swarm = make(padding)
        if len(swarm.metainfo.info) == length:
            swarm.rng = rng
            return swarm
    raise AssertionError("no such length")


def connections(member: Member) -> int:
    return len(member.engine._links)


async def join(
    swarm: SimulatedSwarm, info: bytes, number: int = 200, /, **options: object
) -> ScriptedPeer:
    """A scripted peer of the torrent with this info dictionary."""
    info_hash = InfoHash(hashlib.sha1(info).digest())
    return await ScriptedPeer(swarm.network, f"10.9.0.{number}", info_hash, **options).listen()  # type: ignore[arg-type]


# Swarms.


def test_a_magnet_gets_its_metadata_from_a_peer_and_completes():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=HOME)
            leech = await swarm.add(magnet=True, profile=HOME)
            torrent = leech.torrent
            assert not torrent.has_metadata
            assert torrent.state is TorrentState.FETCHING_METADATA
            assert torrent.name == str(swarm.metainfo.info_hash)
            with pytest.raises(MetadataPendingError):
                _ = torrent.metainfo
            assert await torrent.wait_metadata() == swarm.metainfo
            assert torrent.name == swarm.name
            assert torrent.status().metadata_progress == 1
            await swarm.wait_complete(leech)

    run_virtual(story, seed=1)


@pytest.mark.parametrize(
    "length",
    [
        METADATA_PIECE_LENGTH - 1,
        METADATA_PIECE_LENGTH,
        METADATA_PIECE_LENGTH + 1,
        3 * METADATA_PIECE_LENGTH,
        1_000_001,
        5 * MIB,
    ],
)
def test_metadata_of_any_length(length: int):
    async def story(rng: random.Random) -> None:
        async with with_metadata_of(rng, length) as swarm:
            assert len(swarm.metainfo.info) == length
            for _ in range(2):
                await swarm.add(have=ALL, profile=HOME)
            leech = await swarm.add(magnet=True, profile=HOME)
            await swarm.wait_complete(leech)

    run_virtual(story, seed=2, limit=200)


@pytest.mark.parametrize("info", [b"e", b"de", b"i1e"])
def test_metadata_of_a_few_bytes_is_no_torrent(info: bytes):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            peer = await join(swarm, info, info=info)
            torrent = await add_magnet(swarm, peer)
            with pytest.raises(TorrentFailedError):
                await torrent.wait_metadata()
            assert isinstance(torrent.error, MalformedTorrentError)

    run_virtual(story, seed=2, limit=200)


def test_many_files_and_many_pieces():
    async def story(rng: random.Random) -> None:
        sizes = [rng.randrange(1, 20_000) for _ in range(400)]
        async with SimulatedSwarm(rng, files=sizes, piece_length=1 << 10) as swarm:
            assert len(swarm.metainfo.info) > 5 * METADATA_PIECE_LENGTH
            await swarm.add(have=ALL, profile=HOME)
            leech = await swarm.add(magnet=True, profile=HOME)
            await swarm.wait_complete(leech)

    run_virtual(story, seed=3, limit=300)


def test_several_magnets_and_one_seed():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(MIB)}) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=MIB, latency=0.02))
            for _ in range(8):
                await swarm.add(magnet=True, profile=HOME)
            await swarm.wait_complete()
            assert seed.torrent.status().uploaded < 8 * len(swarm.content)

    run_virtual(story, seed=4, limit=300)


def test_the_only_one_that_has_the_metadata_leaves_and_others_serve_it():
    """One got it; those that joined it before and those that join it later get it from there."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(200_000)}) as swarm:
            seed = await swarm.add(have=ALL, profile=HOME)
            first = await swarm.add(magnet=True, profile=HOME, knows=[])
            early = await swarm.add(magnet=True, profile=HOME, knows=[first])
            await asyncio.sleep(5)
            assert connections(first) == connections(early) == 1
            seed.torrent.add_peer(first.address)
            await first.torrent.wait_metadata()
            seed.host.offline = True
            await early.torrent.wait_metadata()
            late = await swarm.add(magnet=True, profile=HOME, knows=[early])
            await late.torrent.wait_metadata()
            assert late.torrent.status().progress < 1
            seed.host.offline = False
            await swarm.wait_complete()

    run_virtual(story, seed=5, limit=600)


def test_nobody_has_the_metadata_until_a_seed_joins():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            waiting = [await swarm.add(magnet=True, profile=HOME) for _ in range(3)]
            await asyncio.sleep(3600)
            for member in waiting:
                assert member.torrent.state is TorrentState.FETCHING_METADATA
                assert len(member.torrent.peers()) == 2
                assert member.torrent.status().metadata_progress == 0
            await swarm.add(have=ALL, profile=HOME)
            await swarm.wait_complete(*waiting)
            return max(member.finished_at or 0 for member in waiting)

    assert run_virtual(story, seed=6) < 3630


def test_a_magnet_finds_its_peers_by_a_tracker():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            web = MemoryWeb()
            tracker = MemoryTracker(web, rng)
            by_tracker = {"knows": [], "trackers": [tracker.url], "web": web}
            seed = await swarm.add(have=ALL, profile=HOME, **by_tracker)
            await seed.torrent.wait_checked()
            await asyncio.sleep(1)
            leech = await swarm.add(magnet=True, profile=HOME, **by_tracker)
            await until(leech.torrent.peers)
            [peer] = leech.torrent.peers()
            assert peer.source == "tracker"
            await swarm.wait_complete(leech)
            mine = [said for host, said in tracker.announces if host == leech.host.address]
            # A client that has nothing left would be taken for a seed, and sent no seeds.
            assert (mine[0].event, mine[0].left) == (AnnounceEvent.STARTED, 1)
            await asyncio.sleep(1)
            mine = [said for host, said in tracker.announces if host == leech.host.address]
            assert (mine[-1].event, mine[-1].left) == (AnnounceEvent.COMPLETED, 0)

    run_virtual(story, seed=7, limit=600)


def test_encrypted_connections():
    async def story(rng: random.Random) -> None:
        encryption = EncryptionConfig(policy=Encryption.REQUIRE)
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(99_999)}) as swarm:
            await swarm.add(have=ALL, profile=HOME, encryption=encryption)
            for _ in range(2):
                await swarm.add(magnet=True, profile=HOME, encryption=encryption)
            await swarm.wait_complete()
            found = [peer for member in swarm.members for peer in member.torrent.peers()]
            assert found
            assert all(peer.encryption for peer in found)

    run_virtual(story, seed=8, limit=300)


def test_the_link_selects_files():
    async def story(rng: random.Random) -> None:
        sizes = [50_000, 60_000, 70_000, 80_000]
        async with SimulatedSwarm(rng, files=sizes, piece_length=16384) as swarm:
            await swarm.add(have=ALL, profile=HOME)
            leech = await swarm.add(magnet=True, profile=HOME, select=[1, 3])
            await leech.torrent.wait_complete()
            assert leech.torrent.status().progress == 1
            begins = [sum(sizes[:number]) for number in range(5)]
            for number in (1, 3):
                stored = leech.files.read_file("memory", f"content/{number}")
                assert stored == swarm.content[begins[number] : begins[number + 1]]
            assert leech.torrent.status().total_length < sum(sizes)

    run_virtual(story, seed=9, limit=300)


def test_selecting_a_file_that_is_not_there_is_an_error_that_says_so():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            seed = await swarm.add(have=ALL)
            engine = (await swarm.add(magnet=True, knows=[])).engine
            await engine.remove(engine.torrents[0])

            def seventh(metainfo: Metainfo) -> list[int]:
                return [len(metainfo.files) + 6]

            def broken(metainfo: Metainfo) -> list[int]:
                return [metainfo.no_such_thing]  # type: ignore[attr-defined]

            for select in ([7], seventh, broken):
                torrent = await engine.add(swarm.magnet(), peers=[seed.address], select=select)
                with pytest.raises(TorrentFailedError):
                    await torrent.wait_metadata()
                assert isinstance(torrent.error, ConfigError)
                assert "select" in str(torrent.error)
                assert torrent.peers() == []
                await engine.remove(torrent)

    run_virtual(story, seed=9, limit=300)


# One connection from beginning to end.


def test_connections_made_before_the_metadata_stay():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(100_000)}) as swarm:
            seed = await swarm.add(have=ALL, profile=HOME)
            leech = await swarm.add(magnet=True, profile=HOME, knows=[])
            other = await swarm.add(magnet=True, profile=HOME, knows=[leech])
            events = [member.torrent.events() for member in (leech, other)]
            leech.torrent.add_peer(seed.address)
            await until(lambda: leech.torrent.state is TorrentState.DOWNLOADING)
            for number, stream in enumerate(events):
                met = [event for event in stream._pending if isinstance(event, PeerConnected)]
                lost = [event for event in stream._pending if isinstance(event, PeerDisconnected)]
                assert len(met) == 2 - number
                assert lost == []
            await swarm.wait_complete(leech, other)

    run_virtual(story, seed=10, limit=300)


SAID = {
    "have all": messages.HAVE_ALL,
    "bitfield": messages.bitfield(b"\xfc"),
    "haves": messages.haves(range(6)),
    "bitfield and haves": messages.bitfield(b"\xa8") + messages.haves([1, 3, 5]),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
def test_what_peers_said_before_the_metadata_counts(said: bytes):
    """The peer says what it has and unchokes once, long before it is known what that means."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            info = swarm.metainfo.info
            served = swarm.metainfo.piece_length
            early = await join(
                swarm,
                info,
                greeting=said + messages.UNCHOKE,
                content=swarm.content,
                piece_length=served,
            )
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            leech.torrent.add_peer(early.address)
            await asyncio.sleep(30)
            late = await join(swarm, info, 201, info=info, greeting=messages.HAVE_NONE)
            leech.torrent.add_peer(late.address)
            await swarm.wait_complete(leech)
            await asyncio.sleep(1)
            assert early.met == 1
            assert late.kinds()[0] == MessageId.HAVE_NONE
            assert late.kinds().count(MessageId.HAVE) == 6
            assert MessageId.BITFIELD not in late.kinds()

    run_virtual(story, seed=11, limit=300)


def test_allowed_fast_and_interest_said_before_the_metadata_count():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            info = swarm.metainfo.info
            said = messages.HAVE_ALL + messages.INTERESTED + messages.allowed_fast(2)
            peer = await join(
                swarm,
                info,
                info=info,
                greeting=said,
                content=swarm.content,
                piece_length=swarm.metainfo.piece_length,
            )
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            events = leech.torrent.events()
            leech.torrent.add_peer(peer.address)
            while not isinstance(event := await anext(events), PieceVerified):
                pass
            assert event.piece == 2
            [link] = leech.engine._links
            assert isinstance(link.peer, Peer)
            assert link.peer.peer_interested
            assert link.peer.peer_choking

    run_virtual(story, seed=12, limit=300)


def test_what_was_taken_back_before_the_metadata_does_not_count():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            info = swarm.metainfo.info
            peer = await join(
                swarm, info, greeting=messages.HAVE_ALL + messages.UNCHOKE + messages.CHOKE
            )
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            leech.torrent.add_peer(peer.address)
            await asyncio.sleep(5)
            peer.send_extended("lt_donthave", (3).to_bytes(4, "big"))
            peer.send_extended("upload_only", b"\1")
            await asyncio.sleep(5)
            seed = await swarm.add(have=[0, 1])
            leech.torrent.add_peer(seed.address)
            await leech.torrent.wait_metadata()
            await asyncio.sleep(5)
            [link] = [link for link in leech.engine._links if link.address == peer.address]
            assert isinstance(link.peer, Peer)
            assert not has_piece(link.peer.pieces, 3, 6)
            assert link.peer.pieces.bit_count() == 5
            assert link.peer.peer_choking
            assert link.peer.upload_only

    run_virtual(story, seed=12, limit=300)


NONSENSE = {
    "have beyond the end": (messages.have(6), "bitfield"),
    "have far beyond the end": (messages.have(1000), "bitfield"),
    "long bitfield": (messages.bitfield(bytes(2)), "bitfield"),
    "allowed fast beyond the end": (messages.allowed_fast(6), "piece 6"),
}


@pytest.mark.parametrize(("said", "reason"), NONSENSE.values(), ids=NONSENSE.keys())
def test_what_makes_no_sense_is_found_out_with_the_metadata(said: bytes, reason: str):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            peer = await join(swarm, swarm.metainfo.info, greeting=said)
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            events = leech.torrent.events()
            leech.torrent.add_peer(peer.address)
            await asyncio.sleep(5)
            assert connections(leech) == 1
            seed = await swarm.add(have=ALL)
            leech.torrent.add_peer(seed.address)
            await swarm.wait_complete(leech)
            lost = [event for event in events._pending if isinstance(event, PeerDisconnected)]
            assert reason in next(e.reason for e in lost if e.address == peer.address)

    run_virtual(story, seed=13, limit=300)


def test_files_that_are_there_already_are_served():
    """The files of a magnet are found by the check; its peers hear of them piece by piece."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            source = await join(swarm, swarm.metainfo.info, info=swarm.metainfo.info)
            alone = SwarmConfig(pex=False)
            owner = await swarm.add(magnet=True, have=ALL, knows=[], profile=HOME, swarm=alone)
            leech = await swarm.add(magnet=True, knows=[owner], profile=HOME)
            await asyncio.sleep(5)
            owner.torrent.add_peer(source.address)
            await swarm.wait_complete(owner, leech)
            assert owner.torrent.status().downloaded == 0
            assert source.kinds().count(MessageId.HAVE) == 6

    run_virtual(story, seed=14, limit=300)


def test_connections_are_tended_during_a_long_check():
    """Reading the files takes ten minutes; a peer that heard nothing for two would leave."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            source = await join(swarm, swarm.metainfo.info, info=swarm.metainfo.info)
            owner = await swarm.add(
                magnet=True, have=ALL, knows=[], disk_rate=len(swarm.content) / 600
            )
            leech = await swarm.add(magnet=True, knows=[owner])
            events = leech.torrent.events()
            owner.torrent.add_peer(source.address)
            await leech.torrent.wait_metadata()
            assert owner.torrent.state is TorrentState.CHECKING
            await asyncio.sleep(500)
            assert owner.torrent.state is TorrentState.CHECKING
            await owner.torrent.wait_checked()
            lost = [event for event in events._pending if isinstance(event, PeerDisconnected)]
            assert owner.address not in [event.address for event in lost]
            await swarm.wait_complete(leech)

    run_virtual(story, seed=14, limit=6000)


def test_a_failing_check_leaves_no_connection_behind():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL)
            leech = await swarm.add(magnet=True, knows=[], have=ALL)
            leech.files.fail(swarm.name, errno.EIO)
            leech.torrent.add_peer(swarm.members[0].address)
            with pytest.raises(TorrentFailedError):
                await leech.torrent.wait_complete()
            await asyncio.sleep(1)
            assert connections(leech) == 0
            leech.files.heal()
            leech.torrent.add_peer(swarm.members[0].address)
            await leech.torrent.start()
            await leech.torrent.wait_complete()

    run_virtual(story, seed=15, limit=600)


# Stopping and starting.


def test_stopping_and_starting_while_the_metadata_comes():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(MIB)}) as swarm:
            await swarm.add(have=ALL, profile=LinkProfile(up=50_000, latency=0.02))
            leech = await swarm.add(magnet=True, profile=HOME)
            torrent = leech.torrent
            progress = [0.0]
            for _ in range(4):
                await until(lambda: torrent.status().metadata_progress > progress[-1] + 0.1)
                await torrent.stop()
                assert torrent.state is TorrentState.STOPPED
                assert connections(leech) == 0
                progress.append(torrent.status().metadata_progress)
                await asyncio.sleep(15)
                assert torrent.status().metadata_progress == progress[-1]
                await torrent.start()
                assert torrent.state is TorrentState.FETCHING_METADATA
            assert progress == sorted(progress)
            await swarm.wait_complete(leech)

    run_virtual(story, seed=16, limit=600)


def test_a_magnet_that_is_added_stopped_does_nothing():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            seed = await swarm.add(have=ALL)
            leech = await swarm.add(magnet=True, knows=[])
            engine = leech.engine
            await engine.remove(leech.torrent)
            torrent = await engine.add(swarm.magnet(), peers=[seed.address], start=False)
            await asyncio.sleep(100)
            assert torrent.state is TorrentState.STOPPED
            assert connections(leech) == 0
            await torrent.start()
            await torrent.wait_complete()

    run_virtual(story, seed=17, limit=600)


def test_removing_a_magnet_while_it_fetches():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(MIB)}) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=50_000, latency=0.02))
            leech = await swarm.add(magnet=True, profile=HOME)
            await asyncio.sleep(5)
            assert 0 < leech.torrent.status().metadata_progress < 1
            await leech.engine.remove(leech.torrent)
            await asyncio.sleep(5)
            assert connections(leech) == connections(seed) == 0

    run_virtual(story, seed=18, limit=600)


# Peers that mean no good.


def refusing(piece: int) -> bytes:
    return ut_metadata.encode(MetadataReject(piece))


def always(payload: bytes | None):
    """Answers every request for metadata alike."""

    def answer(piece: int) -> bytes | None:
        return payload

    return answer


async def add_magnet(swarm: SimulatedSwarm, peer: ScriptedPeer):
    """An engine with a magnet of the scripted peer's torrent."""
    member = await swarm.add(magnet=True, knows=[])
    await member.engine.remove(member.torrent)
    return await member.engine.add(Magnet(peer.info_hash), peers=[peer.address])


def hostile_peers(info: bytes) -> dict[str, dict[str, object]]:
    size = len(info)

    def claiming(claimed: int) -> ExtensionHandshake:
        return ExtensionHandshake(messages=dict(OUR_IDS), metadata_size=claimed)

    def garbage(claimed: int):
        def answer(piece: int) -> bytes:
            length = ut_metadata.piece_length(claimed, piece)
            return ut_metadata.encode(MetadataData(piece, claimed, b"\xaa" * length))

        return {"says": claiming(claimed), "answer": answer}

    def sending(data: bytes, total: int):
        return lambda piece: ut_metadata.encode(MetadataData(piece, total, data))

    return {
        "garbage of the right size": garbage(size),
        "garbage of another size": garbage(size + 12_345),
        "garbage of 3 MB": garbage(3_000_000),
        "1 byte": garbage(1),
        "1 GiB": {"says": claiming(1 << 30)},
        "silent": {"says": claiming(size), "answer": always(None)},
        "silent with another size": {"says": claiming(777_777), "answer": always(None)},
        "refusing": {"says": claiming(size), "answer": refusing},
        "short pieces": {"says": claiming(size), "answer": sending(b"x", size)},
        "another total": {"says": claiming(size), "answer": sending(bytes(16384), 20_000)},
        "no metadata extension": {
            "says": ExtensionHandshake(messages={"ut_pex": 2}, metadata_size=size)
        },
        "no dictionary": {"says": claiming(size), "answer": always(b"le")},
        "nonsense": {"says": claiming(size), "answer": always(b"d8:msg_typei1ee")},
        "of an unknown kind": {"says": claiming(size), "answer": always(b"d8:msg_typei9ee")},
        "another dictionary": {
            "says": claiming(size),
            "answer": sending(bencode.encode({b"name": b"x" * (size - 20)})[:size], size),
        },
        "one wrong byte": {
            "says": claiming(size),
            "answer": lambda piece: ut_metadata.encode(
                MetadataData(
                    piece,
                    size,
                    bytes([info[16384 * piece] ^ 1])
                    + info[16384 * piece + 1 : 16384 * (piece + 1)],
                )
            ),
        },
    }


KINDS = list(hostile_peers(bytes(100_000)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_peer_is_outdone_by_an_honest_one(kind: str):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(100_000)}, **SMALL) as swarm:
            info = swarm.metainfo.info
            hostile = await join(swarm, info, **hostile_peers(info)[kind])
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            leech.torrent.add_peer(hostile.address)
            await asyncio.sleep(20)
            assert not leech.torrent.has_metadata
            await swarm.add(have=ALL, profile=HOME)
            leech.torrent.add_peer(swarm.members[-1].address)
            await swarm.wait_complete(leech)
            return leech.finished_at

    assert run_virtual(story, seed=19) < 100


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_of_hostile_peers_is_outdone_by_an_honest_one(seed: int):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra={b"x-padding": bytes(100_000)}, **SMALL) as swarm:
            info = swarm.metainfo.info
            crowd = [
                await join(swarm, info, 10 + number, **options)
                for number, options in enumerate([*hostile_peers(info).values()] * 3)
            ]
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            for hostile in crowd:
                leech.torrent.add_peer(hostile.address)
            await swarm.add(have=ALL, profile=HOME)
            leech.torrent.add_peer(swarm.members[-1].address)
            await swarm.wait_complete(leech)
            return leech.finished_at

    assert run_virtual(story, seed=seed) < 600


def test_a_peer_that_was_found_out_says_more_in_the_same_breath():
    """What follows in the bytes that it was dropped for is not taken for a living peer's."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            info = swarm.metainfo.info
            peer = await join(swarm, info, info=info, answer=always(None))
            leech = await swarm.add(magnet=True, knows=[], profile=HOME)
            events = leech.torrent.events()
            leech.torrent.add_peer(peer.address)
            await asyncio.sleep(5)
            hello = extended(0, peer.says.encode())
            unasked = ut_metadata.encode(MetadataData(9, len(info), bytes(100)))
            asking = ut_metadata.encode(ut_metadata.MetadataRequest(0))
            peer.send(
                extended(OUR_IDS["ut_metadata"], asking) * 1500
                + extended(OUR_IDS["ut_metadata"], unasked)
                + hello
                + extended(OUR_IDS["ut_metadata"], asking) * 500
                + extended(OUR_IDS["upload_only"], b"\1")
                + messages.have(1)
            )
            await asyncio.sleep(100)
            reasons = [e.reason for e in events._pending if isinstance(e, PeerDisconnected)]
            assert any("without being asked" in reason for reason in reasons)
            exchange = leech.torrent._membership.extensions.exchange
            connected = {link.id for link in leech.engine._links}
            assert exchange.pex is not None
            assert set(exchange.pex._partners) <= connected
            assert set(exchange.serve._clients) <= connected
            assert exchange.fetch is not None
            assert set(exchange.fetch._sources) <= connected
            await swarm.add(have=ALL)
            leech.torrent.add_peer(swarm.members[-1].address)
            await swarm.wait_complete(leech)

    run_virtual(story, seed=20, limit=600)


# Metadata that is true and yet no torrent.


def unusable() -> dict[str, tuple[bytes, str]]:
    def info(**fields: object) -> bytes:
        base: dict[bytes, object] = {
            b"name": b"x",
            b"piece length": 16384,
            b"pieces": bytes(20),
            b"length": 5,
        }
        base.update({key.encode().replace(b"_", b" "): value for key, value in fields.items()})
        return bencode.encode({k: v for k, v in base.items() if v is not None})  # type: ignore[misc]

    deep = [{b"length": 5, b"path": [b"d"] * 5000}]
    return {
        "version 2 only": (
            info(pieces=None, length=None, meta_version=2, file_tree={b"a": {}}),
            "version 2",
        ),
        "nothing": (b"de", "length"),
        "no dictionary": (b"le", "info"),
        "no pieces": (info(pieces=b""), "pieces"),
        "negative length": (info(length=-5), "negative"),
        "empty": (info(length=0, pieces=b""), "no data"),
        "deep path": (info(length=None, files=deep), "deep"),
        "no path": (info(length=None, files=[{b"length": 5, b"path": []}]), "path"),
        "not bencoded": (b"garbage", "torrent"),
        "two values": (info() + info(), "torrent"),
        "trailing bytes": (info() + b"i1e", "torrent"),
        "end of the outer dictionary": (info() + b"e", "follow"),
        "unsorted twice": (b"d4:name1:a4:name1:be", "torrent"),
        "deeply nested": (b"d1:a" + b"l" * 5000 + b"e" * 5000 + b"e", "torrent"),
    }


@pytest.mark.parametrize(("info", "word"), unusable().values(), ids=unusable().keys())
def test_metadata_that_is_no_usable_torrent(info: bytes, word: str):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            peer = await join(swarm, info, info=info)
            torrent = await add_magnet(swarm, peer)
            with pytest.raises(TorrentFailedError, match=word):
                await torrent.wait_metadata()
            assert torrent.state is TorrentState.ERROR
            assert isinstance(torrent.error, MalformedTorrentError)
            await asyncio.sleep(1)
            assert torrent.peers() == []
            assert peer.connections == []
            # It will never be another one: the infohash says so.
            await torrent.start()
            with pytest.raises(TorrentFailedError, match=word):
                await torrent.wait_metadata()
            await torrent.stop()
            assert torrent.state is TorrentState.STOPPED

    run_virtual(story, seed=21, limit=300)


def test_paths_that_lead_elsewhere_stay_inside():
    """Names are made safe, as for torrent files: the metadata's source makes no difference."""
    name = b"../../etc"
    info = bencode.encode(
        {
            b"name": name,
            b"piece length": 16384,
            b"pieces": hashlib.sha1(b"12345").digest(),
            b"files": [{b"length": 5, b"path": [b"..", b"..", b"/etc", b"passwd"]}],
        }
    )

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, **SMALL) as swarm:
            peer = await join(
                swarm,
                info,
                info=info,
                greeting=messages.HAVE_ALL + messages.UNCHOKE,
                content=b"12345",
                piece_length=16384,
            )
            member = await swarm.add(magnet=True, knows=[])
            torrent = await member.engine.add(Magnet(peer.info_hash), peers=[peer.address])
            await torrent.wait_complete()
            [path] = torrent._session.layout.paths
            assert ".." not in path.split("/")
            assert not path.startswith("/")

    run_virtual(story, seed=22, limit=300)
