"""A directory that the user has lent to a browser, as the extension and `rpc-info.json` know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from millstream.errors import ConfigError
from millstream.storage.roots import MAX_LABEL_LENGTH, StorageRoot

KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class LentRoot:
    """One directory.

    Attributes:
        key: names it for the extension and the io-daemon; made of the path.
        path: absolute, without symbolic links.
        display_name: for people.
        removable: whether its disk may be taken out; never known here.
        last_stat_ok: whether it was there when it was last looked for.
        last_checked: when that was, in milliseconds since 1970.
    """

    key: str
    path: str
    display_name: str
    removable: bool = False
    last_stat_ok: bool = True
    last_checked: int = 0

    def record(self) -> dict[str, Any]:
        """As it is written."""
        return asdict(self)


def new_root(path: Path, now_ms: int) -> LentRoot:
    """The root of a directory that was resolved.

    Raises:
        ConfigError: its name cannot be told to a browser.
    """
    place = str(path)
    try:
        data = place.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{place!r}: a browser can only be told names in UTF-8") from None
    label = "".join([char if char.isprintable() else "?" for char in path.name or place])
    key = sha256(data).hexdigest()[:KEY_LENGTH]
    root = LentRoot(key, place, label[:MAX_LABEL_LENGTH], last_checked=now_ms)
    _check(root)
    return root


def read_root(record: Mapping[str, Any]) -> LentRoot | None:
    """What `LentRoot.record` wrote; None if it is something else."""
    match record:
        case {"key": str(key), "path": str(path)} if Path(path).is_absolute():
            label = record.get("display_name")
            checked = record.get("last_checked")
            root = LentRoot(
                key,
                path,
                label if isinstance(label, str) and label else key,
                removable=record.get("removable") is True,
                last_stat_ok=record.get("last_stat_ok") is not False,
                last_checked=checked if isinstance(checked, int) else 0,
            )
        case _:
            return None
    try:
        _check(root)
    except ConfigError:
        return None
    return root


def _check(root: LentRoot) -> None:
    """Raise ConfigError if the io-daemon would refuse it."""
    StorageRoot(root.key, root.display_name, root.path)
    if "/" in root.key:
        raise ConfigError(f"a root's key has a / in it: {root.key!r}")
