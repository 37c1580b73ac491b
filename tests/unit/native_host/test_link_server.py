from __future__ import annotations

import aiohttp
import pytest

from millstream.native_host.link_server import LinkServer
from millstream.native_host.links import MAX_BODY

MAGNET = {"magnet": "magnet:?xt=urn:btih:" + "ab" * 20}


@pytest.fixture
def told():
    return []


@pytest.fixture
async def server(told):
    async def tell(event):
        told.append(event)

    server = LinkServer(tell)
    yield server
    await server.stop()


@pytest.fixture
async def ask(server):
    address = await server.start()
    async with aiohttp.ClientSession() as session:

        async def ask(method, path, *, token=address.token, **options):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            headers |= options.pop("headers", {})
            url = f"http://127.0.0.1:{address.port}{path}"
            async with session.request(method, url, headers=headers, **options) as response:
                return response.status, await response.text()

        yield ask


async def test_it_is_started_once(server):
    assert await server.start() == await server.start()


async def test_a_link_is_told(ask, told):
    status, text = await ask("POST", "/add-magnet", json=MAGNET)
    assert (status, '"status": "queued"' in text) == (200, True)
    assert [event["event"] for event in told] == ["MagnetAdded"]


async def test_the_token_may_be_in_the_address_as_others_write_it(ask, server, told):
    token = (await server.start()).token
    assert (await ask("POST", f"/add-magnet?token={token}", token=None, json=MAGNET))[0] == 200
    assert len(told) == 1


async def test_health_needs_no_token(ask):
    assert await ask("GET", "/health", token=None) == (200, "ok")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"token": None}, 401),
        ({"token": "another"}, 401),
        ({"headers": {"Origin": "https://evil.example"}}, 403),
        ({"headers": {"Host": "evil.example"}}, 403),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"json": []}, 400),
        ({"json": None, "data": b"{"}, 400),
        ({"json": None, "data": b"[" * 100_000}, 400),
        ({"json": {"magnet": "x"}}, 400),
        ({"json": None, "data": bytes(MAX_BODY + 1)}, 413),
    ],
)
async def test_what_is_refused(ask, told, options, status):
    found, text = await ask("POST", "/add-magnet", **{"json": MAGNET} | options)
    assert found == status
    assert '"ok": false' in text
    assert told == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/add-magnet"), ("POST", "/x"), ("PUT", "/")])
async def test_no_such_route(ask, method, path):
    assert (await ask(method, path))[0] == 404


async def test_a_browser_that_is_gone(ask, server):
    async def fail(_):
        raise BrokenPipeError

    server._tell = fail
    assert (await ask("POST", "/add-magnet", json=MAGNET))[0] == 502


async def test_it_stops(server):
    port = (await server.start()).port
    await server.stop()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/health")
