"""Where files are and which of them are wanted, by way of a running daemon."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest

from millstream.protocol.metainfo import FileEntry
from millstream.protocol.metainfo_building import build

from .programs import millstream
from .test_control import big, controlled, file_body, refused, seeding, until

__all__ = ["big", "seeding"]  # fixtures of the other module

PIECE = 16384
CONTENT = random.Random(4).randbytes(3 * PIECE)


@pytest.fixture
def three():
    """A torrent of three files of a piece each, as the body that adds it."""
    files = [FileEntry((name,), PIECE) for name in ("a.bin", "b.bin", "c.bin")]
    digests = b"".join(
        hashlib.sha1(CONTENT[at : at + PIECE]).digest() for at in range(0, len(CONTENT), PIECE)
    )
    data = build("three", files, PIECE, digests, is_multi_file=True)
    return {"type": "file", "data": base64.b64encode(data).decode()}


def store(directory, *names):
    (directory / "three").mkdir(parents=True)
    for name in names:
        at = PIECE * "abc".index(name[0])
        (directory / "three" / name).write_bytes(CONTENT[at : at + PIECE])


async def priorities(client, id_):
    files = (await client.get(f"/torrent/{id_}/files"))["files"]
    return [file["priority"] for file in files]


async def test_files_are_wanted_more_or_less(three, tmp_path):
    store(tmp_path, "a.bin")
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start")
        id_ = (await client.post("/torrent/add", {**three, "firstLast": True}))["id"]
        await until(client, id_, state="downloading")
        path = f"/torrent/{id_}/priorities"
        changed = (await client.post(path, {"high": [1], "skip": [2]}))["files"]
        assert [file["priority"] for file in changed] == ["normal", "high", "skip"]
        assert [file["done"] for file in changed] == [PIECE, 0, 0]
        assert (await client.get(f"/torrent/{id_}/status"))["size"] == 2 * PIECE
        assert await refused(client.post(path, {"low": [3]})) == (400, "InvalidSetting")
        assert await refused(client.post(path, {"low": [0], "skip": [0]})) == (400, "InvalidField")
        await client.post(path, {"skip": [1]})
        await until(client, id_, state="seeding")
        await client.post(path, {"normal": [1, 2]})
        await until(client, id_, state="downloading")
        assert await priorities(client, id_) == ["normal"] * 3
        settings = await client.post(f"/torrent/{id_}/settings", {"sequential": True})
        assert (settings["sequential"], settings["firstLast"]) == (True, True)


async def test_torrents_are_put_into_roots(three, tmp_path):
    store(tmp_path / "media", "a.bin", "b.bin", "c.bin")
    async with controlled(tmp_path / "usual") as (_, client):
        await client.post("/engine/start")
        (usual,) = (await client.get("/roots"))["roots"]
        assert (usual["default"], usual["path"]) == (True, str(tmp_path / "usual"))
        body = {"path": str(tmp_path / "media"), "label": "films"}
        media = await client.post("/roots/add", body)
        assert (media["label"], media["default"], media["torrents"]) == ("films", False, 0)
        token = media["token"]
        id_ = (await client.post("/torrent/add", {**three, "root": token}))["id"]
        status = await until(client, id_, state="seeding")
        assert status["savePath"] == str(tmp_path / "media")
        roots = (await client.get("/roots"))["roots"]
        assert [root["torrents"] for root in roots] == [0, 1]
        assert await refused(client.post(f"/root/{token}/remove")) == (409, "Conflict")
        assert (await client.post(f"/root/{token}/default"))["default"]
        await client.post(f"/torrent/{id_}/remove")
        await client.post(f"/root/{token}/remove")
        assert await refused(client.post(f"/root/{token}/default")) == (400, "InvalidSetting")


async def test_files_move_and_get_other_names(three, tmp_path):
    store(tmp_path / "old", "a.bin", "b.bin", "c.bin")
    new = tmp_path / "new"
    async with controlled(tmp_path / "old") as (_, client):
        await client.post("/engine/start")
        id_ = (await client.post("/torrent/add", three))["id"]
        added = await until(client, id_, state="seeding")
        assert added["addedAt"] <= added["completedAt"]
        path = f"/torrent/{id_}/move"
        moved = await client.post(path, {"path": str(new)})
        while moved["moving"]:
            moved = await client.get(path)
        assert (moved["error"], moved["savePath"], moved["size"]) == (None, str(new), 3 * PIECE)
        status = await client.get(f"/torrent/{id_}/status")
        assert (status["savePath"], status["state"]) == (str(new), "seeding")
        assert status["root"] != added["root"]
        assert sorted(file.name for file in (new / "three").iterdir()) == [
            "a.bin",
            "b.bin",
            "c.bin",
        ]
        assert not (tmp_path / "old" / "three").exists()
        assert await refused(client.post(path, {"root": "nowhere"})) == (400, "InvalidSetting")

        path = f"/torrent/{id_}/rename"
        files = (await client.post(path, {"file": 1, "path": "three/deep/b2.bin"}))["files"]
        assert files[1]["path"] == "three/deep/b2.bin"
        files = (await client.post(path, {"folder": "three", "path": "four"}))["files"]
        assert [file["path"] for file in files] == [
            "four/a.bin",
            "four/deep/b2.bin",
            "four/c.bin",
        ]
        assert (new / "four" / "deep" / "b2.bin").read_bytes() == CONTENT[PIECE : 2 * PIECE]
        for body in (
            {"file": 0, "path": "../a"},
            {"file": 9, "path": "a"},
            {"folder": "x", "path": "y"},
        ):
            assert await refused(client.post(path, body)) == (400, "InvalidSetting")
        await client.post(f"/torrent/{id_}/recheck")
        await until(client, id_, state="seeding", piecesHave=3)


async def test_a_file_in_the_way_stays(three, tmp_path):
    store(tmp_path / "old", "a.bin", "b.bin", "c.bin")
    store(tmp_path / "new", "c.bin")
    async with controlled(tmp_path / "old") as (_, client):
        await client.post("/engine/start")
        id_ = (await client.post("/torrent/add", three))["id"]
        await until(client, id_, state="seeding")
        moving = client.post(f"/torrent/{id_}/move", {"path": str(tmp_path / "new")})
        assert await refused(moving) == (500, "Storage")
        status = await client.get(f"/torrent/{id_}/status")
        assert (status["savePath"], status["state"]) == (str(tmp_path / "old"), "seeding")


async def test_the_place_in_the_queue_and_the_goals(three, tmp_path):
    async with controlled(tmp_path) as (_, client):
        await client.post("/engine/start")
        id_ = (await client.post("/torrent/add", three))["id"]
        path = f"/torrent/{id_}/queue"
        assert await client.get(path) == {
            "ok": True,
            "position": 0,
            "count": 1,
            "forced": False,
            "autoManaged": True,
        }
        moved = await client.post(path, {"move": "bottom", "forced": True})
        assert (moved["position"], moved["forced"]) == (0, True)
        status = await client.get(f"/torrent/{id_}/status")
        assert (status["queuePosition"], status["forced"], status["autoManaged"]) == (0, True, True)
        path = f"/torrent/{id_}/goals"
        usual = await client.get(path)
        assert set(usual.values()) == {True, "inherit"}
        wanted = {"ratio": 1.5, "seedTime": None, "idleTime": 60, "action": "remove data"}
        assert await client.post(path, wanted) == {"ok": True, **wanted}
        assert await client.get(path) == {"ok": True, **wanted}
        assert await refused(client.post(path, {"ratio": "much"})) == (400, "InvalidField")


async def test_data_is_deleted_with_a_torrent(three, big, seeding, tmp_path):
    _, port = seeding
    place = tmp_path / "down"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    async with controlled(place) as (_, client):
        await client.post("/engine/start")
        body = file_body(big, peers=[f"127.0.0.1:{port}"])
        id_ = (await client.post("/torrent/add", body))["id"]
        await until(client, id_, state="seeding")
        assert big.stored(place) == big.content
        await client.post(f"/torrent/{id_}/remove", {"deleteData": True})
        assert [path.name for path in place.iterdir()] == ["mine.txt"]


@pytest.mark.slow
async def test_the_commands(three, tmp_path):
    store(tmp_path / "media", "a.bin", "b.bin", "c.bin")
    torrent = tmp_path / "three.torrent"
    torrent.write_bytes(base64.b64decode(three["data"]))
    async with controlled(tmp_path / "usual") as (server, client):
        await server.start_engine()

        async def run(*arguments):
            async with millstream(*arguments, "--daemon", server.url) as program:
                assert await program.end() == 0, await program.errors()
                return program.lines

        (added,) = await run("roots", "add", tmp_path / "media", "--label", "films", "--default")
        assert added.endswith("0 torrents, default")
        await run("add", torrent, "--root", "films")
        (listed,) = (await client.get("/torrents"))["torrents"]
        await until(client, listed["id"], state="seeding")
        lines = await run("files", "three", "--skip", "b.*", "--low", "3")
        assert [line.split()[-2] for line in lines] == ["KiB", "skip", "low"]
        await run("recheck", "three")
        await until(client, listed["id"], state="seeding")
        roots = await run("roots")
        assert len(roots) == 2
        assert roots[1].endswith("1 torrent, default")
        await run("files", "three", "--normal", "*")
        await run("rename", "three", "1", "three/first.bin")
        (moved,) = await run("move", "three", f"{tmp_path}/third")
        assert moved.endswith("third")
        assert (tmp_path / "third" / "three" / "first.bin").read_bytes() == CONTENT[:PIECE]
        assert (await run("queue", "three", "force"))[0].startswith("Place 1 of 1")
        assert (await run("goals", "three", "--ratio", "2"))[0].startswith("ratio 2, ")
        await run("remove", "three", "--delete-data")
        assert await run("list") == ["The daemon has no torrents; `millstream add` gives it some."]
