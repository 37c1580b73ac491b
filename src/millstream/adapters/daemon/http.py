"""HTTP over streams that the daemon holds: one connection a request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Protocol

from millstream.adapters.daemon.http_body import Decoder, announced_length, framing_of
from millstream.adapters.daemon.http_exchange import HttpExchange
from millstream.adapters.daemon.http_head import (
    Head,
    HttpSyntaxError,
    find_head,
    parse_head,
    request_head,
)
from millstream.adapters.daemon.http_url import HttpUrl, parse_url
from millstream.errors import HttpError, NetworkError
from millstream.interfaces.http import (
    MAX_REDIRECTS,
    Accept,
    DataReceived,
    HttpRequest,
    HttpResponse,
)
from millstream.interfaces.network import Connection, Network
from millstream.protocol.address_scope import is_global, scope_of
from millstream.protocol.compact import PeerAddress

# At once, for trackers and for streams; more wait for one to end.
MAX_CONNECTIONS = 100
MAX_STREAM_CONNECTIONS = 256

# Addresses of a name that are tried.
MAX_ADDRESSES = 4

# Answers before the answer (RFC 9110, section 15.2).
MAX_INTERIM_ANSWERS = 8

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class SecureNetwork(Network, Protocol):
    """A network with TLS."""

    async def secure(self, stream: Connection, host: str) -> None:
        """Go on with TLS; raises NetworkError."""


class DaemonHttp:
    """Implements `interfaces.http.HttpClient`. No cookies are kept, and no connections.

    Args:
        network: the daemon's.
        user_agent: what it calls itself, such as `Millstream/0.1.0`.
    """

    def __init__(self, network: SecureNetwork, user_agent: str) -> None:
        self._network = network
        self._user_agent = user_agent
        self._for_gets = asyncio.Semaphore(MAX_CONNECTIONS)
        self._for_streams = asyncio.Semaphore(MAX_STREAM_CONNECTIONS)
        self._is_closed = False

    async def get(self, request: HttpRequest) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        body = bytearray()
        response = await self._fetch(request, self._for_gets, "gzip", lambda _: True, body.extend)
        return HttpResponse(response.status, response.headers, bytes(body))

    async def stream(
        self, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        # Not compressed: ranges are of the bytes that are transferred (RFC 9110, section 14).
        return await self._fetch(request, self._for_streams, "identity", accept, data_received)

    async def close(self) -> None:
        """See `interfaces.http.HttpClient`."""
        self._is_closed = True

    async def _fetch(
        self,
        request: HttpRequest,
        room: asyncio.Semaphore,
        coding: str,
        accept: Accept,
        data_received: DataReceived,
    ) -> HttpResponse:
        url = _parse(request.url)
        headers = {
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Accept-Encoding": coding,
            **request.headers,
            "Connection": "close",
        }
        try:
            async with asyncio.timeout(request.timeout), room:
                for _ in range(MAX_REDIRECTS + 1):
                    exchange = await self._connect(url, request)
                    try:
                        head, rest = await _ask(exchange, url, headers)
                        location = head.headers.get("location")
                        if head.status not in _REDIRECTS or location is None:
                            taking = _Taking(url.host, request, accept, data_received)
                            return await taking.run(exchange, head, rest)
                    finally:
                        exchange.connection.close()
                    url = _parse(location, url)
                raise HttpError(f"{url.host}: more than {MAX_REDIRECTS} redirects")
        except TimeoutError as error:
            raise HttpError(f"{url.host}: no whole answer within {request.timeout:g} s") from error

    async def _connect(self, url: HttpUrl, request: HttpRequest) -> HttpExchange:
        if self._is_closed:
            raise HttpError("the HTTP client is closed")
        failure = HttpError(f"{url.host}: there is no address")
        for address in (await self._usable(url.host, request))[:MAX_ADDRESSES]:
            made: list[HttpExchange] = []

            def make(connection: Connection, made: list[HttpExchange] = made) -> HttpExchange:
                made.append(HttpExchange(connection))
                return made[0]

            try:
                stream = await self._network.connect(PeerAddress(address, url.port), make)
            except NetworkError as error:
                failure = HttpError(f"{url.host}: {error}")
                continue
            if url.is_secure:
                try:
                    await self._network.secure(stream, url.host)
                except BaseException as error:
                    stream.close()
                    if isinstance(error, NetworkError):
                        raise HttpError(f"{url.host}: {error}") from error
                    raise
            return made[0]
        raise failure

    async def _usable(self, host: str, request: HttpRequest) -> list[str]:
        """The addresses of a host that may be connected to. Raises HttpError."""
        try:
            found = await self._network.resolve(host)
        except NetworkError as error:
            raise HttpError(str(error)) from error
        if request.family is not None:
            of_family = [each for each in found if (request.family == 6) == (":" in each)]
            if not of_family:
                raise HttpError(f"{host} has no IPv{request.family} address")
            found = of_family
        # Looked at here, where a name has become what is connected to (`ssrf_mitigation`).
        usable = [each for each in found if request.allow_local or is_global(each)]
        if not usable:
            where = host if _is_address(host) else f"{host} leads to {found[0]}"
            raise HttpError(
                f"{where}, a {scope_of(found[0]).value} address: "
                "local hosts are not contacted for a torrent unless that is allowed"
            )
        return usable


class _Taking:
    """Receives a body, decoded, as far as it is wanted and allowed."""

    def __init__(
        self, host: str, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> None:
        self._host = host
        self._most = request.max_length
        self._accept = accept
        self._data_received = data_received
        self._length = 0

    async def run(self, exchange: HttpExchange, head: Head, rest: bytes) -> HttpResponse:
        response = HttpResponse(head.status, head.headers)
        if not self._accept(response):
            return response
        with _named(self._host):
            framing, decoder = framing_of(head), Decoder(head.headers)
            announced = announced_length(head)
        if decoder.is_plain and announced is not None and announced > self._most:
            raise self._too_long()
        while not framing.is_whole:
            with _named(self._host):
                data = rest or await exchange.read()
                rest = b""
                if not data:
                    framing.end()
                    break
            parts = framing.receive(memoryview(data))
            while True:
                with _named(self._host):
                    part = next(parts, None)
                if part is None:
                    break
                await self._take(decoder, part)
        with _named(self._host):
            decoder.end()
        return response

    async def _take(self, decoder: Decoder, data: memoryview) -> None:
        decoded = decoder.decode(data)
        while True:
            with _named(self._host):
                part = next(decoded, None)
            if part is None:
                return
            self._length += len(part)
            if self._length > self._most:
                raise self._too_long()
            if part and (taking := self._data_received(part)) is not None:
                await taking

    def _too_long(self) -> HttpError:
        return HttpError(f"{self._host}: its answer is longer than {self._most:,} bytes")


@contextmanager
def _named(host: str) -> Iterator[None]:
    """What goes wrong within is told with the host's name."""
    try:
        yield
    except HttpError:
        raise
    except (NetworkError, HttpSyntaxError) as error:
        raise HttpError(f"{host}: {error}") from error


async def _ask(exchange: HttpExchange, url: HttpUrl, headers: dict[str, str]) -> tuple[Head, bytes]:
    """Send the request; the head of the answer, and what came behind it."""
    try:
        exchange.connection.write(request_head(url, headers))
    except ValueError as error:
        raise HttpError(f"{url.host}: {error}") from error
    received = bytearray()
    with _named(url.host):
        for _ in range(MAX_INTERIM_ANSWERS):
            while not (end := find_head(received)):
                data = await exchange.read()
                if not data:
                    raise HttpError(f"{url.host}: it closed the connection without an answer")
                received += data
            head = parse_head(bytes(received[:end]))
            del received[:end]
            if head.status >= 200:
                return head, bytes(received)
        raise HttpSyntaxError("it answers and answers, and never says what")


def _parse(text: str, base: HttpUrl | None = None) -> HttpUrl:
    with suppress(ValueError):
        return parse_url(text, base)
    where = f"{base.host} redirects to what" if base is not None else f"{text[:200]!r}"
    raise HttpError(f"{where} is no URL that begins with http:// or https://")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
