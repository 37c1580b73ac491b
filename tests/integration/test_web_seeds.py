"""Web seeds (BEP 19) over real sockets: aiohttp's own file server, and servers that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
from aiohttp import web

from millstream import (
    Engine,
    EngineConfig,
    LimitsConfig,
    Metainfo,
    Torrent,
    TrackerConfig,
    WebSeedState,
    WebSeedStatus,
)
from millstream.engine import known_web_seed, web_seed
from millstream.testing.conformance_waiting import until
from millstream.testing.content import multi_file_torrent

from .conftest import LOOPBACK, UNENCRYPTED, Share, StartEngine, make_share
from .raw_web import RawWeb

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KIB, MIB = 1 << 10, 1 << 20
TRUSTING = EngineConfig(
    network=LOOPBACK, encryption=UNENCRYPTED, trackers=TrackerConfig(allow_local=True)
)


class Site:
    """A web server on a loopback port.

    Attributes:
        requests: path and range of each.
        connections: the clients' ports.
        open: requests that the handler is at.
    """

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self.port = port
        self.requests: list[tuple[str, str]] = []
        self.connections: set[int] = set()
        self.open = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.raw_path, request.headers.get("Range", "")))
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername")[1])
        self.open += 1
        try:
            return await self._handler(request)
        finally:
            self.open -= 1


def files_below(directory: Path) -> Handler:
    """Serves files, with ranges."""

    async def serve(request: web.Request) -> web.StreamResponse:
        path = directory / request.match_info["path"]
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    return serve


def ranged(content: bytes, **headers: str) -> Callable[[web.Request], web.Response]:
    """Makes the right answers for one file."""

    def answer(request: web.Request) -> web.Response:
        span = request.http_range
        part = content[span]
        return web.Response(
            status=206,
            body=part,
            headers={
                "Content-Range": f"bytes {span.start}-{span.start + len(part) - 1}/{len(content)}",
                **headers,
            },
        )

    return answer


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[Site]:
    async with Site(handler, port) as site:
        yield site


def with_seeds(metainfo: Metainfo, *urls: str) -> Metainfo:
    return replace(metainfo, web_seeds=urls)


async def complete(torrent: Torrent, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        await torrent.wait_complete()


async def fail(torrent: Torrent) -> WebSeedStatus:
    await until(lambda: torrent.web_seeds()[0].error is not None, "the web seed fails")
    return torrent.web_seeds()[0]


@pytest.fixture
def share() -> Share:
    return make_share(3 * MIB + 12345, 64 * KIB)


@pytest.fixture
async def engine(start_engine: StartEngine, tmp_path: Path) -> Engine:
    return await start_engine(tmp_path / "down", TRUSTING)


async def test_a_file_from_a_web_server_alone(engine, share, tmp_path):
    share.store(tmp_path / "web")
    async with serving(files_below(tmp_path / "web")) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await complete(torrent)
        assert share.stored(tmp_path / "down") == share.content
        # Connections are kept from request to request.
        assert len(site.connections) <= web_seed.MAX_RUNS
        assert len(site.requests) >= len(site.connections)
        assert torrent.web_seeds()[0].downloaded == len(share.content)


async def test_many_files_with_awkward_names(engine, tmp_path):
    rng = random.Random(1)
    names = [
        ("a b.txt",),
        ("50% & more", "c#d?.bin"),
        ("50% & more", "e;f=+,@!$'()*~.bin"),
        ("ünïcödé ☃", "日本語.txt"),
        ("%41%2F.txt",),
        ("[x]{y}|z^`.txt",),
        ("back\\slash.txt",),
        (" leading.txt",),
    ]
    files = [(name, rng.randbytes(rng.randrange(1, 90_000))) for name in names]
    data = multi_file_torrent("the dir #1", files, 32 * KIB)
    for name, content in files:
        path = tmp_path.joinpath("web", "the dir #1", *name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    async with serving(files_below(tmp_path / "web")) as site:
        torrent = await engine.add(with_seeds(Metainfo.parse(data), site.url))
        await complete(torrent)
        assert torrent.web_seeds()[0].error is None
        assert torrent.web_seeds()[0].downloaded == sum(len(content) for _, content in files)


async def test_two_web_seeds_and_a_peer(start_engine, tmp_path):
    big = make_share(48 * MIB, 256 * KIB)
    big.store(tmp_path / "web")
    slow = EngineConfig(
        network=LOOPBACK, encryption=UNENCRYPTED, limits=LimitsConfig(upload=8 * MIB)
    )
    seeder = await start_engine(big.store(tmp_path / "seed"), slow)
    seed = await seeder.add(big.metainfo)
    await seed.wait_checked()
    engine = await start_engine(tmp_path / "down", TRUSTING)
    handler = files_below(tmp_path / "web")
    async with serving(handler) as one, serving(handler) as other:
        peer = f"127.0.0.1:{seeder.listen_port}"
        torrent = await engine.add(with_seeds(big.metainfo, one.url, other.url), peers=[peer])
        await complete(torrent, 60)
        assert big.stored(tmp_path / "down") == big.content
        assert all(status.downloaded for status in torrent.web_seeds())
        assert torrent.status().wasted < MIB


async def test_a_local_web_seed_is_refused_unless_allowed(start_engine, share, tmp_path):
    engine = await start_engine(tmp_path / "down")
    async with serving(files_below(share.store(tmp_path / "web"))) as site:
        named = site.url.replace("127.0.0.1", "localhost")
        torrent = await engine.add(with_seeds(share.metainfo, site.url, named))
        await until(lambda: all(s.error for s in torrent.web_seeds()), "both fail")
        for status in torrent.web_seeds():
            assert status.state is WebSeedState.FAILED
            assert "loopback address: local hosts are not contacted" in str(status.error)
        assert not site.requests


async def test_redirects(engine, share, tmp_path):
    async with serving(files_below(share.store(tmp_path / "web"))) as site:

        async def elsewhere(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(site.url + share.name)

        async with serving(elsewhere) as first:
            torrent = await engine.add(with_seeds(share.metainfo, first.url))
            await complete(torrent)
            assert share.stored(tmp_path / "down") == share.content


async def test_compressed_parts_are_not_taken_but_small_whole_files_are(engine, tmp_path):
    # 1 MiB is sent whole and compressed, whatever is asked for.
    share = make_share(MIB, 64 * KIB)

    async def zipped(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(share.content, 1), headers=headers)

    async with serving(zipped) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await complete(torrent)
        assert share.stored(tmp_path / "down") == share.content


async def test_a_part_that_is_compressed_is_an_error(engine, share):
    async def zipped(request: web.Request) -> web.StreamResponse:
        return ranged(share.content, **{"Content-Encoding": "gzip"})(request)

    async with serving(zipped) as site:
        status = await fail(await engine.add(with_seeds(share.metainfo, site.url)))
        assert "encoded as 'gzip'" in str(status.error)


async def test_a_server_without_ranges(engine):
    share = make_share(6 * MIB, 64 * KIB)

    async def whole(request: web.Request) -> web.StreamResponse:
        return web.Response(body=share.content)

    async with serving(whole) as site:
        status = await fail(await engine.add(with_seeds(share.metainfo, site.url)))
        assert "does not send parts" in str(status.error)


async def test_a_busy_server(engine, share):
    async def busy(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": "77"}, text="later")

    async with serving(busy) as site:
        status = await fail(await engine.add(with_seeds(share.metainfo, site.url)))
        assert str(status.error).endswith("the server answered 503")
        assert status.next_try == pytest.approx(77, abs=2)


def head(begin: int, end: int, whole: int, length: int | None) -> bytes:
    lines = ["HTTP/1.1 206 Partial Content", f"Content-Range: bytes {begin}-{end - 1}/{whole}"]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def asked_range(text: str) -> tuple[int, int]:
    line = next(line for line in text.splitlines() if line.startswith("Range: "))
    begin, _, last = line.removeprefix("Range: bytes=").partition("-")
    return int(begin), int(last) + 1


@pytest.mark.parametrize("fault", ["cut", "short", "long", "chunked long", "no HTTP"])
async def test_bodies_that_are_not_as_promised(engine, share, tmp_path, fault):
    content, whole = share.content, len(share.content)

    async def script(text: str, writer: asyncio.StreamWriter) -> None:
        begin, end = asked_range(text)
        data, more = content[begin:end], b"x" * 1000
        if fault == "cut":
            writer.write(head(begin, end, whole, len(data)) + data[:-1])
            writer.close()
        elif fault == "short":
            writer.write(head(begin, end, whole, len(data) - 1) + data[:-1])
        elif fault == "long":
            writer.write(head(begin, end, whole, len(data) + 1000) + data + more)
        elif fault == "chunked long":
            chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data) + 1000, data + more)
            writer.write(head(begin, end, whole, None) + chunk)
        else:
            writer.write(b"\x13BitTorrent protocol" * 20)
            writer.close()

    async with (
        RawWeb(script) as bad,
        serving(files_below(share.store(tmp_path / "web"))) as good,
    ):
        torrent = await engine.add(with_seeds(share.metainfo, f"{bad.url}/"))
        status = await fail(torrent)
        assert status.state is WebSeedState.FAILED
        assert "127.0.0.1" in str(status.error)
        await engine.remove(torrent)
        torrent = await engine.add(with_seeds(share.metainfo, f"{bad.url}/", good.url))
        await complete(torrent)
        assert share.stored(tmp_path / "down") == content


async def test_corrupt_data_bans_the_web_seed(engine, share, tmp_path):
    liar = ranged(bytes(len(share.content)))

    async def lie(request: web.Request) -> web.StreamResponse:
        return liar(request)

    async with serving(lie) as bad, serving(files_below(share.store(tmp_path / "web"))) as good:
        torrent = await engine.add(with_seeds(share.metainfo, bad.url))
        await until(
            lambda: torrent.web_seeds()[0].state is WebSeedState.BANNED, "the liar is banned"
        )
        assert "corrupt" in str(torrent.web_seeds()[0].error)
        await engine.remove(torrent)
        torrent = await engine.add(with_seeds(share.metainfo, bad.url, good.url))
        await complete(torrent)
        assert share.stored(tmp_path / "down") == share.content
        asked = len(bad.requests)
        await asyncio.sleep(1.2)
        assert len(bad.requests) == asked


async def test_a_server_that_stalls_in_the_middle(engine, share, tmp_path, monkeypatch):
    monkeypatch.setattr(web_seed, "STALL_TIME", 0.5)
    monkeypatch.setattr(known_web_seed, "QUICK_RETRY", 0.1)
    stalls = 0

    async def stall_once(request: web.Request) -> web.StreamResponse:
        nonlocal stalls
        answer = ranged(share.content)(request)
        if stalls < 3:
            stalls += 1
            assert isinstance(answer.body, bytes)
            slow = web.StreamResponse(status=206, headers=answer.headers)
            await slow.prepare(request)
            await slow.write(answer.body[:20_000])
            await asyncio.sleep(60)
        return answer

    async with serving(stall_once) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await complete(torrent)
        assert stalls == 3
        assert share.stored(tmp_path / "down") == share.content


async def test_a_server_that_dies_and_comes_back(engine, share, tmp_path, monkeypatch):
    monkeypatch.setattr(known_web_seed, "QUICK_RETRY", 0.3)
    monkeypatch.setattr(known_web_seed, "FIRST_RETRY", 0.3)
    ranges = ranged(share.content)

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.1)
        return ranges(request)

    async with serving(slow) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await until(lambda: torrent.status().progress > 0, "something came")
    status = await fail(torrent)
    assert status.state is WebSeedState.FAILED
    before = torrent.status().progress
    assert before < 1
    async with serving(slow, site.port):
        await complete(torrent)
    assert share.stored(tmp_path / "down") == share.content


async def test_stop_start_and_removal_in_the_middle(engine, tmp_path):
    share = make_share(16 * MIB, 256 * KIB)
    ranges = ranged(share.content)

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = ranges(request)
        assert isinstance(answer.body, bytes)
        drip = web.StreamResponse(status=206, headers=answer.headers)
        drip.content_length = len(answer.body)
        await drip.prepare(request)
        for at in range(0, len(answer.body), 64 * KIB):
            await drip.write(answer.body[at : at + 64 * KIB])
            await asyncio.sleep(0.02)
        return drip

    async with serving(slow) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await until(lambda: torrent.status().progress > 0.1, "something came")
        await torrent.stop()
        await until(lambda: not site.open, "its requests are abandoned")
        assert torrent.web_seeds()[0].state is WebSeedState.IDLE
        done, asked = torrent.status().progress, len(site.requests)
        await asyncio.sleep(1)
        assert len(site.requests) == asked
        await torrent.start()
        await until(lambda: torrent.status().progress > done + 0.1, "it goes on")
        await engine.remove(torrent)
        await until(lambda: not site.open, "its requests are abandoned")


async def test_a_rate_limit_holds_the_server_up(start_engine, tmp_path):
    share = make_share(64 * MIB, 256 * KIB)
    rate = MIB
    engine = await start_engine(
        tmp_path / "down", replace(TRUSTING, limits=LimitsConfig(download=rate))
    )
    sent = 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = ranged(share.content)(request)
        assert isinstance(answer.body, bytes)
        part = web.StreamResponse(status=206, headers=answer.headers)
        part.content_length = len(answer.body)
        await part.prepare(request)
        for at in range(0, len(answer.body), 16 * KIB):
            await part.write(answer.body[at : at + 16 * KIB])
            sent += 16 * KIB
        return part

    async with serving(count) as site:
        torrent = await engine.add(with_seeds(share.metainfo, site.url))
        await asyncio.sleep(2)
        before = torrent.status().downloaded
        await asyncio.sleep(3)
        assert torrent.status().downloaded - before == pytest.approx(3 * rate, rel=0.1)
        # Three seconds' worth may be asked for, and the kernel holds some of it.
        assert sent < torrent.status().downloaded + 4 * rate
        engine.set_limits(download=None, upload=None)
        await complete(torrent)
        assert torrent.web_seeds()[0].error is None
    assert share.stored(tmp_path / "down") == share.content
