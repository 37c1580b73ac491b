"""Announcing on real sockets, to trackers that mean no good."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from millstream import InfoHash, PeerAddress
from millstream.adapters.native import NativeNetwork
from millstream.adapters.native.http import NativeHttp
from millstream.engine.announce_turns import AnnounceTurns
from millstream.engine.announcing import Announcing
from millstream.engine.journal import Journal
from millstream.engine.tracker_access import TrackerAccess
from millstream.engine.udp_trackers import UdpTrackers
from millstream.errors import NetworkError, TrackerError
from millstream.presets.scraping import scrape_tracker
from millstream.protocol.bencode import encode
from millstream.protocol.compact import pack_peers
from millstream.tracker import udp_packets as udp
from millstream.tracker.announce import AnnounceEvent, ScrapeEntry
from millstream.tracker.announcer import TrackerState, TrackerStatus
from millstream.tracker.config import TrackerConfig

from .raw_web import RawWeb, response

MIB = 1 << 20
HASH = InfoHash(b"\x00\xff" * 10)
PEER = PeerAddress("203.0.113.5", 6881)
ANSWER = encode({b"interval": 1800, b"peers": pack_peers([PEER])})
CONFIG = TrackerConfig(
    announce_timeout=1, udp_timeout=1, udp_retransmit=0.2, stop_deadline=0.3, allow_local=True
)


class UdpTracker:
    """Answers on a loopback address, or does not."""

    def __init__(self, *, deaf: bool = False, confuse: int = 0, refusal: str = "") -> None:
        self.deaf = deaf
        self.confuse = confuse
        self.refusal = refusal
        self.seen: list[udp.UdpRequest] = []

    async def __aenter__(self) -> UdpTracker:  # noqa: PYI034
        self.socket = await NativeNetwork().open_datagram(
            PeerAddress("127.0.0.1", 0), lambda _: self
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def url(self) -> str:
        return f"udp://{self.socket.address}/announce"

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        request = udp.parse_request(data)
        self.seen.append(request)
        if self.deaf:
            return
        transaction = request.transaction ^ self.confuse
        if isinstance(request, udp.ConnectRequest):
            answer = udp.pack_connect_response(transaction, 1)
        elif self.refusal:
            answer = udp.pack_error_response(transaction, self.refusal)
        elif isinstance(request, udp.ScrapeRequestPacket):
            answer = udp.pack_scrape_response(transaction, [ScrapeEntry(1, 2, 3)])
        else:
            answer = udp.pack_announce_response(
                transaction, interval=900, leechers=1, seeders=2, peers=[PEER], ipv6=False
            )
        self.socket.send(b"noise", address)
        self.socket.send(answer, address)


class Torrent:
    def __init__(self, http: NativeHttp, config: TrackerConfig, *tiers: list[str]) -> None:
        self.peers: list[PeerAddress] = []
        self.info_hash = HASH
        self.journal = Journal(HASH)
        self.progress_told = (0, 0, 1)
        self.wants_seeds = True
        rng = random.Random(1)
        self.udp = UdpTrackers(NativeNetwork(), rng, config)
        access = TrackerAccess(
            peer_id=b"-ML0100-abcdefghijkl",
            key=1,
            port=lambda: 6881,
            families=lambda: (4, 6),
            http=http,
            udp=self.udp,
            turns=AnnounceTurns(),
            rng=rng,
            config=config,
        )
        self.announcing = Announcing(self, tiers, access)
        self.announcing.start()

    def tracker_named(self, peers: Sequence[PeerAddress]) -> None:
        self.peers.extend(peers)

    def external_ip_told(self, host: str) -> None:
        """Nobody asks for it here."""

    async def stop(self) -> None:
        await self.announcing.stop()
        self.udp.close()

    async def until(self, condition: Callable[[TrackerStatus], bool]) -> TrackerStatus:
        async with asyncio.timeout(10):
            while not condition(status := self.announcing.trackers()[0]):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return status

    async def error(self) -> str:
        status = await self.until(lambda status: status.error is not None)
        assert status.state is TrackerState.FAILED
        assert self.peers == []
        return status.error or ""


@pytest.fixture
async def http() -> AsyncIterator[NativeHttp]:
    client = NativeHttp("Millstream/test")
    yield client
    await client.close()


@pytest.fixture
async def announce(http) -> AsyncIterator[Callable[..., Torrent]]:
    torrents: list[Torrent] = []

    def start(*urls: str, config: TrackerConfig = CONFIG) -> Torrent:
        torrents.append(Torrent(http, config, *([url] for url in urls)))
        return torrents[-1]

    yield start
    for torrent in torrents:
        await torrent.stop()


async def test_an_http_tracker(announce):
    async with RawWeb(response(ANSWER)) as web:
        torrent = announce(f"{web.url}/announce?passkey=%aB")
        status = await torrent.until(lambda status: status.state is TrackerState.WORKING)
        assert torrent.peers == [PEER]
        assert status.next_announce == pytest.approx(1800, abs=5)
        await torrent.announcing.stop()
    started, stopped = (head.partition("\r\n")[0] for head in web.heads)
    assert started.startswith(f"GET /announce?passkey=%aB&info_hash={'%00%FF' * 10}&peer_id=-ML")
    assert "&event=started" in started
    assert "&event=stopped" in stopped
    assert "&numwant=0&" in stopped


async def test_a_udp_tracker(announce):
    async with UdpTracker() as tracker:
        torrent = announce(tracker.url)
        status = await torrent.until(lambda status: status.state is TrackerState.WORKING)
        assert torrent.peers == [PEER]
        assert (status.seeders, status.leechers) == (2, 1)
        await torrent.announcing.stop()
        await asyncio.sleep(0.05)
        events = [
            packet.announce.event
            for packet in tracker.seen
            if isinstance(packet, udp.AnnounceRequestPacket)
        ]
        assert events == [AnnounceEvent.STARTED, AnnounceEvent.STOPPED]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(b"<!DOCTYPE html><h1>It works!"), "the tracker answered with a web page"),
        (response(b"<html>", status="404 Not Found"), "a web page (HTTP status 404)"),
        (response(ANSWER[:-8]), "malformed or truncated bencoding"),
        (response(ANSWER, "Content-Encoding: gzip"), "not compressed as it says"),
        (response(b"d14:failure reason3:no.e"), "the tracker refused: no."),
        (response(b"l" * 50_000), "the tracker answered with"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", "longer than 1,048,576 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nd8:", "its answer is cut short"),
        (response(b"", "Location: /announce", status="302 Found"), "more than 5 redirects"),
        (
            response(b"", "Location: file:///etc/passwd", status="302 Found"),
            "is no URL that begins",
        ),
        (b"", "closed the connection without an answer"),
    ],
    ids=[
        *("web page", "404", "truncated", "not gzip", "refusal", "deep", "100 MB", "cut"),
        *("loop", "file", "silence"),
    ],
)
async def test_nonsense_is_named_and_does_no_harm(announce, answer, error):
    async with RawWeb(answer) as web:
        assert error in await announce(f"{web.url}/announce").error()


async def test_a_hundred_megabytes_take_no_memory(announce):
    async def flood(head: str, writer: asyncio.StreamWriter) -> None:
        await web.send(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            await web.send(writer, part)

    part = b"100000\r\n" + bytes(MIB) + b"\r\n"
    async with RawWeb(flood) as web:
        tracemalloc.start()
        try:
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            error = await announce(f"{web.url}/announce").error()
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    assert "longer than 1,048,576 bytes" in error
    # Its own buffers, which are the server's too here, and aiohttp itself.
    assert peak < 40 * MIB


async def test_a_slow_tracker(announce):
    async def silent(head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with RawWeb(silent) as web:
        torrent = announce(f"{web.url}/announce")
        assert await torrent.error() == "127.0.0.1: no whole answer within 1 s"


async def test_nobody_there(announce):
    async with RawWeb(b"") as web:
        pass
    assert await announce(f"{web.url}/announce").error() == "127.0.0.1: connection refused"


async def test_local_trackers_are_not_contacted_unless_allowed(announce):
    config = replace(CONFIG, allow_local=False)
    async with RawWeb(response(ANSWER)) as web, UdpTracker() as tracker:
        for url in (f"{web.url}/announce", f"http://localhost:{web.port}/announce", tracker.url):
            error = await announce(url, config=config).error()
            assert "local hosts are not contacted" in error
        assert web.heads == []
        assert tracker.seen == []


@pytest.mark.parametrize(
    ("tracker", "error"),
    [
        (UdpTracker(deaf=True), "127.0.0.1: no answer within 1 s"),
        (UdpTracker(confuse=1), "127.0.0.1: no answer within 1 s"),
        (UdpTracker(refusal="go away"), "the tracker refused: go away"),
    ],
    ids=["silence", "wrong transaction", "refusal"],
)
async def test_a_udp_tracker_that_is_no_use(announce, tracker, error):
    async with tracker:
        assert await announce(tracker.url).error() == error
        # At 0 s, 0.2 s, 0.6 s and not again before the end.
        assert len(tracker.seen) in ({2} if tracker.refusal else {3})


async def test_a_udp_port_where_nobody_is(announce):
    async with UdpTracker() as tracker:
        url = tracker.url
    assert await announce(url).error() == "127.0.0.1: no answer within 1 s"


async def test_the_end_is_not_held_up_by_a_tracker(announce):
    async with UdpTracker() as tracker:
        torrent = announce(tracker.url)
        await torrent.until(lambda status: status.state is TrackerState.WORKING)
        tracker.deaf = True
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await torrent.announcing.stop()
        assert 0.25 < loop.time() - begun < 2


@pytest.mark.parametrize("interval", [0, -5, 10**18, b"1", [1]], ids=repr)
async def test_a_wrong_interval_is_harmless(announce, interval):
    async with RawWeb(response(encode({b"interval": interval, b"peers": b""}))) as web:
        torrent = announce(f"{web.url}/announce")
        status = await torrent.until(lambda status: status.state is TrackerState.WORKING)
        assert 55 < (status.next_announce or 0) <= 86400
        torrent.announcing.reannounce()
        torrent.announcing.seek_peers()
        await asyncio.sleep(0.05)
        assert len(web.heads) == 1


async def test_scraping():
    answer = encode({b"files": {bytes(HASH): {b"complete": 4, b"incomplete": 5}}})
    async with RawWeb(response(answer)) as web, UdpTracker() as tracker:
        assert await scrape_tracker(f"{web.url}/announce", [str(HASH)]) == {
            HASH: ScrapeEntry(4, 0, 5)
        }
        assert await scrape_tracker(tracker.url, [HASH]) == {HASH: ScrapeEntry(1, 2, 3)}
        with pytest.raises(NetworkError, match="not contacted"):
            await scrape_tracker(tracker.url, [HASH], allow_local=False)
        tracker.deaf = True
        with pytest.raises(TrackerError, match="no answer"):
            await scrape_tracker(tracker.url, [HASH], config=CONFIG)
    assert web.heads[0].startswith(f"GET /scrape?info_hash={'%00%FF' * 10} HTTP/1.1\r\n")
