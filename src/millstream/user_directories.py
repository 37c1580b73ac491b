"""Where programs keep a user's files.

That is as the XDG Base Directory Specification has it, or macOS, or Windows. platformdirs asks
os.environ alone, and would be a dependency for these lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def config_directory(environ: Mapping[str, str], platform: str) -> Path:
    """The directory of the user's settings.

    Args:
        environ: `os.environ`, or one like it.
        platform: `sys.platform`, likewise.
    """
    return _directory(environ, platform, "XDG_CONFIG_HOME", ".config", "APPDATA", "Roaming")


def state_directory(environ: Mapping[str, str], platform: str) -> Path:
    """The directory of what programs remember of themselves. As `config_directory`."""
    return _directory(environ, platform, "XDG_STATE_HOME", ".local/state", "LOCALAPPDATA", "Local")


def _directory(
    environ: Mapping[str, str], platform: str, xdg: str, unix: str, windows: str, app_data: str
) -> Path:
    given = Path(environ.get(xdg, ""))
    if given.is_absolute():  # a relative one is to be ignored
        return given
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    match platform:
        case "darwin":
            return home / "Library" / "Application Support"
        case "win32":
            return Path(environ.get(windows) or home / "AppData" / app_data)
        case _:
            return home / unix
