"""An engine without sockets and files of its own, on a real io-daemon."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import own_certificate

from millstream import Engine, EngineConfig, LimitsConfig, Torrent
from millstream.adapters.daemon import (
    BatchingDiskQueue,
    DaemonConnection,
    DaemonHttp,
    DaemonNetwork,
)
from millstream.adapters.daemon import connection as daemon_connection
from millstream.adapters.memory import MemorySessionStore
from millstream.engine.config import StorageConfig
from millstream.errors import (
    ConfigError,
    EngineClosedError,
    HttpError,
    NetworkError,
    RootUnavailableError,
)
from millstream.events import TorrentFailed
from millstream.interfaces.disk import DiskResult, Extent, Outcome, VerifiedWrite
from millstream.interfaces.http import HttpRequest
from millstream.io_wire.window import FIRST_WINDOW
from millstream.presets.daemon import create_daemon_engine
from millstream.protocol.bencode import encode
from millstream.protocol.compact import PeerAddress, pack_peers
from millstream.protocol.infohash import InfoHash
from millstream.storage.roots import StorageRoot
from millstream.testing.conformance_waiting import until

from .conftest import LOOPBACK, Share, StartEngine, make_share
from .lending import Lender, lending, slow_way
from .raw_web import RawWeb, response
from .test_announcing import UdpTracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

CONFIG = EngineConfig(network=LOOPBACK, storage=StorageConfig(check_interval=1))


@pytest.fixture
def share() -> Share:
    """4 MiB: 64 pieces of four blocks."""
    return make_share(64 * 65536 - 1000, 65536)


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[Lender]:
    for name in ("films", "music"):
        (tmp_path / name).mkdir()
    async with lending({"f": tmp_path / "films", "m": tmp_path / "music"}) as lender:
        yield lender


@pytest.fixture
def seeding(share: Share, start_engine: StartEngine, tmp_path: Path):
    async def start(upload: int | None = None) -> str:
        config = replace(CONFIG, limits=LimitsConfig(upload=upload))
        engine = await start_engine(share.store(tmp_path / "seed"), config)
        await (await engine.add(share.data)).wait_complete()
        return address(engine)

    return start


def address(engine: Engine) -> str:
    return f"127.0.0.1:{engine.listen_port}"


def disk_of(engine: Engine) -> BatchingDiskQueue:
    disk = engine._platform.disk
    assert isinstance(disk, BatchingDiskQueue)
    return disk


async def pieces(torrent: Torrent, count: int) -> None:
    await until(lambda: torrent.status().pieces_have >= count, "it had so many pieces")


async def test_it_downloads_and_seeds(lender, share, seeding, start_engine, tmp_path):
    """From a native seed, and for a native leech that connects to the daemon's port."""
    seed = await seeding()
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f", "m"]) as engine:
        torrent = await engine.add(share.data, peers=[seed])
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content
        stats = await lender.stats()
        assert stats["bytes_written"] == len(share.content)
        assert stats["tcp_servers"] == 1
        metrics = disk_of(engine).snapshot().metrics
        assert metrics.writes == share.piece_count
        assert metrics.bytes_written == len(share.content)

        leech = await (await start_engine(tmp_path / "leech", CONFIG)).add(
            share.data, peers=[address(engine)]
        )
        await leech.wait_complete()
        assert share.stored(tmp_path / "leech") == share.content
        assert torrent.status().uploaded == len(share.content)


async def test_roots_are_tokens(lender, share, seeding, tmp_path):
    """A torrent is in another root than the default one, and below it, and moves between them."""
    seed = await seeding()
    engine = create_daemon_engine(CONFIG, daemon=lender.address, roots=["f", "m"], default_root="m")
    async with engine:
        assert engine.roots.default == engine.roots.get("m")
        torrent = await engine.add(share.data, save_path="m/some/directory", peers=[seed])
        await torrent.wait_complete()
        assert share.stored(tmp_path / "music" / "some" / "directory") == share.content
        await torrent.move("f")
        assert share.stored(tmp_path / "films") == share.content
        await engine.remove(torrent, delete_data=True)
        assert list((tmp_path / "films").iterdir()) == []


async def test_a_daemon_that_is_killed_comes_back(lender, share, seeding, tmp_path):
    """In the middle of a download; nobody notices but the peers."""
    seed = await seeding(upload=2_000_000)
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine:
        torrent = await engine.add(share.data, peers=[seed])
        port = engine.listen_port
        await pieces(torrent, 5)
        await lender.kill()
        assert torrent.status().pieces_have < share.piece_count
        await lender.start()
        torrent.add_peer(seed)
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content
        assert engine.listen_port == port
        assert (await lender.stats())["tcp_servers"] == 1


async def test_a_daemon_that_stays_away(lender, share, seeding, tmp_path, monkeypatch):
    """The torrent says so, and goes on when it is back."""
    monkeypatch.setattr(daemon_connection, "RECONNECT_DELAYS", (0.1,))
    seed = await seeding(upload=2_000_000)
    engine = create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"])
    disk_of(engine)._daemon.patience = 0.5
    async with engine:
        torrent = await engine.add(share.data, peers=[seed])
        events = torrent.events()
        await pieces(torrent, 5)
        await lender.kill()
        async for event in events:
            if isinstance(event, TorrentFailed):
                break
        assert isinstance(event.error, RootUnavailableError)
        assert "io-daemon" in str(event.error)
        assert str(event.error).count("not available") == 1
        with pytest.raises(NetworkError, match=r"no io-daemon.*refused"):
            await engine._platform.network.resolve("localhost")
        await lender.start()
        await until(lambda: torrent.error is None, "it went on")
        torrent.add_peer(seed)
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content


async def test_an_engine_that_goes_frees_its_sockets(lender, share, seeding):
    """Its daemon keeps nothing of it."""
    seed = await seeding(upload=1_000_000)
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine:
        torrent = await engine.add(share.data, peers=[seed])
        await pieces(torrent, 2)
        stats = await lender.stats()
        assert stats["tcp_sockets"] >= 1
        assert stats["ws_connections"] == 1
        # No goodbye, as from a process that is killed.
        disk_of(engine)._daemon._link._socket._socket.shutdown(2)
        for _ in range(1000):
            if not (await lender.stats())["ws_connections"]:
                break
            await asyncio.sleep(0.01)
        stats = await lender.stats()
        assert stats["tcp_sockets"] == stats["tcp_servers"] == stats["udp_sockets"] == 0


async def test_a_slow_way_to_the_daemon(lender, share, seeding, tmp_path):
    """100 ms there and back, and right bytes."""
    seed = await seeding()
    async with slow_way(lender.port, 0.05) as port:
        daemon = replace(lender.address, port=port)
        async with create_daemon_engine(CONFIG, daemon=daemon, roots=["f"]) as engine:
            torrent = await engine.add(share.data, peers=[seed])
            await torrent.wait_complete()
            assert share.stored(tmp_path / "films") == share.content
            metrics = disk_of(engine).snapshot().metrics
            assert metrics.call_seconds / metrics.answered >= 0.1


async def test_batches_do_not_wait_for_each_other(lender, tmp_path):
    """Twenty flushes over a way of 100 ms take little longer than one."""
    data = bytes(100_000)
    job = VerifiedWrite(
        *(InfoHash(bytes(20)), 0, "f", memoryview(data), hashlib.sha1(data).digest()),
        (Extent("file", 0, len(data)),),
    )
    async with slow_way(lender.port, 0.05) as port:
        connection = DaemonConnection(replace(lender.address, port=port))
        await connection.ready()
        disk = BatchingDiskQueue(connection)
        results: list[DiskResult] = []
        disk.start(results.extend, lambda: None)
        began = time.perf_counter()
        for number in range(20):
            disk.submit_write(replace(job, extents=(Extent(f"file{number}", 0, len(data)),)))
            disk.flush()
        assert disk.snapshot().in_flight == 20
        await disk.drain()
        assert 0.1 <= time.perf_counter() - began < 1.0
        assert [result.outcome for result in results] == [Outcome.SUCCESS] * 20
        await disk.close()
    assert (tmp_path / "films" / "file19").read_bytes() == data


async def test_a_session_remembers_tokens(lender, share, seeding, tmp_path):
    """The next run finds its torrents by the tokens of their roots, and what they have."""
    seed = await seeding(upload=3_000_000)
    store = MemorySessionStore()
    lent = [StorageRoot("m", "Music", "m"), "f"]
    options = {"daemon": lender.address, "roots": lent, "session": store}
    async with create_daemon_engine(CONFIG, **options) as engine:
        torrent = await engine.add(share.data, root="f", peers=[seed])
        await pieces(torrent, 10)
    async with create_daemon_engine(CONFIG, **options) as engine:
        restored = await engine.restore_session()
        (torrent,) = restored.torrents
        await torrent.wait_checked()
        assert torrent.status().pieces_have >= 10
        assert engine.roots.root_of(torrent.info_hash) == StorageRoot("f", "f", "f")
        assert engine.roots.default == StorageRoot("m", "Music", "m")
        torrent.add_peer(seed)
        await torrent.wait_complete()
        assert torrent.status().downloaded < len(share.content) + share.piece_length
    assert share.stored(tmp_path / "films") == share.content


async def test_trackers_are_asked_through_the_daemon(lender, share, seeding, tmp_path):
    """By HTTP and by UDP; each knows the seed, and hears of the daemon's port."""
    seed = PeerAddress.parse(await seeding())
    answer = encode({b"interval": 1800, b"peers": pack_peers([seed])})
    async with (
        RawWeb(response(answer)) as web,
        UdpTracker() as udp,
        create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine,
    ):
        torrent = await engine.add(share.data, trackers=[f"{web.url}/announce", udp.url])
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content
        assert f"port={engine.listen_port}" in web.heads[0]
        await until(lambda: len(udp.seen) > 1, "the other tracker was asked")


async def test_tls_is_the_daemons(lender, tmp_path):
    """With the certificates that its machine trusts."""
    tls = own_certificate(tmp_path)
    async with (
        RawWeb(response(b"safe"), tls=tls) as web,
        lending({}, SSL_CERT_FILE=str(tmp_path / "cert.pem")) as trusting,
    ):
        for address, is_trusted in ((trusting.address, True), (lender.address, False)):
            connection = DaemonConnection(address, socket_window=FIRST_WINDOW)
            client = DaemonHttp(DaemonNetwork(connection), "Millstream/test")
            asking = client.get(HttpRequest(url=f"{web.url}/x"))
            if is_trusted:
                assert (await asking).body == b"safe"
            else:
                with pytest.raises(HttpError, match="certificate"):
                    await asking
            await connection.close()
        assert len(web.heads) == 1


async def test_who_has_no_token_has_no_daemon(lender):
    daemon = replace(lender.address, token="another token".replace(" ", "-"))
    with pytest.raises(NetworkError, match="token"):
        await create_daemon_engine(CONFIG, daemon=daemon, roots=["f"]).start()


async def test_an_engine_that_cannot_start_leaves_the_daemon(lender):
    """It connects first, and then gets no port."""
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as other:
        network = replace(CONFIG.network, listen_port=other.listen_port)
        config = replace(CONFIG, network=network)
        engine = create_daemon_engine(config, daemon=lender.address, roots=["f"])
        with pytest.raises(NetworkError):
            await engine.start()
        assert not disk_of(engine)._daemon.is_up
        while (await lender.stats())["ws_connections"] > 1:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
        with pytest.raises(EngineClosedError):
            await engine.start()


async def test_where_no_daemon_is(lender):
    await lender.kill()
    with pytest.raises(NetworkError, match=r"no io-daemon at 127\.0\.0\.1"):
        await create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]).start()


def test_roots_must_make_sense(lender):
    with pytest.raises(ConfigError, match="a root"):
        create_daemon_engine(CONFIG, daemon=lender.address)
    with pytest.raises(ConfigError, match="'x'"):
        create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"], default_root="x")
