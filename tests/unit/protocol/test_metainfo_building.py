from __future__ import annotations

import pytest

from millstream.errors import MalformedTorrentError
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.protocol.metainfo_building import build

DIGEST = bytes(range(20))


def test_a_single_file_is_built():
    data = build("a.bin", [FileEntry(("a.bin",), 5)], 16384, DIGEST, is_multi_file=False)
    assert data == (
        b"d4:infod6:lengthi5e4:name5:a.bin12:piece lengthi16384e6:pieces20:" + DIGEST + b"ee"
    )


def test_what_is_built_is_read_back():
    files = (
        FileEntry(("ä", "run"), 5, FileAttribute.EXECUTABLE | FileAttribute.HIDDEN),
        FileEntry((".pad", "3"), 3, FileAttribute.PAD),
        FileEntry(("link",), 0, FileAttribute.SYMLINK, ("ä", "run")),
    )
    metainfo = Metainfo.parse(
        build(
            "dir",
            files,
            4,
            DIGEST * 2,
            is_multi_file=True,
            private=True,
            trackers=[["http://a", "http://b"], [], ["udp://c"]],
            web_seeds=["http://d"],
            comment="c",
            created_by="me",
            creation_date=0,
        )
    )
    assert metainfo.name == "dir"
    assert metainfo.files == files
    assert metainfo.is_multi_file
    assert metainfo.private
    assert metainfo.trackers == (("http://a", "http://b"), ("udp://c",))
    assert metainfo.web_seeds == ("http://d",)
    assert (metainfo.comment, metainfo.created_by, metainfo.creation_date) == ("c", "me", 0)


def test_one_tracker_needs_no_list():
    data = build(
        "a", [FileEntry(("a",), 5)], 16384, DIGEST, is_multi_file=False, trackers=[["http://t"]]
    )
    assert b"announce-list" not in data
    assert Metainfo.parse(data).trackers == (("http://t",),)


@pytest.mark.parametrize(
    ("name", "files", "piece_length", "digests", "is_multi_file"),
    [
        ("a", [], 16384, DIGEST, False),
        ("a", [], 16384, DIGEST, True),
        ("a", [FileEntry(("a",), 5)] * 2, 16384, DIGEST, False),
        ("a", [FileEntry(("a",), 0)], 16384, b"", False),
        ("a", [FileEntry(("a",), -5)], 16384, DIGEST, False),
        ("a", [FileEntry(("a",), 5)], 0, DIGEST, False),
        ("a", [FileEntry(("a",), 5)], 4, DIGEST, False),
        ("a", [FileEntry((), 5)], 16384, DIGEST, True),
        ("\udc80", [FileEntry(("a",), 5)], 16384, DIGEST, False),
        ("a", [FileEntry(("\udc80",), 5)], 16384, DIGEST, True),
        ("a", [FileEntry(("a",), 10**30)], 16384, DIGEST, False),
    ],
)
def test_no_malformed_torrent_is_built(name, files, piece_length, digests, is_multi_file):
    with pytest.raises(MalformedTorrentError):
        build(name, files, piece_length, digests, is_multi_file=is_multi_file)
