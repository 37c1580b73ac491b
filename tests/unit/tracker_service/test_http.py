from __future__ import annotations

import asyncio
import random

import pytest
from aiohttp.test_utils import make_mocked_request

from millstream.protocol.bencode import decode
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker.registry import Registry
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.http import HttpServer

QUERY = "?info_hash=" + "%ff" * 20 + "&peer_id=" + "p" * 20 + "&port=1"


class Transport:
    """What a connection of aiohttp looks at."""

    def __init__(self, peername=("192.0.2.1", 5)):
        self.peername = peername
        self.aborted = False

    def get_extra_info(self, name, default=None):
        return self.peername if name == "peername" else default

    def is_closing(self):
        return self.aborted

    def abort(self):
        self.aborted = True


def make_server(**config):
    tracker = HttpTracker(Registry(), random.Random(1))
    return HttpServer(tracker, TrackerServiceConfig(**config), lambda: 5.0)


async def ask(path, *, method="GET", peername=("192.0.2.1", 5), headers=None, **config):
    request = make_mocked_request(method, path, headers=headers, transport=Transport(peername))
    return await make_server(**config)._respond(request)


async def test_announce_and_scrape():
    response = await ask("/announce" + QUERY)
    assert (response.status, response.content_type) == (200, "text/plain")
    answer = decode(response.body)
    assert (answer[b"incomplete"], answer[b"external ip"]) == (1, bytes((192, 0, 2, 1)))
    response = await ask("/scrape?info_hash=" + "%ff" * 20 + "#x")
    assert list(decode(response.body)[b"files"]) == [b"\xff" * 20]


async def test_failures_are_bencoded_and_200():
    for path in ("/announce", "/announce?\udcff", "/scrape?info_hash=1"):
        response = await ask(path)
        assert response.status == 200
        assert b"failure reason" in decode(response.body)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/announce", 405),
        ("HEAD", "/announce", 405),
        ("GET", "/", 404),
        ("GET", "/announce/", 404),
        ("GET", "/../announce", 404),
        ("GET", "//announce", 404),
    ],
)
async def test_other_requests(method, path, status):
    assert (await ask(path, method=method)).status == status


@pytest.mark.parametrize(
    ("forwarded", "trusted", "seen"),
    [
        ("198.51.100.9", False, "192.0.2.1"),
        ("198.51.100.9", True, "198.51.100.9"),
        ("203.0.113.1, 198.51.100.9", True, "198.51.100.9"),
        ("203.0.113.1, nonsense", True, "192.0.2.1"),
        ("", True, "192.0.2.1"),
    ],
)
async def test_only_a_proxy_of_ours_says_who_the_client_is(forwarded, trusted, seen):
    headers = {"X-Forwarded-For": forwarded}
    response = await ask("/announce" + QUERY, headers=headers, trust_forwarded=trusted)
    external = decode(response.body)[b"external ip"]
    assert ".".join(map(str, external)) == seen


async def test_ipv6_clients():
    response = await ask("/announce" + QUERY, peername=("fe80::1%eth0", 5, 0, 2))
    assert len(decode(response.body)[b"external ip"]) == 16


async def test_a_client_that_is_gone_already():
    assert (await ask("/announce" + QUERY, peername=None)).status == 405


async def test_connections_are_counted():
    server = make_server(max_connections=1)
    transports = [Transport() for _ in range(3)]

    class Handler:
        _task_handler = None

    first, second, third = Handler(), Handler(), Handler()
    server.connection_made(first, transports[0])
    server.connection_made(second, transports[1])
    server.connection_lost(second)
    assert [transport.aborted for transport in transports] == [False, True, False]
    server.connection_lost(first)
    server.connection_made(third, transports[2])
    assert not transports[2].aborted
    server.connection_lost(third)
    assert server._deadlines == {}


async def test_connections_have_their_time():
    server = make_server(connection_time=1.0)
    transport = Transport()

    class Handler:
        _task_handler = None

    handler = Handler()
    loop = asyncio.get_running_loop()
    server.connection_made(handler, transport)
    assert loop.time() < server._deadlines[handler].when() <= loop.time() + 1.0
    server._deadlines[handler]._run()
    assert transport.aborted
    server.connection_lost(handler)
