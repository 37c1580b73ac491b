"""The native HTTP client against servers that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncIterator

import pytest
from tests.certificates import own_certificate

from millstream.adapters.native import http_guard
from millstream.adapters.native.http import NativeHttp
from millstream.adapters.native.resolver import MAX_LOOKUPS, Resolver
from millstream.errors import HttpError, NetworkError
from millstream.interfaces.http import HttpRequest, HttpResponse

from .raw_web import RawWeb, response

MIB = 1 << 20


@pytest.fixture
async def client() -> AsyncIterator[NativeHttp]:
    made = NativeHttp("Millstream/test")
    yield made
    await made.close()


async def get(client: NativeHttp, url: str, **options) -> HttpResponse:
    return await client.get(HttpRequest(url=url, **{"timeout": 10.0, **options}))


async def failure(client: NativeHttp, url: str, **options) -> str:
    with pytest.raises(HttpError) as caught:
        await get(client, url, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_what_is_sent(client):
    async with RawWeb(response(b"")) as web:
        await get(client, f"{web.url}/a%2Fb?x=%00%fF&y=~", headers={"X-More": "yes"})
    (head,) = web.heads
    lines = head.splitlines()
    assert lines[0] == "GET /a%2Fb?x=%00%fF&y=~ HTTP/1.1"
    assert "User-Agent: Millstream/test" in lines
    assert "Accept-Encoding: gzip" in lines
    assert "X-More: yes" in lines
    assert not any(line.lower().startswith("cookie") for line in lines)


@pytest.mark.parametrize(
    "path", ["/a b", "/\r\nX-Evil: 1", "/\u00fc", '/"<>`{|}', "/\x00", "/?\ud800"]
)
async def test_no_url_smuggles_headers(client, path):
    async with RawWeb(response(b"")) as web:
        try:
            await get(client, web.url + path)
        except HttpError:
            return
    (head,) = web.heads
    assert "X-Evil" not in head.partition("\r\n")[2]
    assert head.partition("\r\n")[0].count(" ") == 2
    assert head.isascii()


async def test_cookies_are_not_kept(client):
    async with RawWeb(response(b"", "Set-Cookie: a=b; Path=/")) as web:
        await get(client, web.url)
        await get(client, web.url)
    assert len(web.heads) == 2
    assert "ookie" not in "".join(web.heads)


async def test_compressed_bodies_are_decoded(client):
    body = b"d8:intervali1800e5:peers0:e" * 10
    encodings = {"gzip": gzip.compress(body), "x-gzip": gzip.compress(body)}
    for name, data in {**encodings, "deflate": zlib.compress(body)}.items():
        async with RawWeb(response(data, f"Content-Encoding: {name}")) as web:
            assert (await get(client, web.url, max_length=len(body))).body == body


async def test_a_decompression_bomb_is_defused(client):
    """A hundred megabytes in a hundred kilobytes: no more than the limit is ever decoded."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MIB)
    bomb = b"".join(packer.compress(block) for _ in range(100)) + packer.flush()
    assert len(bomb) < MIB // 4
    taken = 0

    def take(view: memoryview) -> None:
        nonlocal taken
        taken += len(view)

    async with RawWeb(response(bomb, "Content-Encoding: gzip")) as web:
        assert "longer than 1,048,576 bytes" in await failure(client, web.url, max_length=MIB)
        request = HttpRequest(url=web.url, max_length=MIB)
        with pytest.raises(HttpError):
            await client.stream(request, lambda _: True, take)
    assert taken <= MIB


@pytest.mark.parametrize(
    ("data", "coding", "error"),
    [
        (gzip.compress(b"x" * 1000, mtime=0)[:-12], "gzip", "cut short"),
        (b"not gzip at all", "gzip", "not compressed as it says"),
        (b"x", "br", "encoded as 'br'"),
        (b"x", "gzip, gzip", "encoded as 'gzip, gzip'"),
    ],
)
async def test_bad_encodings(client, data, coding, error):
    async with RawWeb(response(data, f"Content-Encoding: {coding}")) as web:
        assert error in await failure(client, web.url)


async def test_a_body_without_end_is_cut_off(client):
    async def endless(head: str, writer: asyncio.StreamWriter) -> None:
        await web.send(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            await web.send(writer, b"100000\r\n" + bytes(MIB) + b"\r\n")

    async with RawWeb(endless) as web:
        assert "longer than 1,048,576 bytes" in await failure(client, web.url)
    # What was sent more than that lies in the buffers of the kernel.
    assert web.sent < 30 * MIB


async def test_a_length_that_is_too_long_is_refused_at_once(client):
    async with RawWeb(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\nx") as web:
        assert "longer than" in await failure(client, web.url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", ""),
        (b"\x00\xff" * 5000, ""),
    ],
)
async def test_what_is_not_http(client, answer, error):
    async with RawWeb(answer) as web:
        text = await failure(client, web.url)
        assert text.startswith("127.0.0.1: ")
        assert error in text


async def test_a_drip_ends_with_the_timeout(client):
    async def drip(head: str, writer: asyncio.StreamWriter) -> None:
        await web.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            await web.send(writer, b"x")
            await asyncio.sleep(0.01)

    async with RawWeb(drip) as web:
        text = await failure(client, web.url, timeout=0.2)
        assert text == "127.0.0.1: no whole answer within 0.2 s"


async def test_connections_are_used_again(client):
    accepted: set[int] = set()

    async def serve(head: str, writer: asyncio.StreamWriter) -> None:
        accepted.add(id(writer))
        await web.send(writer, response(b"hello"))

    async with RawWeb(serve) as web:
        for _ in range(3):
            assert (await get(client, web.url)).body == b"hello"
    assert len(accepted) == 1


LITERALS = ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]", "10.0.0.1", "100.64.0.1"]  # noqa: S104
DISGUISED = ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "LOCALHOST."]


@pytest.mark.parametrize("host", [*LITERALS, *DISGUISED, "169.254.169.254", "[fe80::1]"])
async def test_no_spelling_of_a_local_host_passes(client, host):
    async with RawWeb(response(b"secret")) as web:
        text = await failure(client, f"http://{host}:{web.port}/", allow_local=False)
    assert web.heads == []
    # Some aiohttps do not even try the odd ones.
    reasons = ("local hosts are not contacted", "no such host", "not a canonical")
    assert any(reason in text for reason in reasons)


class Names:
    """A name server's answers: each name's, one after the other, the last one again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> None:
        self._answers = answers
        monkeypatch.setattr(Resolver, "resolve", self.resolve)
        # To the tests 127.0.0.1 is out there, and 127.0.0.2 is local.
        monkeypatch.setattr(http_guard, "is_global", lambda address: address == "127.0.0.1")

    async def resolve(self, host: str, family: int = 0) -> list[str]:
        answers = self._answers[host.partition(".")[0]]
        return (answers.pop(0) if len(answers) > 1 else answers[0]).split()


async def test_redirects_are_guarded(client, monkeypatch):
    Names(monkeypatch, outer=["127.0.0.1"], inner=["127.0.0.2"])
    async with RawWeb(response(b"secret"), "127.0.0.2") as inner:
        for target in (inner.url, f"http://inner.example:{inner.port}/"):
            moved = response(b"", f"Location: {target}", status="302 Found")
            async with RawWeb(moved) as outer:
                url = f"http://outer.example:{outer.port}/"
                text = await failure(client, url, allow_local=False)
                assert "127.0.0.2, a loopback address" in text
                assert (await get(client, url, allow_local=True)).body == b"secret"
    assert len(inner.heads) == 2


async def test_a_name_that_changes_its_mind_gains_nothing(client, monkeypatch):
    """DNS rebinding: what is checked is what is connected to."""
    Names(monkeypatch, rebinding=["127.0.0.1", "127.0.0.2"])
    async with RawWeb(response(b"public")) as outer:
        request = f"http://rebinding.example:{outer.port}/"
        assert (await get(client, request, allow_local=False)).body == b"public"
        assert (await get(client, request, allow_local=False)).body == b"public"  # as it was cached
        another = NativeHttp("x")
        text = await failure(another, request, allow_local=False)
        assert "127.0.0.2, a loopback address" in text
        await another.close()


async def test_of_several_addresses_only_global_ones_are_used(client, monkeypatch):
    Names(monkeypatch, mixed=["127.0.0.2 127.0.0.1"])
    async with RawWeb(response(b"public")) as outer:
        url = f"http://mixed.example:{outer.port}/"
        assert (await get(client, url, allow_local=False)).body == b"public"


async def test_a_certificate_of_nobody_is_refused(client, tmp_path):
    async with RawWeb(response(b"hello"), tls=own_certificate(tmp_path)) as web:
        text = await failure(client, web.url)
        assert text.startswith("127.0.0.1: its certificate is not accepted")


async def test_plain_http_where_https_is_expected(client):
    async with RawWeb(response(b"hello")) as web:
        await failure(client, web.url.replace("http:", "https:"), timeout=0.2)


async def test_a_name_server_that_does_not_answer_holds_up_nobody(monkeypatch):
    silence = threading.Event()
    asked = []

    def look_up(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        silence.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver()
    lookups = [
        asyncio.ensure_future(resolver.resolve(f"{number}.example"))
        for number in range(MAX_LOOKUPS + 1)
    ]
    await asyncio.sleep(0.05)
    assert len(asked) == MAX_LOOKUPS
    assert await resolver.resolve("192.0.2.7") == ["192.0.2.7"]
    for lookup in lookups[:-1]:
        lookup.cancel()
    await asyncio.sleep(0.05)
    # The threads are still taken, by nobody.
    assert len(asked) == MAX_LOOKUPS
    silence.set()
    assert await lookups[-1] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "?"), "x.example: no such host"),
        (socket.gaierror(socket.EAI_AGAIN, "?"), "x.example: the name server does not answer"),
        (UnicodeError("label too long"), "x.example: not a host name"),
    ],
)
async def test_failed_lookups_in_words(monkeypatch, error, words):
    def look_up(*_: object, **__: object) -> list[object]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(NetworkError, match=words):
        await Resolver().resolve("x.example")


def test_the_library_is_loaded_by_the_first_request_only():
    program = (
        "import sys, millstream.adapters.native;"
        "from millstream.adapters.native.http import NativeHttp; NativeHttp('x');"
        "sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
