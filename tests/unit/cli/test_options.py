from __future__ import annotations

import pytest
import typer

from millstream.cli.options import check_urls, parse_size_option


def test_sizes():
    assert parse_size_option(None, "--size") is None
    assert parse_size_option("1MiB", "--size") == 1 << 20


@pytest.mark.parametrize("text", ["0", "x", "-5"])
def test_bad_sizes(text):
    with pytest.raises(typer.BadParameter):
        parse_size_option(text, "--size")


def test_urls():
    assert check_urls(None, "--tracker", ("http",)) == ()
    assert check_urls(["http://a/b"], "--tracker", ("http", "udp")) == ("http://a/b",)


@pytest.mark.parametrize(
    "url", ["", "tracker.example", "ftp://x/", "http://", "http://[::1", "udp:x"]
)
def test_bad_urls(url):
    with pytest.raises(typer.BadParameter, match=r"begins with http://, udp://\."):
        check_urls([url], "--tracker", ("http", "udp"))
