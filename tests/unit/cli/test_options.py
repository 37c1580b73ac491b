from __future__ import annotations

import pytest
import typer

from millstream.cli.options import check_urls, parse_limit, parse_limits, parse_size_option
from millstream.core.limits_config import LimitsConfig


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


def test_limits():
    assert parse_limits(None, None) == LimitsConfig()
    down, up = 500 << 10, 2 << 20
    assert parse_limits("500K", "2M/s") == LimitsConfig(
        download=down, upload=up, alternative_download=down, alternative_upload=up
    )


def test_limits_are_over_those_of_the_settings_at_every_hour():
    base = LimitsConfig(download=5000, alternative_download=2000, torrent_upload=3000)
    assert parse_limits(None, None, base) is base
    assert parse_limits("none", "1M", base) == LimitsConfig(
        upload=1 << 20, alternative_upload=1 << 20, torrent_upload=3000
    )


@pytest.mark.parametrize(
    ("text", "rate"), [("none", None), ("NONE", None), ("1K", 1024), ("2MB/s", 2_000_000)]
)
def test_one_limit(text, rate):
    assert parse_limit(text, "--up") == rate


@pytest.mark.parametrize("text", ["x", "", "-5", "2M/h"])
def test_bad_limits(text):
    with pytest.raises(typer.BadParameter, match="is no rate; write it like 500K") as caught:
        parse_limits(None, text)
    assert caught.value.param_hint == "'--limit-up'"


@pytest.mark.parametrize("text", ["0", "1023"])
def test_limits_too_low(text):
    with pytest.raises(typer.BadParameter, match="the lowest limit is 1K per second") as caught:
        parse_limits(text, None)
    assert caught.value.param_hint == "'--limit-down'"
