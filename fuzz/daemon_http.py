"""Targets for the HTTP client of a sandboxed engine: what web servers and trackers may answer."""

from __future__ import annotations

import gzip
from contextlib import suppress

from millstream.adapters.daemon.http_body import Decoder, framing_of
from millstream.adapters.daemon.http_head import (
    Head,
    HttpSyntaxError,
    find_head,
    parse_head,
    request_head,
)
from millstream.adapters.daemon.http_url import parse_url

from .target import Target


def fuzz_http_answer(data: bytes) -> None:
    """An answer is the same whether it comes at once or byte by byte, or is refused."""
    received = bytearray(data)
    with suppress(HttpSyntaxError):
        end = find_head(received)
        if not end:
            return
        head = parse_head(bytes(received[:end]))
        rest = bytes(received[end:])
        assert _body(head, [rest]) == _body(head, [bytes([byte]) for byte in rest])


def _body(head: Head, parts: list[bytes]) -> tuple[bytes, bool] | str:
    """The body, and whether it is whole; or what is wrong with it."""
    body = bytearray()
    try:
        framing, decoder = framing_of(head), Decoder(head.headers)
        for part in parts:
            if framing.is_whole:
                break
            for framed in framing.receive(memoryview(part)):
                for decoded in decoder.decode(framed):
                    body += decoded
        if framing.is_whole:
            decoder.end()
    except HttpSyntaxError as error:
        return str(error)
    return bytes(body), framing.is_whole


def fuzz_http_url(data: bytes) -> None:
    """A URL, or where a server redirects to; what is asked for has nothing in it that ends a line."""
    text = data.decode("utf-8", "surrogateescape")
    for base in (None, parse_url("http://a.example/b/c?d")):
        with suppress(ValueError):
            url = parse_url(text, base)
            assert 0 < url.port <= 65535
            head = request_head(url, {})
            assert head.count(b"\r\n") == head.count(b"\n") == 3 + bool(url.authorization)
            assert b" " not in url.target.encode("utf-8", "surrogateescape")


_HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
_CHUNKS = b"4\r\nWiki\r\n6;a=b\r\npedia \r\n0\r\nTrailer: x\r\n\r\n"

TARGETS = [
    Target(
        "http_answer",
        "answers of web servers",
        fuzz_http_answer,
        [
            _HEAD + b"Content-Length: 5\r\n\r\nhello",
            _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
            _HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello" * 9, mtime=0),
        ],
    ),
    Target(
        "http_url",
        "URLs of trackers and web seeds",
        fuzz_http_url,
        [b"http://me:x@a.example:80/b?c=%20#d", b"//b/c", b"https://[::1]/\xc3\xa9 x"],
    ),
]
