from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.storage.chosen_names import (
    MAX_PATH_LENGTH,
    check_distinct,
    check_path,
    check_suffix,
    directories_above,
)


@pytest.mark.parametrize(
    "path", ["a", "a/b", "Ünïcødé/日本語 🎵.bin", ".hidden", "a..b", "a" * 255, "con", "a:b"]
)
def test_a_good_name(path):
    check_path(path, windows=False)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("..", "'..'"),
        ("a/../../b", "'..'"),
        ("./a", "'.'"),
        ("a\\b", "only as 'ab'"),
        ("C:", "only as 'C_'"),
        ("a\0b", "only as 'a_b'"),
        ("new\nline", "only as 'new_line'"),
        ("cod\u202e.exe", "only as 'cod.exe'"),
        ("\ud800", "only as '_'"),
        ("a" * 256, "over 255 bytes"),
        ("日" * 86, "over 255 bytes"),
        ("/".join(["a" * 255] * 17), f"over {MAX_PATH_LENGTH} bytes"),
    ],
)
def test_a_name_that_cannot_be(path, reason):
    with pytest.raises(ConfigError) as caught:
        check_path(path, windows=False)
    assert str(caught.value).startswith("rename: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("path", ["a/con", "a?", "ends with a dot.", "a:b"])
def test_names_that_windows_cannot_store(path):
    check_path(path, windows=False)
    with pytest.raises(ConfigError, match="only as"):
        check_path(path, windows=True)


def test_distinct_names():
    check_distinct(["d/a", "d/b", "e/a", "d.a"], {0: "d/a"}, [".parts"])


@pytest.mark.parametrize("other", ["d/a", "D/A", "d/A"])
def test_the_new_name_is_blamed(other):
    for names in (["d/a", other], [other, "d/a"]):
        with pytest.raises(ConfigError) as caught:
            check_distinct(names, {1: other})
        if other != "d/a":
            assert str(caught.value) == f"rename: {other!r} is taken by 'd/a'"


def test_names_that_differ_in_composition_only():
    with pytest.raises(ConfigError, match="taken"):
        check_distinct(["d/\xe9", "d/e\u0301"], {1: "d/e\u0301"})


def test_a_file_is_no_directory():
    with pytest.raises(ConfigError, match="'d/a' is a file, and a directory"):
        check_distinct(["d/A/b/c", "d/a"], {1: "d/a"})


def test_reserved_names():
    for name in (".Parts", ".parts/below", ".PARTS/be/low"):
        with pytest.raises(ConfigError, match=r"'\.parts' is the torrent's own"):
            check_distinct(["d/a", name], {1: name}, [".parts"])


def test_suffixes():
    for suffix in (".part", ".!qB", ".x.y"):
        check_suffix(suffix)
    for suffix in ("", "part", "./part", ".pärt", ".", ".a\0", ".a?", ".a.", "." + "a" * 255):
        with pytest.raises(ConfigError, match="incomplete suffix"):
            check_suffix(suffix)


def test_directories_above():
    assert directories_above(["a/b/c", "a/b", "", "d"]) == {"a", "a/b", "a/b/c", "d"}
