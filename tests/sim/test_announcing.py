"""Announcing in virtual time: what trackers see of a torrent over hours."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from millstream.adapters.memory import LinkProfile, MemoryHost, MemoryNetwork
from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.engine.announce_turns import AnnounceTurns
from millstream.engine.announcing import UNANNOUNCED, Announcing
from millstream.engine.journal import Journal
from millstream.engine.scraping import scrape
from millstream.engine.tracker_access import TrackerAccess
from millstream.engine.udp_trackers import UdpTrackers
from millstream.errors import TrackerError
from millstream.interfaces.http import HttpRequest, HttpResponse
from millstream.interfaces.network import DatagramSocket
from millstream.protocol.bencode import encode
from millstream.protocol.compact import PeerAddress, pack_peers
from millstream.protocol.infohash import InfoHash
from millstream.testing import run_virtual
from millstream.tracker import udp_packets as udp
from millstream.tracker.announce import AnnounceEvent, ScrapeEntry
from millstream.tracker.announcer import TrackerState
from millstream.tracker.config import TrackerConfig

HASH = InfoHash(b"h" * 20)
PEER = PeerAddress("203.0.113.9", 6881)
OURS = "198.51.100.1"


class HttpTracker:
    """Notes every announce; answers with whatever it is told to."""

    def __init__(self) -> None:
        self.answer = {b"interval": 1800, b"peers": pack_peers([PEER])}
        self.seen: list[tuple[float, str, dict[str, str]]] = []
        self.delay = 0.0
        self.status = 200
        self.body: bytes | None = None

    async def __call__(self, request: HttpRequest, client: str) -> HttpResponse:
        query = urlsplit(request.url).query
        said = {key: values[0] for key, values in parse_qs(query, encoding="latin-1").items()}
        now = asyncio.get_running_loop().time()
        self.seen.append((round(now, 3), said.get("event", ""), said))
        await asyncio.sleep(self.delay)
        body = encode(self.answer) if self.body is None else self.body
        return HttpResponse(self.status, {}, body)

    @property
    def told(self) -> list[tuple[float, str]]:
        return [(when, event) for when, event, _ in self.seen]


class UdpTracker:
    """A UDP tracker on a host of the memory network; `deaf` makes it lose everything."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, udp.UdpRequest]] = []
        self.deaf = False
        self.refusal = ""
        self.wrong_transactions = False
        self.connections = 0

    async def listen(self, host: MemoryHost, port: int = 6969) -> None:
        self.socket = await host.open_datagram(PeerAddress(host.address, port), self.attach)

    def attach(self, opened: DatagramSocket) -> UdpTracker:
        return self

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        if not self.deaf:
            request = udp.parse_request(data)
            self.seen.append((round(asyncio.get_running_loop().time(), 3), request))
            self.socket.send(self.answer(request, ":" in address.host), address)

    def answer(self, request: udp.UdpRequest, ipv6: bool) -> bytes:
        transaction = request.transaction ^ self.wrong_transactions
        if isinstance(request, udp.ConnectRequest):
            self.connections += 1
            return udp.pack_connect_response(transaction, self.connections)
        if self.refusal:
            return udp.pack_error_response(transaction, self.refusal)
        if isinstance(request, udp.ScrapeRequestPacket):
            entries = [ScrapeEntry(1, 2, 3) for _ in request.info_hashes]
            return udp.pack_scrape_response(transaction, entries)
        return udp.pack_announce_response(
            transaction, interval=1800, leechers=4, seeders=5, peers=[PEER], ipv6=ipv6
        )

    @property
    def events(self) -> list[tuple[float, AnnounceEvent]]:
        return [
            (when, request.announce.event)
            for when, request in self.seen
            if isinstance(request, udp.AnnounceRequestPacket)
        ]


class Torrent:
    """A torrent that announces, and what came of it."""

    def __init__(self, rng: random.Random, *tiers: list[str], families=(4,), **options) -> None:
        self.network = MemoryNetwork(rng, LinkProfile(latency=0.05))
        self.host = self.network.host(OURS)
        self.web = MemoryWeb()
        self.peers: list[PeerAddress] = []
        self.external: list[str] = []
        self.progress_told = (0, 0, 1000)
        self.wants_seeds = True
        self.info_hash = HASH
        self.journal = Journal(HASH)
        config = TrackerConfig(**options.pop("config", {}))
        self.access = TrackerAccess(
            peer_id=b"-ML0100-abcdefghijkl",
            key=0xABCDEF01,
            port=lambda: 6881,
            families=lambda: families,
            http=MemoryHttp(self.web, OURS),
            udp=UdpTrackers(self.host, rng, config),
            turns=AnnounceTurns(),
            rng=rng,
            config=config,
        )
        self.announcing = Announcing(self, tiers, self.access, **options)

    def tracker_named(self, peers: Sequence[PeerAddress]) -> None:
        self.peers.extend(peers)

    def external_ip_told(self, host: str) -> None:
        self.external.append(host)

    def serve(self, name: str, tracker: HttpTracker) -> HttpTracker:
        self.web.serve(name, 80, tracker, latency=0.05)
        return tracker

    async def serve_udp(self, name: str, address: str, tracker: UdpTracker) -> UdpTracker:
        self.network.register(name, address)
        await tracker.listen(self.network.host(address))
        return tracker


def simulate(main: Callable[[random.Random], object]) -> None:
    run_virtual(main)  # type: ignore[arg-type]


A, B = "http://a.example/announce", "http://b.example/announce"
U = "udp://u.example:6969/announce"


def test_a_day_at_an_http_tracker():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        tracker.answer |= {b"external ip": bytes([198, 51, 100, 1]), b"tracker id": b"me"}
        torrent.progress_told = (500, 50, 1000)
        torrent.announcing.start()
        torrent.announcing.start()
        await asyncio.sleep(10)
        assert torrent.peers == [PEER]
        assert torrent.external == ["198.51.100.1"]
        (status,) = torrent.announcing.trackers()
        assert (status.state, status.peers) == (TrackerState.WORKING, 1)
        assert status.next_announce == pytest.approx(1790.1)
        torrent.progress_told = (800, 1050, 0)
        torrent.announcing.completed()
        await asyncio.sleep(4000)
        await torrent.announcing.stop()
        assert tracker.told == [
            (0.05, "started"),
            (10.05, "completed"),
            (1810.15, ""),
            (3610.25, ""),
            (4010.05, "stopped"),
        ]
        said = [said for _, _, said in tracker.seen]
        assert said[0]["info_hash"] == "h" * 20
        assert said[0]["port"] == "6881"
        assert {each["key"] for each in said} == {"ABCDEF01"}
        # Counted since `started`.
        assert [(each["uploaded"], each["downloaded"], each["left"]) for each in said[:2]] == [
            ("0", "0", "1000"),
            ("300", "1000", "0"),
        ]
        assert [each["numwant"] for each in said] == ["200", "200", "200", "200", "0"]
        assert [each.get("trackerid") for each in said] == [None, "me", "me", "me", "me"]

    simulate(main)


def test_a_torrent_that_was_complete_tells_no_completion():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        torrent.progress_told = (0, 0, 0)
        torrent.announcing.completed()
        torrent.announcing.start()
        await asyncio.sleep(2000)
        await torrent.announcing.stop()
        assert [event for _, event in tracker.told] == ["started", "", "stopped"]

    simulate(main)


def test_a_udp_tracker():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [f"{U}?auth=1"], allow_local=True)
        tracker = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        torrent.announcing.start()
        await asyncio.sleep(2000)
        await torrent.announcing.stop()
        assert torrent.peers == [PEER, PEER]
        assert [event for _, event in tracker.events] == [
            AnnounceEvent.STARTED,
            AnnounceEvent.NONE,
            AnnounceEvent.STOPPED,
        ]
        first = tracker.seen[1][1]
        assert isinstance(first, udp.AnnounceRequestPacket)
        assert first.url_data == b"/announce?auth=1"
        assert first.announce.key == 0xABCDEF01
        # A connection id serves for a minute: here each announce needed its own.
        assert tracker.connections == 3

    simulate(main)


def test_both_families_of_a_udp_tracker():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], allow_local=True, families=(4, 6))
        tracker = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        torrent.network.register("u.example", "2001:db8::7", "198.51.100.7")
        torrent.announcing.start()
        await asyncio.sleep(100)
        # Our host has no IPv6 here: what is sent that way is lost, and hurts nobody.
        (status,) = torrent.announcing.trackers()
        assert (status.seeders, status.leechers, status.peers) == (5, 4, 1)
        assert status.error is None
        assert len(tracker.events) == 1
        await torrent.announcing.stop()

    simulate(main)


def test_a_silent_udp_tracker_is_asked_as_bep_15_says_and_the_next_one_instead():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], [A], allow_local=True, config={"announce_to_all_tiers": False})
        silent = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        silent.deaf = True
        other = torrent.serve("a.example", HttpTracker())
        torrent.announcing.start()
        await asyncio.sleep(61)
        assert other.told == [(60.05, "started")]
        first, second = torrent.announcing.trackers()
        assert first.state is TrackerState.FAILED
        assert first.error == "u.example: no answer within 60 s"
        assert second.state is TrackerState.WORKING
        silent.deaf = False
        await asyncio.sleep(60)
        assert torrent.announcing.trackers()[0].state is TrackerState.WORKING
        await torrent.announcing.stop()
        assert [event for _, event in silent.events] == [
            AnnounceEvent.STARTED,
            AnnounceEvent.STOPPED,
        ]
        assert [event for _, event in other.told] == ["started", "stopped"]

    simulate(main)


def test_lost_datagrams_are_sent_again():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], allow_local=True)
        torrent.host.link.profile = LinkProfile(latency=0.05, loss=0.3)
        await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        torrent.announcing.start()
        await asyncio.sleep(1000)
        assert torrent.peers

    simulate(main)


def test_wrong_transactions_are_no_answer_and_a_refusal_is_shown():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], allow_local=True)
        tracker = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        tracker.wrong_transactions = True
        torrent.announcing.start()
        await asyncio.sleep(62)
        assert "no answer" in (torrent.announcing.trackers()[0].error or "")
        tracker.wrong_transactions = False
        tracker.refusal = "unregistered torrent"
        await asyncio.sleep(60)
        error = torrent.announcing.trackers()[0].error
        assert error == "the tracker refused: unregistered torrent"
        assert torrent.peers == []

    simulate(main)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254"])
def test_udp_trackers_at_local_addresses_are_not_contacted(address):
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], [f"udp://{address}:6969"])
        tracker = UdpTracker()
        host = torrent.host if address == "127.0.0.1" else torrent.network.host(address)
        torrent.network.register("u.example", address)
        tracker.socket = await host.open_datagram(PeerAddress(address, 6969), tracker.attach)
        torrent.announcing.start()
        await asyncio.sleep(100)
        for status in torrent.announcing.trackers():
            assert "local hosts are not contacted" in (status.error or "")
        assert tracker.seen == []

    simulate(main)


def test_http_trackers_at_local_addresses_are_not_contacted():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A], [B], ["http://192.168.1.1/announce"])
        inner = HttpTracker()
        torrent.web.serve("192.168.1.1", 80, inner)
        torrent.web.serve("a.example", 80, inner, addresses=("127.0.0.1",))
        torrent.web.serve(
            "b.example",
            80,
            lambda *_: HttpResponse(302, {"Location": "http://192.168.1.1/announce"}),
        )
        torrent.announcing.start()
        await asyncio.sleep(100)
        for status in torrent.announcing.trackers():
            assert "local hosts are not contacted" in (status.error or "")
        assert inner.seen == []

    simulate(main)


INTERVALS = [0, -1, -(10**18), 10**18, b"1", b"soon", [], {}, None]


@pytest.mark.parametrize("interval", INTERVALS, ids=repr)
def test_no_interval_does_harm(interval):
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        for key in (b"interval", b"min interval"):
            tracker.answer.pop(key, None)
            if interval is not None:
                tracker.answer[key] = interval
        torrent.announcing.start()
        for _ in range(48):
            await asyncio.sleep(3600)
            torrent.announcing.seek_peers()
        await torrent.announcing.stop()
        # In two days: at least once a day, and never more often than every five minutes.
        assert 3 <= len(tracker.seen) <= 48 * 12
        times = [when for when, _ in tracker.told]
        gaps = [late - early for early, late in pairwise(times[:-1])]
        assert min(gaps) >= 300

    simulate(main)


def test_the_user_and_the_tracker_together_announce_once_a_minute_at_most():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        tracker.answer[b"interval"] = 1
        torrent.announcing.start()
        for _ in range(600):
            await asyncio.sleep(1)
            torrent.announcing.reannounce()
        assert 9 <= len(tracker.seen) <= 11

    simulate(main)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>hello", "the tracker answered with a web page"),
        (404, b"<html>hello", "the tracker answered with a web page (HTTP status 404)"),
        (200, b"d8:intervali1800e5:peers6:abc", "malformed or truncated bencoding"),
        (200, b"", "the tracker answered with nothing"),
        (200, b"d14:failure reason4:gonee", "the tracker refused: gone"),
        (403, b"d14:failure reason4:gonee", "the tracker refused: gone"),
        (200, b"x" * (2 << 20), "longer than 1,048,576 bytes"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)
def test_what_makes_no_sense_is_shown_and_tried_again_later(status, body, error):
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        tracker.status, tracker.body = status, body
        torrent.announcing.start()
        await asyncio.sleep(5)
        (shown,) = torrent.announcing.trackers()
        assert shown.state is TrackerState.FAILED
        assert error in (shown.error or "")
        tracker.status, tracker.body = 200, None
        await asyncio.sleep(60)
        (shown,) = torrent.announcing.trackers()
        assert shown.state is TrackerState.WORKING
        assert shown.error is None

    simulate(main)


def test_retry_in_and_never():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A], [B])
        busy, gone = HttpTracker(), HttpTracker()
        busy.answer = {b"failure reason": b"busy", b"retry in": 120}
        gone.answer = {b"failure reason": b"not a tracker", b"retry in": b"never"}
        torrent.serve("a.example", busy)
        torrent.serve("b.example", gone)
        torrent.announcing.start()
        await asyncio.sleep(5)
        busy.answer = {b"interval": 1800}
        await asyncio.sleep(86400)
        assert [round(when) for when, _ in busy.told[:2]] == [0, 7200]
        assert len(gone.told) == 1
        assert torrent.announcing.trackers()[1].state is TrackerState.DISABLED

    simulate(main)


def test_a_dead_tracker_costs_a_few_announces_an_hour():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        tracker.delay = 1e9
        torrent.announcing.start()
        await asyncio.sleep(86400)
        times = [when for when, _ in tracker.told]
        assert len([when for when in times if when < 3600]) < 15
        assert 20 < len([when for when in times if when >= 7200]) < 30

    simulate(main)


def test_the_end_waits_for_the_deadline_and_not_longer():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A], [B])
        slow, quick = HttpTracker(), HttpTracker()
        torrent.serve("a.example", slow)
        torrent.serve("b.example", quick)
        torrent.announcing.start()
        await asyncio.sleep(1)
        slow.delay = 1e9
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await torrent.announcing.stop()
        assert loop.time() - begun == pytest.approx(5)
        assert slow.told[-1][1] == quick.told[-1][1] == "stopped"
        await torrent.announcing.stop()
        assert len(quick.told) == 2
        await asyncio.sleep(10_000)
        assert len(quick.told) == 2

    simulate(main)


def test_who_ends_with_the_download_still_tells_of_it():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A], [B])
        slow, quick = HttpTracker(), HttpTracker()
        torrent.serve("a.example", slow)
        torrent.serve("b.example", quick)
        torrent.announcing.start()
        await asyncio.sleep(1)
        slow.delay = 1e9
        torrent.progress_told = (0, 1000, 0)
        torrent.announcing.completed()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await torrent.announcing.stop()
        assert loop.time() - begun == pytest.approx(5)
        for tracker in (slow, quick):
            assert [event for _, event in tracker.told] == ["started", "completed", "stopped"]

    simulate(main)


def test_who_never_answered_hears_no_farewell():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        tracker.delay = 1e9
        torrent.announcing.start()
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await torrent.announcing.stop()
        assert loop.time() == begun
        assert [event for _, event in tracker.told] == ["started"]

    simulate(main)


def test_starting_during_the_farewell_starts_after_it():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [A])
        tracker = torrent.serve("a.example", HttpTracker())
        torrent.announcing.start()
        await asyncio.sleep(1)
        stopping = asyncio.ensure_future(torrent.announcing.stop())
        await asyncio.sleep(0.01)
        torrent.announcing.start()
        await stopping
        await asyncio.sleep(1)
        assert [event for _, event in tracker.told] == ["started", "stopped", "started"]

    simulate(main)


def test_torrents_share_a_socket_and_connection_ids():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [U], allow_local=True)
        tracker = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        for _ in range(3):
            announcing = Announcing(torrent, [[U]], torrent.access, allow_local=True)
            announcing.start()
            await asyncio.sleep(1)
            await announcing.stop()
        assert tracker.connections == 1
        assert len(tracker.events) == 6
        torrent.access.udp.close()

    simulate(main)


def test_without_http_its_trackers_are_turned_off():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng, [])
        access = replace(torrent.access, http=None)
        announcing = Announcing(torrent, [[A]], access)
        announcing.start()
        await asyncio.sleep(1)
        [status] = announcing.trackers()
        assert (status.state, status.error) == (
            TrackerState.DISABLED,
            "HTTP trackers are turned off",
        )
        await announcing.stop()

    simulate(main)


def test_a_torrent_without_trackers_announces_nothing():
    async def main(rng: random.Random) -> None:
        UNANNOUNCED.start()
        assert not UNANNOUNCED.is_running
        UNANNOUNCED.note_room(has_room=False)
        assert UNANNOUNCED.wants_peers
        UNANNOUNCED.seek_peers()
        UNANNOUNCED.completed()
        UNANNOUNCED.reannounce()
        assert UNANNOUNCED.trackers() == []
        await UNANNOUNCED.stop()

    simulate(main)


def test_scraping_by_udp_and_http():
    async def main(rng: random.Random) -> None:
        torrent = Torrent(rng)
        tracker = await torrent.serve_udp("u.example", "198.51.100.7", UdpTracker())
        hashes = [InfoHash(number.to_bytes(20, "big")) for number in range(100)]

        def answer(request: HttpRequest, client: str) -> HttpResponse:
            assert urlsplit(request.url).path == "/scrape"
            asked = parse_qs(urlsplit(request.url).query, encoding="latin-1")["info_hash"]
            files = {each.encode("latin-1"): {b"complete": 7} for each in asked}
            return HttpResponse(200, {}, encode({b"files": files}))

        torrent.web.serve("a.example", 80, answer)

        async def ask(url: str) -> dict[InfoHash, ScrapeEntry]:
            return await scrape(
                url,
                [*hashes, hashes[0]],
                http=MemoryHttp(torrent.web, OURS),
                network=torrent.host,
                rng=rng,
                config=TrackerConfig(),
                allow_local=True,
            )

        assert await ask(U) == dict.fromkeys(hashes, ScrapeEntry(1, 2, 3))
        assert len([1 for _, packet in tracker.seen if len(packet) == 3]) == 2
        assert await ask(A) == dict.fromkeys(hashes, ScrapeEntry(7, 0, 0))
        with pytest.raises(TrackerError, match="cannot be scraped"):
            await ask("http://a.example/x")
        with pytest.raises(TrackerError, match="not supported"):
            await ask("wss://a.example/announce")
        tracker.refusal = "no"
        with pytest.raises(TrackerError, match="refused: no"):
            await ask(U)

    simulate(main)
