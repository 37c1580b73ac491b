"""What a torrent's state remembers of where its files are, besides the root."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace

from millstream.errors import ConfigError, MalformedDataError
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.file_selection import MAX_FILE_INDEX, FileSelection
from millstream.storage.placement import Placement

# A path within a root: Linux's PATH_MAX is 4096.
MAX_PATH_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    """Where files are that are not where the metainfo puts them.

    Attributes:
        renames: paths by the number of the file.
        in_parts: the files whose bytes are in the parts file; None for none.
        suffixed: the files that had the incomplete suffix when this was said; None for none. A
            file may have lost it since.
        suffix: what their names ended with.
        parts_left: whether no file is in the parts file any more, and it may be there still.
        foreign: the files that were there before the torrent, with other content; None for none.
        moving_to: the root to which the files are being moved; None if they are not. Some may be
            there, and some still where they were.
        moved_from: the root that they were moved from, where copies may be left to delete.
        renaming: new paths of files that are being renamed, by number.
    """

    renames: Mapping[int, str] = field(default_factory=dict)
    in_parts: FileSelection | None = None
    suffixed: FileSelection | None = None
    suffix: str = ""
    parts_left: bool = False
    foreign: FileSelection | None = None
    moving_to: str | None = None
    moved_from: str | None = None
    renaming: Mapping[int, str] = field(default_factory=dict)

    def with_placement(self, placement: Placement) -> PlacementRecord:
        """What there is to remember of a placement, and what is under way as it was."""
        if placement.is_plain and not (self.renames or self.in_parts or self.suffixed):
            return self
        return replace(
            self,
            renames=placement.renames,
            in_parts=_selection(placement.in_parts),
            suffixed=_selection(placement.suffixed),
            suffix=placement.suffix,
        )

    def restore(self, placement: Placement) -> None:
        """Let a placement that nothing was done to be what is remembered, as far as it fits."""
        count = len(placement.layout.names)
        with suppress(ConfigError):
            placement.rename_many(self.renames)
        if self.in_parts is not None:
            placement.put_in_parts(self.in_parts.indexes(count))
        if self.suffixed is not None and self.suffix:
            with suppress(ConfigError):
                placement.add_suffix(self.suffixed.indexes(count), self.suffix)

    def encode(self) -> dict[bytes, Bencodable]:
        """What `decode` reads; empty if there is nothing to say."""
        said: dict[bytes, Bencodable] = {}
        if self.renames:
            said[b"renames"] = _encode_paths(self.renames)
        if self.in_parts is not None:
            said[b"in parts"] = str(self.in_parts).encode()
        if self.suffixed is not None:
            said[b"suffixed"] = str(self.suffixed).encode()
            said[b"suffix"] = self.suffix.encode("utf-8", "surrogateescape")
        if self.parts_left:
            said[b"parts left"] = 1
        if self.foreign is not None:
            said[b"foreign"] = str(self.foreign).encode()
        if self.moving_to is not None:
            said[b"moving to"] = self.moving_to.encode("utf-8", "surrogateescape")
        if self.moved_from is not None:
            said[b"moved from"] = self.moved_from.encode("utf-8", "surrogateescape")
        if self.renaming:
            said[b"renaming"] = _encode_paths(self.renaming)
        return said

    @classmethod
    def decode(cls, said: Bencoded | None) -> PlacementRecord:
        """Read a record; what cannot be read was never said."""
        if not isinstance(said, dict):
            return NOTHING_TO_REMEMBER
        suffixed = _decode_files(said.get(b"suffixed"))
        return cls(
            renames=_decode_paths(said.get(b"renames")),
            in_parts=_decode_files(said.get(b"in parts")),
            suffixed=suffixed,
            suffix="" if suffixed is None else _decode_text(said.get(b"suffix")) or "",
            parts_left=said.get(b"parts left") == 1,
            foreign=_decode_files(said.get(b"foreign")),
            moving_to=_decode_text(said.get(b"moving to")),
            moved_from=_decode_text(said.get(b"moved from")),
            renaming=_decode_paths(said.get(b"renaming")),
        )


# Of most torrents; ten thousand of them have it in common.
NOTHING_TO_REMEMBER = PlacementRecord()


def _selection(indexes: AbstractSet[int]) -> FileSelection | None:
    return FileSelection.of(indexes) if indexes else None


def _encode_paths(paths: Mapping[int, str]) -> list[Bencodable]:
    return [[number, path.encode("utf-8", "surrogateescape")] for number, path in paths.items()]


def _decode_paths(said: Bencoded | None) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in said if isinstance(said, list) else ():
        match entry:
            case [int(number), bytes(path)] if 0 <= number <= MAX_FILE_INDEX:
                text = _decode_text(path)
                if text is not None and len(path) <= MAX_PATH_LENGTH:
                    found[number] = text
    return found


def _decode_files(said: Bencoded | None) -> FileSelection | None:
    try:
        return FileSelection.parse(said.decode("ascii")) if isinstance(said, bytes) else None
    except (UnicodeDecodeError, MalformedDataError):
        return None


def _decode_text(said: Bencoded | None) -> str | None:
    if not isinstance(said, bytes) or not said or b"\0" in said:
        return None
    return said.decode("utf-8", "surrogateescape")
