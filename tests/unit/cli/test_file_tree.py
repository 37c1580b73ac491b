from __future__ import annotations

from millstream.cli.file_tree import tree_lines


def drawn(files, **options):
    return [
        f"{line.guide}{line.name}" + (f" ({line.size})" if line.size else "")
        for line in tree_lines(files, **options)
    ]


def test_a_single_file():
    assert drawn([("a.iso", 2048)]) == ["a.iso (2 KiB)"]


def test_a_directory():
    files = [("t/b/c.txt", 1), ("t/b/d.txt", 2), ("t/a.txt", 1024), ("t/e/f/g", 0)]
    assert drawn(files) == [
        "t/ (4 files, 1.00 KiB)",
        "├── b/",
        "│   ├── c.txt (1 B)",
        "│   └── d.txt (2 B)",
        "├── a.txt (1 KiB)",
        "└── e/",
        "    └── f/",
        "        └── g (0 B)",
    ]


def test_files_are_numbered_in_the_torrents_order_and_directories_are_not():
    lines = tree_lines([("t/b/c", 1), ("t/a", 2), ("t/b/d", 3)])
    assert [(line.name, line.number) for line in lines] == [
        ("t/", None),
        ("b/", None),
        ("c", 1),
        ("d", 3),
        ("a", 2),
    ]


def test_ascii():
    assert drawn([("t/a", 1), ("t/b", 1)], ascii_only=True)[1:] == ["|-- a (1 B)", "`-- b (1 B)"]


def test_names_cannot_control_the_terminal():
    assert drawn([("t/\x1b[2J", 1)])[1] == "└── \ufffd[2J (1 B)"


def test_depth_is_no_problem():
    assert len(drawn([("/".join("d" * 5000), 1)])) == 5000
