"""The one seam for torrent data: jobs go down in batches, results come back in batches.

Libtorrent's `disk_interface` and the verified-write batches of seed 000 in one contract. Hash and
write are one job: bytes that do not match the expected digest never touch the disk, on any
platform, also when a piece spans files.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from millstream.config_ranges import Ranges, check_ranges
from millstream.errors import ConfigError, StorageError
from millstream.protocol.infohash import InfoHash

_SUFFIX = re.compile(r"(\.[A-Za-z0-9!_~-]{1,20})?")


class Extent(NamedTuple):
    """A run of bytes in one file.

    `path` is relative to the root, made by `storage.layout`, with `/` between its parts. None is
    padding (BEP 47): `length` zeros that are read and hashed as zeros and never stored.
    """

    path: str | None
    offset: int
    length: int


@dataclass(slots=True, eq=False)
class VerifiedWrite:
    """Hash `data`, compare with `expected_digest` (SHA-1), and only then write every extent.

    Files and directories that are missing are created, if `may_create`. Else ENOENT says that they
    are gone, as it may do where another file is at the place of one that was open.
    `data` is borrowed until the result is delivered.
    """

    torrent: InfoHash
    piece: int
    root: str
    data: memoryview
    expected_digest: bytes
    extents: tuple[Extent, ...]
    may_create: bool = True


@dataclass(slots=True, eq=False)
class Read:
    """Read the extents, in order, into `into`, which is borrowed until the result is delivered."""

    torrent: InfoHash
    root: str
    extents: tuple[Extent, ...]
    into: memoryview
    tag: object = None


@dataclass(slots=True, eq=False)
class Hash:
    """Read the extents and answer with their SHA-1. A missing or short file fails the job."""

    torrent: InfoHash
    piece: int
    root: str
    extents: tuple[Extent, ...]


DiskJob = VerifiedWrite | Read | Hash


class Outcome(enum.IntEnum):
    """How a job ended; the numbers are those of the packed batches (seed 000).

    INVALID_ARGS is for a job that cannot be right, such as extents that are not as long as the
    data; nothing was touched.
    """

    SUCCESS = 0
    HASH_MISMATCH = 1
    IO_ERROR = 2
    INVALID_ARGS = 3


class DiskResult(NamedTuple):
    """What became of a job. `error` is set exactly for IO_ERROR and INVALID_ARGS, `digest` for Hash."""

    job: DiskJob
    outcome: Outcome
    error: StorageError | None = None
    digest: bytes | None = None


class Allocation(enum.Enum):
    """How the room of a file is taken before its data arrives."""

    SPARSE = "sparse"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskConfig:
    """How the disk is used.

    Attributes:
        workers: threads that hash, read and write; 0 means one per core, at least 2 and at most 8.
            Range 0 to 64.
        max_queued_bytes: bytes of submitted and unfinished writes above which `is_full` holds.
            Range 1 MiB and up; libtorrent's `max_queued_disk_bytes` is 100 MiB.
        max_open_files: file handles kept open. Range 4 and up; libtorrent's `file_pool_size` is 40.
        allocation: whether files are created sparse or with all their room taken.
        incomplete_suffix: what the names of files end with until they are complete, `.part` for
            one; empty for nothing.
    """

    workers: int = 0
    max_queued_bytes: int = 32 << 20
    max_open_files: int = 64
    allocation: Allocation = Allocation.SPARSE
    incomplete_suffix: str = ""

    RANGES: ClassVar[Ranges] = {
        "workers": (0, 64),
        "max_queued_bytes": (1 << 20, math.inf),
        "max_open_files": (4, math.inf),
    }

    def __post_init__(self) -> None:
        check_ranges("disk", self, self.RANGES)
        if not _SUFFIX.fullmatch(self.incomplete_suffix):
            raise ConfigError(
                f"disk.incomplete_suffix is {self.incomplete_suffix!r}; it must be a dot and "
                "letters or digits, or nothing"
            )


class DiskQueue(Protocol):
    """Takes jobs during a tick and hands them over at its end.

    Jobs run in any order and in parallel; a Read or Hash submitted after the result of a write was
    delivered sees that write.
    """

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """Name the receivers, both called in the loop's thread.

        Args:
            deliver: takes results, in batches.
            resume: told when `is_full` no longer holds.
        """

    def submit_write(self, job: VerifiedWrite) -> None:
        """Queue a verified write for the next flush."""

    def submit_read(self, job: Read) -> None:
        """Queue a read for the next flush."""

    def submit_hash(self, job: Hash) -> None:
        """Queue a hash for the next flush."""

    def flush(self) -> None:
        """Hand over everything queued, at once. Called once at the end of a tick.

        `drain` and `close` flush too.
        """

    @property
    def is_full(self) -> bool:
        """Whether more writes wait than the bound allows: pause the sources until resumed."""

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """Close handles kept open on these files, as soon as no job uses them."""

    async def drain(self) -> None:
        """Return when every job handed over has its result delivered."""

    async def close(self) -> None:
        """Drain, then free workers and handles. Idempotent."""
