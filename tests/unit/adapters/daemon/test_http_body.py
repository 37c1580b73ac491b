from __future__ import annotations

import gzip
import zlib

import pytest

from millstream.adapters.daemon.http_body import (
    MAX_DECODED_PART,
    MAX_LINE_LENGTH,
    MAX_TRAILER_LENGTH,
    Decoder,
    announced_length,
    framing_of,
)
from millstream.adapters.daemon.http_head import Head, HttpSyntaxError

CHUNKED = {"transfer-encoding": "Chunked"}


def take(headers, *parts, status=200):
    """The body, and whether it is whole."""
    framing = framing_of(Head(status, headers))
    body = b"".join(bytes(each) for part in parts for each in framing.receive(memoryview(part)))
    return body, framing.is_whole, framing


@pytest.mark.parametrize(
    ("headers", "parts", "body", "is_whole"),
    [
        ({"content-length": "5"}, [b"ab", b"cde"], b"abcde", True),
        ({"content-length": "5"}, [b"abcdefgh"], b"abcde", True),
        ({"content-length": "5"}, [b"abc"], b"abc", False),
        ({"content-length": "0"}, [], b"", True),
        ({}, [b"ab", b"c"], b"abc", False),
        ({"transfer-encoding": "identity", "content-length": "1"}, [b"x"], b"x", True),
        (CHUNKED, [b"3\r\nabc\r\n0\r\n\r\n"], b"abc", True),
        (CHUNKED, [b"3;x=y\nabc\n00\nTrailer: x\n\nmore"], b"abc", True),
        (CHUNKED, [b"1\r\na\r\nA \r\n0123456789\r\n"], b"a0123456789", False),
        (CHUNKED, [b"0\r\n"], b"", False),
        (CHUNKED, [b"0\r\n\r\n"], b"", True),
        (CHUNKED | {"content-length": "1"}, [b"2\r\nab\r\n0\r\n\r\n"], b"ab", True),
    ],
)
def test_where_bodies_end(headers, parts, body, is_whole):
    assert take(headers, *parts)[:2] == (body, is_whole)
    split = [bytes([byte]) for part in parts for byte in part]
    assert take(headers, *split)[:2] == (body, is_whole)


def test_the_end_of_the_connection():
    for headers, part in (({"content-length": "5"}, b"abc"), (CHUNKED, b"3\r\nabc\r\n")):
        with pytest.raises(HttpSyntaxError, match="cut short"):
            take(headers, part)[2].end()
    for headers, part in (({}, b"abc"), ({"content-length": "1"}, b"x"), (CHUNKED, b"0\r\n\r\n")):
        framing = take(headers, part)[2]
        framing.end()
        assert framing.is_whole


def test_answers_without_a_body():
    assert take({"content-length": "5"}, status=304)[1]


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"-1\r\n",
        b"\r\n",
        b"1" * 16 + b"\r\n",
        b"3\r\nabcd",
        b"1\r\na\r\n\r\n",
        b"1;" + b"x" * (MAX_LINE_LENGTH + 5) * 2,
        b"0\r\n" + b"x: y\r\n" * MAX_TRAILER_LENGTH,
    ],
)
def test_chunks_that_are_none(data):
    with pytest.raises(HttpSyntaxError):
        take(CHUNKED, data + b"zz\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "-1"},
        {"content-length": "1, 1"},
        {"content-length": "9" * 19},
        {"transfer-encoding": "gzip, chunked"},
    ],
)
def test_lengths_that_are_none(headers):
    with pytest.raises(HttpSyntaxError):
        framing_of(Head(200, headers))


def test_what_is_announced():
    assert announced_length(Head(200, {"content-length": "5"})) == 5
    assert announced_length(Head(200, {})) is None
    assert announced_length(Head(200, CHUNKED)) is None


BODY = bytes(range(256)) * 1000


def decoded(coding, *parts):
    decoder = Decoder({"content-encoding": coding})
    found = [bytes(each) for part in parts for each in decoder.decode(memoryview(part))]
    decoder.end()
    return found


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("", BODY),
        (" Identity ", BODY),
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("gzip", b""),
    ],
)
def test_what_is_compressed(coding, data):
    expected = BODY if data else b""
    assert b"".join(decoded(coding, data)) == expected
    assert b"".join(decoded(coding, *[data[at : at + 7] for at in range(0, len(data), 7)])) == (
        expected
    )


def test_a_bomb_comes_in_bounded_parts():
    parts = decoded("gzip", gzip.compress(bytes(10 << 20)))
    assert max(map(len, parts)) <= MAX_DECODED_PART
    assert sum(map(len, parts)) == 10 << 20


def test_what_is_not_compressed_as_it_says():
    with pytest.raises(HttpSyntaxError, match="compressed as"):
        decoded("gzip", b"plain text")
    with pytest.raises(HttpSyntaxError, match="cut short"):
        decoded("gzip", gzip.compress(BODY)[:-9])
    with pytest.raises(HttpSyntaxError, match="'br'"):
        Decoder({"content-encoding": "br"})
