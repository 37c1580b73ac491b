"""The control server with a real engine behind it, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from millstream import EngineConfig
from millstream.errors import ControlError
from millstream.rpc.client import ControlClient
from millstream.rpc.config import ControlConfig
from millstream.rpc.server import ControlServer

from .conftest import LOOPBACK, Share, make_share
from .programs import PATIENCE, millstream

HERE = EngineConfig(network=LOOPBACK)


@contextlib.asynccontextmanager
async def controlled(directory, **values) -> AsyncIterator[tuple[ControlServer, ControlClient]]:
    config = ControlConfig(port=0, save_path=directory, **values)
    async with ControlServer(config, HERE) as server, ControlClient(server.url) as client:
        yield server, client


def file_body(share: Share, **values) -> dict[str, object]:
    return {"type": "file", "data": base64.b64encode(share.data).decode(), **values}


async def until(client, id_, *, has=0, **wanted):
    """How a torrent stands, once it stands so and has so many pieces."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status = await client.get(f"/torrent/{id_}/status")
            enough = status["piecesHave"] >= has
            if enough and all(status[key] == value for key, value in wanted.items()):
                return status
            await asyncio.sleep(0.01)


async def refused(asking):
    with pytest.raises(ControlError) as caught:
        await asking
    return caught.value.status, caught.value.code


@pytest.fixture
def big() -> Share:
    """Large enough to be paused on the way, at the rates of these tests."""
    return make_share(4 << 20, 32768, "big.bin")


@pytest.fixture
async def seeding(big, tmp_path):
    """A server that seeds `big`: its client and the torrent's port."""
    directory = big.store(tmp_path / "seed")
    async with controlled(directory) as (_, client):
        port = (await client.post("/engine/start"))["port"]
        id_ = (await client.post("/torrent/add", file_body(big)))["id"]
        await until(client, id_, state="seeding")
        yield client, port


async def test_a_download_from_start_to_end(big, seeding, tmp_path):
    seeder, port = seeding
    async with controlled(tmp_path / "wrong") as (_, client):
        assert (await client.get("/engine/status"))["running"] is False
        assert await refused(client.get("/torrents")) == (400, "EngineNotRunning")
        answer = await client.post(
            "/engine/start", {"config": {"downloadPath": str(tmp_path / "mine"), "maxPeers": 20}}
        )
        assert answer["ignored"] == []
        assert await refused(client.post("/engine/start")) == (400, "EngineAlreadyRunning")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.url}/events") as events,
        ):
            assert (await events.receive_json())["running"] is True
            added = await client.post("/torrent/add", file_body(big))
            id_ = added["id"]
            assert added == {"ok": True, "id": big.info_hash.hex(), "name": big.name}
            assert await refused(client.post("/torrent/add", file_body(big))) == (
                409,
                "DuplicateTorrent",
            )
            await client.post(f"/torrent/{id_}/add-peer", {"ip": "127.0.0.1", "port": port})
            seen = []
            async with asyncio.timeout(PATIENCE):
                while "torrentCompleted" not in seen:
                    event = await events.receive_json()
                    assert event["id"] == id_
                    seen.append(event["type"])
        assert seen[0] == "torrentAdded"
        assert "peerConnected" in seen
        assert seen.count("pieceVerified") == big.piece_count

        status = await until(client, id_, state="seeding", progress=1.0)
        assert (status["size"], status["piecesHave"]) == (4 << 20, big.piece_count)
        assert status["totalDownloaded"] >= 4 << 20
        assert big.stored(tmp_path / "mine") == big.content
        assert not (tmp_path / "wrong").exists()

        pieces = await client.get(f"/torrent/{id_}/pieces")
        assert pieces["bitfield"] == "ff" * (big.piece_count // 8)
        files = (await client.get(f"/torrent/{id_}/files"))["files"]
        assert files == [
            {
                "index": 0,
                "path": "big.bin",
                "size": 4 << 20,
                "done": 4 << 20,
                "priority": "normal",
            }
        ]
        assert (await client.get(f"/torrent/{id_}/trackers"))["trackers"] == []
        stats = await client.get("/engine/tick-stats")
        assert stats["tickCount"] > 0
        assert stats["tickMaxMs"] >= stats["tickAvgMs"] > 0
        torrents = (await client.get("/engine/status"))["torrents"]
        assert torrents == [{"id": id_, "state": "seeding"}]
        messages = [entry["message"] for entry in (await client.get("/logs"))["entries"]]
        assert any("listens at port" in message for message in messages)

        await client.post(f"/torrent/{id_}/remove")
        assert await refused(client.get(f"/torrent/{id_}/status")) == (400, "TorrentNotFound")
        assert big.stored(tmp_path / "mine") == big.content
        await client.post("/engine/stop")
        assert await refused(client.post("/engine/stop")) == (400, "EngineNotRunning")
        # And once more: an engine is not a thing of one time.
        await client.post("/engine/start")
        assert (await client.get("/torrents"))["torrents"] == []
    assert (await seeder.get("/torrents"))["torrents"][0]["totalUploaded"] >= 4 << 20


@pytest.mark.slow
async def test_pause_stops_and_resume_goes_on(big, seeding, tmp_path):
    _, port = seeding
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start", {"config": {"downloadSpeedLimit": 300_000}})
        place = tmp_path / "elsewhere"
        body = file_body(big, storagePath=str(place), peers=[f"127.0.0.1:{port}"], paused=True)
        id_ = (await client.post("/torrent/add", body))["id"]
        assert (await until(client, id_, state="stopped"))["peers"] == 0
        await client.post(f"/torrent/{id_}/resume")
        await until(client, id_, state="downloading", peers=1)
        await until(client, id_, has=1)

        (peer,) = (await client.get(f"/torrent/{id_}/peers"))["peers"]
        assert (peer["ip"], peer["port"], peer["connectionType"]) == ("127.0.0.1", port, "outgoing")
        assert (peer["percent"], peer["amInterested"]) == (100, True)
        assert len(peer["peerId"]) == 40
        availability = await client.get(f"/torrent/{id_}/availability")
        assert availability["availability"] == [1] * big.piece_count
        assert availability["distributedCopies"] == 1

        await client.post(f"/torrent/{id_}/pause")
        paused = await until(client, id_, state="stopped", peers=0)
        await asyncio.sleep(0.3)
        still = await client.get(f"/torrent/{id_}/status")
        assert still["piecesHave"] == paused["piecesHave"]
        assert 0 < still["piecesHave"] < big.piece_count

        limits = await client.post("/engine/limits", {"download": 0})
        assert (limits["download"], limits["upload"]) == (None, None)
        await client.post(f"/torrent/{id_}/resume")
        await until(client, id_, state="seeding")
        assert big.stored(place) == big.content


async def test_peers_are_disconnected_and_limited(big, seeding, tmp_path):
    _, port = seeding
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start", {"config": {"downloadSpeedLimit": 100_000}})
        body = file_body(big, peers=[f"127.0.0.1:{port}"])
        id_ = (await client.post("/torrent/add", body))["id"]
        await until(client, id_, peers=1)
        where = {"ip": "127.0.0.1", "port": port}
        await client.post(f"/torrent/{id_}/disconnect-peer", where)
        elsewhere = {"ip": "127.0.0.1", "port": 1}
        assert await refused(client.post(f"/torrent/{id_}/disconnect-peer", elsewhere)) == (
            400,
            "PeerNotFound",
        )
        settings = {"maxPeers": 7, "uploadLimit": 50_000}
        assert await client.post(f"/torrent/{id_}/settings", settings) == {
            "ok": True,
            "maxPeers": 7,
            "downloadLimit": None,
            "uploadLimit": 50_000,
            "sequential": False,
            "firstLast": False,
            "superSeeding": False,
        }
        answer = await client.post(f"/torrent/{id_}/settings", {"maxPeers": None})
        assert (answer["maxPeers"], answer["uploadLimit"]) == (None, 50_000)
        for wrong in ({"maxPeers": 0}, {"maxPeers": "7"}, {"uploadLimit": 5}, {"max": 7}):
            assert await refused(client.post(f"/torrent/{id_}/settings", wrong)) == (
                400,
                "InvalidField",
            )
        assert await refused(client.post(f"/torrent/{id_}/settings", {"select": [9]})) == (
            400,
            "InvalidSetting",
        )


@pytest.mark.slow
async def test_a_torrent_may_have_fewer_peers(big, seeding, tmp_path):
    _, first = seeding
    async with controlled(big.store(tmp_path / "other")) as (_, other):
        second = (await other.post("/engine/start"))["port"]
        id_ = (await other.post("/torrent/add", file_body(big)))["id"]
        await until(other, id_, state="seeding")
        async with controlled(tmp_path) as (_, client):
            await client.post("/engine/start", {"config": {"downloadSpeedLimit": 50_000}})
            peers = [f"127.0.0.1:{port}" for port in (first, second)]
            await client.post("/torrent/add", file_body(big, peers=peers))
            await until(client, id_, peers=2)
            await client.post(f"/torrent/{id_}/settings", {"maxPeers": 1})
            await until(client, id_, peers=1)
            where = {"ip": "127.0.0.1", "port": second}
            await client.post(f"/torrent/{id_}/add-peer", where)
            await asyncio.sleep(0.3)
            assert (await client.get(f"/torrent/{id_}/status"))["peers"] == 1
            await client.post(f"/torrent/{id_}/settings", {"maxPeers": 5})
            await until(client, id_, peers=2)


async def test_a_recheck_finds_what_was_spoilt(big, seeding):
    client, _ = seeding
    id_ = big.info_hash.hex()
    place = (await client.get(f"/torrent/{id_}/status"))["savePath"]
    assert big.stored(Path(place)) == big.content
    (Path(place) / big.name).write_bytes(b"spoilt" + big.content[6:])
    await client.post(f"/torrent/{id_}/recheck")
    await until(client, id_, state="downloading", piecesHave=big.piece_count - 1)


async def test_a_magnet_has_no_files_until_it_has_metadata(big, seeding, tmp_path):
    _, port = seeding
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start")
        id_ = big.info_hash.hex()
        magnet = {"type": "magnet", "data": f"magnet:?xt=urn:btih:{id_}"}
        await client.post("/torrent/add", magnet)
        assert (await client.get(f"/torrent/{id_}/status"))["state"] == "downloading_metadata"
        assert await refused(client.get(f"/torrent/{id_}/files")) == (409, "MetadataPending")
        assert await refused(client.post(f"/torrent/{id_}/recheck")) == (409, "MetadataPending")
        assert (await client.get(f"/torrent/{id_}/pieces"))["pieceCount"] == 0
        await client.post(f"/torrent/{id_}/add-peer", {"ip": "127.0.0.1", "port": port})
        await until(client, id_, state="seeding")
    assert big.stored(tmp_path) == big.content


async def test_what_is_no_torrent_is_refused(tmp_path):
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start")
        for body, code in (
            ({"type": "file", "data": "ZGU="}, "MalformedData"),
            ({"type": "file", "data": ""}, "MalformedData"),
            ({"type": "magnet", "data": "magnet:?dn=x"}, "MalformedData"),
        ):
            assert await refused(client.post("/torrent/add", body)) == (400, code)
        taken = (await client.get("/engine/status"))["port"]
        async with controlled(tmp_path) as (_, other):
            config = {"config": {"port": taken}}
            assert await refused(other.post("/engine/start", config)) == (500, "Network")
            assert (await other.get("/engine/status"))["running"] is False


async def test_a_session_comes_back(big, tmp_path):
    directory = big.store(tmp_path / "seed")
    session = tmp_path / "session.db"
    async with controlled(directory, session=session) as (server, client):
        await server.start_engine()
        id_ = (await client.post("/torrent/add", file_body(big)))["id"]
        await until(client, id_, state="seeding")
        await client.post(f"/torrent/{id_}/pause")
    async with controlled(directory, session=session) as (server, client):
        await server.start_engine()
        (torrent,) = (await client.get("/torrents"))["torrents"]
        assert (torrent["id"], torrent["state"]) == (id_, "stopped")
        await client.post(f"/torrent/{id_}/resume")
        await until(client, id_, state="seeding")


@pytest.mark.slow
async def test_the_program_as_a_daemon_and_its_clients(big, seeding, tmp_path):
    _, port = seeding
    token = tmp_path / "token"
    (tmp_path / "big.torrent").write_bytes(big.data)
    options = ("--port", 0, "--token-file", token, "--session", tmp_path / "s.db", "--json")
    async with millstream("daemon", "-o", tmp_path / "down", *options) as daemon:
        ready = await daemon.event("daemon")
        there = ("--daemon", ready["url"], "--token-file", token)

        async def run(*arguments):
            async with millstream(*arguments, *there, "--json") as program:
                assert await program.end() == 0, await program.errors()
                return program.events()

        peer = f"127.0.0.1:{port}"
        (added,) = await run("add", tmp_path / "big.torrent", "--peer", peer, "--paused")
        assert added["infohash"] == big.info_hash.hex()
        name = added["infohash"][:8]
        (listed,) = await run("list")
        assert (listed["name"], listed["state"]) == (big.name, "stopped")
        await run("resume", name)
        async with ControlClient(ready["url"], token=token.read_text().strip()) as client:
            await until(client, added["infohash"], state="seeding")
        (shown,) = await run("show", big.name)
        assert shown["files"][0]["done"] == 4 << 20
        (limits,) = await run("limits", "--up", "500K")
        assert (limits["download"], limits["upload"]) == (None, 512_000)
        await run("pause", name)
        await run("remove", name)
        assert await run("list") == []
        async with millstream("list", "--daemon", ready["url"]) as program:
            assert await program.end() == 6
            assert "token" in await program.errors()
        async with millstream("show", "0123abcd", *there) as program:
            assert await program.end() == 2
        assert await daemon.stop(signal.SIGTERM) == 0
    async with millstream("list", *there) as program:
        assert await program.end() == 6
        assert "no daemon answers" in await program.errors()
    assert big.stored(tmp_path / "down") == big.content


@pytest.mark.slow
async def test_the_program_as_a_server_alone(tmp_path):
    async with millstream("rpc") as program:
        first = await program.line_with("")
        name, _, port = first.partition("=")
        assert name == "RPC_PORT"
        async with ControlClient(f"127.0.0.1:{port}") as client:
            config = {
                "downloadPath": str(tmp_path),
                "port": 0,
                "maxConnections": 50,
                "maxPeers": 20,
                "maxUploadSlots": 4,
                "encryptionPolicy": "allow",
                "dhtEnabled": False,
                "daemonOpsPerSecond": 2,
                "daemonOpsBurst": 2,
                "logging": {"level": "debug"},
            }
            answer = await client.post("/engine/start", {"config": config})
            assert answer["ignored"] == ["dhtEnabled", "daemonOpsBurst"]
            entries = (await client.get("/logs?level=info&limit=5"))["entries"]
            assert entries
            await client.post("/shutdown")
        assert await program.end() == 0
        assert program.lines == [first]
