"""What every `interfaces.http.HttpClient` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from millstream.errors import HttpError, MalformedDataError
from millstream.interfaces.http import MAX_REDIRECTS, HttpClient, HttpRequest, HttpResponse
from millstream.testing.conformance_waiting import error_of

HttpSite = Callable[[HttpRequest], HttpResponse]

BODY = bytes(range(256)) * 300


@dataclass(frozen=True, slots=True)
class HttpUnderTest:
    """A client and whom it can ask.

    Attributes:
        client: the client.
        url: where the site answers, `http://host:port`; the host is a loopback address.
        silent_url: where a request is taken and never answered.
        dead_url: where nobody is.
    """

    client: HttpClient
    url: str
    silent_url: str
    dead_url: str


def site(request: HttpRequest) -> HttpResponse:
    """The web site that the tests ask; the request's URL is a path with its query."""
    path, _, query = request.url.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    if path == "/body":
        return HttpResponse(200, {"X-Some-Header": "Value"}, BODY)
    if path == "/empty":
        return HttpResponse(200, {})
    if path == "/query":
        return HttpResponse(200, {}, query.encode())
    if path == "/missing":
        return HttpResponse(404, {}, b"not here")
    if path == "/header":
        return HttpResponse(200, {}, headers.get("x-asked", "").encode())
    if path == "/range" and headers.get("range") == "bytes=10-19":
        return HttpResponse(206, {"Content-Range": f"bytes 10-19/{len(BODY)}"}, BODY[10:20])
    if path.startswith("/hops/"):
        count = int(path.removeprefix("/hops/"))
        target = f"/hops/{count - 1}" if count > 1 else "/body"
        return HttpResponse(302, {"Location": target}, b"moved")
    if path == "/to":
        return HttpResponse(307, {"Location": query})
    if path == "/nowhere":
        return HttpResponse(302, {})
    return HttpResponse(500, {}, b"no such page of the tests")


class HttpConformance:
    """Derive, override `open_http`, and run the tests."""

    def open_http(self, site: HttpSite) -> AbstractAsyncContextManager[HttpUnderTest]:
        """Give a client, and let `site` answer requests whose URL is a path with its query."""
        raise NotImplementedError

    async def test_status_headers_and_body(self) -> None:
        async with self.open_http(site) as web:
            response = await web.client.get(HttpRequest(url=f"{web.url}/body"))
            assert response.status == 200
            assert response.headers["x-some-header"] == "Value"
            assert response.body == BODY

    async def test_an_empty_body(self) -> None:
        async with self.open_http(site) as web:
            assert (await web.client.get(HttpRequest(url=f"{web.url}/empty"))).body == b""

    async def test_any_status_is_an_answer(self) -> None:
        async with self.open_http(site) as web:
            response = await web.client.get(HttpRequest(url=f"{web.url}/missing"))
            assert (response.status, response.body) == (404, b"not here")

    async def test_the_query_arrives_as_it_was_written(self) -> None:
        query = "info_hash=%00%ff%2F%41%7e~a&b=c+d%20e&key="
        async with self.open_http(site) as web:
            response = await web.client.get(HttpRequest(url=f"{web.url}/query?{query}"))
            assert response.body.decode() == query

    async def test_headers_are_sent(self) -> None:
        async with self.open_http(site) as web:
            request = HttpRequest(url=f"{web.url}/header", headers={"X-Asked": "please"})
            assert (await web.client.get(request)).body == b"please"

    async def test_redirects_are_followed(self) -> None:
        async with self.open_http(site) as web:
            response = await web.client.get(HttpRequest(url=f"{web.url}/hops/{MAX_REDIRECTS}"))
            assert (response.status, response.body) == (200, BODY)
            absolute = f"{web.url}/to?{web.url}/body"
            assert (await web.client.get(HttpRequest(url=absolute))).body == BODY

    async def test_too_many_redirects_are_an_error(self) -> None:
        async with self.open_http(site) as web:
            for path in (f"/hops/{MAX_REDIRECTS + 1}", "/to?/to?/to"):
                error = await error_of(HttpError, web.client.get(HttpRequest(url=web.url + path)))
                assert "redirects" in str(error)

    async def test_a_redirect_to_something_else_than_http_is_an_error(self) -> None:
        async with self.open_http(site) as web:
            for target in ("ftp://127.0.0.1/x", "file:///etc/passwd", "http://"):
                request = HttpRequest(url=f"{web.url}/to?{target}")
                await error_of(HttpError, web.client.get(request))

    async def test_a_redirect_without_a_target_is_an_answer(self) -> None:
        async with self.open_http(site) as web:
            assert (await web.client.get(HttpRequest(url=f"{web.url}/nowhere"))).status == 302

    async def test_what_is_no_url_is_an_error(self) -> None:
        async with self.open_http(site) as web:
            for url in ("", "x", "udp://127.0.0.1:1", "http://", "http://a:99999/", "http://[::1/"):
                await error_of(HttpError, web.client.get(HttpRequest(url=url)))

    async def test_a_body_may_be_as_long_as_allowed_and_no_longer(self) -> None:
        async with self.open_http(site) as web:
            url = f"{web.url}/body"
            fitting = await web.client.get(HttpRequest(url=url, max_length=len(BODY)))
            assert fitting.body == BODY
            short = HttpRequest(url=url, max_length=len(BODY) - 1)
            error = await error_of(HttpError, web.client.get(short))
            assert "longer" in str(error)
            parts: list[bytes] = []
            await error_of(
                HttpError,
                web.client.stream(short, lambda _: True, lambda view: parts.append(bytes(view))),
            )
            assert sum(map(len, parts)) < len(BODY)

    async def test_silence_ends_with_the_timeout(self) -> None:
        async with self.open_http(site) as web:
            request = HttpRequest(url=web.silent_url, timeout=0.05)
            error = await error_of(HttpError, web.client.get(request))
            assert str(urlsplit(web.silent_url).hostname) in str(error)
            assert "0.05 s" in str(error)

    async def test_nobody_there_is_an_error_that_names_the_host(self) -> None:
        async with self.open_http(site) as web:
            error = await error_of(HttpError, web.client.get(HttpRequest(url=web.dead_url)))
            assert str(urlsplit(web.dead_url).hostname) in str(error)
            assert "refused" in str(error)

    async def test_a_stream_comes_in_parts(self) -> None:
        async with self.open_http(site) as web:
            heads: list[HttpResponse] = []
            body = bytearray()

            def accept(response: HttpResponse) -> bool:
                heads.append(response)
                return True

            request = HttpRequest(url=f"{web.url}/hops/1")
            response = await web.client.stream(request, accept, body.extend)
            assert bytes(body) == BODY
            assert (response.status, response.body) == (200, b"")
            assert [(head.status, head.body) for head in heads] == [(200, b"")]
            assert heads[0].headers["x-some-header"] == "Value"

    async def test_a_stream_of_a_range(self) -> None:
        async with self.open_http(site) as web:
            body = bytearray()
            request = HttpRequest(url=f"{web.url}/range", headers={"Range": "bytes=10-19"})
            response = await web.client.stream(request, lambda _: True, body.extend)
            assert (response.status, bytes(body)) == (206, BODY[10:20])
            assert response.headers["content-range"] == f"bytes 10-19/{len(BODY)}"

    async def test_a_stream_waits_for_whoever_takes_it(self) -> None:
        async with self.open_http(site) as web:
            body = bytearray()
            taking = 0

            async def take(view: memoryview) -> None:
                nonlocal taking
                taking += 1
                before = bytes(view)
                await asyncio.sleep(0.005)
                assert taking == 1
                assert bytes(view) == before
                body.extend(view)
                taking -= 1

            request = HttpRequest(url=f"{web.url}/body")
            await web.client.stream(request, lambda _: True, take)
            assert bytes(body) == BODY

    async def test_what_a_taker_raises_comes_out(self) -> None:
        async with self.open_http(site) as web:

            def refuse(_: HttpResponse) -> bool:
                raise MalformedDataError("not this")

            def fail(_: memoryview) -> None:
                raise MalformedDataError("nor that")

            request = HttpRequest(url=f"{web.url}/body")
            stream = web.client.stream
            await error_of(MalformedDataError, stream(request, refuse, lambda _: None))
            await error_of(MalformedDataError, stream(request, lambda _: True, fail))

    async def test_a_stream_that_is_not_accepted_ends_before_its_body(self) -> None:
        async with self.open_http(site) as web:
            body = bytearray()
            request = HttpRequest(url=f"{web.url}/missing")
            response = await web.client.stream(request, lambda r: r.status == 200, body.extend)
            assert (response.status, bytes(body)) == (404, b"")

    async def test_local_addresses_are_refused_unless_allowed(self) -> None:
        async with self.open_http(site) as web:
            assert (await web.client.get(HttpRequest(url=f"{web.url}/body"))).status == 200
            # Also where a connection is kept from a request that was allowed.
            refused = HttpRequest(url=f"{web.url}/body", allow_local=False)
            for attempt in (
                web.client.get(refused),
                web.client.stream(refused, lambda _: True, lambda _: None),
            ):
                error = await error_of(HttpError, attempt)
                assert "loopback" in str(error)

    async def test_a_family_that_the_host_lacks_is_an_error(self) -> None:
        async with self.open_http(site) as web:
            is_ipv6 = ":" in str(urlsplit(web.url).hostname)
            fitting = HttpRequest(url=f"{web.url}/body", family=6 if is_ipv6 else 4)
            assert (await web.client.get(fitting)).status == 200
            other = HttpRequest(url=f"{web.url}/body", family=4 if is_ipv6 else 6)
            await error_of(HttpError, web.client.get(other))

    async def test_cancelling_abandons_a_request(self) -> None:
        async with self.open_http(site) as web:
            asking = asyncio.ensure_future(web.client.get(HttpRequest(url=web.silent_url)))
            await asyncio.sleep(0.02)
            asking.cancel()
            done, _ = await asyncio.wait({asking}, timeout=5)
            assert done
            assert asking.cancelled()

    async def test_many_requests_at_once(self) -> None:
        async with self.open_http(site) as web:
            requests = [HttpRequest(url=f"{web.url}/query?{number}") for number in range(20)]
            answers = await asyncio.gather(*(web.client.get(request) for request in requests))
            assert [int(answer.body) for answer in answers] == list(range(20))

    async def test_a_closed_client_asks_nobody(self) -> None:
        async with self.open_http(site) as web:
            await web.client.get(HttpRequest(url=f"{web.url}/empty"))
            await web.client.close()
            await web.client.close()
            await error_of(HttpError, web.client.get(HttpRequest(url=f"{web.url}/empty")))
