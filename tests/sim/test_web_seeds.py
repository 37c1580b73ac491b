"""Web seeds (BEP 19) in virtual time: servers that are slow, broken, hostile, or just right."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import mean
from typing import Any, TypeVar

import pytest

from millstream import (
    Engine,
    EngineConfig,
    LimitsConfig,
    Magnet,
    Metainfo,
    NetworkConfig,
    Torrent,
    TorrentState,
    TransferConfig,
    WebSeedState,
    WebSeedStatus,
)
from millstream.adapters.memory import (
    LinkProfile,
    MemoryFileSystem,
    MemoryHost,
    MemoryHttp,
    MemoryNetwork,
    MemoryStream,
    MemoryWeb,
)
from millstream.engine.known_web_seed import FIRST_RETRY, QUICK_RETRY
from millstream.engine.web_seed import MAX_RUNS, STALL_TIME
from millstream.engine.web_seeding import MAX_AT_WORK
from millstream.errors import HttpError
from millstream.events import StateChanged
from millstream.interfaces.disk import DiskConfig
from millstream.interfaces.http import HttpResponse
from millstream.presets.memory import create_memory_engine
from millstream.protocol.metainfo import FileAttribute, FileEntry
from millstream.protocol.metainfo_building import build
from millstream.testing.content import piece_digests
from millstream.testing.virtual_time import run_virtual
from millstream.tracker.config import TrackerConfig

from .web_site import Asked, WebSite

KIB, MIB = 1 << 10, 1 << 20
PIECE = 64 * KIB
PORT = 6881
LINE = LinkProfile(latency=0.01)

T = TypeVar("T")


class Content:
    """A torrent and its bytes; one file unless files are named."""

    def __init__(
        self,
        rng: random.Random,
        length: int = 2 * MIB + 777,
        *,
        files: Sequence[tuple[tuple[str, ...], int]] = (),
        pads: Iterable[int] = (),
        private: bool = False,
    ) -> None:
        self.name = "content.bin"
        pads = set(pads)
        entries = [
            FileEntry(path, size, FileAttribute.PAD if i in pads else FileAttribute(0))
            for i, (path, size) in enumerate(files or [((self.name,), length)])
        ]
        self.files = {
            "/".join(entry.path): bytes(entry.length)
            if entry.attributes
            else rng.randbytes(entry.length)
            for entry in entries
        }
        whole = b"".join(self.files.values())
        self.metainfo = Metainfo.parse(
            build(
                self.name,
                entries,
                PIECE,
                piece_digests(whole, PIECE),
                is_multi_file=bool(files),
                private=private,
            )
        )
        self.stored = [entry for entry in entries if not entry.attributes and entry.length]
        self.is_multi_file = bool(files)

    def path(self, name: str) -> str:
        return f"{self.name}/{name}" if self.is_multi_file else name

    @property
    def on_the_web(self) -> dict[str, bytes]:
        return {
            f"/{self.path('/'.join(entry.path))}": self.files["/".join(entry.path)]
            for entry in self.stored
        }

    def on(self, *sites: WebSite | str) -> Metainfo:
        """The torrent with these web seeds."""
        urls = [site if isinstance(site, str) else site.url for site in sites]
        return replace(self.metainfo, web_seeds=tuple(urls))


class Town:
    """Engines and web sites on one network."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.network = MemoryNetwork(rng, LINE)
        self.web = MemoryWeb()
        self.stack = AsyncExitStack()
        self.count = 0

    async def engine(
        self,
        *,
        profile: LinkProfile | None = None,
        allow_local: bool = False,
        limits: LimitsConfig | None = None,
        transfer: TransferConfig | None = None,
        disk_rate: float | None = None,
    ) -> tuple[Engine, MemoryHost, MemoryFileSystem]:
        self.count += 1
        host = self.network.host(f"10.0.0.{self.count}", profile)
        files = MemoryFileSystem()
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            transfer=transfer or TransferConfig(),
            disk=DiskConfig(max_queued_bytes=MIB),
            limits=limits or LimitsConfig(),
            trackers=TrackerConfig(allow_local=allow_local),
            seed=self.rng.getrandbits(64),
        )
        engine = await self.stack.enter_async_context(
            create_memory_engine(
                config,
                network=host,
                files=files,
                disk_rate=disk_rate,
                http=MemoryHttp(self.web, "198.51.100.1"),
            )
        )
        return engine, host, files

    async def seed(self, content: Content, profile: LinkProfile | None = None) -> str:
        """A peer that has everything; where it is."""
        engine, host, files = await self.engine(profile=profile)
        for name, data in content.files.items():
            files.write_file("memory", content.path(name), data)
        await engine.add(content.metainfo)
        return f"{host.address}:{PORT}"

    def content(self, length: int = 2 * MIB + 777, **options: Any) -> Content:
        """See `Content`."""
        return Content(self.rng, length, **options)

    async def fetch(
        self, content: Content, *sites: WebSite | str
    ) -> tuple[Torrent, MemoryFileSystem]:
        """A torrent that comes from these web seeds, and where its files go."""
        engine, _, files = await self.engine()
        return await engine.add(content.on(*sites)), files

    def site(self, content: Content, **options: object) -> WebSite:
        """A web site that has the torrent's files."""
        return WebSite(self.web, content.on_the_web, **options)  # type: ignore[arg-type]


def in_town(story: Callable[[Town], Awaitable[T]], *, seed: int) -> T:
    """Run a story in a town of its own."""

    async def run(rng: random.Random) -> T:
        there = Town(rng)
        async with there.stack:
            return await story(there)

    return run_virtual(run, seed=seed)


def now() -> float:
    return asyncio.get_running_loop().time()


def check(files: MemoryFileSystem, content: Content) -> None:
    for entry in content.stored:
        name = "/".join(entry.path)
        assert files.read_file("memory", content.path(name)) == content.files[name]


def only(torrent: Torrent) -> WebSeedStatus:
    [status] = torrent.web_seeds()
    return status


async def until_error(torrent: Torrent, seconds: float = 100) -> WebSeedStatus:
    """The web seed's status as soon as something went wrong."""
    deadline = now() + seconds
    while (status := only(torrent)).error is None:
        assert now() < deadline
        await asyncio.sleep(0.05)
    return status


async def got(torrent: Torrent, share: float) -> None:
    async for status in torrent.progress(0.05):
        if status.progress >= share:
            return


MANY = [
    (("a b.txt",), 100),
    (("dir #1", "50%.bin"), 150 * KIB),
    (("empty",), 0),
    ((".pad", "1"), 3 * PIECE - 150 * KIB - 100),
    (("dir #1", "naïve ☃?.bin"), 3 * PIECE),
    (("last&+=;.bin",), 77_777),
]


# What works.


@pytest.mark.parametrize("slash", [True, False])
def test_a_single_file_comes_from_a_web_seed_alone(slash):
    async def story(there):
        content = there.content()
        site = there.site(content)
        engine, _, files = await there.engine()
        url = site.url if slash else site.url + content.name
        torrent = await engine.add(content.on(url))
        assert only(torrent) == WebSeedStatus(url=url, state=WebSeedState.IDLE)
        await torrent.wait_complete()
        check(files, content)
        status = torrent.status()
        assert status.downloaded == site.sent == len(content.files[content.name])
        assert status.wasted == 0
        assert only(torrent) == WebSeedStatus(
            url=url, state=WebSeedState.IDLE, downloaded=status.downloaded
        )
        assert now() < 2

    in_town(story, seed=1)


def test_several_files_with_awkward_names_and_padding():
    async def story(there):
        content = there.content(files=MANY, pads=[3])
        site = there.site(content)
        torrent, files = await there.fetch(content, site)
        await torrent.wait_complete()
        check(files, content)
        assert {path for _, path, _ in site.asked} == set(content.on_the_web)
        assert torrent.status().wasted == 0

    in_town(story, seed=2)


def test_only_selected_files_are_fetched():
    async def story(there):
        content = there.content(files=[(("a",), 4 * PIECE), (("b",), 4 * PIECE)])
        site = there.site(content)
        engine, _, _ = await there.engine()
        torrent = await engine.add(content.on(site), select=[1])
        await torrent.wait_complete()
        assert {path for _, path, _ in site.asked} == {"/content.bin/b"}
        # What is wanted later is fetched later.
        await torrent.select_files(None)
        await asyncio.sleep(1)
        assert torrent.status().progress == 1
        assert {path for _, path, _ in site.asked} == {"/content.bin/a", "/content.bin/b"}

    in_town(story, seed=3)


def test_several_web_seeds_share_the_work():
    seconds = []

    async def story(there):
        content = there.content(16 * MIB)
        sites = [there.site(content, host=f"w{i}.test", rate=MIB / 4) for i in range(3)]
        torrent, files = await there.fetch(content, *sites)
        await torrent.wait_complete()
        check(files, content)
        assert all(status.downloaded > 4 * MIB for status in torrent.web_seeds())
        assert sum(status.downloaded for status in torrent.web_seeds()) == 16 * MIB
        seconds.append(now())

    # Who gets the last run is chance, and so is the end of one story.
    for seed in range(1, 9):
        in_town(story, seed=seed)
    assert mean(seconds) < 1.4 * 16 / 3  # each has MAX_RUNS connections


def test_web_seeds_and_peers_together():
    async def story(there):
        content = there.content(16 * MIB)
        site = there.site(content, rate=MIB / 4)
        peers = [await there.seed(content, LinkProfile(up=MIB, latency=0.01))]
        engine, _, files = await there.engine()
        torrent = await engine.add(content.on(site), peers=peers)
        await got(torrent, 0.5)
        by_source = {peer.source: peer for peer in torrent.peers()}
        assert set(by_source) == {"user", "web seed"}
        assert str(by_source["web seed"].address) == "web.test:80"
        assert by_source["web seed"].client == "web server"
        assert by_source["web seed"].download_rate > MIB / 2
        assert only(torrent).state is WebSeedState.ACTIVE
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).downloaded > 5 * MIB
        assert now() < 1.25 * 16 / 2
        assert torrent.status().wasted < 0.02 * 16 * MIB

    in_town(story, seed=5)


def test_a_private_torrent_uses_its_web_seeds():
    async def story(there):
        content = there.content(private=True)
        torrent, files = await there.fetch(content, there.site(content))
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=6)


def test_a_magnet_link_names_web_seeds():
    """The metadata comes from a peer that uploads nothing else."""

    async def story(there):
        content = there.content()
        site = there.site(content)
        engine, host, _ = await there.engine(transfer=TransferConfig(upload_slots=0))
        await engine.add(content.metainfo)  # it lacks every piece
        leech, _, files = await there.engine()
        magnet = Magnet.of(content.on(site))
        torrent = await leech.add(magnet, peers=[f"{host.address}:{PORT}"])
        assert only(torrent).state is WebSeedState.IDLE
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).downloaded == 2 * MIB + 777

    in_town(story, seed=7)


def test_a_long_path_is_filled_by_several_requests_at_once():
    async def story(there):
        content = there.content(64 * MIB)
        site = there.site(content, latency=0.15, rate=4 * MIB)
        torrent, _ = await there.fetch(content, site)
        await torrent.wait_complete()
        assert site.most_at_once == MAX_RUNS
        # 16 MiB/s at best: 4 s, and half as long until the depth has grown.
        assert now() < 9

    in_town(story, seed=8)


def test_more_web_seeds_than_are_used_at_once():
    async def story(there):
        content = there.content()
        dead = [f"http://dead{i}.test/" for i in range(MAX_AT_WORK)]
        torrent, files = await there.fetch(content, *dead, there.site(content))
        await torrent.wait_complete()
        check(files, content)
        statuses = torrent.web_seeds()
        assert [status.state for status in statuses[:-1]] == [WebSeedState.FAILED] * MAX_AT_WORK
        assert all("refused" in str(status.error) for status in statuses[:-1])

    in_town(story, seed=9)


# What servers do wrong.


def test_urls_that_cannot_be_used_are_shown():
    async def story(there):
        content = there.content()
        engine, _, _ = await there.engine()
        bad = ["ftp://web.test/x", "http://", "http://a:99999/", "nonsense", "http://[::1/"]
        torrent = await engine.add(content.on(*bad, there.site(content)))
        await torrent.wait_complete()
        for status in torrent.web_seeds()[:-1]:
            assert status.state is WebSeedState.UNUSABLE
            assert "http://" in str(status.error)
            assert status.next_try is None

    in_town(story, seed=10)


@pytest.mark.parametrize(
    ("host", "addresses", "kind"),
    [
        ("127.0.0.1", (), "loopback"),
        ("intranet.test", ("10.1.2.3",), "private"),
    ],
)
def test_a_web_seed_on_a_local_host_is_refused_unless_that_is_allowed(host, addresses, kind):
    async def story(there):
        content = there.content()
        site = there.site(content, host=host, addresses=addresses)
        torrent, _ = await there.fetch(content, site)
        status = await until_error(torrent)
        assert status.state is WebSeedState.FAILED
        assert kind in str(status.error)
        assert "not contacted" in str(status.error)
        assert not site.asked
        trusting, _, files = await there.engine(allow_local=True)
        torrent = await trusting.add(content.on(site))
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=11)


def test_redirects_are_followed_but_not_to_local_hosts():
    async def story(there):
        content = there.content()
        site = there.site(content)
        inside = there.site(content, host="192.168.0.1")
        there.web.serve(
            "good.test",
            80,
            lambda *_: HttpResponse(302, {"Location": site.url + content.name}),
        )
        there.web.serve(
            "bad.test",
            80,
            lambda *_: HttpResponse(307, {"Location": inside.url + content.name}),
        )
        torrent, files = await there.fetch(content, "http://good.test/", "http://bad.test/x")
        await torrent.wait_complete()
        check(files, content)
        assert not inside.asked
        assert "private" in str(torrent.web_seeds()[1].error)

    in_town(story, seed=12)


def test_a_file_that_is_missing_is_an_error_and_tried_ever_more_seldom():
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.files = {}
        torrent, files = await there.fetch(content, site)
        status = await until_error(torrent)
        assert status.state is WebSeedState.FAILED
        assert status.error == "http://web.test/content.bin: the server answered 404"
        assert status.next_try == pytest.approx(FIRST_RETRY, abs=1)
        await asyncio.sleep(400)
        # One request at a time: nothing came that would ask for more.
        waits = [after - before for before, after in itertools.pairwise(site.times)]
        assert waits == [pytest.approx(wait, abs=1) for wait in (30, 60, 120)]
        site.files = content.on_the_web
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).error is None

    in_town(story, seed=13)


@pytest.mark.parametrize("fault", ["missing", "forbidden", "longer", "shorter"])
def test_a_file_that_is_missing_among_others_comes_from_elsewhere(fault):
    async def story(there):
        content = there.content(
            files=[(("a",), 5 * PIECE), (("b",), 5 * PIECE + 9), (("c",), 5 * PIECE)]
        )
        site = there.site(content)
        b = "/content.bin/b"

        def behave(asked):
            if fault == "forbidden" and asked.path == b:
                return HttpResponse(403, {})
            return None

        site.behave = behave
        if fault == "missing":
            del site.files[b]
        elif fault == "longer":
            site.files[b] += b"x"
        elif fault == "shorter":
            site.files[b] = site.files[b][:-1]
        torrent, files = await there.fetch(content, site)
        await asyncio.sleep(30)
        status = only(torrent)
        assert status.state is WebSeedState.ACTIVE
        assert "/content.bin/b: " in str(status.error)
        # All but the six or seven pieces of b.
        assert 10 / 16 - 0.1 < torrent.status().progress < 11 / 16
        assert torrent.status().wasted == 0
        torrent.add_peer(await there.seed(content))
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=14)


def test_a_busy_server_is_left_alone_as_long_as_it_says():
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.behave = lambda *_: HttpResponse(503, {"Retry-After": "120"})
        torrent, _ = await there.fetch(content, site)
        status = await until_error(torrent)
        assert "503" in str(status.error)
        assert status.next_try == pytest.approx(120, abs=1)
        site.behave = None
        await torrent.wait_complete()
        assert now() == pytest.approx(121, abs=1)

    in_town(story, seed=15)


@pytest.mark.parametrize("text", ["-5", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "٣"])
def test_a_retry_after_that_makes_no_sense_is_not_heeded(text):
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.behave = lambda *_: HttpResponse(429, {"Retry-After": text})
        torrent, _ = await there.fetch(content, site)
        status = await until_error(torrent)
        assert status.next_try == pytest.approx(FIRST_RETRY, abs=1)

    in_town(story, seed=16)


def test_a_server_that_takes_one_connection_only_is_given_one():
    async def story(there):
        content = there.content(16 * MIB)
        site = there.site(content, rate=2 * MIB)
        refused = []

        def behave(*_):
            if site.open:
                refused.append(now())
                return HttpResponse(503, {"Retry-After": "1000"})
            return None

        site.behave = behave
        torrent, files = await there.fetch(content, site)
        await torrent.wait_complete()
        check(files, content)
        assert site.most_at_once == 1
        assert 0 < len(refused) < MAX_RUNS
        assert now() < 10

    in_town(story, seed=17)


def test_a_server_without_ranges_gives_small_files():
    async def story(there):
        content = there.content(files=[(("a",), 3 * PIECE), (("b",), MIB), (("c",), 5 * MIB)])
        site = there.site(content)
        site.behave = lambda asked: MemoryStream(
            200, {"Content-Length": str(len(asked.content))}, site.body(asked.content)
        )
        torrent, files = await there.fetch(content, site)
        await asyncio.sleep(10)
        assert "does not send parts" in str(only(torrent).error)
        have = torrent.piece_states()
        assert have[:19] == bytes([2]) * 19
        assert set(have[19:]) == {0}
        torrent.add_peer(await there.seed(content))
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=18)


def test_a_server_that_sends_less_than_it_is_asked_for_is_asked_for_the_rest():
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.behave = lambda asked: site.part(
            asked._replace(end=min(asked.end, asked.begin + 10_000))
        )
        torrent, files = await there.fetch(content, site)
        await torrent.wait_complete()
        check(files, content)
        assert torrent.status().wasted == 0

    in_town(story, seed=19)


async def cut(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
    raise HttpError("its answer is cut short")


def answer(asked: Asked, body: bytes, **headers: str) -> HttpResponse:
    return HttpResponse(206, asked.headers(**headers), body)


def moved(asked: Asked, begin: int, end: int) -> HttpResponse:
    """The answer to another request."""
    other = asked._replace(begin=asked.begin + begin, end=asked.end + end)
    return answer(other, other.data)


WRONG = {
    "another range": lambda asked: moved(asked, 1, 1),
    "more than asked": lambda asked: moved(asked, 0, 1),
    "another file": lambda asked: answer(asked._replace(content=asked.content + b"x"), asked.data),
    "no range": lambda asked: HttpResponse(206, {}, asked.data),
    "nonsense": lambda asked: HttpResponse(206, {"Content-Range": "bytes ?"}, asked.data),
    "compressed": lambda asked: answer(asked, b"zzz", **{"Content-Encoding": "gzip"}),
    "a page": lambda _: HttpResponse(200, {"Content-Length": "9"}, b"<html> .."),
    "not satisfiable": lambda _: HttpResponse(416, {}, b""),
    "a redirect to nowhere": lambda _: HttpResponse(301, {}, b""),
    "too long": lambda asked: answer(asked, asked.data + b"z" * MIB),
    "too short": lambda asked: answer(asked, asked.data[:-1]),
    "nothing": lambda asked: answer(asked, b""),
    "cut": lambda asked: MemoryStream(206, asked.headers(), cut(asked.data[:100])),
    "an error": lambda _: HttpResponse(500, {}, b"sorry"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_answers_that_are_wrong_are_an_error_and_harm_nobody(fault):
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.behave = WRONG[fault]
        torrent, files = await there.fetch(content, site)
        status = await until_error(torrent)
        assert status.state is WebSeedState.FAILED
        assert status.next_try is not None
        assert "web.test" in str(status.error) or fault == "cut"
        torrent.add_peer(await there.seed(content))
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=20)


def test_corrupt_data_is_traced_to_its_web_seed_which_is_never_used_again():
    async def story(there):
        content = there.content(8 * MIB)
        liar = there.site(content, rate=MIB)
        liar.files = {path: bytes(len(data)) for path, data in liar.files.items()}
        # Two URLs at one host: only the liar's is banned.
        liar.files["/good/content.bin"] = content.files[content.name]
        engine, _, files = await there.engine()
        good = f"{liar.url}good/content.bin"
        torrent = await engine.add(content.on(liar, good))
        await torrent.wait_complete()
        check(files, content)
        bad, fine = torrent.web_seeds()
        assert bad.state is WebSeedState.BANNED
        assert "corrupt" in str(bad.error)
        assert bad.next_try is None
        assert fine.state is WebSeedState.IDLE
        assert fine.error is None
        asked = sum(path == "/content.bin" for _, path, _ in liar.asked)
        # Not even after a stop and a check of everything.
        await torrent.stop()
        files.write_file("memory", content.name, b"")
        await torrent.recheck()
        await torrent.wait_checked()
        await torrent.start()
        await torrent.wait_complete()
        assert sum(path == "/content.bin" for _, path, _ in liar.asked) == asked

    in_town(story, seed=21)


def test_a_server_that_lies_now_and_then_is_found_out_among_peers():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content, rate=MIB / 4)

        def behave(asked):
            wrong = bytearray(asked.content)
            for at in range(0, len(wrong), 5 * PIECE):
                wrong[at] ^= 1
            return site.part(asked._replace(content=bytes(wrong)))

        site.behave = behave
        engine, _, files = await there.engine()
        peers = [await there.seed(content, LinkProfile(up=MIB / 2)) for _ in range(2)]
        torrent = await engine.add(content.on(site), peers=peers)
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).state is WebSeedState.BANNED

    in_town(story, seed=22)


# Servers that are slow, silent or gone.


async def stalling(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
    await asyncio.sleep(1e6)


@pytest.mark.parametrize("first", [0, 20_000])
def test_a_server_that_stalls_is_given_up(first):
    async def story(there):
        content = there.content()
        site = there.site(content)
        site.behave = lambda asked: MemoryStream(
            206, asked.headers(), stalling(asked.data[:-1][:first])
        )
        torrent, files = await there.fetch(content, site)
        status = await until_error(torrent)
        assert "nothing for" in str(status.error)
        assert STALL_TIME < now() < 3 * STALL_TIME
        site.behave = None
        await torrent.wait_complete()
        check(files, content)

    in_town(story, seed=23)


def test_one_request_that_stalls_does_not_hold_up_the_others():
    async def story(there):
        content = there.content(32 * MIB)
        site = there.site(content, rate=MIB / 2)
        stalled = []

        def behave(asked):
            if len(site.asked) == 5:
                stalled.append(asked)
                return MemoryStream(206, asked.headers(), stalling(asked.data[:9]))
            return None

        site.behave = behave
        torrent, files = await there.fetch(content, site)
        await torrent.wait_complete()
        check(files, content)
        assert stalled
        assert only(torrent).error is None
        assert now() < 16 * 4 / 3 + 2 * STALL_TIME

    in_town(story, seed=24)


def crawl(site: WebSite, asked: Asked) -> MemoryStream:
    """The part by a hundred bytes at a time."""
    return MemoryStream(206, asked.headers(), site.body(asked.data, part=100))


def test_what_a_slow_server_sits_on_is_stolen_by_a_fast_peer():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content)
        torrent, files = await there.fetch(content, site)
        site.rate = 1 * MIB
        await got(torrent, 0.2)
        site.rate = 500.0  # bytes a second

        site.behave = lambda asked: crawl(site, asked)
        await asyncio.sleep(1)
        began = now()
        torrent.add_peer(await there.seed(content, LinkProfile(up=2 * MIB, latency=0.01)))
        await torrent.wait_complete()
        check(files, content)
        assert now() - began < 8
        await asyncio.sleep(0.1)
        assert site.open == 0  # nothing is fetched that nobody wants

    in_town(story, seed=25)


def test_a_slow_server_alone_is_waited_for():
    async def story(there):
        content = there.content(4 * PIECE)
        site = there.site(content, rate=1000.0)
        site.behave = lambda asked: crawl(site, asked)
        torrent, files = await there.fetch(content, site)
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).error is None
        assert torrent.status().wasted == 0

    in_town(story, seed=26)


def test_a_server_that_dies_is_tried_again_when_it_is_back():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content, rate=MIB / 4)
        torrent, files = await there.fetch(content, site)
        await got(torrent, 0.3)
        site.die()
        status = await until_error(torrent)
        assert status.state is WebSeedState.FAILED
        assert "refused" in str(status.error)
        assert 0 < status.next_try <= QUICK_RETRY
        assert status.downloaded > 2 * MIB
        await asyncio.sleep(60)
        assert only(torrent).next_try > QUICK_RETRY
        assert torrent.status().downloaded >= status.downloaded
        site.come_back()
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).downloaded == torrent.status().downloaded
        assert now() < 250

    in_town(story, seed=27)


# The torrent's life.


def test_a_torrent_that_stops_fetches_nothing_and_goes_on_where_it_was():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content, rate=MIB / 4)
        torrent, files = await there.fetch(content, site)
        await got(torrent, 0.3)
        await torrent.stop()
        assert site.open == 0
        assert only(torrent).state is WebSeedState.IDLE
        assert only(torrent).error is None
        asked = len(site.asked)
        await asyncio.sleep(100)
        assert len(site.asked) == asked
        began = now()
        await torrent.start()
        await torrent.wait_complete()
        check(files, content)
        assert now() - began < 8
        # What was verified came once.
        assert torrent.status().downloaded < 8 * MIB + 2.5 * MIB

    in_town(story, seed=28)


def test_a_torrent_may_be_removed_in_the_middle():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content, rate=MIB / 4)
        engine, _, _ = await there.engine()
        torrent = await engine.add(content.on(site))
        await got(torrent, 0.3)
        assert site.open
        await engine.remove(torrent)
        assert site.open == 0
        await asyncio.sleep(100)
        assert engine._shared.pool.room == engine.config.transfer.max_buffered_bytes

    in_town(story, seed=29)


def test_an_engine_may_be_closed_in_the_middle():
    async def story(there):
        content = there.content(8 * MIB)
        site = there.site(content, rate=MIB / 4)
        engine, _, _ = await there.engine()
        torrent = await engine.add(content.on(site))
        await got(torrent, 0.3)
        await engine.close()
        assert site.open == 0

    in_town(story, seed=30)


def test_nothing_is_fetched_once_the_torrent_is_complete():
    async def story(there):
        content = there.content(MIB)
        site = there.site(content, rate=KIB)
        engine, _, _ = await there.engine()
        torrent = await engine.add(
            content.on(site), peers=[await there.seed(content, LinkProfile(up=2 * MIB))]
        )
        events = torrent.events()
        async for event in events:
            if isinstance(event, StateChanged) and event.after is TorrentState.SEEDING:
                break
        await asyncio.sleep(0)
        assert site.open == 0
        assert only(torrent).state is WebSeedState.IDLE
        assert [peer for peer in torrent.peers() if peer.source == "web seed"] == []

    in_town(story, seed=31)


# Limits.


@pytest.mark.parametrize("own", [False, True], ids=["global", "torrent"])
@pytest.mark.parametrize("rate", [20 * KIB, 256 * KIB, 4 * MIB])
def test_a_rate_limit_holds_within_five_percent(own, rate):
    async def story(there):
        content = there.content(16 * rate)
        site = there.site(content, rate=20 * MIB)
        limits = LimitsConfig(torrent_download=rate) if own else LimitsConfig(download=rate)
        engine, _, _ = await there.engine(limits=limits)
        torrent = await engine.add(content.on(site))
        await asyncio.sleep(3)
        before, sent = torrent.status().downloaded, site.sent
        await asyncio.sleep(10)
        after = torrent.status().downloaded
        assert after - before == pytest.approx(10 * rate, rel=0.05, abs=16 * KIB)
        # The server cannot run far ahead: little is asked for.
        assert site.sent - sent == pytest.approx(10 * rate, rel=0.1, abs=80 * KIB)
        assert only(torrent).error is None

    in_town(story, seed=32)


def test_a_limit_is_shared_with_peers():
    async def story(there):
        rate = 512 * KIB
        content = there.content(24 * rate)
        site = there.site(content, rate=20 * MIB)
        engine, _, _ = await there.engine(limits=LimitsConfig(download=rate))
        torrent = await engine.add(
            content.on(site), peers=[await there.seed(content) for _ in range(3)]
        )
        await asyncio.sleep(3)
        before = {peer.address: peer.downloaded for peer in torrent.peers()}
        await asyncio.sleep(10)
        shares = [peer.downloaded - before[peer.address] for peer in torrent.peers()]
        assert sum(shares) == pytest.approx(10 * rate, rel=0.05)
        assert shares == [pytest.approx(10 * rate / 4, rel=0.25)] * 4

    in_town(story, seed=33)


def test_a_limit_that_comes_and_goes():
    async def story(there):
        content = there.content(32 * MIB)
        site = there.site(content, rate=MIB)
        engine, _, files = await there.engine()
        torrent = await engine.add(content.on(site))
        await asyncio.sleep(2)
        for rate in (MIB, 64 * KIB):
            engine.set_limits(download=rate, upload=None)
            await asyncio.sleep(3)
            before = torrent.status().downloaded
            await asyncio.sleep(10)
            assert torrent.status().downloaded - before == pytest.approx(
                10 * rate, rel=0.05, abs=16 * KIB
            )
        engine.set_limits(download=None, upload=None)
        began = now()
        await torrent.wait_complete()
        check(files, content)
        assert now() - began < 10
        assert only(torrent).error is None

    in_town(story, seed=34)


def test_the_slowest_limit_breaks_nothing():
    async def story(there):
        content = there.content(6 * PIECE)
        site = there.site(content)
        engine, _, files = await there.engine(limits=LimitsConfig(download=KIB))
        torrent = await engine.add(content.on(site))
        await torrent.wait_complete()
        check(files, content)
        assert only(torrent).error is None
        assert torrent.status().wasted == 0
        assert now() == pytest.approx(6 * 64, rel=0.05)

    in_town(story, seed=35)


def test_a_slow_disk_holds_the_server_up():
    async def story(there):
        content = there.content(16 * MIB)
        site = there.site(content, rate=8 * MIB)
        engine, _, files = await there.engine(
            disk_rate=MIB, transfer=TransferConfig(max_unwritten_bytes=64 * MIB)
        )
        torrent = await engine.add(content.on(site))
        held = set()
        while torrent.status().progress < 1:
            held |= {
                seed.link.reading.is_held for seed in torrent._session.web_seeds.seeds if seed.link
            }
            # What the disk has not written is in memory: its queue and what was under way.
            assert torrent.status().downloaded - torrent.status().bytes_done < 5 * MIB
            await asyncio.sleep(0.05)
        check(files, content)
        assert held == {False, True}
        assert only(torrent).error is None
        assert torrent.status().wasted == 0

    in_town(story, seed=36)


def test_the_same_seed_gives_the_same_run():
    async def story(there):
        content = there.content(4 * MIB)
        site = there.site(content, rate=MIB)
        engine, _, _ = await there.engine()
        torrent = await engine.add(content.on(site), peers=[await there.seed(content)])
        await torrent.wait_complete()
        return site.asked

    assert in_town(story, seed=37) == in_town(story, seed=37)
