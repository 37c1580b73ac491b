from __future__ import annotations

from pathlib import Path

import pytest

from millstream.errors import ConfigError
from millstream.native_host.lent_root import LentRoot, new_root, read_root


def test_a_key_is_made_of_the_path():
    root = new_root(Path("/srv/films"), 5)
    assert root == LentRoot("df28893b9fa73620", "/srv/films", "films", last_checked=5)
    assert new_root(Path("/"), 0).display_name == "/"


def test_what_was_written_is_read():
    root = LentRoot("k", "/a", "A", removable=True, last_stat_ok=False, last_checked=9)
    assert read_root(root.record()) == root


def test_a_record_with_the_key_and_path_alone():
    assert read_root({"key": "k", "path": "/a"}) == LentRoot("k", "/a", "k")


@pytest.mark.parametrize(
    "changes", [{"key": 1}, {"key": ""}, {"key": "a/b"}, {"path": "a"}, {"display_name": "\x1b"}]
)
def test_a_record_that_is_none(changes):
    assert read_root(LentRoot("k", "/a", "A").record() | changes) is None


def test_names_are_made_fit_for_people():
    assert new_root(Path("/srv/a\nb"), 0).display_name == "a?b"


def test_a_name_that_has_no_utf_8_cannot_be_told():
    with pytest.raises(ConfigError, match="UTF-8"):
        new_root(Path("/srv/\udcff"), 0)
