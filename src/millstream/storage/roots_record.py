"""What is remembered of the storage roots between runs: the session store's key `roots`.

A bencoded dictionary with a version. A torrent's state says where it is by path as well, so what
cannot be read here costs labels and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.errors import BencodeError, ConfigError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.storage.roots import StorageRoot, StorageRootManager

RECORD_VERSION = 1

# 10,000 roots, one for each torrent of a big session, take 2 MiB; paths can be long.
MAX_RECORD_LENGTH = 64 << 20

# `device:inode`, twice 64 bits, takes 41; platforms may say it otherwise.
MAX_IDENTITY_LENGTH = 256


@dataclass(frozen=True, slots=True)
class RootsRecord:
    """The roots as they were.

    Attributes:
        roots: in their order; no two of them have the same token or the same path.
        default: the token of one of them.
        identities: of some of them by token, see `FileSystem.identify`.
        unknown: what a later version said of all of them.
        unknown_of: what a later version said of one, by token.
    """

    roots: tuple[StorageRoot, ...] = ()
    default: str | None = None
    identities: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[bytes, Bencoded] = field(default_factory=dict)
    unknown_of: Mapping[str, Mapping[bytes, Bencoded]] = field(default_factory=dict)

    def restore(self, roots: StorageRootManager) -> None:
        """Let the manager know them."""
        roots.restore(self.roots, self.default, self.identities)

    def updated(self, roots: StorageRootManager) -> RootsRecord:
        """The manager's roots as they are now, and what a later version said of them."""
        there = tuple(roots.roots)
        tokens = {root.token for root in there}
        return RootsRecord(
            roots=there,
            default=None if roots.default is None else roots.default.token,
            identities=dict(roots.identities),
            unknown=self.unknown,
            unknown_of={token: said for token, said in self.unknown_of.items() if token in tokens},
        )

    def encode(self) -> bytes:
        """What `decode` reads."""
        said: dict[bytes, Bencodable] = {
            **self.unknown,
            b"version": RECORD_VERSION,
            b"roots": [self._entry(root) for root in self.roots],
        }
        if self.default is not None:
            said[b"default"] = _encoded(self.default)
        return bencode.encode(said)

    def _entry(self, root: StorageRoot) -> dict[bytes, Bencodable]:
        entry: dict[bytes, Bencodable] = {
            **self.unknown_of.get(root.token, {}),
            b"token": _encoded(root.token),
            b"label": _encoded(root.label),
            b"path": _encoded(root.path),
            b"implicit": int(root.is_implicit),
        }
        if root.token in self.identities:
            entry[b"identity"] = _encoded(self.identities[root.token])
        return entry

    @classmethod
    def decode(cls, data: bytes | None) -> RootsRecord:
        """Read a record; a root that cannot be read is left out, and of what is none there is none."""
        try:
            said = bencode.decode(data or b"") if len(data or b"") <= MAX_RECORD_LENGTH else None
        except BencodeError:
            return cls()
        if not isinstance(said, dict) or said.get(b"version") != RECORD_VERSION:
            return cls()
        entries = said.get(b"roots")
        roots: dict[str, StorageRoot] = {}
        paths: set[str] = set()
        identities: dict[str, str] = {}
        unknown_of: dict[str, dict[bytes, Bencoded]] = {}
        for entry in entries if isinstance(entries, list) else []:
            root = _root(entry)
            if root is None or root.token in roots or root.path in paths:
                continue
            assert isinstance(entry, dict)  # noqa: S101 - or there were no root
            roots[root.token] = root
            paths.add(root.path)
            identity = _text(entry, b"identity")
            if identity is not None and 0 < len(identity) <= MAX_IDENTITY_LENGTH:
                identities[root.token] = identity
            later = {key: value for key, value in entry.items() if key not in _KNOWN_OF}
            if later:
                unknown_of[root.token] = later
        default = _text(said, b"default")
        return cls(
            roots=tuple(roots.values()),
            default=default if default in roots else None,
            identities=identities,
            unknown={key: value for key, value in said.items() if key not in _KNOWN},
            unknown_of=unknown_of,
        )


_KNOWN = {b"version", b"roots", b"default"}
_KNOWN_OF = {b"token", b"label", b"path", b"implicit", b"identity"}


def _root(entry: Bencoded) -> StorageRoot | None:
    if not isinstance(entry, dict):
        return None
    token, label, path = (_text(entry, key) for key in (b"token", b"label", b"path"))
    if token is None or label is None or path is None:
        return None
    try:
        return StorageRoot(token, label, path, is_implicit=entry.get(b"implicit") == 1)
    except ConfigError:
        return None


def _encoded(text: str) -> bytes:
    # A path that is no UTF-8 has surrogates in place of what is not.
    return text.encode("utf-8", "surrogateescape")


def _text(said: dict[bytes, Bencoded], key: bytes) -> str | None:
    value = said.get(key)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None
