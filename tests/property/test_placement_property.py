from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import ConfigError
from millstream.interfaces.disk import Extent
from millstream.storage.chosen_names import check_path
from millstream.storage.names import collision_key
from millstream.storage.parts import PartsLayout
from millstream.storage.placement import Placement
from millstream.testing.content import layout_of

repeatable = settings(derandomize=True, deadline=None)

PARTS = ".0123.parts"
LENGTHS = st.lists(
    st.integers(0, 60) | st.tuples(st.integers(0, 30)), min_size=1, max_size=8
)  # a tuple: padding
# Few and confusable, so that they collide.
NAMES = st.sampled_from(
    [
        *("a", "A", "a.part", "A.PART", "a/b", "a.part/b", "b", "b.part.part", "x", "\xe9"),
        *("e\u0301", "d/0", "d/0.part", "d", "D/1/x", "a" * 252, PARTS, "..", "/a", "", "c:"),
    ]
)


def make(lengths, piece_length):
    files = [
        (f"d/{n}", length) if isinstance(length, int) else (None, *length)
        for n, length in enumerate(lengths)
    ]
    if all(path is None for path, _ in files):
        files.append(("d/last", 5))
    return Placement(layout_of(*files, piece_length=piece_length), "/root", PARTS)


def outer_bytes(layout, index):
    """The bytes of a file that are in the pieces that it begins and ends in."""
    file = layout.files[index]
    first = file.offset // layout.piece_length
    last = (file.offset + file.length - 1) // layout.piece_length
    return [
        byte
        for byte in range(file.length)
        if (file.offset + byte) // layout.piece_length in {first, last}
    ]


@repeatable
@given(lengths=LENGTHS, piece_length=st.integers(1, 25))
def test_every_outer_byte_has_a_place_of_its_own_and_no_other_has_one(lengths, piece_length):
    layout = make(lengths, piece_length).layout
    parts = PartsLayout(layout)
    places = []
    for index, file in enumerate(layout.files):
        outer = outer_bytes(layout, index) if file.path is not None else []
        found = [parts.place(index, byte, 1) for byte in outer]
        assert found == sorted(found)
        places += found
        by_runs = [byte for run in parts.runs(index) for byte in _bytes(run)]
        assert by_runs == list(zip(outer, found, strict=True))
        for byte in set(range(file.length)) - set(outer):
            with pytest.raises(IndexError):
                parts.place(index, byte, 1)
    assert places == list(range(parts.length))


def _bytes(run):
    return [(run.offset + n, run.place + n) for n in range(run.length)]


@repeatable
@given(lengths=LENGTHS, piece_length=st.integers(1, 25), data=st.data())
def test_every_byte_is_where_its_file_is(lengths, piece_length, data):
    placement = make(lengths, piece_length)
    layout = placement.layout
    count = len(layout.files)
    indexes = st.sets(st.integers(0, count - 1))
    placement.add_suffix(data.draw(indexes), ".part")
    placement.put_in_parts(data.draw(indexes))
    for index in data.draw(indexes):
        if layout.files[index].path is not None:
            placement.rename(index, f"new/{index}")
    placement.drop_suffix(data.draw(indexes))
    placeless = {piece for pieces in placement.placeless_pieces() for piece in pieces}
    for piece in range(-(-layout.total_length // piece_length)):
        if piece in placeless:
            with pytest.raises(IndexError):
                placement.piece_extents(piece)
            continue
        extents = placement.piece_extents(piece)
        offset = piece * piece_length
        at_once = []
        for path, start, length in extents:
            at_once += [Extent(path, start + n * (path is not None), 1) for n in range(length)]
        one_by_one = [
            Extent(_path(placement, span.file), _place(placement, span), 1)
            for byte in range(offset, min(offset + piece_length, layout.total_length))
            for span in layout.spans(byte, 1)
        ]
        assert at_once == one_by_one
        assert placement.extents(offset, len(at_once)) == extents


def _path(placement, index):
    path = placement.layout.files[index].path
    if path is None:
        return None
    if index in placement.in_parts:
        return PARTS
    return placement.renames.get(index, path) + (".part" if index in placement.suffixed else "")


def _place(placement, span):
    if placement.layout.files[span.file].path is None:
        return 0
    if span.file in placement.in_parts:
        return placement.parts.place(span.file, span.offset, 1)
    return span.offset


@repeatable
@given(
    steps=st.lists(
        st.tuples(st.just("rename"), st.dictionaries(st.integers(-1, 4), NAMES, max_size=3))
        | st.tuples(st.sampled_from(["add", "drop"]), st.sets(st.integers(0, 3))),
        max_size=10,
    )
)
def test_no_two_files_ever_have_the_same_path(steps):
    placement = make([5, 5, 5, 5], 10)
    for what, argument in steps:
        before = placement.paths
        if what == "add":
            placement.add_suffix(argument, ".part")
        elif what == "drop":
            placement.drop_suffix(argument)
        else:
            try:
                placement.rename_many(argument)
            except ConfigError:
                assert placement.paths == before
        # Nor would they if some lost their suffix now.
        names = [placement.name(index) for index in range(4)]
        suffixed = [names[index] + placement.suffix for index in placement.suffixed]
        keys = [collision_key(path) for path in (*names, *suffixed, PARTS)]
        assert len(set(keys)) == len(keys)
        assert set(placement.paths) <= {*names, *suffixed}
        for path in placement.paths:
            check_path(path)
        parents = {
            "/".join(key.split("/")[:depth])
            for key in keys
            for depth in range(1, key.count("/") + 1)
        }
        assert not parents & set(keys)
