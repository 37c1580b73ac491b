from __future__ import annotations

import pytest

from millstream.adapters.daemon.http_head import (
    MAX_HEAD_LENGTH,
    HttpSyntaxError,
    find_head,
    parse_head,
    request_head,
)
from millstream.adapters.daemon.http_url import parse_url

URL = parse_url("http://me:x@a.example:81/b?c")


def test_a_request():
    head = request_head(URL, {"User-Agent": "Millstream", "X-Name": "é"})
    assert head.decode().split("\r\n") == [
        "GET /b?c HTTP/1.1",
        "Host: a.example:81",
        "Authorization: Basic bWU6eA==",
        "User-Agent: Millstream",
        "X-Name: é",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("X", "a\r\nY: b"), ("X", "a\0"), ("X Y", "a"), ("", "a"), ("X:", "a")]
)
def test_headers_that_cannot_be_sent(name, value):
    with pytest.raises(ValueError, match="header"):
        request_head(URL, {name: value})


def test_where_a_head_ends():
    assert find_head(bytearray(b"HTTP/1.1 200 OK\r\nA: b\r\n")) == 0
    assert find_head(bytearray(b"abc\r\n\r\nbody\n\n")) == 7
    assert find_head(bytearray(b"abc\n\nbody\r\n\r\n")) == 5
    with pytest.raises(HttpSyntaxError):
        find_head(bytearray(MAX_HEAD_LENGTH + 1))


def test_an_answer():
    head = parse_head(
        b"HTTP/1.1 206 Partial Content\r\nContent-Range:  bytes 0-9/10 \r\nX-A: 1\r\nx-a: 2\r\n"
        b"Name: \xc3\xa9\xff\r\nEmpty:\r\n\r\n"
    )
    assert head.status == 206
    assert head.headers == {
        "content-range": "bytes 0-9/10",
        "x-a": "2",
        "name": "é\udcff",
        "empty": "",
    }
    assert parse_head(b"HTTP/1.0 200\n\n").status == 200


@pytest.mark.parametrize(("status", "has_body"), [(200, True), (204, False), (304, False)])
def test_some_have_no_body(status, has_body):
    assert parse_head(b"HTTP/1.1 %d x\r\n\r\n" % status).has_body == has_body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na b: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_what_is_no_answer(data):
    with pytest.raises(HttpSyntaxError):
        parse_head(data)
