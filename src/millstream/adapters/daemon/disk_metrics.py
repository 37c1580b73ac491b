"""How well batching works (seed 000): jobs to a batch, and what a batch takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millstream.adapters.daemon.disk_batch import WRITES, Batch


@dataclass(slots=True)
class DiskMetrics:
    """Sums since the start.

    Attributes:
        batches: sent, of all kinds.
        jobs: in them.
        write_batches: sent.
        writes: in them.
        most_writes: of one batch.
        bytes_written: sent to be written.
        bytes_read: asked for.
        resent: batches that were sent once more after the daemon was away.
        pack_seconds: spent packing.
        call_seconds: from sending a batch to its results, of all batches that have them.
        answered: batches that have results.
    """

    batches: int = 0
    jobs: int = 0
    write_batches: int = 0
    writes: int = 0
    most_writes: int = 0
    bytes_written: int = 0
    bytes_read: int = 0
    resent: int = 0
    pack_seconds: float = 0.0
    call_seconds: float = 0.0
    answered: int = 0

    @property
    def writes_per_batch(self) -> float:
        """On average; 0 before the first."""
        return self.writes / self.write_batches if self.write_batches else 0.0

    def sent(self, batch: Batch, pack_seconds: float) -> None:
        """A batch was packed and sent."""
        self.batches += 1
        self.jobs += len(batch.jobs)
        self.pack_seconds += pack_seconds
        if batch.opcode in WRITES:
            self.write_batches += 1
            self.writes += len(batch.jobs)
            self.most_writes = max(self.most_writes, len(batch.jobs))
            self.bytes_written += batch.length
        else:
            self.bytes_read += batch.length

    def came_back(self, call_seconds: float) -> None:
        """Its results came."""
        self.answered += 1
        self.call_seconds += call_seconds

    def copy(self) -> DiskMetrics:
        """As they are now."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class DiskSnapshot:
    """What is on its way.

    Attributes:
        queued: jobs that wait for the next flush.
        waiting: batches that wait for their turn, or for the daemon.
        in_flight: batches at the daemon.
        in_flight_bytes: of those.
        metrics: sums since the start.
    """

    queued: int
    waiting: int
    in_flight: int
    in_flight_bytes: int
    metrics: DiskMetrics
