from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from millstream.errors import ConfigError
from millstream.native_host.manifest import (
    DEFAULT_EXTENSIONS,
    DEFAULT_NAME,
    Browser,
    check_name,
    is_extension_of,
    launcher,
    manifest,
    manifest_directory,
    registry_key,
)

CHROME_ID = DEFAULT_EXTENSIONS[0]
UUID_ID = "{0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f}"


@pytest.mark.parametrize("name", [DEFAULT_NAME, "a", "a_1.b"])
def test_names(name):
    check_name(name)


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "A", "a-b", "a/b", "é", "a" * 129])
def test_names_that_are_none(name):
    with pytest.raises(ConfigError):
        check_name(name)


def test_whose_extension_an_id_is():
    for one in (Browser.CHROME, Browser.CHROMIUM):
        assert is_extension_of(one, CHROME_ID)
        assert not is_extension_of(one, "a@example.org")
    for one in ("a@example.org", "@x", UUID_ID):
        assert is_extension_of(Browser.FIREFOX, one)
    assert not is_extension_of(Browser.FIREFOX, CHROME_ID)


@pytest.mark.parametrize("extension", ["", "*", CHROME_ID[:-1], CHROME_ID + "/", "q" * 32, "{x}"])
def test_ids_that_are_none(extension):
    with pytest.raises(ConfigError):
        is_extension_of(Browser.CHROME, extension)


def test_manifests():
    chrome = manifest(Browser.CHROME, "a.b", "/p", [CHROME_ID])
    assert chrome["allowed_origins"] == [f"chrome-extension://{CHROME_ID}/"]
    assert (chrome["name"], chrome["path"], chrome["type"]) == ("a.b", "/p", "stdio")
    firefox = manifest(Browser.FIREFOX, "a.b", "/p", ["a@example.org"])
    assert firefox["allowed_extensions"] == ["a@example.org"]
    assert "allowed_origins" not in firefox


@pytest.mark.parametrize(
    ("browser", "platform", "expected"),
    [
        ("chrome", "linux", "/h/.config/google-chrome/NativeMessagingHosts"),
        ("chromium", "linux", "/h/.config/chromium/NativeMessagingHosts"),
        ("firefox", "linux", "/h/.mozilla/native-messaging-hosts"),
        ("chrome", "darwin", "/h/Library/Application Support/Google/Chrome/NativeMessagingHosts"),
        ("chromium", "darwin", "/h/Library/Application Support/Chromium/NativeMessagingHosts"),
        ("firefox", "darwin", "/h/Library/Application Support/Mozilla/NativeMessagingHosts"),
        ("firefox", "win32", "/l/Millstream/firefox"),
    ],
)
def test_where_browsers_look(browser, platform, expected):
    found = manifest_directory(Browser(browser), Path("/h"), platform, {"LOCALAPPDATA": "/l"})
    assert found == Path(expected)


def test_where_the_registry_says_it():
    assert registry_key(Browser.CHROME, "a.b") == (
        "Software\\Google\\Chrome\\NativeMessagingHosts\\a.b"
    )


def test_a_launcher_hands_the_browsers_arguments_on():
    text = launcher("/opt/it's/python", ["native-host", "run"], "linux")
    assert text.startswith("#!/bin/sh\n")
    words = shlex.split(text.splitlines()[-1])
    assert words[1:] == ["/opt/it's/python", "-m", "millstream", "native-host", "run", "--", "$@"]
    assert '"C:\\py.exe" "-m" "millstream" "x" -- %*' in launcher("C:\\py.exe", ["x"], "win32")
