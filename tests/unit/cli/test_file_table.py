from __future__ import annotations

from millstream.cli.file_table import file_lines, paths_within


def file(path, *, index=0, size=4, done=1, priority="normal"):
    return {"index": index, "path": path, "size": size, "done": done, "priority": priority}


def test_numbers_begin_at_one_whatever_the_index():
    assert list(file_lines([file("a", index=3), file("\x07b", index=5, size=0, done=0)])) == [
        "  1   25.0 %        4 B  a",
        "  2    100 %        0 B  \ufffdb",
    ]


def test_what_is_not_as_usual_is_said():
    assert list(
        file_lines([file("a", priority="high"), file("b"), file("c", priority="skip")])
    ) == [
        "  1   25.0 %        4 B  high  a",
        "  2   25.0 %        4 B        b",
        "  3   25.0 %        4 B  skip  c",
    ]


def test_no_files():
    assert list(file_lines([])) == []


def test_the_torrents_name_is_not_asked_for():
    assert paths_within([file("x/a"), file("x/y/b"), file("c")]) == ["a", "y/b", "c"]
