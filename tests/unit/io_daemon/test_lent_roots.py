from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.io_daemon.lent_roots import LentRoots, UnknownRootError, parse_root
from millstream.storage.roots import StorageRoot


def test_a_root_on_the_command_line():
    assert parse_root("abc=My Films:/srv/films") == StorageRoot("abc", "My Films", "/srv/films")
    assert parse_root("abc=:/a:b=c") == StorageRoot("abc", "abc", "/a:b=c")


def test_a_relative_path_stays_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_root("a=b:films").path == str(tmp_path / "films")


@pytest.mark.parametrize(
    "text", ["", "abc", "abc=films", "=l:/p", "abc=l:", "a/b=l:/p", "a=\x1b:/p", "a=l:/\0"]
)
def test_no_root(text):
    with pytest.raises((ConfigError, ValueError)):
        parse_root(text)


def test_roots_are_found_by_their_tokens(tmp_path):
    roots = LentRoots([StorageRoot("a", "A", str(tmp_path))])
    assert roots.get("a").label == "A"
    with roots.open("a") as held:
        assert held.names() == []
    with pytest.raises(UnknownRootError, match="'b'"):
        roots.open("b")
    with pytest.raises(UnknownRootError):
        roots.get(str(tmp_path))


def test_they_may_change(tmp_path):
    roots = LentRoots([StorageRoot("a", "A", str(tmp_path))])
    roots.replace([StorageRoot("b", "B", str(tmp_path / "gone"))])
    assert [root.token for root in roots] == ["b"]
    with pytest.raises(FileNotFoundError):
        roots.open("b")


def test_tokens_name_one_root(tmp_path):
    root = StorageRoot("a", "A", str(tmp_path))
    roots = LentRoots([root])
    with pytest.raises(ConfigError, match="two roots"):
        roots.replace([root, root])
    with pytest.raises(ConfigError, match="has a / in it"):
        roots.replace([StorageRoot("a/b", "A", "/")])
    assert list(roots) == [root]
