from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from millstream.errors import HttpError
from millstream.service.http_post import HttpPoster, host_of


@pytest.fixture
async def site():
    """A local server: the URL, and what it was sent."""
    received = []

    async def answer(request):
        received.append((request.headers, await request.read()))
        match request.path:
            case "/busy":
                return web.Response(status=503, headers={"Retry-After": "7"})
            case "/elsewhere":
                return web.Response(status=302, headers={"Location": "/"})
            case "/slow":
                await asyncio.sleep(60)
        return web.Response(text="x" * 100_000)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.01)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}", received
    await runner.cleanup()


@pytest.fixture
async def poster():
    made = HttpPoster()
    yield made
    await made.close()


async def test_a_post(site, poster):
    url, received = site
    assert await poster.post(f"{url}/", b"{}", {"X-A": "b"}, 30) == (200, "")
    ((headers, body),) = received
    assert (body, headers["X-A"]) == (b"{}", "b")
    assert headers["User-Agent"].startswith("Millstream/")


async def test_what_a_busy_server_says(site, poster):
    url, _ = site
    assert await poster.post(f"{url}/busy", b"", {}, 30) == (503, "7")


async def test_redirects_are_not_followed(site, poster):
    url, received = site
    assert (await poster.post(f"{url}/elsewhere", b"", {}, 30))[0] == 302
    assert len(received) == 1


async def test_what_goes_wrong_names_the_host_alone(site, poster):
    url, _ = site
    with pytest.raises(HttpError, match=r"^127\.0\.0\.1: no answer within 0\.01 s$"):
        await poster.post(f"{url}/slow", b"", {}, 0.01)
    with pytest.raises(HttpError, match=r"^127\.0\.0\.1: .") as caught:
        await poster.post("http://127.0.0.1:9/token", b"", {}, 30)
    assert "token" not in str(caught.value)


def test_the_host_of_an_url():
    assert host_of("https://user:pass@example.org:8080/path?key=x") == "example.org"
