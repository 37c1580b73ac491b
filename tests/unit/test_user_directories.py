from __future__ import annotations

from pathlib import Path

import pytest

from millstream.user_directories import config_directory, state_directory


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.config"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "linux", "/x"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "linux", "/h/.config"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": ""}, "freebsd14", "/h/.config"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "darwin", "/x"),
        ({"HOME": "/h"}, "win32", "/h/AppData/Roaming"),
        ({"HOME": "/h", "APPDATA": "/a"}, "win32", "/a"),
    ],
)
def test_settings(environ, platform, expected):
    assert config_directory(environ, platform) == Path(expected)


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.local/state"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "linux", "/s"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, "linux", "/h/.local/state"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support"),
        ({"HOME": "/h"}, "win32", "/h/AppData/Local"),
        ({"HOME": "/h", "LOCALAPPDATA": "/l"}, "win32", "/l"),
    ],
)
def test_state(environ, platform, expected):
    assert state_directory(environ, platform) == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_a_home_the_system_knows_one(monkeypatch, environ):
    monkeypatch.setattr(Path, "home", lambda: Path("/root"))
    assert config_directory(environ, "linux") == Path("/root/.config")
