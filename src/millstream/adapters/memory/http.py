"""Web servers in the process, on the running loop's clock."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from millstream.errors import HttpError
from millstream.interfaces.http import MAX_REDIRECTS, HttpRequest, HttpResponse
from millstream.protocol.address_scope import is_global, scope_of

HttpHandler: TypeAlias = Callable[[HttpRequest, str], HttpResponse | Awaitable[HttpResponse]]
"""Answers a request of a client with some address; one that waits takes its time."""

# The parts in which `stream` hands a body over.
PART_LENGTH = 16 << 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


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
        response = await self._fetch(request)
        self._check_length(request, response)
        return response

    async def stream(
        self,
        request: HttpRequest,
        accept: Callable[[HttpResponse], bool],
        data_received: Callable[[memoryview], None],
    ) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        response = await self._fetch(request)
        head = replace(response, body=b"")
        if accept(head):
            self._check_length(request, response)
            whole = memoryview(response.body)
            for at in range(0, len(whole), PART_LENGTH):
                data_received(whole[at : at + PART_LENGTH])
        return head

    async def close(self) -> None:
        """See `interfaces.http.HttpClient`."""
        self._closed = True

    async def _fetch(self, request: HttpRequest) -> HttpResponse:
        if self._closed:
            raise HttpError("the HTTP client is closed")
        try:
            async with asyncio.timeout(request.timeout):
                for _ in range(MAX_REDIRECTS + 1):
                    response = await self._ask(request)
                    location = response.headers.get("location")
                    if response.status not in _REDIRECTS or location is None:
                        return response
                    request = replace(request, url=urljoin(request.url, location))
        except TimeoutError as error:
            host = _host(request.url)
            raise HttpError(f"{host}: no whole answer within {request.timeout:g} s") from error
        raise HttpError(f"{_host(request.url)}: more than {MAX_REDIRECTS} redirects")

    async def _ask(self, request: HttpRequest) -> HttpResponse:
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
        return HttpResponse(
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
            response.body,
        )

    def _check_length(self, request: HttpRequest, response: HttpResponse) -> None:
        if len(response.body) > request.max_length:
            raise HttpError(
                f"{_host(request.url)}: its answer is longer than {request.max_length:,} bytes"
            )


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
