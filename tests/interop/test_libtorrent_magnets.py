"""Magnet links, read and written by libtorrent and by us."""

from __future__ import annotations

import pytest

from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet

lt = pytest.importorskip("libtorrent", reason="libtorrent's Python bindings are not installed")

pytestmark = pytest.mark.interop

HEX = "cd" * 20
BARE = f"magnet:?xt=urn:btih:{HEX}"
DONT_DOWNLOAD = 0


def selected(priorities: list[int]) -> list[int]:
    return [index for index, priority in enumerate(priorities) if priority != DONT_DOWNLOAD]


@pytest.mark.parametrize(
    "link",
    [
        BARE,
        f"magnet:?XT=urn:btih:{HEX.upper()}&dN=foobar&Ws=http://foo.com/bar",
        f"magnet:?xt=urn%3Abtih%3A{HEX}",
        f"magnet:?xt=urn:btih:{HEX[:-2]}c%64",
        "magnet:?xt=urn:btih:MFRGCYTBMJQWEYLCMFRGCYTBMJQWEYLC",
        "magnet:?xt=urn:btih:abaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        f'magnet:?"foo=bar&xt=urn:btih:{HEX}',
        f"{BARE}&tr.0=http://a/1&tr.1=udp%3A%2F%2Fb%3A80&tr=nonsense&tr=&tr=http://a%20b",
        f"{BARE}&dn=a+b%20%E2%82%AC&x.pe=127.0.0.1:43&x.pe=[2001::1]:45&x.pe=1.2.3.4",
        f"{BARE}&so=0,2,6-8",
        f"{BARE}&so=0,,2-,-3,5-4,7&so=9",
        f"{BARE}&xt=urn:btmh:1220{'cd' * 32}&xt=urn:sha1:abc&unknown=1",
    ],
)
def test_links_that_both_read_alike(link: str) -> None:
    theirs = lt.parse_magnet_uri(link)

    ours = Magnet.parse(link)

    assert bytes.fromhex(str(theirs.info_hashes.v1)) == ours.info_hash
    assert theirs.name == (ours.name or "")
    assert tuple(theirs.trackers) == ours.trackers
    assert tuple(theirs.url_seeds) == ours.web_seeds
    assert tuple(PeerAddress(*peer) for peer in theirs.peers) == ours.peers
    count = len(theirs.file_priorities)
    assert selected(theirs.file_priorities) == (ours.select.indexes(count) if ours.select else [])


@pytest.mark.parametrize(
    "link",
    [
        "magnet:?dn=foo",
        "magnet:?xt=blah&dn=foo",
        "magnet:?xt=urn:btih:abababab",
        f"magnet:?xt=urn:btih:{40 * 'z'}",
        "http://example.org/",
    ],
)
def test_links_that_both_refuse(link: str) -> None:
    from millstream.errors import MalformedMagnetError

    with pytest.raises(RuntimeError):
        lt.parse_magnet_uri(link)
    with pytest.raises(MalformedMagnetError):
        Magnet.parse(link)


def test_libtorrent_reads_what_we_write() -> None:
    ours = Magnet(
        InfoHash.from_hex(HEX),
        name="a & b + \N{EURO SIGN}",
        trackers=("http://t.example/a?k=1&x=%20+", "udp://t.example:80/announce"),
        web_seeds=("https://w.example/files/",),
        peers=(PeerAddress("192.0.2.1", 6881), PeerAddress("2001:db8::1", 1)),
        select=FileSelection(((0, 0), (2, 4))),
    )

    theirs = lt.parse_magnet_uri(str(ours))

    assert str(theirs.info_hashes.v1) == HEX
    assert theirs.name == ours.name
    assert tuple(theirs.trackers) == ours.trackers
    assert tuple(theirs.url_seeds) == ours.web_seeds
    assert tuple(PeerAddress(*peer) for peer in theirs.peers) == ours.peers
    assert selected(theirs.file_priorities) == [0, 2, 3, 4]


def test_we_read_what_libtorrent_writes() -> None:
    theirs = lt.add_torrent_params()
    theirs.info_hashes = lt.info_hash_t(lt.sha1_hash(bytes.fromhex(HEX)))
    theirs.name = "a & b + \N{EURO SIGN}"
    theirs.trackers = ["http://t.example/a?k=1&x=%20"]
    theirs.url_seeds = ["https://w.example/files/"]
    theirs.peers = [("192.0.2.1", 6881), ("2001:db8::1", 1)]
    theirs.file_priorities = [4, 0, 4, 4]

    ours = Magnet.parse(lt.make_magnet_uri(theirs))

    assert ours == Magnet(
        InfoHash.from_hex(HEX),
        name=theirs.name,
        trackers=tuple(theirs.trackers),
        web_seeds=tuple(theirs.url_seeds),
        peers=(PeerAddress("192.0.2.1", 6881), PeerAddress("2001:db8::1", 1)),
        select=FileSelection(((0, 0), (2, 3))),
    )
