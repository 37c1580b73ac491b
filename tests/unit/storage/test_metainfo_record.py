import pytest

from millstream.protocol import bencode
from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.storage.metainfo_record import encode_metainfo


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"trackers": [["http://a/announce"]]},
        {
            "trackers": [["http://a/announce", "udp://b:1"], ["http://ü/"]],
            "web_seeds": ["http://w/", "http://v/"],
            "comment": "a cömment",
            "created_by": "somebody",
            "creation_date": 5,
            "private": True,
        },
    ],
)
def test_a_torrent_comes_back(said):
    files = [FileEntry(("name",), 5)]
    metainfo = Metainfo.parse(build("name", files, 16384, bytes(20), is_multi_file=False, **said))
    record = encode_metainfo(metainfo)
    assert Metainfo.parse(record) == metainfo
    bencode.decode(record)  # strictly, its keys in order


def test_an_info_dictionary_stays_byte_for_byte():
    info = b"d4:name1:n12:piece lengthi16384e6:pieces20:" + bytes(20) + b"6:lengthi1ee"
    metainfo = Metainfo.parse(b"d4:info" + info + b"e")
    assert metainfo.info == info
    assert Metainfo.parse(encode_metainfo(metainfo)) == metainfo
