from __future__ import annotations

import hashlib

import pytest

from millstream.errors import MalformedTorrentError
from millstream.protocol import metainfo as metainfo_module
from millstream.protocol.bencode import encode
from millstream.protocol.metainfo import (
    MAX_PATH_PARTS,
    MAX_PIECE_LENGTH,
    MAX_PIECES,
    MAX_TOTAL_LENGTH,
    FileAttribute,
    FileEntry,
    Metainfo,
)
from millstream.protocol.metainfo_building import build

NONE = FileAttribute(0)
DIGEST = bytes(range(20))


def single(**changes):
    """Make a torrent of one file of 10 bytes; a change to None takes the key out."""
    info = {b"length": 10, b"name": b"file.bin", b"piece length": 16384, b"pieces": DIGEST}
    return with_changes({b"info": with_changes(info, changes.pop("info", {}))}, changes)


def multi(*files, **changes):
    info = {b"files": list(files), b"name": b"dir", b"piece length": 16384, b"pieces": DIGEST}
    return with_changes({b"info": with_changes(info, changes.pop("info", {}))}, changes)


def with_changes(table, changes):
    for key, value in changes.items():
        name = key if isinstance(key, bytes) else key.replace("_", " ").encode()
        table[name] = value
    return {key: value for key, value in table.items() if value is not None}


def entry(*path, length=10, **more):
    return {b"length": length, b"path": list(path)} | {
        key.replace("_", " ").encode(): value for key, value in more.items()
    }


def parse(torrent):
    return Metainfo.parse(encode(torrent))


def test_a_single_file_is_read():
    torrent = single()
    metainfo = parse(torrent)
    assert metainfo.info == encode(torrent[b"info"])
    assert metainfo.info_hash == hashlib.sha1(metainfo.info).digest()
    assert metainfo.name == "file.bin"
    assert metainfo.files == (FileEntry(("file.bin",), 10),)
    assert not metainfo.is_multi_file
    assert metainfo.total_length == 10
    assert (metainfo.piece_length, metainfo.piece_count) == (16384, 1)
    assert metainfo.digest(0) == metainfo.digests == DIGEST
    assert not metainfo.private
    assert metainfo.trackers == ()
    assert metainfo.web_seeds == ()
    assert metainfo.comment is metainfo.created_by is metainfo.creation_date is None


def test_many_files_are_read():
    metainfo = parse(multi(entry(b"a", b"b.txt", length=3), entry(b"c", length=0), entry(b"d")))
    assert metainfo.is_multi_file
    assert metainfo.name == "dir"
    assert metainfo.total_length == 13
    assert metainfo.files == (
        FileEntry(("a", "b.txt"), 3),
        FileEntry(("c",), 0),
        FileEntry(("d",), 10),
    )


def test_the_infohash_is_of_the_bytes_in_the_file():
    # Unsorted keys: encoding the decoded dictionary anew would give another infohash.
    info = b"d4:name1:n6:lengthi10e12:piece lengthi16384e6:pieces20:" + DIGEST + b"e"
    metainfo = Metainfo.parse(b"d4:info" + info + b"e")
    assert metainfo.info == info
    assert metainfo.info_hash == hashlib.sha1(info).digest()


def test_everything_else_is_read():
    metainfo = parse(
        single(
            announce=b"http://a/announce",
            **{"announce-list": [[b"http://a/announce", b"udp://b:80"], [b"http://c"]]},
            **{"url-list": [b"http://seed/", b"http://seed/", b"http://other/"]},
            comment="Grüße".encode(),
            created_by=b"maker 1.0",
            creation_date=1234567,
            info={b"private": 1},
        )
    )
    assert metainfo.trackers == (("http://a/announce", "udp://b:80"), ("http://c",))
    assert metainfo.web_seeds == ("http://seed/", "http://other/")
    assert metainfo.comment == "Grüße"
    assert metainfo.created_by == "maker 1.0"
    assert metainfo.creation_date == 1234567
    assert metainfo.private


@pytest.mark.parametrize(
    ("keys", "trackers"),
    [
        ({b"announce": b" http://a\n"}, (("http://a",),)),
        ({b"announce": b""}, ()),
        ({b"announce": 5}, ()),
        ({b"announce": b"http://a", b"announce-list": []}, (("http://a",),)),
        ({b"announce": b"http://a", b"announce-list": [[]]}, (("http://a",),)),
        ({b"announce": b"http://a", b"announce-list": 7}, (("http://a",),)),
        ({b"announce-list": [b"http://a", [b"http://b", 1, b""], [[]]]}, (("http://b",),)),
    ],
)
def test_malformed_trackers_are_left_out(keys, trackers):
    assert Metainfo.parse(encode(single() | keys)).trackers == trackers


@pytest.mark.parametrize(
    ("value", "web_seeds"),
    [(b"http://a", ("http://a",)), (b"", ()), ([b"", 1, b" http://a "], ("http://a",)), ({}, ())],
)
def test_malformed_web_seeds_are_left_out(value, web_seeds):
    assert parse(single() | {b"url-list": value}).web_seeds == web_seeds


def test_malformed_remarks_are_left_out():
    metainfo = parse(
        single(comment=1, created_by=[], creation_date=-1, info={b"private": b"1"}),
    )
    assert metainfo.comment is metainfo.created_by is metainfo.creation_date is None
    assert not metainfo.private


def test_utf8_names_are_preferred():
    metainfo = parse(
        multi(
            {b"length": 10, b"path": [b"\xc4\xe3"], b"path.utf-8": ["你".encode(), b"x"]},
            info={b"name": b"\xba\xc3", b"name.utf-8": "好".encode()},
            comment=b"\xff",
            **{"comment.utf-8": "说".encode()},
        )
    )
    assert metainfo.name == "好"
    assert metainfo.files[0].path == ("你", "x")
    assert metainfo.comment == "说"


def test_names_that_are_no_utf8_get_underscores():
    metainfo = parse(multi(entry(b"a\xff.txt", b"\xed\xa0\x80"), info={b"name": b"\xc3"}))
    assert metainfo.name == "_"
    assert metainfo.files[0].path == ("a_.txt", "___")


def test_hostile_names_are_kept_for_the_layout_to_judge():
    metainfo = parse(multi(entry(b"..", b"/etc", b"a\0"), info={b"name": b"../x"}))
    assert metainfo.name == "../x"
    assert metainfo.files[0].path == ("..", "/etc", "a\0")


def test_attributes_are_read():
    metainfo = parse(
        multi(
            entry(b"x", attr=b"x"),
            entry(b"h", attr=b"hx?"),
            entry(b".pad", b"6", length=6, attr=b"p"),
            {b"length": 4, b"attr": b"p"},
            entry(b"a", b"_____padding_file_0_if you see this", length=2),
            entry(b"none", attr=5),
        )
    )
    assert [file.attributes for file in metainfo.files] == [
        FileAttribute.EXECUTABLE,
        FileAttribute.HIDDEN | FileAttribute.EXECUTABLE,
        FileAttribute.PAD,
        FileAttribute.PAD,
        FileAttribute.PAD,
        NONE,
    ]
    assert metainfo.files[3].path == (".pad", "4")
    assert metainfo.total_length == 42


def test_symlinks_are_read_and_have_no_length():
    metainfo = parse(
        multi(
            entry(b"a"),
            entry(b"link", length=99, attr=b"l", symlink_path=[b"dir", b"a"]),
            {b"path": [b"link2"], b"attr": b"l", b"symlink path": [b"a"]},
            entry(b"no target", length=5, attr=b"l"),
        )
    )
    assert metainfo.files[1] == FileEntry(("link",), 0, FileAttribute.SYMLINK, ("dir", "a"))
    assert metainfo.files[2] == FileEntry(("link2",), 0, FileAttribute.SYMLINK, ("a",))
    assert metainfo.files[3] == FileEntry(("no target",), 5)
    assert metainfo.total_length == 15


def test_a_hybrid_torrent_is_read_as_version_1():
    torrent = single(info={b"meta version": 2, b"file tree": {b"file.bin": {b"": {}}}})
    assert parse(torrent).piece_count == 1


def test_a_version_2_torrent_is_refused_by_name():
    tree = {b"file.bin": {b"": {b"length": 10, b"pieces root": bytes(32)}}}
    torrent = single(
        info={b"meta version": 2, b"file tree": tree, b"pieces": None, b"length": None}
    )
    with pytest.raises(MalformedTorrentError, match="BEP 52"):
        parse(torrent)


@pytest.mark.parametrize("blanks", [b"\n", b"\r\n", b" \n\n"])
def test_blanks_behind_the_end_are_forgiven(blanks):
    assert Metainfo.parse(encode(single()) + blanks) == parse(single())


@pytest.mark.parametrize("piece_length", [1, 3, 10, 16383, 1_000_000, MAX_PIECE_LENGTH])
def test_any_piece_length_is_read(piece_length):
    pieces = -(-10 // piece_length)
    torrent = single(info={b"piece length": piece_length, b"pieces": bytes(20 * pieces)})
    assert parse(torrent).piece_count == pieces


MALFORMED = {
    "nothing": (b"", "no torrent file"),
    "text": (b"<html>Not found</html>", "no torrent file"),
    "a list": (b"le", "no torrent file"),
    "a cut file": (encode(single())[:-1], "no torrent file"),
    "trailing bytes": (encode(single()) + b"x", "no torrent file"),
    "a duplicate key": (b"d4:infode4:infodee", "twice"),
    "no info": ({}, "no info"),
    "info of another type": ({b"info": b""}, "no info"),
    "no name": (single(info={b"name": None}), "no name"),
    "a number for a name": (single(info={b"name": 5}), "no name"),
    "no name of many files": (multi(entry(b"a"), info={b"name": None}), "no name"),
    "no length": (single(info={b"length": None}), "no length"),
    "a text for a length": (single(info={b"length": b"10"}), "no length"),
    "a negative length": (single(info={b"length": -1}), "negative length -1"),
    "no piece length": (single(info={b"piece length": None}), "no proper piece length"),
    "pieces of nothing": (single(info={b"piece length": 0}), "no proper piece length"),
    "negative pieces": (single(info={b"piece length": -1}), "no proper piece length"),
    "giant pieces": (single(info={b"piece length": MAX_PIECE_LENGTH + 1}), "over the limit"),
    "no digests": (single(info={b"pieces": None}), "no piece hashes"),
    "a list of digests": (single(info={b"pieces": [DIGEST]}), "no piece hashes"),
    "too few digests": (single(info={b"pieces": b""}), "but 0 bytes of them"),
    "too many digests": (single(info={b"pieces": DIGEST * 2}), "but 40 bytes of them"),
    "a broken digest": (single(info={b"pieces": DIGEST[:-1]}), "but 19 bytes of them"),
    "too many pieces": (
        single(info={b"piece length": 1, b"length": MAX_PIECES + 1}),
        f"over the limit of {MAX_PIECES}",
    ),
    "too much data": (
        single(info={b"piece length": MAX_PIECE_LENGTH, b"length": MAX_TOTAL_LENGTH + 1}),
        f"over the limit of {MAX_TOTAL_LENGTH}",
    ),
    "no data": (single(info={b"length": 0, b"pieces": b""}), "holds no data"),
    "only empty files": (multi(entry(b"a", length=0), info={b"pieces": b""}), "holds no data"),
    "no files": (multi(), "lists no files"),
    "files that are no list": (multi(info={b"files": {}}), "no list"),
    "a file that is no dictionary": (multi(entry(b"a"), b"b"), "file 2 of the torrent is no"),
    "a file without a length": (multi({b"path": [b"a"]}), "file 1 of the torrent has no length"),
    "a file of negative length": (multi(entry(b"a", length=-5)), "negative length -5"),
    "a file without a path": (multi({b"length": 10}), "file 1 of the torrent has no path"),
    "an empty path": (multi(entry()), "file 1 of the torrent has no path"),
    "a path that is a text": (multi({b"length": 10, b"path": b"a"}), "has no path"),
    "a path with a number": (multi(entry(b"a", 5)), "has no path"),
    "a deep path": (multi(entry(*[b"a"] * (MAX_PATH_PARTS + 1))), "deep"),
    "an unknown version": (single(info={b"meta version": 3}), "meta version 3"),
}


@pytest.mark.parametrize(("torrent", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_torrents_are_refused_with_one_sentence(torrent, reason):
    data = torrent if isinstance(torrent, bytes) else encode(torrent)
    with pytest.raises(MalformedTorrentError, match=reason) as caught:
        Metainfo.parse(data)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200


def test_the_deepest_path_is_read():
    assert len(parse(multi(entry(*[b"a"] * MAX_PATH_PARTS))).files[0].path) == MAX_PATH_PARTS


def test_a_giant_file_is_refused_before_it_is_decoded(monkeypatch):
    data = encode(single())
    monkeypatch.setattr(metainfo_module, "MAX_TORRENT_LENGTH", len(data))
    Metainfo.parse(data)
    monkeypatch.setattr(metainfo_module, "MAX_TORRENT_LENGTH", len(data) - 1)
    with pytest.raises(MalformedTorrentError, match="over the limit"):
        Metainfo.parse(data)


def test_digests_are_found_by_piece():
    digests = bytes(60)[:20] + bytes([1]) * 20 + bytes([2]) * 20
    metainfo = parse(single(info={b"piece length": 4, b"pieces": digests}))
    assert [metainfo.digest(piece) for piece in range(3)] == [
        bytes([0]) * 20,
        bytes([1]) * 20,
        bytes([2]) * 20,
    ]
    for piece in (-1, 3):
        with pytest.raises(IndexError):
            metainfo.digest(piece)


@pytest.mark.parametrize("name", [DIGEST, DIGEST * 2, b"6:pieces40:", DIGEST + b"6:pieces40:"])
def test_digests_are_found_behind_what_looks_like_them(name):
    digests = DIGEST + DIGEST[::-1]
    metainfo = parse(single(info={"length": 20000, "name": name, "pieces": digests}))
    assert metainfo.digests == digests
    assert metainfo.digest(1) == DIGEST[::-1]


def test_an_info_dictionary_is_a_torrent_with_what_the_magnet_said():
    whole = Metainfo.parse(
        build("a", [FileEntry(("a",), 5)], 16384, bytes(20), is_multi_file=False)
    )
    alone = Metainfo.from_info(whole.info, [["http://t/announce"], []], ["http://w/"])
    assert alone.info_hash == whole.info_hash
    assert alone.trackers == (("http://t/announce",),)
    assert alone.web_seeds == ("http://w/",)


def test_an_info_dictionary_with_something_behind_it_is_refused():
    whole = Metainfo.parse(
        build("a", [FileEntry(("a",), 5)], 16384, bytes(20), is_multi_file=False)
    )
    with pytest.raises(MalformedTorrentError):
        Metainfo.from_info(whole.info + b"i1e")
