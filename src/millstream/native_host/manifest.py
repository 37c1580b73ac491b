"""Manifests: how a browser learns of a native host, and which extensions it may start it for. Pure.

Chrome and Chromium: developer.chrome.com/docs/extensions/develop/concepts/native-messaging. Firefox:
developer.mozilla.org, WebExtensions, "Native manifests".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from millstream.errors import ConfigError

# By which JSTorrent's extension calls its host.
DEFAULT_NAME = "com.jstorrent.native"
# JSTorrent's extension, as published and as built by its developers.
DEFAULT_EXTENSIONS = ("dbokmlpefliilbjldladbimlcfgbolhk", "opkmhecbhgngcbglpcdfmnomkffenapc")

DESCRIPTION = "Millstream: lends this computer's sockets and chosen folders to an extension"

# Both browsers' rule, and the stricter one of them where they differ.
_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_CHROME_ID = re.compile(r"[a-p]{32}")
_FIREFOX_ID = re.compile(r"[A-Za-z0-9._-]*@[A-Za-z0-9._-]+|\{[0-9A-Fa-f-]{36}\}")


class Browser(enum.StrEnum):
    """Those that a manifest is written for."""

    CHROME = "chrome"
    CHROMIUM = "chromium"
    FIREFOX = "firefox"


_LINUX = {
    Browser.CHROME: (".config", "google-chrome", "NativeMessagingHosts"),
    Browser.CHROMIUM: (".config", "chromium", "NativeMessagingHosts"),
    Browser.FIREFOX: (".mozilla", "native-messaging-hosts"),
}
_MACOS = {
    Browser.CHROME: ("Google", "Chrome", "NativeMessagingHosts"),
    Browser.CHROMIUM: ("Chromium", "NativeMessagingHosts"),
    Browser.FIREFOX: ("Mozilla", "NativeMessagingHosts"),
}
_REGISTRY = {
    Browser.CHROME: r"Software\Google\Chrome\NativeMessagingHosts",
    Browser.CHROMIUM: r"Software\Chromium\NativeMessagingHosts",
    Browser.FIREFOX: r"Software\Mozilla\NativeMessagingHosts",
}


def check_name(name: str) -> None:
    """Raise ConfigError if no host can be called so."""
    if not _NAME.fullmatch(name) or len(name) > 128:
        raise ConfigError(
            f"{name[:80]!r} is no native host's name: lower-case letters, digits, _ and single dots"
        )


def is_extension_of(browser: Browser, extension: str) -> bool:
    """Whether an id is one that this browser's extensions have. Raises ConfigError if none's do."""
    if _CHROME_ID.fullmatch(extension):
        return browser is not Browser.FIREFOX
    if _FIREFOX_ID.fullmatch(extension):
        return browser is Browser.FIREFOX
    raise ConfigError(
        f"{extension[:80]!r} is no extension's id: Chrome's have 32 letters from a to p, Firefox's "
        "are name@domain or {uuid}"
    )


def manifest(
    browser: Browser, name: str, program: str, extensions: Sequence[str]
) -> dict[str, object]:
    """What stands in the file.

    Args:
        browser: whose.
        name: by which extensions call the host.
        program: absolute; started without options of ours.
        extensions: the ids of this browser's extensions.
    """
    common: dict[str, object] = {
        "name": name,
        "description": DESCRIPTION,
        "path": program,
        "type": "stdio",
    }
    if browser is Browser.FIREFOX:
        return common | {"allowed_extensions": list(extensions)}
    return common | {"allowed_origins": [f"chrome-extension://{one}/" for one in extensions]}


def manifest_directory(
    browser: Browser, home: Path, platform: str, environ: Mapping[str, str]
) -> Path:
    """Where the browser looks for the user's manifests; on Windows the registry says where."""
    if platform == "darwin":
        return home.joinpath("Library", "Application Support", *_MACOS[browser])
    if platform == "win32":
        data = environ.get("LOCALAPPDATA")
        return (Path(data) if data else home / "AppData" / "Local") / "Millstream" / browser.value
    return home.joinpath(*_LINUX[browser])


def registry_key(browser: Browser, name: str) -> str:
    r"""The key under HKEY_CURRENT_USER whose value is the manifest's path, on Windows."""
    return f"{_REGISTRY[browser]}\\{name}"


def launcher(python: str, arguments: Sequence[str], platform: str) -> str:
    """The program that a manifest names: a script, for manifests have no room for options."""
    if platform == "win32":
        words = " ".join(f'"{word}"' for word in (python, "-m", "millstream", *arguments))
        return f"@echo off\r\n{words} -- %*\r\n"
    words = " ".join(_quoted(word) for word in (python, "-m", "millstream", *arguments))
    return f'#!/bin/sh\n# Written by `millstream native-host install`.\nexec {words} -- "$@"\n'


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
