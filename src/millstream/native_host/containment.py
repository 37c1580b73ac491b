"""Files that an extension names, proven to be in a directory that was lent to it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from millstream.errors import MillstreamError

# What opening would run rather than show, by the ends of their names: on Windows, on desktops of
# freedesktop.org, on macOS. A torrent may hold anything; it may be revealed, and then opened by the
# user. (Chromium asks before it opens these, see its download_file_types.)
RUNNABLE = frozenset(
    {
        *(".appref-ms", ".bat", ".chm", ".cmd", ".com", ".cpl", ".exe", ".hta", ".inf", ".jar"),
        *(".js", ".jse", ".lnk", ".msc", ".msi", ".msp", ".pif", ".ps1", ".reg", ".scf", ".scr"),
        *(".settingcontent-ms", ".url", ".vb", ".vbe", ".vbs", ".wsf", ".wsh"),
        *(".appimage", ".desktop", ".run", ".sh"),
        *(".app", ".command", ".fileloc", ".inetloc", ".pkg", ".scpt", ".terminal", ".tool"),
        *(".workflow", ".webloc"),
    }
)


class OutsideError(MillstreamError):
    """A path leads out of its root, or names nothing in it."""


def contained(root: str, path: str) -> Path:
    """The file of a path in a root, without symbolic links.

    Args:
        root: a directory's absolute path.
        path: relative to it, with `/` between its parts.

    Raises:
        OutsideError: it is not in there, or is not there.
    """
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or Path(*parts).is_absolute():
        raise OutsideError(f"{path[:200]!r} is no path within a root")
    try:
        place = Path(root).resolve(strict=True)
        found = place.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "its symbolic links go in circles"
        raise OutsideError(f"{path[:200]!r}: {why}") from None
    except ValueError as error:
        raise OutsideError(f"{path[:200]!r}: {error}") from None
    if not found.is_relative_to(place):
        raise OutsideError(f"{path[:200]!r} leads out of its root")
    return found


def is_runnable(path: Path) -> bool:
    """Whether opening the file would run it on some system, going by its name."""
    # Windows passes over spaces and dots at the end.
    return Path(path.name.rstrip(". ")).suffix.lower() in RUNNABLE
