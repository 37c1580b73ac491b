"""The native host: carries out what an extension asks for."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from millstream.errors import ConfigError, MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.native_host.containment import OutsideError, contained, is_runnable
from millstream.native_host.lent_root import LentRoot, new_root
from millstream.native_host.local_server import LocalAddress
from millstream.native_host.operations import (
    BadRequestError,
    DeleteDownloadRoot,
    Handshake,
    OpenFile,
    Operation,
    PickDownloadDirectory,
    RequestId,
    RevealInFolder,
    failed,
    read_request,
    succeeded,
)
from millstream.native_host.profiles import Profile, roots_of, updated
from millstream.native_host.rpc_info_file import RpcInfoFile

# Directories of one browser: what a person chooses one by one.
MAX_ROOTS = 256

_LOG = component_logger("native_host")


class Daemon(Protocol):
    """The io-daemon, as a native host uses it: `DaemonProcess`."""

    async def start(self, install_id: str, origin: str = "") -> LocalAddress:
        """Where it is, once it has read what is lent."""

    async def reload(self) -> None:
        """Let it read again what is lent."""


class Screen(Protocol):
    """What a user looks at: `Desktop`."""

    async def pick_folder(self, start: Path) -> str | None:
        """Let the user choose a folder."""

    async def open(self, path: Path) -> None:
        """Open a file."""

    async def reveal(self, path: Path) -> None:
        """Show a file in the file manager."""


class Links(Protocol):
    """Where the desktop leaves links: `LinkServer`."""

    async def start(self) -> LocalAddress:
        """Where it is."""


class NativeHost:
    """One extension's.

    Args:
        file: where it is remembered what was lent to whom.
        daemon: started with the first handshake.
        screen: the user's.
        links: started with the first handshake, too.
        version: of Millstream.
        caller: the extension's id as the browser says it; None if it does not.
    """

    def __init__(
        self,
        file: RpcInfoFile,
        daemon: Daemon,
        screen: Screen,
        links: Links,
        *,
        version: str,
        caller: str | None,
    ) -> None:
        self._file = file
        self._daemon = daemon
        self._screen = screen
        self._links = links
        self._version = version
        self._caller = caller
        self._install_id = ""
        self._started = int(time.time())
        self._roots: dict[str, LentRoot] = {}
        self._changing = asyncio.Lock()
        self._asks_for_folder = False

    async def answer(self, message: object) -> dict[str, object]:
        """Carry out a request; its answer, whatever happens."""
        request_id: RequestId = None
        try:
            request_id, operation = read_request(message)
            kind, payload = await self._carry_out(operation)
        except BadRequestError as error:
            return failed(error.request_id if request_id is None else request_id, str(error))
        except OSError as error:
            path = f"{error.filename}: " if isinstance(error.filename, str) else ""
            return failed(request_id, f"{path}{error.strerror or error}")
        except MillstreamError as error:
            return failed(request_id, str(error))
        except Exception:  # noqa: BLE001 - the last resort: one request must not end it
            _LOG.exception("a request failed")
            return failed(request_id, "an error of the native host; its log has it")
        return succeeded(request_id, kind, payload)

    async def _carry_out(self, operation: Operation) -> tuple[str, object]:
        if isinstance(operation, Handshake):
            return await self._handshake(operation)
        if not self._install_id:
            raise BadRequestError("the first request is a handshake")
        match operation:
            case PickDownloadDirectory():
                return await self._pick()
            case DeleteDownloadRoot(key):
                return await self._delete(key)
            case OpenFile(key, path):
                await self._open(key, path)
            case RevealInFolder(key, path):
                await self._screen.reveal(await self._find(key, path))
        return "Empty", None

    async def _handshake(self, asked: Handshake) -> tuple[str, object]:
        if self._caller is not None and asked.extension_id != self._caller:
            raise BadRequestError(
                f"extensionId is {asked.extension_id!r}, and the browser says {self._caller!r}"
            )
        async with self._changing:
            profiles = await asyncio.to_thread(self._file.read)
            roots = roots_of(profiles, asked.install_id)
            looked_at = await asyncio.to_thread(_look, roots)
            self._install_id = asked.install_id
            await self._remember(looked_at, asked.extension_id)
            address = await self._daemon.start(asked.install_id, asked.origin)
        return "DaemonInfo", {
            "port": address.port,
            "token": address.token,
            "version": self._version,
            "roots": [root.record() for root in self._roots.values()],
        }

    async def _pick(self) -> tuple[str, object]:
        if self._asks_for_folder:
            raise BadRequestError("the user is being asked for a folder already")
        self._asks_for_folder = True
        try:
            chosen = await self._screen.pick_folder(self._where_to_begin())
        finally:
            self._asks_for_folder = False
        if chosen is None:
            raise BadRequestError("no folder was chosen")
        path = await asyncio.to_thread(_resolved_folder, chosen)
        root = new_root(path, _now_ms())
        async with self._changing:
            if root.key not in self._roots and len(self._roots) >= MAX_ROOTS:
                raise ConfigError(f"{MAX_ROOTS} folders were chosen; no more can be")
            await self._remember((*self._roots.values(), root))
            await self._daemon.reload()
        return "RootAdded", {"root": root.record()}

    async def _delete(self, key: str) -> tuple[str, object]:
        async with self._changing:
            self._root(key)
            await self._remember([root for root in self._roots.values() if root.key != key])
            await self._daemon.reload()
        return "RootRemoved", {"key": key}

    async def _open(self, key: str, path: str) -> None:
        found = await self._find(key, path)
        if is_runnable(found):
            raise OutsideError(
                f"{found.name!r} may be a program; it is not opened, but can be revealed"
            )
        await self._screen.open(found)

    async def _find(self, key: str, path: str) -> Path:
        return await asyncio.to_thread(contained, self._root(key).path, path)

    def _root(self, key: str) -> LentRoot:
        root = self._roots.get(key)
        if root is None:
            raise BadRequestError(f"there is no root {key[:80]!r}")
        return root

    def _where_to_begin(self) -> Path:
        there = [root for root in self._roots.values() if root.last_stat_ok]
        return Path(there[-1].path) if there else Path.home()

    async def _remember(
        self, roots: tuple[LentRoot, ...] | list[LentRoot], extension_id: str | None = None
    ) -> None:
        found = {root.key: root for root in roots}
        links = await self._links.start()
        changes: Profile = {
            "install_id": self._install_id,
            "pid": os.getpid(),
            "port": links.port,
            "token": links.token,
            "started": self._started,
            "last_used": int(time.time()),
            "download_roots": [root.record() for root in found.values()],
        }
        if extension_id is not None:
            # The io-daemon lets in the pages of this one; Firefox has others for its pages.
            changes["extension_id"] = extension_id if extension_id.isalnum() else None
        await asyncio.to_thread(self._file.change, lambda profiles: updated(profiles, changes))
        self._roots = found


def _look(roots: tuple[LentRoot, ...]) -> list[LentRoot]:
    now = _now_ms()
    return [
        replace(root, last_stat_ok=Path(root.path).is_dir(), last_checked=now) for root in roots
    ]


def _resolved_folder(chosen: str) -> Path:
    path = Path(chosen).expanduser().resolve(strict=True)
    if not path.is_dir():
        raise NotADirectoryError(20, "it is no folder", str(path))
    return path


def _now_ms() -> int:
    return int(time.time() * 1000)
