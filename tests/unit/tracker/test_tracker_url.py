from __future__ import annotations

import pytest

from millstream.errors import TrackerError
from millstream.protocol.compact import PeerAddress
from millstream.tracker.tracker_url import MAX_URL_LENGTH, TrackerUrl


def test_parts():
    url = TrackerUrl.parse("HTTP://user:pw@t.example:80/a/announce?x=1&y=%2F#there")
    assert url == ("http", "user:pw@t.example:80", "/a/announce", "x=1&y=%2F")
    assert TrackerUrl.parse("udp://t.example:80") == ("udp", "t.example:80", "", None)
    assert TrackerUrl.parse("udp://t.example:80?").query == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "announce",
        "http:/x",
        "http://",
        "http:///announce",
        "://x",
        "1http://x",
        "http://a b/",
        "http://a/\r\nHost: b",
        "http://a/\0",
        "http://a/\udcff",
        "http://a/" + "x" * MAX_URL_LENGTH,
    ],
)
def test_what_is_no_url(text):
    with pytest.raises(TrackerError, match="no URL of a tracker"):
        TrackerUrl.parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://t.example:6969/announce", PeerAddress("t.example", 6969)),
        ("udp://1.2.3.4:1", PeerAddress("1.2.3.4", 1)),
        ("udp://[2001:DB8::1]:80/x", PeerAddress("2001:db8::1", 80)),
        ("udp://me@t.example:80", PeerAddress("t.example", 80)),
    ],
)
def test_the_address_of_a_udp_tracker(text, address):
    assert TrackerUrl.parse(text).address == address


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://t.example/announce", "t.example"),
        ("http://user:pw@t.example:80", "t.example"),
        ("https://[2001:db8::1]/x", "2001:db8::1"),
        ("http://[2001:db8::1]:80", "2001:db8::1"),
        ("http://10.0.0.1:6969", "10.0.0.1"),
    ],
)
def test_the_host_needs_no_port(text, host):
    assert TrackerUrl.parse(text).host == host


@pytest.mark.parametrize("text", ["udp://t.example", "udp://t.example:0", "udp://:80", "udp://a:b"])
def test_a_udp_tracker_needs_a_port(text):
    with pytest.raises(TrackerError, match="no host with a port"):
        _ = TrackerUrl.parse(text).address


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("udp://t.example:80/dir?a=b&c=d", b"/dir?a=b&c=d"),  # BEP 41's own
        ("udp://t.example:80", b""),
        ("udp://t.example:80/?", b"/?"),
        ("udp://t.example:80/%20\u00fc", "/%20\u00fc".encode()),
    ],
)
def test_the_data_of_bep_41(text, data):
    assert TrackerUrl.parse(text).data == data


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("http://t/announce", "http://t/announce?p=1"),
        ("http://t/announce?", "http://t/announce?p=1"),
        ("http://t/announce?passkey=%aB", "http://t/announce?passkey=%aB&p=1"),
        ("http://t/announce#x", "http://t/announce?p=1"),
    ],
)
def test_parameters_follow_the_urls_own(text, longer):
    assert TrackerUrl.parse(text).with_parameters("p=1") == longer
