from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.storage.layout import FileLayout
from millstream.storage.names import MAX_COMPONENT_LENGTH, safe_component

repeatable = settings(derandomize=True, deadline=None)

# Few and confusable, so that they collide with each other and with the numbers of the others.
NASTY = st.sampled_from(
    [
        "",
        ".",
        "..",
        "/",
        "\\",
        "/..",
        "a",
        "A",
        "a.1",
        "a.1.1",
        "a.2",
        "_",
        "\0",
        "C:",
        "c_",
        "con",
        "CON.",
        "nul ",
        "\xe9",
        "e\u0301",
        "\u0345\u0301",
        "ß",
        "SS",
        "\u202e",
        "\ud800",
        ".a",
        "a" * 255,
        "a" * 256,
        "a" * 245 + ".1",
        "日" * 100 + ".txt",
        "con" + " " * 300 + "x",
    ]
)
NAMES = NASTY | st.text(max_size=8) | st.text("aA.1/ :", max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(tuple)
ATTRIBUTES = st.sampled_from([FileAttribute(0)] * 8 + [FileAttribute.PAD, FileAttribute.SYMLINK])
FILES = st.lists(st.builds(FileEntry, PATHS, st.integers(0, 30), ATTRIBUTES), max_size=14)


def metainfo_of(name, files, piece_length=16, *, is_multi_file=True):
    files = [
        FileEntry(file.path, 0, file.attributes, ("x",))
        if file.attributes == FileAttribute.SYMLINK
        else file
        for file in files
    ]
    return Metainfo(
        info_hash=InfoHash(bytes(20)),
        name=name,
        piece_length=piece_length,
        digests_at=0,
        files=tuple(files),
        total_length=sum(file.length for file in files),
        is_multi_file=is_multi_file,
        private=False,
        trackers=(),
        web_seeds=(),
        comment=None,
        created_by=None,
        creation_date=None,
        info=b"",
    )


def check_paths(layout):
    for path in layout.paths:
        parts = path.split("/")
        assert parts[0] == layout.root_name
        for part in parts:
            assert part not in {"", ".", ".."}
            assert len(part.encode()) <= MAX_COMPONENT_LENGTH
            assert "\\" not in part
            assert not any(unicodedata.category(character) == "Cc" for character in part)
            assert not re.fullmatch("[A-Za-z]:", part)
    for key in (
        str.casefold,
        lambda path: unicodedata.normalize("NFC", path.casefold()),
        lambda path: unicodedata.normalize("NFC", path).casefold(),
        lambda path: unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold()),
    ):
        keys = [key(path) for path in layout.paths]
        assert len(set(keys)) == len(keys)
        parents = {
            "/".join(parts[:depth])
            for parts in (path.split("/") for path in keys)
            for depth in range(1, len(parts))
        }
        assert not parents & set(keys)


@repeatable
@pytest.mark.parametrize("windows", [False, True])
@given(name=NAMES, files=FILES)
def test_any_names_give_safe_and_unique_paths(windows, name, files):
    layout = FileLayout.from_metainfo(metainfo_of(name, files), windows=windows)
    check_paths(layout)
    if windows:
        for path in layout.paths:
            for part in path.split("/"):
                assert not set(part) & set('<>:"|?*')
                assert part.rstrip(". ") == part
                assert part.partition(".")[0].rstrip().lower() not in {"con", "nul", "aux", "com1"}


@repeatable
@given(name=NAMES)
def test_a_single_file_is_safe_too(name):
    layout = FileLayout.from_metainfo(
        metainfo_of(name, [FileEntry((name,), 5)], is_multi_file=False)
    )
    check_paths(layout)
    assert layout.paths == (layout.root_name,)


@repeatable
@given(name=NAMES, windows=st.booleans())
def test_a_safe_name_is_left_alone(name, windows):
    safe = safe_component(name, windows=windows)
    assert safe_component(safe, windows=windows) == safe


@repeatable
@given(files=FILES, piece_length=st.integers(1, 50))
def test_pieces_cover_every_byte_of_every_file_once(files, piece_length):
    layout = FileLayout.from_metainfo(metainfo_of("dir", files, piece_length))
    covered = []
    for start in range(0, layout.total_length, piece_length):
        extents = layout.piece_extents(start // piece_length)
        assert sum(extent.length for extent in extents) == min(
            piece_length, layout.total_length - start
        )
        covered += extents
    # In order, the extents of a file follow each other from its start to its end.
    position = dict.fromkeys(layout.paths, 0)
    for extent in covered:
        assert extent.length > 0
        if extent.path is not None:
            assert extent.offset == position[extent.path]
            position[extent.path] += extent.length
    assert position == {file.path: file.length for file in layout.files if file.path is not None}


@repeatable
@given(files=FILES, data=st.data())
def test_a_run_of_bytes_is_what_its_bytes_are(files, data):
    layout = FileLayout.from_metainfo(metainfo_of("dir", files))
    offset = data.draw(st.integers(0, layout.total_length))
    length = data.draw(st.integers(0, layout.total_length - offset))
    one_by_one = [layout.extents(offset + n, 1)[0] for n in range(length)]
    at_once = [
        (extent.path, extent.offset + n if extent.path is not None else 0)
        for extent in layout.extents(offset, length)
        for n in range(extent.length)
    ]
    assert [(extent.path, extent.offset) for extent in one_by_one] == at_once
