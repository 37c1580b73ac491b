from __future__ import annotations

from pathlib import Path

import pytest

from millstream.native_host.openers import open_commands, reveal_commands


def finder(*names):
    return lambda name: f"/usr/bin/{name}" if name in names else None


ALL = finder("xdg-open", "gio", "dbus-send")


def test_opening():
    commands = open_commands("linux", Path("/r/a b"), ALL)
    assert commands == [("/usr/bin/xdg-open", "/r/a b"), ("/usr/bin/gio", "open", "/r/a b")]
    assert open_commands("linux", Path("/r/a"), finder()) == []
    assert open_commands("darwin", Path("/r/a"), finder()) == [("/usr/bin/open", "/r/a")]
    assert open_commands("win32", Path("/r/a"), finder()) == [("explorer", "/r/a")]


def test_revealing_marks_the_file_or_opens_its_folder():
    marking, *others = reveal_commands("linux", Path("/r/a, é"), ALL)
    assert "array:string:file:///r/a%2C%20%C3%A9" in marking
    assert others == open_commands("linux", Path("/r"), ALL)
    assert reveal_commands("darwin", Path("/r/a"), finder()) == [("/usr/bin/open", "-R", "/r/a")]
    assert reveal_commands("win32", Path("/r/a"), finder()) == [("explorer", "/select,", "/r/a")]


@pytest.mark.parametrize("reveal", [open_commands, reveal_commands])
def test_a_folder_is_opened_itself(tmp_path, reveal):
    assert reveal("linux", tmp_path, finder("xdg-open")) == [("/usr/bin/xdg-open", str(tmp_path))]
