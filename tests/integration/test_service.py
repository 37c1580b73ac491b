"""A real daemon with watch folders, scripts and webhooks, told by signals what is new."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import shlex
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from millstream import create_native_engine
from millstream.rpc.client import ControlClient
from millstream.storage.names import safe_component

from .conftest import make_share
from .programs import PATIENCE, Program, millstream

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="scripts for sh, and SIGHUP"),
]

SECRET = "a secret of the webhooks"  # noqa: S105 - of this test
# What a shell would take apart, and what no shell sees here.
HOSTILE = 'it\'s "a" $(touch x) `y` \\ & | * torrent\nof two lines'


class Site:
    """A web server that is told; `posts` are bodies and headers."""

    def __init__(self) -> None:
        self.url = ""
        self.posts: list[tuple[bytes, dict[str, str]]] = []
        self.failures = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        self.posts.append((body, {**request.headers}))
        return web.Response()

    def told(self) -> list[tuple[str, str]]:
        """Event and torrent's name of each."""
        bodies = [json.loads(body) for body, _ in self.posts]
        return [(body["event"], body["torrent"]["name"]) for body in bodies]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    made.url = f"http://{host}:{port}/hook?key=private"
    yield made
    await runner.cleanup()


class Place:
    """Where the daemon of a test lives."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.watched = directory / "watched"
        self.watched.mkdir()
        self.settings = directory / "settings.toml"
        self.script = directory / "a script"
        self.ran = directory / "ran"
        self.ran.mkdir()
        # Each run leaves a file with its arguments, NULs between them, and one of its variables.
        self.script.write_text(
            "#!/bin/sh\n"
            f"file={shlex.quote(str(self.ran))}/$MILLSTREAM_EVENT-$$\n"
            'printf "%s\\0" "$@" "$MILLSTREAM_NAME" > "$file.part"\n'
            'mv "$file.part" "$file"\n'
            "echo the script was here\n"
        )
        self.script.chmod(self.script.stat().st_mode | stat.S_IXUSR)

    def write(self, *lines: str) -> None:
        self.settings.write_text("\n".join(lines), encoding="utf-8")

    def runs(self, event: str) -> list[list[str]]:
        """The arguments and the variable of each run."""
        done = [path for path in self.ran.glob(f"{event}-*") if not path.name.endswith(".part")]
        return [path.read_bytes().decode().split("\0")[:-1] for path in done]

    @contextlib.asynccontextmanager
    async def daemon(self) -> AsyncIterator[tuple[Program, ControlClient]]:
        os.environ["MILLSTREAM_CONFIG"] = str(self.settings)
        options = ("--port", 0, "--session", self.directory / "s.db", "--json")
        files = ("-o", self.directory / "down")
        log = ("--log-file", self.directory / "log")
        try:
            async with millstream(*log, "daemon", *files, *options) as program:
                ready = await program.event("daemon")
                async with ControlClient(ready["url"]) as client:
                    yield program, client
        finally:
            del os.environ["MILLSTREAM_CONFIG"]

    def log(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def test_a_torrent_from_the_watch_folder_to_the_webhook(place, site, tmp_path):
    share = make_share(200_000, 32768, HOSTILE)
    content = tmp_path / "seed"
    content.mkdir()
    # A line break is in no name of a file.
    (content / safe_component(share.name)).write_bytes(share.content)
    async with create_native_engine(save_path=content) as seeder:
        await (await seeder.add(share.data)).wait_complete()
        command = [str(place.script), "{event}", "{name}", "<{infohash}>", "{root}", "{size}"]
        place.write(
            "[network]",
            'listen_hosts = ["127.0.0.1"]',
            "[watch.here]",
            f"folder = {json.dumps(str(place.watched))}",
            'interval = "200 ms"',
            f"save_path = {json.dumps(str(tmp_path / 'films'))}",
            "[hooks]",
            f"added = {json.dumps(command)}",
            f"completed = {json.dumps(command)}",
            f"removed = {json.dumps(command)}",
            'timeout = "30 s"',
            "[webhooks]",
            f"urls = [{json.dumps(site.url)}]",
            f"secret = {json.dumps(SECRET)}",
        )
        site.failures = 1
        id_ = str(share.metainfo.info_hash)
        async with place.daemon() as (program, client):
            (place.watched / "new.torrent").write_bytes(share.data)
            (place.watched / "link.magnet").write_text(f"magnet:?xt=urn:btih:{'cd' * 20}\n")
            await until((place.watched / "new.torrent.added").exists)
            await until((place.watched / "link.magnet.added").exists)
            (torrent,) = [
                each for each in (await client.get("/torrents"))["torrents"] if each["id"] == id_
            ]
            assert torrent["savePath"] == str(tmp_path / "films")
            port = seeder.listen_port
            await client.post(f"/torrent/{id_}/add-peer", {"ip": "127.0.0.1", "port": port})
            await until(lambda: place.runs("completed"))
            wanted = [HOSTILE, f"<{id_}>", str(tmp_path / "films"), "200000", HOSTILE]
            assert ["added", *wanted] in place.runs("added")
            assert place.runs("completed") == [["completed", *wanted]]
            await client.post(f"/torrent/{id_}/remove")
            await until(lambda: place.runs("removed"))
            await until(lambda: len(site.posts) == 4)
            assert site.told() == [
                *(("added", "cd" * 20), ("added", HOSTILE)),
                *(("completed", HOSTILE), ("removed", HOSTILE)),
            ]
            for body, headers in site.posts:
                digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                assert headers["X-Millstream-Signature"] == f"sha256={digest}"
                assert headers["X-Millstream-Event"] == json.loads(body)["event"]
            assert await program.stop(signal.SIGTERM) == 0
    log = place.log()
    assert "the script for 'added' says: the script was here" in log
    assert "private" not in log
    assert SECRET not in log
    assert not list(tmp_path.rglob("x")), "no shell ran what the name says"


async def test_settings_are_read_again_at_sighup(place):
    place.write("[limits]", "upload = 500_000", 'download = "2M"', "[network]", "listen_port = 0")
    async with place.daemon() as (program, client):

        async def limits():
            answer = await client.get("/engine/limits")
            return answer["download"], answer["upload"]

        assert await limits() == (2 << 20, 500_000)
        await client.post("/engine/limits", {"download": 1_000_000})
        share = make_share(1000, 32768)
        place.write(
            *("[limits]", 'upload = "300 KiB/s"', 'download = "2M"'),
            *("[network]", "listen_port = 1"),
            *("[log]", 'components = ["peer=debug"]'),
            f"[watch.a]\nfolder = {json.dumps(str(place.watched))}\ninterval = 0.1\npaused = true",
        )
        (place.watched / "new.torrent").write_bytes(share.data)
        program._process.send_signal(signal.SIGHUP)
        await until(lambda: "settings read again" in place.log())
        assert await limits() == (1_000_000, 300 << 10), "what the file left alone was set since"
        assert "these hold from the next start on: network.listen_port" in place.log()
        await until((place.watched / "new.torrent.added").exists)
        (torrent,) = (await client.get("/torrents"))["torrents"]
        assert torrent["state"] == "stopped"

        place.write("[limits]", "upload = 5")
        program._process.send_signal(signal.SIGHUP)
        await until(lambda: "the old ones hold" in place.log())
        assert "limits.upload is 5; it must be a whole number, 1024 or more" in place.log()
        assert await limits() == (1_000_000, 300 << 10)

        place.write("[limits]", 'upload = "1M"')
        answer = await client.post("/settings/reload")
        assert "limits.upload" in answer["changed"]
        assert "network.listen_port" in answer["atRestart"]
        assert await limits() == (None, 1 << 20)
        assert await program.stop(signal.SIGTERM) == 0


async def test_a_file_that_was_added_before_a_crash_is_put_away_after_it(place):
    share = make_share(1000, 32768)
    place.write(
        "[watch.here]",
        f"folder = {json.dumps(str(place.watched))}",
        "interval = 0.1",
        'after = "delete"',
        "paused = true",
    )
    async with place.daemon() as (program, _):
        (place.watched / "new.torrent").write_bytes(share.data)
        await until(lambda: not (place.watched / "new.torrent").exists())
        # At once: what was put away is saved already.
        await program.kill()
    # As if it had been killed before it could delete the file.
    (place.watched / "new.torrent").write_bytes(share.data)
    async with place.daemon() as (program, client):
        (torrent,) = (await client.get("/torrents"))["torrents"]
        assert torrent["id"] == str(share.metainfo.info_hash)
        await until(lambda: not (place.watched / "new.torrent").exists())
        assert len((await client.get("/torrents"))["torrents"]) == 1
        assert await program.stop(signal.SIGTERM) == 0


async def test_an_error_is_told(place, site):
    place.write(
        *("[webhooks]", f"urls = [{json.dumps(site.url)}]", 'events = ["error"]'),
        *("[hooks]", f'error = [{json.dumps(str(place.script))}, "{{error}}"]'),
    )
    share = make_share(1000, 32768)
    blocked = place.directory / "blocked"
    blocked.write_text("a file where a directory must be")
    (place.directory / "t.torrent").write_bytes(share.data)
    async with place.daemon() as (program, client):
        url = client.url
        async with millstream(
            *("add", place.directory / "t.torrent", "-o", blocked / "in"), "--daemon", url
        ) as adding:
            await adding.end()
        id_ = str(share.metainfo.info_hash)
        await until(lambda: site.posts)
        await until(lambda: place.runs("error"))
        status = await client.get(f"/torrent/{id_}/status")
        (arguments,) = place.runs("error")
        assert arguments[0] == status["error"]
        assert json.loads(site.posts[0][0])["error"] == status["error"]
        assert await program.stop(signal.SIGTERM) == 0
