"""The tracker on real sockets: foreign clients, hostile ones, and many."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from millstream.protocol.bencode import decode
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceRequest, ScrapeEntry
from millstream.tracker.registry import Registry, RegistryConfig
from millstream.tracker.udp_packets import pack_connect_request, pack_scrape_request, parse_response
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.service import TrackerService

TORRENT = InfoHash(b"h" * 20)
QUERY = f"?info_hash={'h' * 20}&peer_id={'p' * 20}&port=1&left=0"

# One for all trackers that libtorrent meets: it keeps connection ids by address, whatever the port.
SEED = 1

QUIET = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
}


@pytest.fixture
async def tracker() -> AsyncIterator[TrackerService]:
    async with TrackerService(TrackerServiceConfig(hosts=("127.0.0.1",), port=0)) as service:
        yield service


async def announce(tracker, more=""):
    return await fetched(tracker.http_url + QUERY + more)


async def fetched(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return decode(await response.read())


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a foreign client tells us of no changes
            await asyncio.sleep(0.01)


# Foreign clients.


@contextlib.contextmanager
def libtorrent_clients(share, tmp_path, url, host):
    """A seed and a leech that know nothing but the tracker; gives the session and the torrent of each."""
    lt = pytest.importorskip("libtorrent", reason="libtorrent cannot be imported")
    literal = f"[{host}]" if ":" in host else host
    share.store(tmp_path / "seed")
    clients = []
    for name in ("seed", "leech"):
        session = lt.session(QUIET | {"listen_interfaces": f"{literal}:0"})
        params = lt.load_torrent_buffer(share.data)
        params.save_path = str(tmp_path / name)
        params.trackers = [url]
        clients.append((session, session.add_torrent(params)))
    try:
        yield clients
    finally:
        clients.clear()


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "udp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_two_libtorrents_find_each_other(share, tmp_path, protocol, host):
    if ":" in host and not has_ipv6_loopback():
        pytest.skip("this machine has no IPv6 loopback")
    config = TrackerServiceConfig(
        hosts=(host,), port=0, http=protocol == "http", udp=protocol == "udp", seed=SEED
    )
    torrent = share.metainfo.info_hash
    async with TrackerService(config) as tracker:
        url = tracker.http_url or tracker.udp_url
        with libtorrent_clients(share, tmp_path, url, host) as clients:
            _, leech = clients[1]
            await until(lambda: leech.status().is_seeding)
            assert share.stored(tmp_path / "leech") == share.content
            # It says that it is complete, and goodbye.
            await until(lambda: tracker.swarms()[torrent] == ScrapeEntry(2, 1, 0))
            for session, added in clients:
                session.remove_torrent(added)
            await until(lambda: not tracker.swarms())
        stats = tracker.stats()
        assert stats.refused == stats.ignored == 0
        assert (stats.http_announces > 0, stats.udp_announces > 0) == (
            protocol == "http",
            protocol == "udp",
        )


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "udp"])
async def test_libtorrent_shows_our_counts_and_refusals(share, tmp_path, protocol):
    import libtorrent as lt

    allowed = frozenset([share.metainfo.info_hash])
    config = TrackerServiceConfig(
        hosts=("127.0.0.1",), port=0, seed=SEED, registry=RegistryConfig(allowed=allowed)
    )
    async with TrackerService(config) as tracker:
        url = getattr(tracker, f"{protocol}_url")
        # It scrapes no path but /announce on the loopback unless it is told that it may.
        listen = {"listen_interfaces": "127.0.0.1:0", "ssrf_mitigation": False}
        session = lt.session(QUIET | listen | {"alert_mask": lt.alert_category.tracker})
        seen = {}

        def has_seen(kind):
            # Alerts are gone with the next call: what matters of them is kept.
            for alert in session.pop_alerts():
                numbers = [getattr(alert, name, None) for name in ("complete", "incomplete")]
                seen[alert.what()] = (alert.message(), numbers)
            return kind in seen

        params = lt.load_torrent_buffer(share.data)
        params.save_path = str(tmp_path)
        params.trackers = [url]
        added = session.add_torrent(params)
        await until(lambda: has_seen("tracker_reply"))
        added.scrape_tracker()
        await until(lambda: has_seen("scrape_reply"))
        assert seen["scrape_reply"][1] == [0, 1]
        params = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{'ab' * 20}&tr={url}")
        params.save_path = str(tmp_path)
        session.add_torrent(params)
        await until(lambda: has_seen("tracker_error"))
        if protocol == "http":  # of UDP's errors it shows the header, which begins with a zero
            assert "this tracker does not track this torrent" in seen["tracker_error"][0]


# Hostile clients.


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"\0" * 1000, b"400"),
        (b"GET /announce\r\n\r\n", b"HTTP/"),  # HTTP/0.9: some versions of the parser know it
        (b"GET /announce?" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", b"400"),
        (b"GET /announce HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /announce?%00%ff%zz&&&=&info_hash HTTP/1.0\r\n\r\n", b"d14:failure reason"),
        (b"GET /announce?\xff\xfe HTTP/1.0\r\n\r\n", b"HTTP/1."),
        (b"GET http://evil.example/scrape HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /announce HTTP/1.0\r\nContent-Length: 999999999\r\n\r\nx", b"405"),
        (b"POST /announce HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b" 40"),
        (b"CONNECT evil.example:25 HTTP/1.1\r\n\r\n", b" 40"),
    ],
)
async def test_hostile_requests(tracker, caplog, request_bytes, answer):
    reader, writer = await asyncio.open_connection("127.0.0.1", tracker.port)
    writer.write(request_bytes)
    try:
        # A reset may overtake the answer where the request was not read to its end.
        with contextlib.suppress(ConnectionError):
            assert answer in await reader.read(4096)
    finally:
        writer.transport.abort()
    assert (await announce(tracker))[b"complete"] == 1
    # What clients do wrong fills no log.
    assert caplog.records == []


async def test_slow_clients_are_cut_off_and_cannot_take_all_connections():
    config = TrackerServiceConfig(
        hosts=("127.0.0.1",), port=0, max_connections=5, connection_time=1.0
    )
    async with TrackerService(config) as tracker:
        slow = [await asyncio.open_connection("127.0.0.1", tracker.port) for _ in range(5)]
        for _, writer in slow:
            writer.write(b"GET /announce HTTP/1.1\r\nX: ")
        # One too many, while they last; a second later there is room again.
        with pytest.raises(aiohttp.ClientError):
            await announce(tracker)
        for reader, writer in slow:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.transport.abort()
        assert (await announce(tracker))[b"complete"] == 1


async def test_hostile_datagrams(tracker):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", tracker.port))
        rng = random.Random(1)
        for length in (0, 1, 15, 16, 17, 36, 97, 98, 1500, 65507):
            await loop.sock_sendall(client, rng.randbytes(length))
        await loop.sock_sendall(client, pack_scrape_request(rng.getrandbits(64), 1, [TORRENT]))
        # What answers is the tracker, and this is the first answer.
        await loop.sock_sendall(client, pack_connect_request(77))
        connected = parse_response(await loop.sock_recv(client, 2048), ipv6=False)
        assert connected.transaction == 77
        request = pack_scrape_request(connected.connection, 78, [TORRENT])
        await loop.sock_sendall(client, request)
        scraped = parse_response(await loop.sock_recv(client, 2048), ipv6=False)
        assert (scraped.transaction, scraped.entries) == (78, (ScrapeEntry(0, 0, 0),))
    assert tracker.stats().ignored == 11


async def test_http_and_udp_share_one_registry(tracker):
    await announce(tracker)
    scrape = tracker.http_url.replace("announce", "scrape")
    counts = {b"complete": 1, b"downloaded": 0, b"incomplete": 0}
    assert await fetched(f"{scrape}?info_hash={'h' * 20}") == {b"files": {bytes(TORRENT): counts}}


# Many clients.


def test_an_announce_among_ten_thousand_costs_what_it_costs_among_a_hundred():
    registry, rng = Registry(), random.Random(1)

    def announce_from(number):
        request = AnnounceRequest(
            info_hash=TORRENT,
            peer_id=b"%020d" % number,
            port=6881,
            uploaded=0,
            downloaded=0,
            left=number % 3,
            key=number,
        )
        return registry.announce(request, f"10.0.{number >> 8}.{number & 255}", 0.0, rng)

    def operations(number):
        """Calls, of Python's and of C's functions, that an announce takes."""
        calls = 0

        def count(*_):
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            answer = announce_from(number)
        finally:
            sys.setprofile(None)
        assert len(answer.peers) == 50
        return calls

    for number in range(1, 100):
        announce_from(number)
    few = operations(100)
    for number in range(101, 10_000):
        announce_from(number)
    assert operations(10_000) < 1.5 * few
    assert registry.peer_count == 10_000


# The command.


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_says_its_urls_first_and_ends_in_order(number):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millstream", "tracker", "--json"),
        *("--host", "127.0.0.1", "--port", "0", "--interval", "7"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    first = json.loads(await process.stdout.readline())
    assert first["event"] == "tracking"
    assert first["udp_url"] == f"udp://127.0.0.1:{first['port']}/announce"
    assert (await fetched(first["http_url"] + QUERY))[b"interval"] == 7
    assert json.loads(await process.stdout.readline()) == {
        "event": "swarm",
        "infohash": str(TORRENT),
        "seeders": 1,
        "leechers": 0,
        "completed": 0,
    }
    process.send_signal(number)
    out, err = await process.communicate()
    assert json.loads(out) == {"event": "stopped", "progress": None, "exit_code": 0}
    assert (process.returncode, err) == (0, b"")
