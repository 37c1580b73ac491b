"""Telling this user's browsers of the native host, and taking that back."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from millstream.errors import ConfigError
from millstream.native_host.manifest import (
    DESCRIPTION,
    Browser,
    check_name,
    is_extension_of,
    launcher,
    manifest,
    manifest_directory,
    registry_key,
)
from millstream.native_host.private_file import replace_file


class Installation:
    """One host's name, in one user's home.

    Args:
        name: by which extensions call the host.
        home: the user's home.
        environ: on Windows says where programs keep their data.
        platform: `sys.platform`.

    Raises:
        ConfigError: no host can be called so.
    """

    def __init__(
        self, name: str, home: Path, environ: Mapping[str, str], platform: str = sys.platform
    ) -> None:
        check_name(name)
        self.name = name
        self._home = home
        self._environ = environ
        self._platform = platform

    def path(self, browser: Browser) -> Path:
        """Of a browser's manifest."""
        directory = manifest_directory(browser, self._home, self._platform, self._environ)
        return directory / f"{self.name}.json"

    def launcher_path(self) -> Path:
        """Of the script that all manifests name."""
        suffix = ".bat" if self._platform == "win32" else ""
        return _data_directory(self._home, self._platform, self._environ) / f"{self.name}{suffix}"

    def install(
        self,
        browsers: Sequence[Browser],
        extensions: Sequence[str],
        *,
        python: str,
        arguments: Sequence[str] = (),
        replace: bool = False,
    ) -> dict[Browser, Path]:
        """Write the launcher, and a manifest for each browser that has one of the extensions.

        Args:
            browsers: which.
            extensions: ids of either kind.
            python: the interpreter that has Millstream.
            arguments: for `millstream`, after which the browser's follow.
            replace: whether another program's manifest of this name may go.

        Returns:
            The manifests written.

        Raises:
            ConfigError: an id is none, no browser has such an extension, or another program has
                this name; then nothing is written.
            OSError: it cannot be written.
        """
        wanted = {}
        for browser in browsers:
            ids = [one for one in extensions if is_extension_of(browser, one)]
            if ids:
                wanted[browser] = ids
                if not replace and self._is_foreign(browser):
                    raise ConfigError(
                        f"{self.path(browser)} is another program's; --replace overwrites it"
                    )
        if not wanted:
            raise ConfigError("none of these browsers can have an extension with one of these ids")
        program = self.launcher_path()
        _write(program, launcher(python, arguments, self._platform), 0o755)
        for browser, ids in wanted.items():
            text = json.dumps(manifest(browser, self.name, str(program), ids), indent=2)
            _write(self.path(browser), f"{text}\n", 0o644)
            if sys.platform == "win32":
                _register(registry_key(browser, self.name), str(self.path(browser)))
        return {browser: self.path(browser) for browser in wanted}

    def uninstall(self, browsers: Sequence[Browser]) -> dict[Browser, Path]:
        """Remove what `install` wrote: our manifests, and the launcher with the last of them.

        Returns:
            The manifests removed; another program's stay.

        Raises:
            OSError: one cannot be removed.
        """
        removed = {}
        for browser in browsers:
            path = self.path(browser)
            if path.exists() and not self._is_foreign(browser):
                path.unlink()
                removed[browser] = path
                if sys.platform == "win32":
                    _unregister(registry_key(browser, self.name))
        if not any(self.path(browser).exists() for browser in Browser):
            self.launcher_path().unlink(missing_ok=True)
        return removed

    def _is_foreign(self, browser: Browser) -> bool:
        try:
            written = json.loads(self.path(browser).read_bytes())
        except FileNotFoundError:
            return False
        except ValueError:
            return True
        return not (isinstance(written, dict) and written.get("description") == DESCRIPTION)


def _data_directory(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    match platform:
        case "darwin":
            base = home / "Library" / "Application Support"
        case "win32":
            base = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case _:
            base = home / ".local" / "share"
    return base / "millstream" / "native-host"


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file at once: a browser may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode(), mode)


def _register(key: str, value: str) -> None:  # pragma: no cover - Windows
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - there is none elsewhere

        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as opened:
            winreg.SetValueEx(opened, "", 0, winreg.REG_SZ, value)


def _unregister(key: str) -> None:  # pragma: no cover - Windows
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - as above

        winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)
