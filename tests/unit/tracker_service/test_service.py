from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from millstream.errors import NetworkError
from millstream.presets.tracker import create_tracker
from millstream.protocol.bencode import decode
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.udp_packets import pack_connect_request, parse_response
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.service import TrackerService, TrackerStats

LOCAL = TrackerServiceConfig(hosts=("127.0.0.1",), port=0)
QUERY = "?info_hash=" + "h" * 20 + "&peer_id=" + "p" * 20 + "&port=1&left=0"


async def test_urls_and_what_is_counted():
    async with create_tracker(LOCAL) as tracker:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/announce", tracker.http_url)
        assert tracker.udp_url == tracker.http_url.replace("http", "udp", 1)
        assert f":{tracker.port}/" in tracker.http_url
        assert tracker.hosts == ("127.0.0.1",)
        async with aiohttp.ClientSession() as session:
            for more in ("", "&event=stopped&numwant=x", ""):
                async with session.get(tracker.http_url + QUERY + more) as response:
                    decode(await response.read())
        assert tracker.swarms() == {b"h" * 20: ScrapeEntry(1, 0, 0)}
        assert tracker.stats() == TrackerStats(
            swarms=1, peers=1, http_announces=2, udp_announces=0, scrapes=0, refused=1, ignored=0
        )
    assert (tracker.port, tracker.hosts, tracker.http_url) == (0, (), None)


async def test_one_protocol_alone():
    async with TrackerService(
        TrackerServiceConfig(hosts=("127.0.0.1",), port=0, udp=False)
    ) as tracker:
        assert tracker.udp_url is None
        assert tracker.http_url
    async with TrackerService(
        TrackerServiceConfig(hosts=("127.0.0.1",), port=0, http=False)
    ) as tracker:
        assert tracker.http_url is None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", tracker.port)


async def test_the_port_is_free_again_at_once():
    async with TrackerService(LOCAL) as tracker:
        port = tracker.port
        config = TrackerServiceConfig(hosts=("127.0.0.1",), port=port)
        with pytest.raises(NetworkError, match=f"cannot listen on port {port}"):
            await TrackerService(config).__aenter__()
    async with TrackerService(config) as tracker:
        assert tracker.port == port


def test_connection_ids_can_be_foreseen_only_with_a_seed():
    def first_id(seed):
        config = TrackerServiceConfig(hosts=("127.0.0.1",), port=0, seed=seed)
        answer = TrackerService(config)._udp.answer(pack_connect_request(1), "192.0.2.1", 0.0)
        return parse_response(answer, ipv6=False).connection

    assert first_id(1) == first_id(1) != first_id(2)
    assert first_id(None) != first_id(None)
