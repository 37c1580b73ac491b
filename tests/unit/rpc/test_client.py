from __future__ import annotations

import contextlib
import socket

import pytest
from aiohttp import web

from millstream.errors import ConfigError, ControlError
from millstream.rpc.client import ControlClient


@contextlib.asynccontextmanager
async def answering(answer):
    """A client of a server that answers everything so."""

    async def respond(request):
        return answer(request)

    runner = web.ServerRunner(web.Server(respond), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with ControlClient(f"127.0.0.1:{port}/", token="t" * 16) as client:
            yield client
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:7000", "http://localhost:7000"),
        ("http://[::1]:7000/", "http://[::1]:7000"),
        ("https://nas.example/millstream/", "https://nas.example/millstream"),
    ],
)
def test_addresses(given, url):
    assert ControlClient(given).url == url


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "x:y", "x:70000", "http://x?y", "x:0"])
def test_no_addresses(url):
    with pytest.raises(ConfigError, match="no address of a daemon"):
        ControlClient(url)


async def test_an_answer_is_returned_and_the_token_is_sent():
    seen = []

    def answer(request):
        seen.append((request.method, request.path, request.headers.get("Authorization")))
        return web.json_response({"ok": True, "x": 7})

    async with answering(answer) as client:
        assert (await client.get("/y"))["x"] == 7
        await client.post("/z", {"a": 1})
    token = f"Bearer {'t' * 16}"
    assert seen == [("GET", "/y", token), ("POST", "/z", token)]


async def test_a_refusal_is_an_error_with_its_word():
    body = {"ok": False, "error": "TorrentNotFound", "message": "there is none"}
    async with answering(lambda _: web.json_response(body, status=400)) as client:
        with pytest.raises(ControlError, match="there is none") as caught:
            await client.get("/y")
    assert (caught.value.status, caught.value.code) == (400, "TorrentNotFound")


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(text="<html>"),
        lambda _: web.Response(text="[]"),
        lambda _: web.Response(text="{}"),
        lambda _: web.Response(status=302, headers={"Location": "/"}),
        lambda _: web.Response(body=b"[" * 100_000),
    ],
)
async def test_what_is_no_daemon_is_said(answer):
    async with answering(answer) as client:
        with pytest.raises(ControlError, match="is no Millstream daemon"):
            await client.get("/y")


async def test_nobody_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with ControlClient(f"127.0.0.1:{port}") as client:
            with pytest.raises(ControlError, match=r"no daemon answers at .*millstream daemon"):
                await client.get("/")
