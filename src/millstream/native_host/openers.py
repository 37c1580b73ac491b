"""Programs of the desktop that open a file, or show it in the file manager. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote


def open_commands(
    platform: str, path: Path, find: Callable[[str], str | None]
) -> list[tuple[str, ...]]:
    """Programs that open a file, to be tried in this order.

    Args:
        platform: `sys.platform`.
        path: absolute, so that it is never taken for an option.
        find: says where a program is: `shutil.which`.
    """
    if platform == "darwin":
        return [("/usr/bin/open", str(path))]
    if platform == "win32":
        return [("explorer", str(path))]
    found = ((find("xdg-open"), ()), (find("gio"), ("open",)))
    return [(program, *verb, str(path)) for program, verb in found if program is not None]


def reveal_commands(
    platform: str, path: Path, find: Callable[[str], str | None]
) -> list[tuple[str, ...]]:
    """Programs that show a file among those beside it, to be tried in this order."""
    if platform == "darwin":
        return [("/usr/bin/open", "-R", str(path))]
    if platform == "win32":
        return [("explorer", "/select,", str(path))]
    # org.freedesktop.FileManager1 marks the file; dbus-send splits its arrays at commas.
    marking = find("dbus-send")
    commands: list[tuple[str, ...]] = []
    if marking is not None:
        commands.append(
            (
                *(marking, "--session", "--print-reply", "--reply-timeout=5000"),
                *("--dest=org.freedesktop.FileManager1", "--type=method_call"),
                *("/org/freedesktop/FileManager1", "org.freedesktop.FileManager1.ShowItems"),
                *(f"array:string:file://{quote(str(path))}", "string:"),
            )
        )
    return commands + open_commands(platform, path if path.is_dir() else path.parent, find)
