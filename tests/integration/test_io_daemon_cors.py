"""A page in Chromium writes 200 files: how often does the browser ask first whether it may (seed 001)?"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil

import pytest
from aiohttp import web

from millstream.interfaces.disk import Extent, Outcome
from millstream.io_daemon import server
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon
from millstream.io_wire.batches import WriteRecord, pack_writes
from millstream.io_wire.envelope import (
    MAX_MESSAGE,
    Opcode,
    encode_frame,
    pack_frames,
    split_message,
)
from millstream.io_wire.handshake import Auth, Feature, Hello
from millstream.io_wire.results import unpack_write_results
from millstream.storage.roots import StorageRoot

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (set $CHROMIUM)"),
    pytest.mark.xdist_group("browser"),
]

TOKEN = "0123456789" * 2
COUNT = 200
MAX_AGE = "Access-Control-Max-Age"

WRITE_ALL = """async ([url, token, count]) => {
    const answers = [];
    for (let n = 0; n < count; n++) {
        const path = new TextEncoder().encode(`d/é #?% ${n}`);
        const answer = await fetch(url.replace('{n}', n % 20), {
            method: 'POST',
            headers: {'X-JST-Auth': token, 'X-Path-Base64': btoa(String.fromCharCode(...path))},
            body: 'x'.repeat(1000),
        });
        answers.push(answer.status);
    }
    return answers;
}"""
KNOCK = """async ([url, token]) => {
    const headers = token ? {'X-JST-Auth': token} : {};
    try {
        return (await fetch(url, {method: 'POST', headers, body: 'x'})).status;
    } catch (error) {
        return error.name;
    }
}"""
# Says one message after the other, each when there was an answer to the one before; the answers.
CONVERSE = """([url, messages]) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url), answers = [];
    const say = () => {
        const bytes = Uint8Array.from(atob(messages[answers.length]), c => c.charCodeAt(0));
        socket.send(bytes);
    };
    socket.binaryType = 'arraybuffer';
    socket.onopen = say;
    socket.onclose = event => reject(new Error(`closed: ${event.code} ${event.reason}`));
    socket.onmessage = event => {
        answers.push(btoa(String.fromCharCode(...new Uint8Array(event.data))));
        if (answers.length < messages.length) say();
        else resolve(answers);
    };
})"""


@pytest.fixture
async def page():
    """A page of a site of its own, and its origin."""
    shown = web.Server(_show)
    runner = web.ServerRunner(shown)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = await browser.new_page()
        await opened.goto(origin)
        yield opened, origin
        await browser.close()
    await runner.cleanup()


async def _show(_request):
    return web.Response(text="<h1>engine</h1>", content_type="text/html")


@pytest.fixture
def preflights(monkeypatch):
    """Every preflight that was answered; what `change` does to the answer can be set."""
    answered = []
    original = server.preflight_headers

    def counted(origin, *, private_network):
        headers = original(origin, private_network=private_network)
        answered.append(origin)
        counted.change(headers)
        return headers

    counted.change = lambda _headers: None
    counted.answered = answered
    monkeypatch.setattr(server, "preflight_headers", counted)
    return counted


def daemon(root, *origins):
    roots = tuple(StorageRoot(f"r{n}", "R", str(root)) for n in range(20))
    return IoDaemon(IoDaemonConfig(token=TOKEN, roots=roots, origins=origins))


async def write_all(opened, running, path):
    url = f"http://127.0.0.1:{running.port}{path}"
    return await opened.evaluate(WRITE_ALL, [url, TOKEN, COUNT])


@pytest.mark.parametrize(
    ("max_age", "path", "most"),
    [
        pytest.param(None, "/write/r0", 1, id="as it is: one"),
        pytest.param("0", "/write/r0", COUNT, id="without: one for every write"),
        pytest.param(None, "/write/r{n}", 20, id="one for every URL"),
    ],
)
async def test_how_often_the_browser_asks(page, preflights, tmp_path, max_age, path, most):
    opened, origin = page
    if max_age is not None:
        preflights.change = lambda headers: headers.update({MAX_AGE: max_age})
    async with daemon(tmp_path, origin) as running:
        assert await write_all(opened, running, path) == [200] * COUNT
    assert len(preflights.answered) == most
    assert (tmp_path / "d" / "é #?% 199").read_bytes() == b"x" * 1000


async def test_a_page_of_another_site_writes_nothing(page, tmp_path):
    opened, _ = page
    async with daemon(tmp_path, "https://app.example") as running:
        url = f"http://127.0.0.1:{running.port}"
        for token in (TOKEN, None):
            assert await opened.evaluate(KNOCK, [f"{url}/write/r0", token]) == "TypeError"
            assert await opened.evaluate(KNOCK, [f"{url}/control/shutdown", token]) == "TypeError"
        assert not running._ended.is_set()
    assert list(tmp_path.iterdir()) == []


async def test_a_pages_web_socket(page, tmp_path):
    """Browsers mask what they send, and send long messages in parts."""
    opened, origin = page
    data = random.Random(1).randbytes(3_000_001)
    digest = hashlib.sha1(data).digest()
    write = WriteRecord("r0", (Extent("a", 0, len(data)),), memoryview(data), digest, b"1")
    hello = Hello(Feature.PACKED | Feature.CREDIT, MAX_MESSAGE, 1 << 20)
    said = [
        encode_frame(Opcode.CLIENT_HELLO, 1, hello.encode()),
        pack_frames([encode_frame(Opcode.AUTH, 2, Auth(TOKEN).encode())]),
        pack_frames([encode_frame(Opcode.WRITE_BATCH, 3, b"".join(pack_writes([write])))]),
    ]
    async with daemon(tmp_path, origin) as running:
        url = f"ws://127.0.0.1:{running.port}/io"
        texts = [base64.b64encode(message).decode() for message in said]
        answers = await opened.evaluate(CONVERSE, [url, texts])
    _, _, written = [base64.b64decode(answer) for answer in answers]
    (frame,) = split_message(memoryview(written), packed=True)
    (result,) = unpack_write_results(frame.payload)
    assert (frame.request, result.outcome, result.length) == (3, Outcome.SUCCESS, len(data))
    assert (tmp_path / "a").read_bytes() == data
