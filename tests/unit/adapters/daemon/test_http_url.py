from __future__ import annotations

import pytest

from millstream.adapters.daemon.http_url import parse_url


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "header"),
    [
        ("http://a.example", "a.example", 80, "/", "a.example"),
        ("https://A.example:443/x", "a.example", 443, "/x", "a.example"),
        ("http://a.example:443/x", "a.example", 443, "/x", "a.example:443"),
        ("http://[::1]:80/?q", "::1", 80, "/?q", "[::1]"),
        ("http://[::1]:81/?q", "::1", 81, "/?q", "[::1]:81"),
        ("http://a/announce?info_hash=%00%ff~a&b=c+d#part", "a", 80, None, "a"),
        ("http://a/film é.mkv", "a", 80, "/film%20%C3%A9.mkv", "a"),
    ],
)
def test_urls(text, host, port, target, header):
    url = parse_url(text)
    assert (url.host, url.port, url.host_header) == (host, port, header)
    assert url.target == (target or "/announce?info_hash=%00%ff~a&b=c+d")
    assert url.is_secure == text.startswith("https")
    assert url.authorization == ""


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/x", "http://a:8/x"),
        ("y?z", "http://a:8/b/y?z"),
        ("//c/x", "http://c/x"),
        ("https://d/", "https://d/"),
        ("?q", "http://a:8/b/c?q"),
        ("", "http://a:8/b/c"),
    ],
)
def test_relative_ones(text, target):
    assert parse_url(text, parse_url("http://a:8/b/c")).text == target


def test_who_asks_may_be_in_it():
    assert parse_url("http://me:p%40ss@a/").authorization == "Basic bWU6cEBzcw=="
    assert parse_url("http://me@a/").host == "a"


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "udp://a:1", "ftp://a/", "http://", "http:///x", "http://a:0/"),
        *("http://a:99999/", "http://[::1/", "http://a:x/", "http://:80/"),
    ],
)
def test_what_is_none(text):
    with pytest.raises(ValueError):
        parse_url(text)
