"""The contents of `rpc-info.json`: which browser was lent which directories. Pure.

`{"version": 1, "profiles": [{"install_id", "extension_id", "pid", "port", "token", "started",
"last_used", "browser", "download_roots": [...]}]}`: JSTorrent's file, whose roots are found again. What
is not known here stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from millstream.errors import ConfigError
from millstream.native_host.lent_root import LentRoot, read_root

VERSION = 1

# What the io-daemon reads of it at most.
MAX_LENGTH = 1 << 20
# One browser has one for each of its users; the one not used for longest goes.
MAX_PROFILES = 64

Profile: TypeAlias = dict[str, Any]


def read_profiles(data: bytes) -> list[Profile]:
    """The profiles in a file; raises ConfigError if it is no such file."""
    if len(data) > MAX_LENGTH:
        raise ConfigError(f"it has {len(data)} bytes; {MAX_LENGTH} is the most")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"it has no JSON: {error}") from None
    match found:
        case {"version": 1, "profiles": [*profiles]}:
            return [profile for profile in profiles if isinstance(profile, dict)]
        case _:
            raise ConfigError(f"it has no profiles of version {VERSION}")


def write_profiles(profiles: list[Profile]) -> bytes:
    """A file with these profiles; raises ConfigError if it would be too long."""
    data = json.dumps({"version": VERSION, "profiles": profiles}, indent=1).encode("ascii") + b"\n"
    if len(data) > MAX_LENGTH:
        raise ConfigError(f"it would have {len(data)} bytes; {MAX_LENGTH} is the most")
    return data


def roots_of(profiles: Iterable[Profile], install_id: str) -> tuple[LentRoot, ...]:
    """What is lent to an install id; what is no root there is left out."""
    for profile in profiles:
        if profile.get("install_id") == install_id:
            records = profile.get("download_roots")
            if not isinstance(records, list):
                return ()
            read = [read_root(record) for record in records if isinstance(record, dict)]
            found = {root.key: root for root in read if root is not None}
            return tuple(found.values())
    return ()


def updated(profiles: Iterable[Profile], changes: Profile) -> list[Profile]:
    """The profiles with these changes in the one of the same install id, which is made if need be."""
    install_id = changes["install_id"]
    others: list[Profile] = []
    mine: Profile = {}
    for profile in profiles:
        if profile.get("install_id") != install_id:
            others.append(profile)
        elif not mine:
            mine = profile
    others.sort(key=_last_used, reverse=True)
    return [mine | changes, *others[: MAX_PROFILES - 1]]


def _last_used(profile: Profile) -> float:
    when = profile.get("last_used")
    return when if isinstance(when, (int, float)) else 0
