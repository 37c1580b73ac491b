"""The io-daemon and pages in Chromium that it does not know, or that do not know its token.

How often the browser asks before 200 writes is counted in tests/integration/test_io_daemon_cors.py; here
is what a browser does where nothing says how long an answer holds, which takes longer.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.io_daemon import server
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon
from millstream.storage.roots import StorageRoot

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

TOKEN = "0123456789" * 2
COUNT = 200
# Milliseconds; Chromium, like the Fetch standard, remembers for 5 seconds what has no time.
PAUSE = 5500

# Half of the writes, a pause, and the other half; all at one URL.
WRITE_ALL = """async ([url, token, count, pause]) => {
    const statuses = [];
    for (let n = 0; n < count; n++) {
        if (n == count / 2) await new Promise(go_on => setTimeout(go_on, pause));
        const headers = {'X-JST-Auth': token, 'X-Path-Base64': btoa(`file ${n}`)};
        statuses.push((await fetch(url, {method: 'POST', headers, body: 'x'})).status);
    }
    return statuses;
}"""
ASK = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return [answer.type, answer.status, answer.status ? await answer.text() : ''];
    } catch (error) {
        return [error.name];
    }
}"""


def daemon(root: Path, *origins: str) -> IoDaemon:
    roots = (StorageRoot("r", "R", str(root)),)
    return IoDaemon(IoDaemonConfig(token=TOKEN, roots=roots, origins=origins))


def post(token=TOKEN, **options):
    headers = {"X-JST-Auth": token, "X-Path-Base64": "YQ=="} if token else {}
    return {"method": "POST", "headers": headers, "body": "x", **options}


@pytest.mark.parametrize(("kept", "asked"), [(True, 1), (False, 2)], ids=["max-age", "none"])
async def test_what_has_no_time_is_asked_again(open_page, site, tmp_path, monkeypatch, kept, asked):
    preflights = []
    original = server.preflight_headers

    def counted(origin, *, private_network):
        headers = original(origin, private_network=private_network)
        preflights.append(origin)
        if not kept:
            del headers["Access-Control-Max-Age"]
        return headers

    monkeypatch.setattr(server, "preflight_headers", counted)
    origin = f"http://127.0.0.1:{site}"
    async with daemon(tmp_path, origin) as running:
        page = await open_page(origin)
        url = f"http://127.0.0.1:{running.port}/write/r"
        statuses = await page.evaluate(WRITE_ALL, [url, TOKEN, COUNT, PAUSE])
    assert statuses == [200] * COUNT
    assert len(list(tmp_path.iterdir())) == COUNT
    assert preflights == [origin] * asked


async def test_a_known_page_without_the_token_is_told_so(open_page, site, tmp_path):
    origin = f"http://127.0.0.1:{site}"
    async with daemon(tmp_path, origin) as running:
        page = await open_page(origin)
        url = f"http://127.0.0.1:{running.port}/write/r"
        for token in (None, "another-token-that-is-long"):
            kind, status, text = await page.evaluate(ASK, [url, post(token)])
            assert (kind, status) == ("cors", 401)
            assert '"ok": false' in text
        assert list(tmp_path.iterdir()) == []
        assert (await page.evaluate(ASK, [url, post()]))[:2] == ["cors", 200]


@pytest.mark.parametrize("token", [TOKEN, None], ids=["with the token", "without"])
async def test_an_unknown_page_writes_nothing_and_reads_nothing(open_page, site, tmp_path, token):
    (tmp_path / "secret").write_bytes(b"secret")
    async with daemon(tmp_path, f"http://127.0.0.1:{site}") as running:
        page = await open_page(f"http://localhost:{site}")
        base = f"http://127.0.0.1:{running.port}"
        for path in ("/write/r", "/files/ensure_dir", "/control/shutdown"):
            assert await page.evaluate(ASK, [base + path, post(token)]) == ["TypeError"]
            # Browsers send this one without asking first; the answer is hidden from the page.
            simple = {"method": "POST", "mode": "no-cors", "body": "{}"}
            assert (await page.evaluate(ASK, [base + path, simple]))[0] == "opaque"
        assert await page.evaluate(ASK, [f"{base}/read/r", {}]) == ["TypeError"]
        assert not running._ended.is_set()
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


async def test_a_name_made_to_point_here_is_none_of_ours(open_page, site, tmp_path):
    """DNS rebinding: the page's own name has become 127.0.0.1, so nothing is cross-origin to it."""
    async with daemon(tmp_path) as running:
        rule = "--host-resolver-rules=MAP rebound.example 127.0.0.1"
        # Chromium 142 and later ask the user first; this is what others, and those who agree, do.
        allowed = "--disable-features=LocalNetworkAccessChecks"
        page = await open_page("about:blank", rule, allowed)
        # What the name pointed to before was the attacker's server, at the same port.
        await page.route(
            "**/attack", lambda route: route.fulfill(body="", content_type="text/html")
        )
        await page.goto(f"http://rebound.example:{running.port}/attack")
        for token in (TOKEN, None):
            url = f"http://rebound.example:{running.port}/write/r"
            kind, status, text = await page.evaluate(ASK, [url, post(token)])
            assert (kind, status) == ("basic", 403)
            assert "HostNotAllowed" in text
    assert list(tmp_path.iterdir()) == []
