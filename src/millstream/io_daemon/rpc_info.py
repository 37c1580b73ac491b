"""The file in which a native host says which directories are lent to which browser.

`{"version": 1, "profiles": [{"install_id", "extension_id", "download_roots": [{"key", "path",
"display_name", ...}], ...}]}`; the daemon reads the profile of its install id, and no more of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from millstream.errors import ConfigError
from millstream.storage.roots import StorageRoot

# A few profiles with some directories each take a few KiB.
MAX_LENGTH = 1 << 20

VERSION = 1


class Profile(NamedTuple):
    """What one browser was lent.

    Attributes:
        roots: the directories.
        extension_id: of the extension that may ask; empty if there is none.
    """

    roots: tuple[StorageRoot, ...] = ()
    extension_id: str = ""


def read_profile(path: Path, install_id: str) -> Profile:
    """The profile of an install id; an empty one if it is not there.

    Raises:
        ConfigError: the file is no such file, or a root in it is unfit.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_LENGTH + 1)
    if len(data) > MAX_LENGTH:
        raise ConfigError(f"{path}: more than {MAX_LENGTH} bytes")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON: {error}") from None
    match found:
        case {"version": version, "profiles": [*profiles]} if version == VERSION:
            pass
        case _:
            raise ConfigError(f"{path}: no rpc-info of version {VERSION}")
    for profile in profiles:
        if isinstance(profile, dict) and profile.get("install_id") == install_id:
            return _profile(path, profile)
    return Profile()


def _profile(path: Path, profile: dict[str, Any]) -> Profile:
    roots = []
    for root in profile.get("download_roots") or []:
        match root:
            case {"key": str(token), "path": str(place)} if (
                place.startswith("/") or place[1:2] == ":"
            ):
                label = root.get("display_name")
                roots.append(StorageRoot(token, str(label or token), place))
            case _:
                raise ConfigError(f"{path}: a root has no key, or no absolute path")
    extension_id = profile.get("extension_id") or ""
    if not (isinstance(extension_id, str) and (extension_id.isalnum() or not extension_id)):
        raise ConfigError(f"{path}: {extension_id!r} is no extension id")
    return Profile(tuple(roots), extension_id)
