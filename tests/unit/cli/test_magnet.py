from __future__ import annotations

import hashlib
import json

import pytest

from millstream.cli import main
from millstream.cli.magnet import magnet_of
from millstream.protocol.magnet import MAX_TRACKERS, Magnet
from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build


def made(**options) -> bytes:
    digest = hashlib.sha1(bytes(10)).digest()
    return build(
        "pict ures", [FileEntry(("pict ures",), 10)], 16384, digest, is_multi_file=False, **options
    )


FULL = {
    "trackers": [["http://a.example/announce", "udp://b.example:1"], ["udp://b.example:1"]],
    "web_seeds": ["https://w.example/"],
}


@pytest.fixture
def torrent(tmp_path):
    path = tmp_path / "x.torrent"
    path.write_bytes(made(**FULL))
    return path


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["magnet", *map(str, arguments)])
    assert end.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return out.strip()


def test_the_link_says_what_the_torrent_says(capsys, torrent):
    link = Magnet.parse(printed(capsys, torrent))
    metainfo = Metainfo.parse(made(**FULL))
    assert (link.info_hash, link.name) == (metainfo.info_hash, "pict ures")
    assert link.trackers == ("http://a.example/announce", "udp://b.example:1")
    assert link.web_seeds == ("https://w.example/",)


def test_without_trackers_it_is_as_short_as_can_be(capsys, torrent):
    metainfo = Metainfo.parse(made(**FULL))
    line = printed(capsys, torrent, "--no-trackers")
    assert line == f"magnet:?xt=urn:btih:{metainfo.info_hash}&dn=pict%20ures"


def test_json(capsys, torrent):
    facts = json.loads(printed(capsys, torrent, "--json"))
    assert facts == {
        "event": "magnet",
        "magnet": str(magnet_of(Metainfo.parse(made(**FULL)))),
        "infohash": str(Metainfo.parse(made()).info_hash),
        "name": "pict ures",
        "trackers": ["http://a.example/announce", "udp://b.example:1"],
        "web_seeds": ["https://w.example/"],
    }


def test_the_link_is_no_longer_than_can_be_read_back():
    trackers = [[f"http://{number}.example/announce"] for number in range(MAX_TRACKERS + 9)]
    link = magnet_of(Metainfo.parse(made(trackers=trackers)))
    assert len(link.trackers) == MAX_TRACKERS
    assert Magnet.parse(str(link)) == link
