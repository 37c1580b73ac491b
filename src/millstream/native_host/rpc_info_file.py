"""`rpc-info.json` on disk: read whole, replaced whole, by one process at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from millstream.errors import ConfigError
from millstream.logging.component_logger import component_logger
from millstream.native_host.private_file import replace_file
from millstream.native_host.profiles import (
    MAX_LENGTH,
    Profile,
    read_profiles,
    write_profiles,
)
from millstream.user_directories import config_directory

NAME = "rpc-info.json"
DIRECTORY_VARIABLE = "JSTORRENT_CONFIG_DIR"

_LOG = component_logger("native_host")


def info_directory(environ: Mapping[str, str], platform: str) -> Path:
    """Where JSTorrent's native host keeps the file, so that ours takes its place.

    `$JSTORRENT_CONFIG_DIR`, or else the user's configuration directory; in either
    `jstorrent-native`.
    """
    given = Path(environ.get(DIRECTORY_VARIABLE, ""))
    directory = given if given.is_absolute() else config_directory(environ, platform)
    return directory / "jstorrent-native"


class RpcInfoFile:
    """The file in a directory, which is made if need be.

    Args:
        directory: where; for its owner alone if it is made.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / NAME

    def read(self) -> list[Profile]:
        """The profiles; none where there is no file, or none that can be read.

        Raises:
            OSError: it is there, and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_LENGTH + 1)
        except FileNotFoundError:
            return []
        try:
            return read_profiles(data)
        except ConfigError as error:
            _LOG.warning("%s: %s; what was in it is not known any more", self.path, error)
            return []

    def change(self, change: Callable[[list[Profile]], list[Profile]]) -> list[Profile]:
        """Replace what is in it by what is made of it; nobody else changes it meanwhile.

        A file that cannot be understood is kept aside, under a name with `.broken`.

        Raises:
            OSError: it cannot be read or written.
            ConfigError: it would be too long.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            profiles = change(self.read())
            data = write_profiles(profiles)
            self._keep_broken()
            replace_file(self.path, data)
        return profiles

    def _keep_broken(self) -> None:
        try:
            read_profiles(self.path.read_bytes())
        except FileNotFoundError:
            return
        except ConfigError:
            self.path.replace(self.path.with_name(f"{NAME}.broken"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if sys.platform == "win32":
            # Replacing is still atomic; two hosts that write at once lose one of the changes.
            yield
            return
        import fcntl  # noqa: PLC0415 - there is none on Windows

        descriptor = os.open(
            self.directory / f"{NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
