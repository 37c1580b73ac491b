from __future__ import annotations

import pytest

from millstream.interfaces.disk import Extent
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.storage.layout import FileLayout, StoredFile

NONE = FileAttribute(0)


def layout_of(*files, name="dir", piece_length=10, windows=False):
    """Lay out files given as (path, length), (path, length, attributes, target) or just a path."""
    entries = []
    for file in files:
        path, length, *more = (file, 1) if isinstance(file, str) else file
        entries.append(FileEntry(tuple(path.split("|")), length, *more))
    total_length = sum(entry.length for entry in entries)
    digests = bytes(20 * -(-total_length // piece_length))
    data = build(name, entries, piece_length, digests, is_multi_file=True)
    return FileLayout.from_metainfo(Metainfo.parse(data), windows=windows)


def single(name, length=10, piece_length=10):
    digests = bytes(20 * -(-length // piece_length))
    entries = [FileEntry((name,), length)]
    data = build(name, entries, piece_length, digests, is_multi_file=False)
    return FileLayout.from_metainfo(Metainfo.parse(data), windows=False)


def test_a_single_file_lies_in_the_root():
    layout = single("a.bin", 25)
    assert layout.files == (StoredFile("a.bin", 0, 25, NONE),)
    assert layout.paths == ("a.bin",)
    assert layout.root_name == "a.bin"
    assert (layout.piece_length, layout.total_length) == (10, 25)
    assert layout.piece_extents(0) == (Extent("a.bin", 0, 10),)
    assert layout.piece_extents(2) == (Extent("a.bin", 20, 5),)


def test_a_layout_is_the_geometry_of_its_pieces():
    layout = single("a.bin", 25)
    assert (layout.piece_count, layout.length_of(0), layout.length_of(2)) == (3, 10, 5)


def test_names_offsets_and_lengths_say_what_the_files_say():
    pad = FileAttribute.PAD
    layout = layout_of(("a", 4), ("empty", 0), (".pad/6", 6, pad), ("b", 5), ("none", 0))
    assert layout.names == ("dir/a", "dir/empty", None, "dir/b", "dir/none")
    assert layout.paths == ("dir/a", "dir/empty", "dir/b", "dir/none")
    assert layout.offsets == (0, 4, 4, 10, 15)
    assert layout.lengths == (4, 0, 6, 5, 0)
    columns = zip(layout.names, layout.offsets, layout.lengths, strict=True)
    assert [file[:3] for file in layout.files] == list(columns)
    assert [file.attributes for file in layout.files] == [NONE, NONE, pad, NONE, NONE]
    assert layout.files is layout.files


def test_many_files_lie_in_a_directory():
    layout = layout_of(("a", 4), ("b|c", 5), ("b|d", 6))
    assert layout.files == (
        StoredFile("dir/a", 0, 4, NONE),
        StoredFile("dir/b/c", 4, 5, NONE),
        StoredFile("dir/b/d", 9, 6, NONE),
    )
    assert layout.paths == ("dir/a", "dir/b/c", "dir/b/d")
    assert layout.root_name == "dir"
    assert layout.total_length == 15


def test_one_file_in_a_list_lies_in_a_directory_too():
    assert layout_of("a").paths == ("dir/a",)


def test_a_piece_touches_every_file_it_covers():
    layout = layout_of(("a", 4), ("b", 3), ("c", 18))
    assert layout.piece_extents(0) == (
        Extent("dir/a", 0, 4),
        Extent("dir/b", 0, 3),
        Extent("dir/c", 0, 3),
    )
    assert layout.piece_extents(1) == (Extent("dir/c", 3, 10),)
    assert layout.piece_extents(2) == (Extent("dir/c", 13, 5),)


def test_borders_on_piece_borders():
    layout = layout_of(("a", 10), ("b", 10))
    assert layout.piece_extents(0) == (Extent("dir/a", 0, 10),)
    assert layout.piece_extents(1) == (Extent("dir/b", 0, 10),)


def test_empty_files_are_kept_and_are_in_no_extent():
    layout = layout_of(("first", 0), ("a", 5), ("middle", 0), ("middle2", 0), ("b", 5), ("last", 0))
    assert len(layout.paths) == 6
    assert layout.files[2] == StoredFile("dir/middle", 5, 0, NONE)
    assert layout.piece_extents(0) == (Extent("dir/a", 0, 5), Extent("dir/b", 0, 5))


def test_padding_has_extents_without_a_path():
    layout = layout_of(("a", 4), (".pad|6", 6, FileAttribute.PAD), ("b", 7))
    assert layout.files[1] == StoredFile(None, 4, 6, FileAttribute.PAD)
    assert layout.paths == ("dir/a", "dir/b")
    assert layout.piece_extents(0) == (Extent("dir/a", 0, 4), Extent(None, 0, 6))
    assert layout.extents(6, 6) == (Extent(None, 0, 4), Extent("dir/b", 0, 2))


def test_padding_takes_no_names():
    layout = layout_of(("a", 4, FileAttribute.PAD), ("a", 4), ("a|b", 4, FileAttribute.PAD))
    assert layout.paths == ("dir/a",)


def test_a_torrent_of_padding_has_no_files():
    layout = layout_of(("a", 4, FileAttribute.PAD))
    assert layout.paths == ()
    assert layout.root_name == "dir"
    assert layout.piece_extents(0) == (Extent(None, 0, 4),)


def test_symlinks_are_not_made():
    link = ("link", 0, FileAttribute.SYMLINK, ("..", "..", "etc", "passwd"))
    layout = layout_of(("a", 5), link, ("link|b", 5))
    assert layout.files[1] == StoredFile(None, 5, 0, FileAttribute.SYMLINK)
    assert layout.paths == ("dir/a", "dir/link/b")
    assert layout.piece_extents(0) == (Extent("dir/a", 0, 5), Extent("dir/link/b", 0, 5))


def test_attributes_are_handed_on():
    layout = layout_of(("run", 5, FileAttribute.EXECUTABLE))
    assert layout.files[0].attributes == FileAttribute.EXECUTABLE
    assert layout.paths == ("dir/run",)


def test_any_run_of_bytes_has_extents():
    layout = layout_of(("a", 4), ("b", 3), ("c", 18))
    assert layout.extents(0, 25) == (
        Extent("dir/a", 0, 4),
        Extent("dir/b", 0, 3),
        Extent("dir/c", 0, 18),
    )
    assert layout.extents(4, 3) == (Extent("dir/b", 0, 3),)
    assert layout.extents(6, 2) == (Extent("dir/b", 2, 1), Extent("dir/c", 0, 1))
    assert layout.extents(24, 1) == (Extent("dir/c", 17, 1),)
    assert layout.extents(7, 0) == layout.extents(25, 0) == ()


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, 26), (25, 1), (26, 0), (5, -1)])
def test_runs_outside_the_torrent_are_refused(offset, length):
    with pytest.raises(IndexError):
        layout_of(("a", 25)).extents(offset, length)


@pytest.mark.parametrize("piece", [-1, 3, 1000])
def test_unknown_pieces_are_refused(piece):
    with pytest.raises(IndexError):
        layout_of(("a", 25)).piece_extents(piece)


@pytest.mark.parametrize("piece", [-1, 2])
def test_unknown_pieces_are_refused_where_pieces_end_evenly(piece):
    with pytest.raises(IndexError):
        layout_of(("a", 20)).piece_extents(piece)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("..", "_"),
        ("", "_"),
        ("/", "_"),
        ("/etc/passwd", "etcpasswd"),
        ("../../etc/passwd", "....etcpasswd"),
        ("C:\\Windows\\x.dll", "C_Windowsx.dll"),
        ("a\0b", "a_b"),
        ("Füße 日本.txt", "Füße 日本.txt"),
    ],
)
def test_the_name_of_the_torrent_stays_in_the_root(name, path):
    assert single(name).paths == (path,)
    layout = layout_of("a", name=name)
    assert layout.root_name == path
    assert layout.paths == (f"{path}/a",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("..", "_"),
        ("..|..|etc|passwd", "_/_/etc/passwd"),
        ("|etc|passwd", "_/etc/passwd"),
        ("/etc|passwd", "etc/passwd"),
        ("a|..", "a/_"),
        ("a|.|b", "a/_/b"),
        ("a||b", "a/_/b"),
        ("a/../../b", "a....b"),
        ("a\\b|c", "ab/c"),
        ("C:|x", "C_/x"),
        ("a..b", "a..b"),
        ("ä|日本", "ä/日本"),
    ],
)
def test_files_stay_in_the_directory_of_the_torrent(path, expected):
    assert layout_of(path).paths == (f"dir/{expected}",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.txt", "a.txt"], ["a.txt", "a.1.txt"]),
        (["a.txt", "A.txt", "a.txt"], ["a.txt", "A.1.txt", "a.2.txt"]),
        (["a.txt", "a.txt", "a.1.txt"], ["a.txt", "a.2.txt", "a.1.txt"]),
        (["x", "x", "x", "x.1"], ["x", "x.2", "x.3", "x.1"]),
        (["a|b", "A|B"], ["a/b", "A/B.1"]),
        (["a|b", "A|c"], ["a/b", "A/c"]),
        (["a|b", "c|b"], ["a/b", "c/b"]),
        (["\xe9", "e\u0301"], ["\xe9", "e\u0301.1"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE.1"]),
        (["..", "_", "/"], ["_", "_.1", "_.2"]),
        (["a", "a|b"], ["a.1", "a/b"]),
        (["a|b", "A"], ["a/b", "A.1"]),
        (["a|b|c", "a|b", "a"], ["a/b/c", "a/b.1", "a.1"]),
        (["a", "a.1|b", "a"], ["a", "a.1/b", "a.2"]),
        (["a", "a|b", "a.1|c"], ["a.2", "a/b", "a.1/c"]),
        (["a" * 255, "a" * 255], ["a" * 255, "a" * 245 + ".1"]),
        (["a" * 300 + ".txt", "a" * 301 + ".txt"], ["a" * 240 + ".txt", "a" * 240 + ".1.txt"]),
    ],
)
def test_paths_are_made_unique(names, expected):
    assert layout_of(*names).paths == tuple(f"dir/{path}" for path in expected)


def test_the_rules_of_windows_are_kept_on_windows():
    names = ["CON", "a.", "a", "b|nul.txt", "x:y"]
    assert layout_of(*names, windows=True, name="aux").paths == (
        "_aux/_CON",
        "_aux/a",
        "_aux/a.1",
        "_aux/b/_nul.txt",
        "_aux/x_y",
    )
    assert layout_of(*names).paths == ("dir/CON", "dir/a.", "dir/a", "dir/b/nul.txt", "dir/x:y")


def test_many_equal_names_take_linear_time():
    # Counting from 1 for each of them would be two million steps here.
    names = ["same.txt"] * 2000
    assert layout_of(*names, piece_length=10_000).paths[-1] == "dir/same.1999.txt"
