"""What the disk answers to a torrent with pieces, and what is wrong with its files."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress

from millstream.core.torrent import TorrentMachine
from millstream.engine.inventory import Inventory
from millstream.engine.membership import Membership
from millstream.engine.shared import Shared
from millstream.engine.torrent_disk import TorrentDisk
from millstream.engine.uploads import RunReader
from millstream.errors import MillstreamError, StorageError
from millstream.interfaces.disk import DiskJob, DiskResult, Hash, Outcome, Read, VerifiedWrite
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout

# What is said of a file that is missing; of one that is too short, without a number.
_GONE = {errno.ENOENT, errno.ENOTDIR}


class SessionResults(ABC):
    """The part of `engine.stage.Stage` that is about the disk: results go to who asked.

    Attributes:
        metainfo: the torrent.
        layout: where its bytes lie.
        machine: the decisions.
        disk: the way to its files.
        inventory: what of them is there.
    """

    __slots__ = ()
    metainfo: Metainfo
    layout: FileLayout
    machine: TorrentMachine
    disk: TorrentDisk
    inventory: Inventory
    _reader: RunReader | None
    _membership: Membership
    _shared: Shared

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        return self.machine.is_active

    @abstractmethod
    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state."""

    @abstractmethod
    def _tell_change(self) -> None:
        """Something came back from the disk."""

    def gather(self, results: list[DiskResult]) -> None:
        """Phase 1: the disk's results."""
        self.disk.delivered(len(results), sum(isinstance(each.job, Read) for each in results))
        for result in results:
            try:
                self._take(result)
            except Exception as error:  # noqa: BLE001 - it is logged whole
                # All results must be taken all the same: `stop` waits for them.
                self._membership.broke(error)
                if isinstance(result.job, VerifiedWrite):
                    with suppress(KeyError):
                        self.machine.piece_unwritten(result.job.piece)
        self._tell_change()

    def _take(self, result: DiskResult) -> None:
        job = result.job
        if result.error is not None and not isinstance(job, Hash):
            self._troubled(job, result.error)
        if isinstance(job, VerifiedWrite):
            if result.outcome is Outcome.SUCCESS:
                self.machine.piece_written(job.piece)
            elif result.outcome is Outcome.HASH_MISMATCH:
                self.machine.piece_mismatched(job.piece)
            else:
                self.machine.piece_unwritten(job.piece)
        elif isinstance(job, Hash):
            self.inventory.take(result)
        elif self._reader is not None:
            self._reader.take(job, succeeded=result.outcome is Outcome.SUCCESS)

    def files_changed(self, indexes: Sequence[int]) -> None:
        """Somebody deleted, cut or replaced these files: fetch again what is gone."""
        if self.is_active:
            news = self.inventory.look_again(indexes, lambda: self.machine.need.have)
            if news:
                self._membership.journal.files_changed([self.layout.names[i] for i in news])

    def _troubled(self, job: DiskJob, error: StorageError) -> None:
        """The disk could not do a job: is a file gone that was there, or the disk?"""
        if (isinstance(job, Read) and error.errno is None) or error.errno in _GONE:
            paths = {extent.path for extent in job.extents}
            placement = self.disk.placement
            count = len(self.layout.names)
            self.files_changed([i for i in range(count) if placement.path(i) in paths])
        else:
            # First this one, whose error names the file; then whoever it concerns besides.
            self.fail(error)
            self._shared.disk_watch.disk_failed(self.metainfo.info_hash, error)
