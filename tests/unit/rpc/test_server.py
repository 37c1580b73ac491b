"""The server without an engine: who gets in, and how requests are read. Hostile ones above all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket

import aiohttp
import pytest

from millstream.errors import NetworkError
from millstream.rpc import server as module
from millstream.rpc.config import ControlConfig
from millstream.rpc.json_blocks import BLOCK
from millstream.rpc.route import MAX_BODY, MAX_LONG_BODY
from millstream.rpc.server import MAX_CONNECTIONS, MAX_LISTENERS, ControlServer

TOKEN = "0123456789" * 2


@pytest.fixture
async def server():
    async with ControlServer(ControlConfig(port=0)) as running:
        yield running


@contextlib.asynccontextmanager
async def asking(server, method, path, **values):
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{server.url}{path}", **values) as response,
    ):
        yield response


async def ask(server, method, path, **values):
    """The status and body of an answer."""
    async with asking(server, method, path, **values) as response:
        assert response.content_type == "application/json"
        return response.status, json.loads(await response.text())


async def raw(server, *parts):
    """What is answered to these bytes, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read(4096)
    finally:
        writer.transport.abort()


async def become(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)


async def test_answers_are_compact_and_for_nobody_else(server):
    async with asking(server, "GET", "/engine/status") as response:
        text = await response.text()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in response.headers
    assert text == '{"ok":true,"running":false,"version":"0.1.0","port":null,"torrents":[]}'


def log_much():
    """What makes an answer of some blocks."""
    messages = [f"{number:08}" * 200 for number in range(200)]
    for message in messages:
        logging.getLogger("millstream.test").info(message)
    return messages


async def test_long_answers_come_in_blocks_and_whole(server):
    messages = log_much()
    async with aiohttp.ClientSession() as session:
        for _ in range(2):  # the connection is good for another request
            async with session.get(f"{server.url}/logs?limit=200") as response:
                body = await response.read()
                assert int(response.headers["Content-Length"]) == len(body) > 4 * BLOCK
                assert response.headers["Content-Type"] == "application/json; charset=utf-8"
                assert response.headers["Cache-Control"] == "no-store"
            told = json.loads(body)
            assert [entry["message"] for entry in told["entries"]] == messages
            assert json.dumps(told, separators=(",", ":")).encode() == body


async def test_who_leaves_amid_a_long_answer_is_no_error(server, caplog):
    log_much()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = b"GET /logs?limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    writer.write(50 * head)
    assert b"200 OK" in await reader.read(4096)
    writer.transport.abort()
    status, _ = await ask(server, "GET", "/engine/status")
    assert status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_who_reads_nothing_of_a_long_answer_hinders_nobody_nor_the_end(monkeypatch):
    monkeypatch.setattr(module, "SHUTDOWN_TIME", 0.05)
    async with ControlServer(ControlConfig(port=0)) as server:
        log_much()
        writers = []
        for _ in range(3):
            with socket.socket() as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(("127.0.0.1", server.port))
                _, writer = await asyncio.open_connection(sock=deaf.dup())
            writer.transport.pause_reading()
            writer.write(100 * b"GET /logs?limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            writers.append(writer)
        for _ in range(3):
            status, told = await ask(server, "GET", "/logs?limit=200")
            assert (status, len(told["entries"])) == (200, 200)
    for writer in writers:
        writer.transport.abort()


async def test_of_an_answer_to_head_there_is_only_the_head(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for method in ("HEAD", "GET"):
        writer.write(f"{method} /engine/status HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_errors_say_what_and_why(server):
    assert await ask(server, "GET", "/nowhere") == (
        404,
        {"ok": False, "error": "NotFound", "message": "there is no '/nowhere' here"},
    )
    status, body = await ask(server, "POST", "/engine/stop")
    assert (status, body["error"]) == (400, "EngineNotRunning")
    status, body = await ask(server, "GET", "/engine/start")
    assert (status, body["error"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "HostNotAllowed"),
        ({"Host": "[::]"}, "HostNotAllowed"),
        ({"Origin": "http://evil.example"}, "OriginNotAllowed"),
        ({"Origin": "null"}, "OriginNotAllowed"),
        ({"Sec-Fetch-Site": "cross-site"}, "OriginNotAllowed"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/engine/status"),
        ("POST", "/engine/start"),
        ("POST", "/shutdown"),
        ("OPTIONS", "/torrent/add"),
        ("GET", "/nowhere"),
        ("GET", "/events"),
    ],
)
async def test_other_sites_get_nowhere(server, method, path, headers, code):
    status, body = await ask(server, method, path, headers=headers)
    assert (status, body["error"]) == (403, code)
    assert server.control.running is None


async def test_two_hosts_or_none(server):
    request = b"GET /engine/status HTTP/1.1\r\n%s\r\n"
    assert b"400" in (await raw(server, request % b"Host: localhost\r\nHost: evil.example\r\n"))
    assert b"400" in (await raw(server, b"GET /engine/status HTTP/1.0\r\n\r\n"))


async def test_a_websocket_of_another_site_is_refused(server):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{server.url}/events", origin="http://evil.example")
    assert caught.value.status == 403


@pytest.mark.parametrize("path", ["/engine/status", "/events", "/shutdown", "/nowhere"])
async def test_a_token_is_wanted_everywhere(path):
    async with ControlServer(ControlConfig(port=0, token=TOKEN)) as server:
        for authorization in (None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}\t0"):
            headers = {} if authorization is None else {"Authorization": authorization}
            async with asking(server, "GET", path, headers=headers) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
                assert TOKEN not in await response.text()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await ask(server, "GET", "/engine/status", headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("path", "limit"), [("/engine/start", MAX_BODY), ("/torrent/add", MAX_LONG_BODY)]
)
async def test_a_body_that_says_it_is_too_long_is_not_read(server, path, limit):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {limit + 1}\r\n\r\n"
    answer = await raw(server, head.encode())
    assert b"413" in answer
    assert b'"error":"BodyTooLarge"' in answer


async def test_a_body_that_does_not_say_so_is_cut_off(server):
    async def endless():
        for _ in range(20):
            yield bytes(MAX_BODY // 8)

    with contextlib.suppress(aiohttp.ClientConnectionError):
        assert (await ask(server, "POST", "/engine/start", data=endless()))[0] == 413
    assert (await ask(server, "GET", "/engine/status"))[0] == 200


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "MalformedJson", None),
        (b"[]", "MalformedJson", None),
        (b"[" * 60_000, "MalformedJson", None),
        (b'{"config": []}', "InvalidField", "config"),
        (b'{"config": {"port": "80"}}', "InvalidField", "config.port"),
        (b'{"config": {"port": 1e3}}', "InvalidField", "config.port"),
        (b'{"config": {"port": %s}}' % (b"9" * 5000), "MalformedJson", None),
        (b'{"configuration": {}}', "InvalidField", "configuration"),
    ],
)
async def test_wrong_bodies_are_refused_by_name(server, body, code, field):
    status, answer = await ask(server, "POST", "/engine/start", data=body)
    assert (status, answer["error"], answer.get("field")) == (400, code, field)
    assert server.control.running is None


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=", "level=loud"])
async def test_wrong_queries_are_refused(server, query):
    assert (await ask(server, "GET", f"/logs?{query}"))[0] == 400


async def test_events_are_for_websockets(server):
    status, body = await ask(server, "GET", "/events")
    assert (status, body["error"]) == (426, "WebSocketOnly")
    assert (await ask(server, "GET", "/events?torrent=x"))[0] == 400


async def test_a_listener_hears_what_happens_and_of_the_end():
    async with aiohttp.ClientSession() as session:
        async with ControlServer(ControlConfig(port=0)) as server:
            listener = await session.ws_connect(f"{server.url}/events")
            assert (await listener.receive_json(timeout=5))["type"] == "hello"
            server.control.feed.tell({"type": "x"})
            assert await listener.receive_json(timeout=5) == {"type": "x"}
        assert (await listener.receive(timeout=5)).data == 1001
        await listener.close()


async def test_others_have_their_turn_while_much_is_told(server, monkeypatch):
    told = []

    class Turns:
        async def next(self):
            told.append(True)

    monkeypatch.setattr("millstream.rpc.server.Turns", Turns)
    async with aiohttp.ClientSession() as session:
        listener = await session.ws_connect(f"{server.url}/events")
        await listener.receive_json(timeout=5)
        for number in range(20):
            server.control.feed.tell({"type": "x", "number": number})
        heard = [(await listener.receive_json(timeout=5))["number"] for _ in range(20)]
        await listener.close()
    assert heard == list(range(20))
    assert len(told) == 20


async def test_listeners_are_counted_and_make_room(server):
    async with aiohttp.ClientSession() as session:
        url = f"{server.url}/events"
        listeners = [await session.ws_connect(url) for _ in range(MAX_LISTENERS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url)
        assert caught.value.status == 503
        for listener in listeners:
            await listener.close()
        await become(lambda: not server._listeners)
        await (await session.ws_connect(url)).close()


async def test_a_listener_may_not_talk_at_length(server):
    async with aiohttp.ClientSession() as session:
        listener = await session.ws_connect(f"{server.url}/events")
        await listener.receive_json(timeout=5)
        await listener.send_str("x" * 5000)
        assert (await listener.receive(timeout=5)).type in {
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
        }
        await listener.close()


async def test_connections_are_counted(server):
    opened = [
        await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MAX_CONNECTIONS)
    ]
    await become(lambda: len(server._runner.server._deadlines) == MAX_CONNECTIONS)
    with contextlib.suppress(ConnectionError):
        assert await raw(server, b"") == b""
    for _, writer in opened:
        writer.transport.abort()


async def test_who_sends_no_request_is_dropped(server, monkeypatch):
    monkeypatch.setattr(server._runner.server, "_connection_time", 0.02)
    with contextlib.suppress(ConnectionError):
        assert await raw(server, b"GET /engine/status HTTP/1.1\r\nHost:") == b""


async def test_a_body_that_does_not_come_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr("millstream.http_server.request_body.BODY_TIME", 0.02)
    head = b"POST /engine/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    assert b'"error":"TooSlow"' in await raw(server, head)


async def test_an_error_of_ours_is_no_end_and_tells_nothing(server, monkeypatch, caplog):
    monkeypatch.setattr(server.control, "status", lambda: 1 / 0)
    status, body = await ask(server, "GET", "/engine/status")
    assert (status, body["error"]) == (500, "InternalError")
    assert "division" not in body["message"]
    assert "ZeroDivisionError" in caplog.text
    assert (await ask(server, "GET", "/logs"))[1]["entries"][-1]["level"] == "error"


async def test_shutdown_is_answered_before_it_happens(server):
    assert await ask(server, "POST", "/shutdown") == (200, {"ok": True})
    async with asyncio.timeout(5):
        await server.wait_shutdown()


async def test_a_port_that_is_taken_is_said(server):
    with pytest.raises(NetworkError, match=f"control at 127.0.0.1 port {server.port}"):
        async with ControlServer(ControlConfig(port=server.port)):
            pass


async def test_both_families():
    try:
        async with ControlServer(ControlConfig(host="::1", port=0)) as server:
            assert server.url == f"http://[::1]:{server.port}"
            assert (await ask(server, "GET", "/engine/status"))[0] == 200
    except NetworkError:
        pytest.skip("this machine has no ::1")
