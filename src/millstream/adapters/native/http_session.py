"""Requests over aiohttp: redirects, limits and decoding are done here, where they can be guarded."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import closing

import aiohttp
from aiohttp import hdrs
from yarl import URL

from millstream.adapters.native.http_guard import GuardedResolver, check_literal
from millstream.adapters.native.resolver import Resolver
from millstream.errors import HttpError
from millstream.interfaces.http import (
    MAX_REDIRECTS,
    Accept,
    DataReceived,
    HttpRequest,
    HttpResponse,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}

# Nothing in it needs quoting, so quoting must not touch it: trackers want their bytes unchanged.
_QUOTED = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+").fullmatch

# What one step of decompression may give.
MAX_DECODED_PART = 64 << 10

# gzip or zlib, as the header says.
_WINDOW_BITS = 32 + zlib.MAX_WBITS

# Connections at once: for trackers, which answer in no time, as aiohttp does by default; and for
# streams, 64 web seeds of four. More wait for one to become free.
MAX_CONNECTIONS = 100
MAX_STREAM_CONNECTIONS = 256


class HttpSessions:
    """The sessions of one client: a connection is only used again under the same restrictions."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._resolver = Resolver()
        self._sessions: dict[tuple[bool, int | None, int], aiohttp.ClientSession] = {}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        body = bytearray()
        session = self._session(request, MAX_CONNECTIONS)
        response = await _fetch(session, request, "gzip", lambda _: True, body.extend)
        return HttpResponse(response.status, response.headers, bytes(body))

    async def stream(
        self, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        # Not compressed: ranges are of the bytes that are transferred (RFC 9110, section 14).
        session = self._session(request, MAX_STREAM_CONNECTIONS)
        return await _fetch(session, request, "identity", accept, data_received)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, request: HttpRequest, most: int) -> aiohttp.ClientSession:
        key = request.allow_local, request.family, most
        session = self._sessions.get(key)
        if session is None:
            connector = aiohttp.TCPConnector(
                resolver=GuardedResolver(self._resolver, allow_local=request.allow_local),
                family=_FAMILIES[request.family],
                limit=most,
            )
            session = self._sessions[key] = aiohttp.ClientSession(
                connector=connector,
                headers={hdrs.USER_AGENT: self._user_agent},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return session


async def _fetch(
    session: aiohttp.ClientSession,
    request: HttpRequest,
    coding: str,
    accept: Accept,
    data_received: DataReceived,
) -> HttpResponse:
    url = _parse(request.url)
    host = url.host or ""
    headers = {hdrs.ACCEPT_ENCODING: coding, **request.headers}
    try:
        async with asyncio.timeout(request.timeout):
            for _ in range(MAX_REDIRECTS + 1):
                host = url.host or ""
                check_literal(host, request.family, allow_local=request.allow_local)
                with closing(
                    await session.get(url, headers=headers, allow_redirects=False)
                ) as answer:
                    location = answer.headers.get(hdrs.LOCATION)
                    if answer.status not in _REDIRECTS or location is None:
                        return await _take(answer, request, accept, data_received)
                    url = _parse(location, url)
            raise HttpError(f"{host}: more than {MAX_REDIRECTS} redirects")
    except TimeoutError as error:
        raise HttpError(f"{host}: no whole answer within {request.timeout:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpError(f"{host}: {_in_words(error)}") from error


def _parse(text: str, base: URL | None = None) -> URL:
    try:
        url = URL(text, encoded=_QUOTED(text) is not None)
        if base is not None:
            url = base.join(url)
        usable = url.scheme in {"http", "https"} and bool(url.host) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        where = f"{base.host} redirects to what" if base is not None else f"{text[:200]!r}"
        raise HttpError(f"{where} is no URL that begins with http:// or https://")
    return url


async def _take(
    answer: aiohttp.ClientResponse,
    request: HttpRequest,
    accept: Accept,
    data_received: DataReceived,
) -> HttpResponse:
    """Receive the body, decoded, as far as it is wanted and allowed."""
    host = answer.url.host
    headers = {name.lower(): value for name, value in answer.headers.items()}
    response = HttpResponse(answer.status, headers)
    if not accept(response):
        return response
    too_long = HttpError(f"{host}: its answer is longer than {request.max_length:,} bytes")
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise HttpError(
            f"{host}: its answer is encoded as {coding[:40]!r}, which was not asked for"
        )
    decoder = None if coding in {"", "identity"} else _Inflater()
    announced = answer.content_length
    if decoder is None and announced is not None and announced > request.max_length:
        raise too_long
    length = 0
    async for data in answer.content.iter_any():
        for part in [data] if decoder is None else decoder.decode(data):
            length += len(part)
            if length > request.max_length:
                raise too_long
            if part and (taking := data_received(memoryview(part))) is not None:
                await taking
    if decoder is not None and not decoder.ended:
        raise HttpError(f"{host}: its compressed answer is cut short")
    return response


class _Inflater:
    """Decompresses in bounded parts: a few bytes may stand for gigabytes."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_WINDOW_BITS)
        self.ended = True  # an empty body has nothing to end

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data and not self._decoder.eof:
            try:
                yield self._decoder.decompress(data, MAX_DECODED_PART)
            except zlib.error as error:
                raise ValueError("its answer is not compressed as it says") from error
            data = self._decoder.unconsumed_tail
        self.ended = self._decoder.eof


def _in_words(error: Exception) -> str:
    """What went wrong, without aiohttp's own terms."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not accepted: {_reason(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _reason(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer is cut short"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it answered is not HTTP"
    if isinstance(error, OSError):
        return _reason(error)
    return str(error) or type(error).__name__


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno).lower()
    return str(error)
