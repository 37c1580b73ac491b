"""Names that a user gives to files: refused with the reason where `storage.names` would change them.

A torrent's names are made to fit, as nobody is there to ask; a user can choose another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from millstream.errors import ConfigError
from millstream.storage.names import MAX_COMPONENT_LENGTH, ON_WINDOWS, collision_key, safe_component

# Linux' PATH_MAX, which counts the root and the final NUL, too.
MAX_PATH_LENGTH = 4095


def check_path(path: str, *, windows: bool = ON_WINDOWS) -> None:
    """Refuse what is no path below a root, or is none on every file system.

    Args:
        path: parts joined by `/`.
        windows: whether the rules of Windows apply, see `storage.names`.

    Raises:
        ConfigError: says which part cannot be, and why.
    """
    if not path:
        raise ConfigError("rename: the new name is empty")
    if path.startswith("/"):
        raise ConfigError(f"rename: {path!r} is absolute; names are relative to the storage root")
    for part in path.split("/"):
        if not part:
            raise ConfigError(f"rename: {path!r} has an empty part")
        if part in {".", ".."}:
            raise ConfigError(f"rename: {path!r} has {part!r}, which is no name")
        if len(part.encode("utf-8", "surrogatepass")) > MAX_COMPONENT_LENGTH:
            raise ConfigError(f"rename: {part!r} takes over {MAX_COMPONENT_LENGTH} bytes")
        safe = safe_component(part, windows=windows)
        if safe != part:
            raise ConfigError(f"rename: {part!r} cannot be stored as it is, only as {safe!r}")
    if len(path.encode()) > MAX_PATH_LENGTH:
        raise ConfigError(f"rename: the new name takes over {MAX_PATH_LENGTH} bytes")


def check_suffix(suffix: str) -> None:
    """Refuse what no name can end with, or what would not show as a suffix.

    Raises:
        ConfigError: it is no dot followed by ASCII characters that may be in a name.
    """
    name = f"a{suffix}"
    if (
        len(suffix) < 2
        or not suffix.startswith(".")
        or not suffix.isascii()
        or safe_component(name, windows=True) != name
    ):
        raise ConfigError(f"incomplete suffix: {suffix!r} is not a dot and characters of a name")


def check_distinct(
    names: Iterable[str], chosen: Mapping[int, str], reserved: Iterable[str] = ()
) -> None:
    """Refuse names that some file system takes for the same, or for a directory of another file.

    Args:
        names: the paths of all files as they would be.
        chosen: those among them that are new; they are blamed.
        reserved: paths that none of the names may be.

    Raises:
        ConfigError: names the two that collide.
    """
    holders: dict[str, str] = {}
    blamed = set(chosen.values())
    parents: set[str] = set()
    for name in names:
        key = collision_key(name)
        if key in holders:
            new, old = (name, holders[key]) if name in blamed else (holders[key], name)
            raise ConfigError(f"rename: {new!r} is taken by {old!r}")
        holders[key] = name
        parents.add(name.rpartition("/")[0])
    directories = {collision_key(path): path for path in directories_above(parents)}
    for path in reserved:
        key = collision_key(path)
        if key in holders or key in directories:
            raise ConfigError(f"rename: {path!r} is the torrent's own and cannot be used")
    for key in directories:
        if key in holders:
            raise ConfigError(f"rename: {holders[key]!r} is a file, and a directory of other files")


def directories_above(parents: Iterable[str]) -> set[str]:
    """These directories and all that they are in, the root (`""`) excluded."""
    found: set[str] = set()
    for parent in parents:
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found
