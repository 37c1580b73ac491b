"""Web servers in the process, on the running loop's clock."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from millstream.errors import HttpError
from millstream.interfaces.http import (
    MAX_REDIRECTS,
    Accept,
    DataReceived,
    HttpRequest,
    HttpResponse,
)
from millstream.protocol.address_scope import is_global, scope_of

# The parts in which `stream` hands a body over that is there whole.
PART_LENGTH = 16 << 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class MemoryStream:
    """An answer whose body comes by and by.

    Attributes:
        status: the status code.
        headers: names in any case.
        parts: the body; it may wait, and an HttpError out of it is a connection that is lost.
    """

    status: int
    headers: Mapping[str, str]
    parts: AsyncGenerator[bytes, None]


HttpAnswer: TypeAlias = HttpResponse | MemoryStream

HttpHandler: TypeAlias = Callable[[HttpRequest, str], HttpAnswer | Awaitable[HttpAnswer]]
"""Answers a request of a client with some address; one that waits takes its time."""


@dataclass(frozen=True, slots=True)
class _Site:
    handler: HttpHandler
    latency: float
    addresses: tuple[str, ...]


class MemoryWeb:
    """All web servers that clients can reach."""

    def __init__(self) -> None:
        self._sites: dict[tuple[str, int], _Site] = {}

    def serve(
        self,
        host: str,
        port: int,
        handler: HttpHandler,
        *,
        latency: float = 0.0,
        addresses: tuple[str, ...] = (),
    ) -> None:
        """Let a handler answer for `host:port`.

        Args:
            host: a name, or an address.
            port: which.
            handler: called with the request and the client's address.
            latency: seconds each way.
            addresses: what the name resolves to; none: a name is global and has both families,
                an address is its own.
        """
        self._sites[host.lower(), port] = _Site(handler, latency, addresses)

    def remove(self, host: str, port: int) -> None:
        """Let nobody answer for `host:port`: connections are refused."""
        self._sites.pop((host.lower(), port), None)

    def find(self, host: str, port: int) -> _Site | None:
        """Return who answers for `host:port`."""
        return self._sites.get((host.lower(), port))


class MemoryHttp:
    """The HTTP client of one host: implements `interfaces.http.HttpClient`.

    Args:
        web: whom it can reach.
        address: the host's address, which servers see; requests of the other family fail.
    """

    def __init__(self, web: MemoryWeb, address: str = "192.0.2.1") -> None:
        self._web = web
        self._address = address
        self._closed = False

    async def get(self, request: HttpRequest) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        body = bytearray()
        response = await self.stream(request, lambda _: True, body.extend)
        return replace(response, body=bytes(body))

    async def stream(
        self, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        if self._closed:
            raise HttpError("the HTTP client is closed")
        try:
            async with asyncio.timeout(request.timeout):
                answer = await self._fetch(request)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                head = HttpResponse(answer.status, headers)
                if accept(head):
                    await _take(answer, request, data_received)
                return head
        except TimeoutError as error:
            host = _host(request.url)
            raise HttpError(f"{host}: no whole answer within {request.timeout:g} s") from error

    async def close(self) -> None:
        """See `interfaces.http.HttpClient`."""
        self._closed = True

    async def _fetch(self, request: HttpRequest) -> HttpAnswer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(request)
            location = _location(answer)
            if answer.status not in _REDIRECTS or location is None:
                return answer
            request = replace(request, url=urljoin(request.url, location))
        raise HttpError(f"{_host(request.url)}: more than {MAX_REDIRECTS} redirects")

    async def _ask(self, request: HttpRequest) -> HttpAnswer:
        try:
            parts = urlsplit(request.url)
            port = parts.port or _PORTS[parts.scheme]
        except (KeyError, ValueError) as error:
            raise HttpError(
                f"{request.url[:200]!r} is no URL that begins with http:// or https://"
            ) from error
        host = parts.hostname or ""
        if request.family not in (None, 6 if ":" in self._address else 4):
            raise HttpError(f"{host}: network is unreachable")
        site = self._web.find(host, port)
        if site is None:
            raise HttpError(f"{host}: connection refused")
        _check(host, site.addresses, request)
        await asyncio.sleep(site.latency)
        answer = site.handler(request, self._address)
        response = await answer if inspect.isawaitable(answer) else answer
        await asyncio.sleep(site.latency)
        return response


def _location(answer: HttpAnswer) -> str | None:
    found = [value for name, value in answer.headers.items() if name.lower() == "location"]
    return found[0] if found else None


async def _take(answer: HttpAnswer, request: HttpRequest, data_received: DataReceived) -> None:
    """Hand a body over, as far as it is allowed."""
    too_long = HttpError(
        f"{_host(request.url)}: its answer is longer than {request.max_length:,} bytes"
    )
    if isinstance(answer, HttpResponse) and len(answer.body) > request.max_length:
        raise too_long
    length = 0
    async with aclosing(_parts(answer)) as parts:
        async for part in parts:
            length += len(part)
            if length > request.max_length:
                raise too_long
            if (taking := data_received(memoryview(part))) is not None:
                await taking


async def _parts(answer: HttpAnswer) -> AsyncGenerator[bytes, None]:
    if isinstance(answer, HttpResponse):
        for at in range(0, len(answer.body), PART_LENGTH):
            yield answer.body[at : at + PART_LENGTH]
        return
    async with aclosing(answer.parts) as parts:
        async for part in parts:
            yield part


def _check(host: str, addresses: tuple[str, ...], request: HttpRequest) -> None:
    try:
        scope_of(host)
    except ValueError:
        known = addresses
    else:
        known = addresses or (host,)
    fitting = [a for a in known if request.family in (None, 6 if ":" in a else 4)]
    if known and not fitting:
        raise HttpError(f"{host} has no IPv{request.family} address")
    if fitting and not request.allow_local and not any(map(is_global, fitting)):
        raise HttpError(
            f"{host} leads to {fitting[0]}, a {scope_of(fitting[0]).value} address: "
            "local hosts are not contacted for a torrent unless that is allowed"
        )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
