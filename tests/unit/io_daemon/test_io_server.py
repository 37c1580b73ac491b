from __future__ import annotations

import asyncio

import aiohttp
import pytest

from millstream.io_daemon import io_server
from millstream.io_daemon.io_server import roots_view
from millstream.io_daemon.lent_roots import LentRoots
from millstream.storage.roots import StorageRoot

from .conftest import SITE, TOKEN
from .io_client import IoClient


async def test_a_page_of_a_site_that_may(url, daemon):
    async with IoClient(url, TOKEN, Origin=SITE):
        assert daemon.stats()["ws_connections"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{SITE}.evil.example"},
        {"Host": "evil.example"},
    ],
)
async def test_pages_of_other_sites_are_refused_with_the_token_and_without(url, headers, daemon):
    for token in (None, TOKEN):
        client = IoClient(url, token, **headers)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.__aenter__()
        assert caught.value.status == 403
    assert daemon.stats()["ws_connections"] == 0


async def test_there_are_so_many_at_most(url, client, monkeypatch):
    monkeypatch.setattr(io_server, "MAX_CLIENTS", 1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await IoClient(url, TOKEN).__aenter__()
    assert caught.value.status == 503


async def test_who_asks_for_no_websocket(url):
    async with aiohttp.ClientSession() as session, session.get(f"{url}/io") as response:
        assert response.status == 426
        assert (await response.json())["error"] == "WebSocketOnly"


async def test_clients_hear_of_the_end(url, daemon):
    async with IoClient(url, TOKEN) as client:
        ending = asyncio.ensure_future(daemon.__aexit__(None, None, None))
        assert await client.ended() == 1001
        await ending


def test_where_a_root_is_clients_do_not_learn():
    roots = LentRoots([StorageRoot("a", "A", "/srv/a")])
    assert roots_view(roots) == [{"key": "a", "display_name": "A"}]
