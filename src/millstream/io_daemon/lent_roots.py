"""The directories that are lent, by their tokens: the only names that clients have for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from millstream.errors import ConfigError, MillstreamError
from millstream.io_daemon.directory import (
    HAS_DESCRIPTORS,
    CheckedDirectory,
    Directory,
    OpenDirectory,
)
from millstream.storage.roots import StorageRoot


class UnknownRootError(MillstreamError):
    """No directory is lent by this token."""


class LentRoots:
    """All of them; they may change while the daemon runs.

    Args:
        roots: the ones to begin with.

    Raises:
        ConfigError: two have the same token, or a token does not fit into a URL's path.
    """

    def __init__(self, roots: Iterable[StorageRoot] = ()) -> None:
        self._roots: dict[str, StorageRoot] = {}
        self.replace(roots)

    def __iter__(self) -> Iterator[StorageRoot]:
        return iter(self._roots.values())

    def replace(self, roots: Iterable[StorageRoot]) -> None:
        """Lend these instead. Raises ConfigError, and then nothing has changed."""
        found: dict[str, StorageRoot] = {}
        for root in roots:
            # Within the daemon, and in its errors, a file is `token/path`.
            if "/" in root.token:
                raise ConfigError(f"a root's token has a / in it: {root.token!r}")
            if root.token in found:
                raise ConfigError(f"two roots have the token {root.token!r}")
            found[root.token] = root
        self._roots = found

    def get(self, token: str) -> StorageRoot:
        """The root of a token; raises UnknownRootError."""
        root = self._roots.get(token)
        if root is None:
            raise UnknownRootError(f"there is no root {token[:80]!r}")
        return root

    def open(self, token: str) -> Directory:
        """Its directory. Raises UnknownRootError, and OSError if it is not there."""
        path = self.get(token).path
        return OpenDirectory.at(path) if HAS_DESCRIPTORS else CheckedDirectory.at(path)


def parse_root(text: str) -> StorageRoot:
    """Read `TOKEN=LABEL:PATH`; raises ConfigError."""
    token, equals, rest = text.partition("=")
    label, colon, path = rest.partition(":")
    if not (equals and colon and token and path):
        raise ConfigError(f"a root is TOKEN=LABEL:PATH, not {text[:80]!r}")
    if "/" in token:
        raise ConfigError(f"a root's token has a / in it: {token!r}")
    return StorageRoot(token, label or token, os.path.abspath(path))
