from __future__ import annotations

import contextlib
import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import MalformedTorrentError
from millstream.protocol.bencode import encode
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.protocol.metainfo_building import build

repeatable = settings(derandomize=True, deadline=None)

# What UTF-8 can say, except for the character that stands for what it cannot.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=12)
PATHS = st.lists(TEXT, min_size=1, max_size=4).map(tuple)
SYMLINKS = st.builds(FileEntry, PATHS, st.just(0), st.just(FileAttribute.SYMLINK), PATHS)
ATTRIBUTES = st.sampled_from(
    [FileAttribute(0), FileAttribute.PAD, FileAttribute.EXECUTABLE | FileAttribute.HIDDEN]
)
FILES = st.lists(
    st.builds(FileEntry, PATHS, st.integers(0, 2000), ATTRIBUTES) | SYMLINKS,
    min_size=1,
    max_size=8,
).filter(lambda files: sum(file.length for file in files))

# The keys of torrent files with values of all types: mostly nonsense, sometimes nearly right.
KEYS = st.sampled_from(
    [
        b"announce",
        b"announce-list",
        b"attr",
        b"comment",
        b"files",
        b"info",
        b"length",
        b"meta version",
        b"name",
        b"path",
        b"piece length",
        b"pieces",
        b"private",
        b"symlink path",
        b"url-list",
    ]
)
NONSENSE = st.recursive(
    st.integers(-2, 40) | st.sampled_from([b"", b"l", b"p", b"\xff", bytes(20)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@repeatable
@given(st.binary(max_size=100))
def test_any_bytes_are_a_torrent_or_an_error(data):
    with contextlib.suppress(MalformedTorrentError):
        Metainfo.parse(data)


@repeatable
@given(st.dictionaries(KEYS, NONSENSE, max_size=8), st.dictionaries(KEYS, NONSENSE, max_size=8))
def test_any_dictionary_is_a_torrent_or_an_error(torrent, info):
    likely = {b"name": b"n", b"piece length": 16384, b"pieces": bytes(20), b"length": 5}
    for guess in (info, likely | info):
        with contextlib.suppress(MalformedTorrentError):
            metainfo = Metainfo.parse(encode(torrent | {b"info": guess}))
            assert metainfo.info == encode(guess)
            assert metainfo.total_length == sum(file.length for file in metainfo.files)
            assert metainfo.piece_count == -(-metainfo.total_length // metainfo.piece_length)
            assert all(file.path and file.length >= 0 for file in metainfo.files)


@repeatable
@given(TEXT, FILES, st.integers(1, 600))
def test_what_is_built_is_read_back(name, files, piece_length):
    total_length = sum(file.length for file in files)
    pieces = -(-total_length // piece_length)
    digests = b"".join(hashlib.sha1(bytes([n % 256])).digest() for n in range(pieces))
    data = build(name, files, piece_length, digests, is_multi_file=True)
    metainfo = Metainfo.parse(data)
    assert metainfo.name == name
    assert metainfo.files == tuple(files)
    assert metainfo.digests == digests
    assert metainfo.info_hash == hashlib.sha1(metainfo.info).digest()
    assert metainfo.info in data
