from __future__ import annotations

import pytest

from millstream.errors import MalformedMagnetError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import (
    MAX_MAGNET_LENGTH,
    MAX_PEERS,
    MAX_TRACKERS,
    MAX_WEB_SEEDS,
    Magnet,
)

HEX = "631a31dd0a46257d5078c0dee4e66e26f73e42ac"
BASE32 = "MMNDDXIKIYSX2UDYYDPOJZTOE33T4QVM"
HASH = InfoHash.from_hex(HEX)
BARE = f"magnet:?xt=urn:btih:{HEX}"
V2 = "urn:btmh:1220" + 64 * "a"

FULL = Magnet(
    HASH,
    name="a & b \N{EURO SIGN}",
    trackers=("http://t.example/a?k=1&x=%20", "udp://t.example:80/announce"),
    web_seeds=("https://w.example/files/",),
    peers=(PeerAddress("192.0.2.1", 6881), PeerAddress("2001:db8::1", 1), PeerAddress("p", 2)),
    select=FileSelection(((0, 0), (2, 4))),
)


def test_how_it_looks():
    assert str(Magnet(HASH)) == BARE
    assert str(FULL) == (
        BARE + "&dn=a%20%26%20b%20%E2%82%AC"
        "&tr=http%3A%2F%2Ft.example%2Fa%3Fk%3D1%26x%3D%2520"
        "&tr=udp%3A%2F%2Ft.example%3A80%2Fannounce"
        "&ws=https%3A%2F%2Fw.example%2Ffiles%2F"
        "&x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:1&x.pe=p:2"
        "&so=0,2-4"
    )


def test_there_and_back():
    assert Magnet.parse(str(FULL)) == FULL


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"  {BARE}\n",
        f"MAGNET:?XT=URN:BTIH:{HEX.upper()}",
        f"magnet:?xt=urn%3Abtih%3A{HEX}",
        f"magnet:?xt=urn:btih:{BASE32}",
        f"magnet:?xt=urn:btih:{BASE32.lower()}",
        f"magnet:?xt.1=urn:btih:{HEX}",
        f"magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{BASE32}",
        f"magnet:?xt={V2}&xt=urn:btih:{HEX}",
        f"magnet:?xt=urn:sha1:ABC&xt=urn:btih:{HEX}&xl=5&kt=a+b&junk&=&&",
    ],
)
def test_forms_of_the_infohash(text):
    assert Magnet.parse(text) == Magnet(HASH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with"),
        ("http://example.org/", "begins with"),
        (f"magnet:xt=urn:btih:{HEX}", "begins with"),
        ("magnet:?", "no infohash"),
        ("magnet:?dn=name", "no infohash"),
        ("magnet:?xt=urn:sha1:abc", "no infohash"),
        (f"magnet:?xt={V2}", "BEP 52"),
        ("magnet:?xt=urn:btih:", "has 0"),
        (f"magnet:?xt=urn:btih:{HEX}0", "has 41"),
        (f"magnet:?xt=urn:btih:{40 * 'z'}", "is none"),
        (f"magnet:?xt=urn:btih:{32 * '1'}", "is none"),
        (f"magnet:?xt=urn:btih:{24 * 'A'}========", "is none"),
        (f"magnet:?xt=urn:btih:{40 * chr(0xE9)}", "is none"),
        (f"magnet:?xt=urn:btih:{32 * chr(0xE9)}", "is none"),
        (f"{BARE}&xt=urn:btih:{40 * '0'}", "several"),
        (f"{BARE}&dn={'x' * MAX_MAGNET_LENGTH}", "over 131072"),
    ],
)
def test_what_names_no_torrent_is_refused(text, message):
    with pytest.raises(MalformedMagnetError, match=message):
        Magnet.parse(text)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a+b%20c", "a b c"),
        ("a%2Bb", "a+b"),
        ("%E2%82%AC", "\N{EURO SIGN}"),
        ("%FF", "\N{REPLACEMENT CHARACTER}"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("\udc80", 3 * "\N{REPLACEMENT CHARACTER}"),
        ("a%1B%5B2J%0A", "a[2J"),
        ("", None),
        ("%20", None),
        ("&dn=second", "second"),
        ("first&dn=second", "first"),
    ],
)
def test_names(value, name):
    assert Magnet.parse(f"{BARE}&dn={value}").name == name


def test_what_is_no_url_or_peer_is_left_out():
    magnet = Magnet.parse(
        f"{BARE}&tr=&tr=nonsense&tr=http%3A%2F%2Fa%0d%0ab&tr.1=udp://a:1&TR=udp://a:1"
        "&ws=file&ws=http://w/%61&x.pe=1.2.3.4&x.pe=1.2.3:5&x.pe=::1:5&x.pe=h%3A5&x.pe=h:0"
    )
    assert magnet.trackers == ("udp://a:1",)
    assert magnet.web_seeds == ("http://w/a",)
    assert magnet.peers == (PeerAddress("h", 5),)


def test_lists_are_bounded():
    parts = [f"&tr=udp://t{n}&ws=http://w{n}&x.pe=h{n}:1" for n in range(400)]
    magnet = Magnet.parse(BARE + "".join(parts))
    assert len(magnet.trackers) == MAX_TRACKERS
    assert len(magnet.web_seeds) == MAX_WEB_SEEDS
    assert len(magnet.peers) == MAX_PEERS


@pytest.mark.parametrize(
    ("value", "select"),
    [
        ("0,2,4,6-8", "0,2,4,6-8"),
        ("1%2C3", "1,3"),
        ("1&so=0", "0-1"),
        ("x", None),
        ("", None),
        ("0-2147483647", "0-2147483647"),
    ],
)
def test_select_only(value, select):
    found = Magnet.parse(f"{BARE}&so={value}").select
    assert (found and str(found)) == select
