"""The session in one JSON file, that people and other programs can read.

Everything is in memory and every change writes the whole file: right for some torrents, not for
thousands. A new file is written beside the old one, reaches the disk, and only then takes its name,
so that there is a whole one at any moment.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from millstream.adapters.native.set_aside import set_aside
from millstream.errors import StorageError
from millstream.logging.component_logger import component_logger

_LOG = component_logger("store")

T = TypeVar("T")

FORMAT = "millstream session"
FORMAT_VERSION = 1

# One entry, wherever it stands: the file has one on each line.
_ENTRY = re.compile(r'("(?:[^"\\\n]|\\.)*"): "([A-Za-z0-9+/]*={0,2})"')


class JsonSessionStore:
    """Implements `interfaces.session_store.SessionStore`; values are in base64.

    A file that is no such JSON is set aside as `<name>.corrupt`, and a new one begun with the
    entries that could be read. `<name>.lock` is locked while the store is open.

    Args:
        path: the file; it and its directory are created where missing.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._values: dict[str, bytes] | None = None
        self._lock = -1
        self._thread: ThreadPoolExecutor | None = None

    async def get(self, key: str) -> bytes | None:
        """See `interfaces.session_store.SessionStore`."""
        return await self._run(lambda values: values.get(key))

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See `interfaces.session_store.SessionStore`."""
        wanted = list(keys)
        return await self._run(lambda values: {key: values[key] for key in wanted if key in values})

    async def set(self, key: str, value: bytes) -> None:
        """See `interfaces.session_store.SessionStore`."""
        await self.apply({key: value})

    async def delete(self, key: str) -> None:
        """See `interfaces.session_store.SessionStore`."""
        await self.apply({key: None})

    async def keys(self, prefix: str = "") -> list[str]:
        """See `interfaces.session_store.SessionStore`."""
        return await self._run(
            lambda values: sorted(key for key in values if key.startswith(prefix))
        )

    async def clear(self) -> None:
        """See `interfaces.session_store.SessionStore`."""
        await self._run(lambda _values: self._write({}))

    async def apply(self, batch: Mapping[str, bytes | None]) -> None:
        """See `interfaces.session_store.SessionStore`."""
        # Read here and now: the mapping is the caller's.
        changes = {key: None if value is None else bytes(value) for key, value in batch.items()}

        def change(values: dict[str, bytes]) -> None:
            merged = {**values, **changes}
            after = {key: value for key, value in merged.items() if value is not None}
            if after != values:
                self._write(after)

        await self._run(change)

    async def close(self) -> None:
        """See `interfaces.session_store.SessionStore`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._release)
            thread.shutdown()

    # In the thread.

    async def _run(self, work: Callable[[dict[str, bytes]], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="millstream-session")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[dict[str, bytes]], T]) -> T:
        try:
            if self._values is None:
                self._open()
            return work(self._values or {})
        except OSError as error:
            raise StorageError(self.path, error.strerror or str(error), error.errno) from error

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._lock = os.open(f"{self.path}.lock", flags, 0o600)
        try:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                cause = "another process uses this session; only one can at a time"
                raise StorageError(self.path, cause) from error
            self._load()
        except BaseException:
            self._release()
            raise

    def _load(self) -> None:
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            self._values = {}
            return
        try:
            self._values = _decode(data)
        except ValueError as error:
            self._begin_anew(data, error)
        if self._values is None:
            raise StorageError(self.path, "a newer version of Millstream wrote this session")

    def _begin_anew(self, data: bytes, reason: ValueError) -> None:
        aside = set_aside(self.path)
        entries = _salvage(data)
        self._write(entries)
        _LOG.warning(
            "%s is corrupt (%s): kept as %s, %d entries recovered",
            self.path,
            reason,
            aside,
            len(entries),
        )

    def _write(self, values: dict[str, bytes]) -> None:
        """Replace the file, and only then what is in memory."""
        fresh = f"{self.path}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(_encode(values))
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, self.path)
        directory = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._values = values

    def _release(self) -> None:
        self._values = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _encode(values: Mapping[str, bytes]) -> bytes:
    entries = {key: base64.b64encode(value).decode() for key, value in sorted(values.items())}
    whole = {"format": FORMAT, "version": FORMAT_VERSION, "entries": entries}
    return json.dumps(whole, indent=1).encode() + b"\n"


def _decode(data: bytes) -> dict[str, bytes] | None:
    """The entries; None if a newer version wrote them. Raises ValueError if it is no session."""
    try:
        whole = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise ValueError("no session of Millstream")
    version, entries = whole.get("version"), whole.get("entries")
    if not isinstance(version, int) or not isinstance(entries, dict):
        raise ValueError("no entries")  # noqa: TRY004 - one kind for all that it can lack
    if version > FORMAT_VERSION:
        return None
    if not all(isinstance(value, str) for value in entries.values()):
        raise ValueError("a value that is no text")
    return {key: base64.b64decode(value, validate=True) for key, value in entries.items()}


def _salvage(data: bytes) -> dict[str, bytes]:
    """The entries that stand whole in what is left of a file."""
    found = {}
    for match in _ENTRY.finditer(data.decode("utf-8", "replace")):
        try:
            key = json.loads(match[1])
            value = base64.b64decode(match[2], validate=True)
        except (ValueError, binascii.Error):
            continue
        if key not in {"format", "version"}:
            found[key] = value
    return found
