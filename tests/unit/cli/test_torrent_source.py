from __future__ import annotations

import pytest

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.torrent_source import MAX_SHOWN, read_files_of, read_magnet, read_source, shown
from millstream.errors import HttpError, MalformedTorrentError
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import single_file_torrent

HEX = "0123456789abcdef" * 2 + "01234567"
LINK = f"magnet:?xt=urn:btih:{HEX}&dn=name"
TORRENT = single_file_torrent("x", b"content", 16384)


async def refusal(text: str) -> str:
    with pytest.raises(CommandError) as caught:
        await read_source(text)
    assert caught.value.code == ExitCode.USAGE
    return str(caught.value)


async def test_a_file(tmp_path):
    path = tmp_path / "x.torrent"
    path.write_bytes(TORRENT)
    assert await read_source(str(path)) == Metainfo.parse(TORRENT)
    assert await read_files_of(str(path), "it cannot be") == Metainfo.parse(TORRENT)


async def test_a_magnet_link():
    assert await read_source(LINK.replace("magnet", "MAGNET")) == Magnet.parse(LINK)
    assert read_magnet(LINK).name == "name"


async def test_a_link_is_no_use_where_the_files_must_be_known():
    with pytest.raises(CommandError, match="so there is nothing to seed") as caught:
        await read_files_of(LINK, "there is nothing to seed")
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magnet:?dn=x", "has no infohash"),
        ("magnet:?xt=urn:btih:00", "40 hex or 32 base32 digits, the magnet link's has 2"),
        ("magnet:", "begins with magnet:?"),
        ("ftp://host/x.torrent", "fetched from http:// and https://, not ftp://"),
        ("udp://tracker.example:80", "fetched from http:// and https://, not udp://"),
        ("no-such-file.torrent", "no-such-file.torrent cannot be read: No such file"),
        (HEX, f"if it is an infohash, write magnet:?xt=urn:btih:{HEX}"),
    ],
)
async def test_what_cannot_be_read_says_why(text, words):
    assert words in await refusal(text)


async def test_a_url(monkeypatch):
    async def load(source):
        assert source == "https://host/x.torrent"
        return Metainfo.parse(TORRENT)

    monkeypatch.setattr("millstream.presets.loading.load_torrent", load)
    assert (await read_source("https://host/x.torrent")).name == "x"


async def test_a_url_of_something_else_is_named(monkeypatch):
    async def load(source):
        raise MalformedTorrentError("it is a page")

    monkeypatch.setattr("millstream.presets.loading.load_torrent", load)
    assert await refusal("https://host/x.torrent") == "https://host/x.torrent: it is a page"


async def test_a_url_that_does_not_answer_is_an_error_of_the_network(monkeypatch):
    async def load(source):
        raise HttpError("no such host")

    monkeypatch.setattr("millstream.presets.loading.load_torrent", load)
    with pytest.raises(HttpError):
        await read_source("https://host/x.torrent")


def test_long_arguments_are_cut():
    assert shown("x\x1b") == "x\ufffd"
    assert len(shown("x" * 100_000)) == MAX_SHOWN + 3
