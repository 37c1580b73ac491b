"""Where torrents may be: directories by an opaque token, and which torrent is in which (seed 002).

A torrent's state names a token, not a path; so a disk that is mounted elsewhere one day is told
once (`repoint`), and all its torrents are found again. A directory that only some torrent was added
with is a root, too: an implicit one, which comes and goes with its torrents.

Nothing here touches a disk: `engine.root_watch` looks whether the roots are there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from os import PathLike, fspath
from typing import TypeAlias

from millstream.errors import ConfigError, EngineError
from millstream.protocol.infohash import InfoHash

# Our own are so many hex digits; those of an I/O daemon are its own business, within reason.
TOKEN_LENGTH = 16
MAX_TOKEN_LENGTH = 128

# Linux: PATH_MAX is 4096; Windows takes 32,767 characters.
MAX_PATH_LENGTH = 32 << 10

# What fits in a name of a file, and in a line of a list.
MAX_LABEL_LENGTH = 255

TorrentId: TypeAlias = InfoHash | str
"""An infohash, or its 40 hex digits in either case."""


@dataclass(frozen=True, slots=True)
class StorageRoot:
    """A directory under which torrents are.

    Attributes:
        token: names it for good, whatever becomes of label and path.
        label: names it for people.
        path: as `interfaces.filesystem.FileSystem.root` says it.
        is_implicit: nobody asked for it; it is there because a torrent was added with its path.
    """

    token: str
    label: str
    path: str
    is_implicit: bool = False

    def __post_init__(self) -> None:
        for name, text, most in (
            ("token", self.token, MAX_TOKEN_LENGTH),
            ("label", self.label, MAX_LABEL_LENGTH),
            ("path", self.path, MAX_PATH_LENGTH),
        ):
            if not 0 < len(text) <= most:
                raise ConfigError(f"a storage root's {name} has 1 to {most} characters: {text!r}")
            if "\0" in text or (name != "path" and not text.isprintable()):
                raise ConfigError(f"a storage root's {name} has only printable ones: {text!r}")
        try:
            self.path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ConfigError(f"a storage root's path is no path: {self.path!r}") from error


class StorageRootManager:
    """All roots of an engine, in the order in which they came.

    Args:
        rng: draws tokens.
        resolve: makes a root's path of a directory as a user names it: `FileSystem.root`.

    Attributes:
        changed: called after every change of what is worth remembering of the roots. Which torrent
            is where is each torrent's own to remember.
        repointed: called with a root that got another path.
    """

    __slots__ = (
        *("_by_path", "_default", "_identities", "_resolve", "_rng", "_root_of", "_roots"),
        *("_torrents", "changed", "repointed"),
    )

    def __init__(self, rng: random.Random, resolve: Callable[[str], str] = str) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.repointed: Callable[[StorageRoot], None] = lambda _root: None
        self._rng = rng
        self._resolve = resolve
        self._roots: dict[str, StorageRoot] = {}
        self._by_path: dict[str, str] = {}
        self._identities: dict[str, str] = {}
        self._default: str | None = None
        self._root_of: dict[InfoHash, str] = {}
        self._torrents: dict[str, dict[InfoHash, None]] = {}

    # The roots.

    @property
    def roots(self) -> list[StorageRoot]:
        """All of them."""
        return list(self._roots.values())

    @property
    def in_use(self) -> list[StorageRoot]:
        """Those in which there are torrents."""
        return [self._roots[token] for token in self._torrents]

    @property
    def default(self) -> StorageRoot | None:
        """Where torrents are that are added without saying where."""
        return None if self._default is None else self._roots[self._default]

    def get(self, token: str) -> StorageRoot:
        """The root of a token. Raises ConfigError if there is none."""
        root = self._roots.get(token)
        if root is None:
            raise ConfigError(f"there is no storage root {token!r}")
        return root

    def find(self, token: str | None) -> StorageRoot | None:
        """The root of a token, if there is one."""
        return None if token is None else self._roots.get(token)

    def add(
        self, path: str | PathLike[str], label: str | None = None, token: str | None = None
    ) -> StorageRoot:
        """Register a directory; the same one twice is the same root, with the later label.

        Args:
            path: as a user names it.
            label: None for the last part of the path, or for the label that it has already.
            token: given by whoever lends the directory; None for one of our own.

        Raises:
            ConfigError: the token is that of another directory, or the directory has another one;
                or one of the three is unfit.
        """
        place = self._resolve(fspath(path))
        there = self._at(place)
        if there is not None and token not in {None, there.token}:
            raise ConfigError(f"{place} is the storage root {there.label!r} already")
        if there is not None:
            return self._put(replace(there, label=label or there.label, is_implicit=False))
        if token is not None and token in self._roots:
            raise ConfigError(f"the storage root {token!r} is {self._roots[token].path} already")
        return self._put(StorageRoot(token or self._new_token(place), label or _name(place), place))

    def for_path(self, path: str | PathLike[str]) -> StorageRoot:
        """The root of a directory; an implicit one if it had none. Raises ConfigError."""
        place = self._resolve(fspath(path))
        there = self._at(place)
        if there is not None:
            return there
        return self._put(StorageRoot(self._new_token(place), _name(place), place, is_implicit=True))

    def choose(
        self, token: str | None, path: str | PathLike[str] | None, fallback: str
    ) -> StorageRoot:
        """The root of a token, or of a directory; the default if neither is said.

        Without a default, `fallback` is the directory. Raises ConfigError for an unknown token.
        """
        if token is not None:
            return self.get(token)
        if path is not None:
            return self.for_path(path)
        return self.default or self.for_path(fallback)

    def remove(self, token: str) -> None:
        """Forget a root; its directory stays.

        Raises:
            ConfigError: there is no such root.
            EngineError: torrents are in it.
        """
        root = self.get(token)
        count = len(self._torrents.get(token, ()))
        if count:
            some = f"{count} torrents are" if count > 1 else "a torrent is"
            raise EngineError(f"the storage root {root.label!r} stays: {some} in it")
        self._drop(root)
        self.changed()

    def set_default(self, token: str) -> None:
        """Let torrents be here that are added without saying where. Raises ConfigError."""
        self.get(token)
        if token != self._default:
            self._default = token
            self.changed()

    def relabel(self, token: str, label: str) -> StorageRoot:
        """Give a root another name. Raises ConfigError."""
        return self._put(replace(self.get(token), label=label, is_implicit=False))

    def repoint(self, token: str, path: str | PathLike[str]) -> StorageRoot:
        """The directory is elsewhere now: its disk is mounted at another place, for one.

        Nothing is moved, and what was known of the directory's identity is forgotten.

        Raises:
            ConfigError: there is no such root, or another root has that directory.
        """
        root, place = self.get(token), self._resolve(fspath(path))
        there = self._at(place)
        if there is not None and there.token != token:
            if not there.is_implicit or there.token in self._torrents:
                raise ConfigError(f"{place} is the storage root {there.label!r} already")
            self._drop(there)
        if place != root.path:
            self._identities.pop(token, None)
        moved = self._put(replace(root, path=place, is_implicit=False))
        if place != root.path:
            self.repointed(moved)
        return moved

    # Which torrent is where.

    def assign(self, torrent: TorrentId, token: str) -> StorageRoot:
        """The torrent is in this root now, and in no other. Raises ConfigError."""
        root, info_hash = self.get(token), _normalized(torrent)
        before = self._root_of.get(info_hash)
        if before != token:
            self._root_of[info_hash] = token
            self._torrents.setdefault(token, {})[info_hash] = None
            self._left(info_hash, before)
        return root

    def unassign(self, torrent: TorrentId) -> None:
        """The torrent is nowhere any more."""
        info_hash = _normalized(torrent)
        self._left(info_hash, self._root_of.pop(info_hash, None))

    def root_of(self, torrent: TorrentId) -> StorageRoot | None:
        """Where the torrent is, if it was said."""
        return self.find(self._root_of.get(_normalized(torrent)))

    def torrents_in(self, token: str) -> list[InfoHash]:
        """The torrents in a root."""
        return list(self._torrents.get(token, ()))

    # Between runs.

    @property
    def identities(self) -> Mapping[str, str]:
        """By token, which directory it was when it was last seen: see `FileSystem.identify`."""
        return self._identities

    def set_identity(self, token: str, identity: str | None) -> None:
        """Remember which directory it is; None forgets it."""
        if token in self._roots and self._identities.get(token) != identity:
            if identity is None:
                del self._identities[token]
            else:
                self._identities[token] = identity
            self.changed()

    def restore(
        self, roots: Iterable[StorageRoot], default: str | None, identities: Mapping[str, str]
    ) -> None:
        """Know the roots of the last run besides those that are known already.

        A root whose path or token is taken already is passed over, and a default that is set stays.
        """
        for root in roots:
            if root.token not in self._roots and root.path not in self._by_path:
                self._roots[root.token] = root
                self._by_path[root.path] = root.token
                if root.token in identities:
                    self._identities[root.token] = identities[root.token]
        if self._default is None and default in self._roots:
            self._default = default

    def drop_unused(self) -> None:
        """Forget implicit roots without torrents, once all torrents of the last run are back."""
        unused = [root for root in self._roots.values() if self._is_unused(root)]
        for root in unused:
            self._drop(root)
        if unused:
            self.changed()

    # Within.

    def _at(self, place: str) -> StorageRoot | None:
        return self.find(self._by_path.get(place))

    def _put(self, root: StorageRoot) -> StorageRoot:
        before = self._roots.get(root.token)
        if before == root:
            return before
        if before is not None:
            del self._by_path[before.path]
        self._roots[root.token] = root
        self._by_path[root.path] = root.token
        self.changed()
        return root

    def _drop(self, root: StorageRoot) -> None:
        del self._roots[root.token], self._by_path[root.path]
        self._identities.pop(root.token, None)
        if self._default == root.token:
            self._default = None

    def _left(self, info_hash: InfoHash, token: str | None) -> None:
        if token is None:
            return
        torrents = self._torrents[token]
        del torrents[info_hash]
        if not torrents:
            del self._torrents[token]
            if self._is_unused(self._roots[token]):
                self._drop(self._roots[token])
                self.changed()

    def _is_unused(self, root: StorageRoot) -> bool:
        return root.is_implicit and root.token not in self._torrents and root.token != self._default

    def _new_token(self, place: str) -> str:
        while True:
            # The same seed draws again what it drew in the last run, but not for the same place.
            drawn = f"{self._rng.getrandbits(64)} {place}".encode("utf-8", "replace")
            token = sha256(drawn).hexdigest()[:TOKEN_LENGTH]
            if token not in self._roots:
                return token


def _name(place: str) -> str:
    """The last part of a path, fit to be a label."""
    last = place.replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = "".join([char if char.isprintable() else "?" for char in last or place])
    return text[:MAX_LABEL_LENGTH]


def _normalized(torrent: TorrentId) -> InfoHash:
    return InfoHash.from_hex(torrent) if isinstance(torrent, str) else torrent
