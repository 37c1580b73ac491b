from __future__ import annotations

from millstream.cli.contents import ContentFile, FileReport, bad_files


def test_the_pieces_of_a_file():
    assert ContentFile("a", 0, 10).pieces(4) == range(3)
    assert ContentFile("a", 4, 4).pieces(4) == range(1, 2)
    assert ContentFile("a", 3, 2).pieces(4) == range(2)
    assert ContentFile("a", 3, 0).pieces(4) == range(0)


def test_files_that_bad_pieces_touch_and_why(tmp_path):
    files = [
        ContentFile("whole", 0, 8),
        ContentFile("bad", 8, 8),
        ContentFile("short", 16, 8),
        ContentFile("missing", 24, 8),
        ContentFile("empty", 32, 0),
        ContentFile("no-empty", 32, 0),
    ]
    for name, length in {"whole": 8, "bad": 8, "short": 3, "empty": 0}.items():
        (tmp_path / name).write_bytes(bytes(length))
    bad = frozenset({3, 4, 5, 6, 7})
    assert bad_files(files, 4, bad, tmp_path) == [
        FileReport("bad", "bad", 1, 2),
        FileReport("short", "too short", 2, 2),
        FileReport("missing", "missing", 2, 2),
        FileReport("no-empty", "missing", 0, 0),
    ]
    assert bad_files(files[:1], 4, frozenset(), tmp_path) == []
