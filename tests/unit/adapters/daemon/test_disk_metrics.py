from __future__ import annotations

from millstream.adapters.daemon.disk_batch import Batch
from millstream.adapters.daemon.disk_metrics import DiskMetrics
from millstream.interfaces.disk import Extent, Read, VerifiedWrite
from millstream.io_wire.envelope import Opcode
from millstream.protocol.infohash import InfoHash

TORRENT = InfoHash(bytes(20))


def test_sums():
    metrics = DiskMetrics()
    assert metrics.writes_per_batch == 0.0
    write = VerifiedWrite(TORRENT, 0, "f", memoryview(bytes(10)), bytes(20), (Extent("a", 0, 10),))
    read = Read(TORRENT, "f", (Extent("a", 0, 7),), memoryview(bytearray(7)))
    metrics.sent(Batch(Opcode.WRITE_BATCH, [write] * 3), 0.5)
    metrics.sent(Batch(Opcode.WRITE_BATCH, [write]), 0.25)
    metrics.sent(Batch(Opcode.READ_BATCH, [read] * 2), 0.25)
    metrics.came_back(2.0)
    before = metrics.copy()
    metrics.came_back(1.0)
    assert (metrics.batches, metrics.jobs) == (3, 6)
    assert (metrics.write_batches, metrics.writes, metrics.most_writes) == (2, 4, 3)
    assert metrics.writes_per_batch == 2.0
    assert (metrics.bytes_written, metrics.bytes_read) == (40, 14)
    assert metrics.pack_seconds == 1.0
    assert (metrics.answered, metrics.call_seconds) == (2, 3.0)
    assert before.answered == 1
