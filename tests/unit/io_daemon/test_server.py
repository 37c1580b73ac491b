"""Who may ask the io-daemon, how it begins, and how it ends."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
import pytest

from millstream.errors import ConfigError, NetworkError
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon

from .conftest import SITE, TOKEN
from .http_client import ask, asking, at
from .io_client import IoClient

EXTENSION = "chrome-extension://dbokmlpefliilbjldladbimlcfgbolhk"
ROUTES = [
    ("POST", "/write/r"),
    ("GET", "/read/r"),
    ("POST", "/fs/stat"),
    ("GET", "/ops/stat?path=a&root_key=r"),
    ("POST", "/hash/sha1"),
    ("GET", "/stats"),
    ("GET", "/roots"),
    ("GET", "/network/interfaces"),
    ("POST", "/control/ping"),
    ("POST", "/control/shutdown"),
    ("POST", "/roots/reload"),
    ("GET", "/nowhere"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_without_the_token(url, daemon, root, method, path):
    for token in (None, "wrong", TOKEN[:-1]):
        status, told = await ask(url, method, path, token=token, headers=at("a"), data=b"x")
        assert (status, told["error"]) == (401, "TokenRequired" if token is None else "WrongToken")
    assert not (root / "a").exists()
    assert not daemon._ended.is_set()


async def test_the_token_in_either_header(url):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (await ask(url, "GET", "/stats", token=None, headers=bearer))[0] == 200
    assert (await ask(url, "GET", "/stats"))[0] == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "HostNotAllowed"),
        ({"Host": "localhost.evil.example"}, "HostNotAllowed"),
        ({"Origin": "https://evil.example"}, "OriginNotAllowed"),
        ({"Origin": "null"}, "OriginNotAllowed"),
        ({"Origin": f"{SITE}.evil.example"}, "OriginNotAllowed"),
        ({"Sec-Fetch-Site": "cross-site"}, "OriginNotAllowed"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("OPTIONS", "/write/r"), ("GET", "/health")])
async def test_pages_of_others_get_nowhere_with_the_token_and_without(
    url, daemon, root, method, path, headers, code
):
    for token in (None, TOKEN):
        async with asking(
            url, method, path, token=token, headers=at("a") | headers, data=b"x"
        ) as response:
            assert response.status == 403
            assert json.loads(await response.read())["error"] == code
            assert "Access-Control-Allow-Origin" not in response.headers
    assert not (root / "a").exists()
    assert not daemon._ended.is_set()


async def test_a_page_of_a_site_that_may(url, root):
    headers = at("a") | {"Origin": SITE, "Sec-Fetch-Site": "cross-site"}
    async with asking(url, "POST", "/write/r", headers=headers, data=b"x") as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == SITE
    async with asking(url, "GET", "/read/r", headers=headers) as response:
        assert await response.read() == b"x"
        assert response.headers["Access-Control-Allow-Origin"] == SITE
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with asking(url, "GET", "/read/r", headers=headers | at("none")) as response:
        assert response.status == 404
        assert response.headers["Access-Control-Allow-Origin"] == SITE


async def test_a_preflight_needs_no_token_and_is_remembered(url):
    headers = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    async with asking(url, "OPTIONS", "/write/r", token=None, headers=headers) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Max-Age"] == "86400"
        assert "x-path-base64" in response.headers["Access-Control-Allow-Headers"]


async def test_what_is_there_to_see(url):
    assert await ask(url, "GET", "/health", token=None) == (200, b"ok")
    assert await ask(url, "POST", "/control/ping") == (200, b"pong")
    assert await ask(url, "GET", "/roots") == (200, [{"key": "r", "display_name": "R"}])
    status, stats = await ask(url, "GET", "/stats")
    assert (status, stats["ws_connections"]) == (200, 0)
    status, found = await ask(url, "GET", "/network/interfaces")
    assert {"name": "lo", "address": "127.0.0.1", "prefixLength": 8} in found
    assert (await ask(url, "POST", "/stats"))[0] == 405
    assert (await ask(url, "GET", "/files/a?root_key=r"))[0] == 404


async def test_shutdown(url, daemon):
    assert (await ask(url, "POST", "/control/shutdown"))[0] == 200
    async with asyncio.timeout(5):
        await daemon.wait_ended()


async def test_a_bug_is_answered_and_told_to_nobody_else(url, monkeypatch, caplog):
    def broken(_daemon):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(IoDaemon, "stats", broken)
    status, told = await ask(url, "GET", "/stats")
    assert (status, told["error"]) == (500, "InternalError")
    assert "secret" not in told["message"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_unix_socket(tmp_path, root):
    path = tmp_path / "s"
    config = IoDaemonConfig(token=TOKEN, host=None, unix_socket=path)
    async with IoDaemon(config) as daemon:
        assert daemon.port == 0
        connector = aiohttp.UnixConnector(str(path))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://localhost/roots", headers={"X-JST-Auth": TOKEN}) as response,
        ):
            assert response.status == 200
        async with IoClient("http://localhost", TOKEN, unix_socket=str(path)) as client:
            assert client.packed
    assert not path.exists()


async def test_what_is_taken_stays_with_who_has_it(daemon, tmp_path):
    with pytest.raises(NetworkError, match=f"port {daemon.port}"):
        await IoDaemon(IoDaemonConfig(token=TOKEN, port=daemon.port)).__aenter__()
    path = tmp_path / "s"
    config = IoDaemonConfig(token=TOKEN, host=None, unix_socket=path)
    async with IoDaemon(config):
        with pytest.raises(NetworkError):
            await IoDaemon(config).__aenter__()
        assert path.exists()


async def test_it_ends_with_its_parent():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    async with IoDaemon(IoDaemonConfig(token=TOKEN, parent_pid=parent.pid)) as daemon:
        parent.kill()
        async with asyncio.timeout(5):
            await daemon.wait_ended()
    await parent.wait()


async def test_roots_and_extension_are_read_again(tmp_path, root):
    info = tmp_path / "rpc-info.json"

    def store(*roots, extension):
        profile = {"install_id": "i", "extension_id": extension, "download_roots": roots}
        info.write_text(json.dumps({"version": 1, "profiles": [profile]}), "utf-8")

    films = {"key": "f", "path": str(root), "display_name": "Films"}
    store(extension="")
    config = IoDaemonConfig(token=TOKEN, rpc_info=info, install_id="i")
    async with IoDaemon(config) as daemon:
        url = f"http://127.0.0.1:{daemon.port}"
        page = {"Origin": EXTENSION}
        assert await ask(url, "GET", "/roots") == (200, [])
        assert (await ask(url, "GET", "/roots", headers=page))[0] == 403
        store(films, extension=EXTENSION.rpartition("/")[2])
        for path in ("/roots/reload", "/api/read-rpc-info-from-disk"):
            assert await ask(url, "POST", path) == (200, {})
        found = await ask(url, "GET", "/roots", headers=page)
        assert found == (200, [{"key": "f", "display_name": "Films"}])
        info.write_text("{", "utf-8")
        status, told = await ask(url, "POST", "/roots/reload")
        assert (status, told["error"]) == (500, "BadRpcInfo")
        info.unlink()
        assert (await ask(url, "POST", "/roots/reload"))[0] in {404, 500}
        # What was lent before still is.
        assert (await ask(url, "GET", "/roots"))[1] == [{"key": "f", "display_name": "Films"}]
    with pytest.raises(FileNotFoundError):
        await IoDaemon(config).__aenter__()
    info.write_text("{", "utf-8")
    with pytest.raises(ConfigError):
        await IoDaemon(config).__aenter__()
