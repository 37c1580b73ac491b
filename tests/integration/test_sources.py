"""What a torrent can be added from: magnet links of every form, and URLs of .torrent files."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from millstream import Engine, MillstreamError, PeerAddress, TorrentState
from millstream.errors import (
    DuplicateTorrentError,
    HttpError,
    MalformedMagnetError,
    MalformedTorrentError,
    MetadataPendingError,
)
from millstream.protocol.metainfo import MAX_TORRENT_LENGTH

from .conftest import Share, StartEngine

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Handler | bytes | web.Response


@asynccontextmanager
async def serving(**answers: Answer) -> AsyncIterator[str]:
    """A web server with these pages; gives its URL, without a slash at the end."""
    app = web.Application()

    def handler(answer: Answer) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if callable(answer):
                return await answer(request)
            if isinstance(answer, bytes):
                return web.Response(body=answer, content_type="application/x-bittorrent")
            return answer

        return handle

    for name, answer in answers.items():
        app.router.add_get(f"/{name}", handler(answer))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def seed(start_engine: StartEngine, share: Share, tmp_path: Path) -> Engine:
    engine = await start_engine(share.store(tmp_path / "seed"))
    torrent = await engine.add(share.data)
    await torrent.wait_checked()
    return engine


@pytest.fixture
async def leech(start_engine: StartEngine, tmp_path: Path) -> Engine:
    return await start_engine(tmp_path / "leech")


def address_of(engine: Engine) -> str:
    return f"127.0.0.1:{engine.listen_port}"


# Magnet links.

FORMS = {
    "hex": lambda digest: digest.hex(),
    "upper-case hex": lambda digest: digest.hex().upper(),
    "base32": lambda digest: base64.b32encode(digest).decode(),
    "lower-case base32": lambda digest: base64.b32encode(digest).decode().lower(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
async def test_a_magnet_that_names_its_peer(
    form: Callable[[bytes], str], seed: Engine, leech: Engine, share: Share, tmp_path: Path
) -> None:
    link = f"magnet:?xt=urn:btih:{form(share.info_hash)}&dn=A+name&x.pe={address_of(seed)}"
    torrent = await leech.add(link)
    assert torrent.name == "A name"
    assert torrent.state is TorrentState.FETCHING_METADATA
    assert str(torrent.info_hash) == share.info_hash.hex()
    assert torrent.magnet.peers == (PeerAddress("127.0.0.1", seed.listen_port or 0),)
    await torrent.wait_complete()
    assert share.stored(tmp_path / "leech") == share.content
    assert torrent.name == share.name
    assert [peer.source for peer in seed.torrents[0].peers()] in ([], ["incoming"])
    for again in (share.data, f"magnet:?xt=urn:btih:{share.info_hash.hex()}"):
        with pytest.raises(DuplicateTorrentError, match=re.escape(repr(share.name))):
            await leech.add(again)


@pytest.mark.parametrize("host", ["localhost", "[::ffff:127.0.0.1]"])
async def test_peers_of_a_magnet_may_have_names(
    host: str, seed: Engine, leech: Engine, share: Share
) -> None:
    link = f"magnet:?x.pe={host}:{seed.listen_port}&xt=urn:btih:{share.info_hash.hex()}"
    torrent = await leech.add(link)
    await torrent.wait_complete()


async def test_several_peers_of_which_one_is_there(
    seed: Engine, leech: Engine, share: Share
) -> None:
    others = "".join(f"&x.pe=127.0.0.1:{port}" for port in (1, 2, 3, 99999, 0))
    link = f"magnet:?xt=urn:btih:{share.info_hash.hex()}{others}&x.pe=nonsense"
    torrent = await leech.add(f"{link}&x.pe={address_of(seed)}")
    assert len(torrent.magnet.peers) == 4
    await torrent.wait_complete()
    [peer] = torrent.peers() or [None]
    assert peer is None or peer.source == "magnet"


async def test_what_needs_the_metadata_says_that_it_is_not_there(
    leech: Engine, share: Share
) -> None:
    torrent = await leech.add(f"magnet:?xt=urn:btih:{share.info_hash.hex()}")
    with pytest.raises(MetadataPendingError):
        _ = torrent.metainfo
    with pytest.raises(MetadataPendingError):
        await torrent.select_files([0])
    with pytest.raises(MetadataPendingError):
        await torrent.recheck()
    assert torrent.status().piece_count == 0
    assert torrent.status().progress == 0
    assert torrent.peers() == []


BAD_LINKS = {
    "nothing": "magnet:",
    "no infohash": "magnet:?dn=x",
    "39 digits": f"magnet:?xt=urn:btih:{'a' * 39}",
    "no hex": f"magnet:?xt=urn:btih:{'g' * 40}",
    "no base32": f"magnet:?xt=urn:btih:{'1' * 32}",
    "version 2 only": f"magnet:?xt=urn:btmh:1220{'a' * 64}",
    "two torrents": f"magnet:?xt=urn:btih:{'a' * 40}&xt=urn:btih:{'b' * 40}",
    "a megabyte": f"magnet:?xt=urn:btih:{'a' * 40}&dn={'x' * (1 << 20)}",
}


@pytest.mark.parametrize("link", BAD_LINKS.values(), ids=BAD_LINKS.keys())
async def test_links_that_name_no_torrent(link: str, leech: Engine) -> None:
    with pytest.raises(MalformedMagnetError):
        await leech.add(link)
    assert leech.torrents == []


# URLs.


async def test_a_url_of_a_torrent_file(
    seed: Engine, leech: Engine, share: Share, tmp_path: Path
) -> None:
    async with serving(**{"some.torrent": share.data}) as url:
        torrent = await leech.add(f"{url}/some.torrent", peers=[address_of(seed)])
        assert torrent.metainfo == share.metainfo
        await torrent.wait_complete()
        assert share.stored(tmp_path / "leech") == share.content


async def test_redirects_are_followed(leech: Engine, share: Share) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/there?a=b#c")

    async with serving(here=elsewhere, there=share.data) as url:
        torrent = await leech.add(f"{url}/here")
        assert torrent.metainfo == share.metainfo


async def refused(leech: Engine, url: str) -> MillstreamError:
    with pytest.raises(MillstreamError) as raised:
        await leech.add(url)
    assert leech.torrents == []
    return raised.value


async def test_redirects_without_end(leech: Engine) -> None:
    async def around(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/around")

    async with serving(around=around) as url:
        error = await refused(leech, f"{url}/around")
    assert isinstance(error, HttpError)
    assert "redirect" in str(error)


async def test_a_redirect_to_a_file_of_this_machine(leech: Engine) -> None:
    async def to_file(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "file:///etc/passwd"})

    async with serving(x=to_file) as url:
        assert isinstance(await refused(leech, f"{url}/x"), HttpError)


async def test_a_page_instead_of_a_torrent(leech: Engine) -> None:
    page = web.Response(text="<!DOCTYPE html><h1>Log in</h1>", content_type="text/html")
    async with serving(x=page) as url:
        error = await refused(leech, f"{url}/x")
    assert isinstance(error, MalformedTorrentError)
    assert "no torrent file" in str(error)


@pytest.mark.parametrize("body", [b"", b"de", b"d4:infodee", b"le", b"\0" * 1000])
async def test_a_body_that_is_no_torrent(body: bytes, leech: Engine) -> None:
    async with serving(x=body) as url:
        assert isinstance(await refused(leech, f"{url}/x"), MalformedTorrentError)


@pytest.mark.parametrize("status", [403, 404, 500, 204])
async def test_a_server_that_refuses(status: int, leech: Engine) -> None:
    async with serving(x=web.Response(status=status, body=b"" if status == 204 else b"no")) as url:
        error = await refused(leech, f"{url}/x")
    assert isinstance(error, HttpError)
    assert str(status) in str(error)


@pytest.mark.parametrize("says_length", [True, False])
async def test_200_megabytes_are_not_waited_for(says_length: bool, leech: Engine) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        headers = {"Content-Length": str(200 << 20)} if says_length else {}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with suppress(ConnectionError, asyncio.CancelledError):
            for _ in range(200):
                await response.write(bytes(1 << 20))
                sent += 1 << 20
        return response

    async with serving(x=endless) as url:
        error = await refused(leech, f"{url}/x")
    assert isinstance(error, HttpError)
    assert "longer than" in str(error)
    # What fits into the sockets' buffers was sent besides.
    assert sent <= (8 << 20) + (0 if says_length else MAX_TORRENT_LENGTH)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://no-such-host.invalid/x", "http://", "https://:0/"]
)
async def test_urls_that_lead_nowhere(url: str, leech: Engine) -> None:
    assert isinstance(await refused(leech, url), HttpError)
