import asyncio
from dataclasses import fields

import pytest

from millstream.engine.torrent_disk import TorrentDisk
from millstream.errors import StorageError
from millstream.interfaces.disk import Outcome
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.storage.placement import Placement
from millstream.storage.placement_record import NOTHING_TO_REMEMBER, PlacementRecord
from millstream.testing import in_virtual_time
from millstream.testing.content import layout_of


class Queue:
    """A disk that does nothing of what it is asked for."""

    def __init__(self):
        self.jobs = []

    def submit_write(self, job):
        self.jobs.append(job)

    submit_read = submit_hash = submit_write

    def flush(self):
        pass

    def release(self, root, paths):
        pass


def make_disk():
    placement = Placement(layout_of(("t/a", 25), ("t/b", 20)), "/r", ".parts")
    queue = Queue()
    return TorrentDisk(InfoHash(bytes(20)), placement, queue), queue


class TestUntouched:
    def test_a_new_torrent_is(self):
        disk, _ = make_disk()
        assert disk.is_untouched
        disk.record = PlacementRecord()
        assert disk.is_untouched

    @pytest.mark.parametrize(
        "touch",
        [
            lambda placement: placement.rename(0, "t/c"),
            lambda placement: placement.put_in_parts([1]),
            lambda placement: placement.add_suffix([0], ".part"),
        ],
    )
    def test_not_when_a_file_has_another_place(self, touch):
        disk, _ = make_disk()
        touch(disk.placement)
        assert not disk.is_untouched

    @pytest.mark.parametrize("field", [field.name for field in fields(PlacementRecord)])
    def test_not_when_anything_is_remembered(self, field):
        said = {"renames": {0: "t/c"}, "renaming": {0: "t/c"}, "parts_left": True}
        said |= {"in_parts": FileSelection.of([0]), "suffixed": FileSelection.of([0])}
        said |= {"foreign": FileSelection.of([0]), "suffix": ".part"}
        disk, _ = make_disk()
        disk.record = PlacementRecord(**{field: said.get(field, "/other")})
        assert disk.record != NOTHING_TO_REMEMBER
        assert not disk.is_untouched


@in_virtual_time
class TestFence:
    async def test_jobs_wait_for_its_end_and_find_the_new_place(self):
        disk, queue = make_disk()
        assert not disk.is_fenced
        async with disk.fence() as placement:
            assert disk.is_fenced
            disk.hash(0)
            disk.read(3, memoryview(bytearray(4)), "tag")
            assert (queue.jobs, disk.in_flight) == ([], 0)
            placement.root = "/new"
        assert not disk.is_fenced
        assert [job.root for job in queue.jobs] == ["/new", "/new"]
        assert (disk.in_flight, disk.changes) == (2, 1)

    async def test_reads_go_on_until_they_are_held(self):
        disk, queue = make_disk()
        async with disk.fence(reads_go_on=True):
            disk.hash(0)
            disk.read(3, memoryview(bytearray(4)), "before")
            assert [job.tag for job in queue.jobs] == ["before"]
            disk.delivered(1, 1)
            await disk.hold_reads()
            disk.read(3, memoryview(bytearray(4)), "after")
            assert len(queue.jobs) == 1
        assert len(queue.jobs) == 3

    async def test_what_waits_can_be_refused(self):
        disk, queue = make_disk()
        async with disk.fence():
            disk.hash(0)
            [refused] = disk.refuse_waiting(StorageError("t/a", "lost"))
            assert (refused.job.piece, refused.outcome) == (0, Outcome.IO_ERROR)
            assert disk.in_flight == 1  # until it is delivered
            disk.hash(1)
        assert [job.piece for job in queue.jobs] == [1]

    async def test_outside_nothing_waits_to_be_refused(self):
        disk, queue = make_disk()
        assert disk.refuse_waiting(StorageError("t/a", "lost")) == []
        disk.hash(0)
        assert len(queue.jobs) == 1

    async def test_one_fence_waits_for_the_other(self):
        disk, queue = make_disk()
        order = []

        async def change(name):
            async with disk.fence():
                order.append(name)
                disk.hash(0)
                await asyncio.sleep(1)
                order.append(name)
            disk.delivered(1)

        await asyncio.gather(change("a"), change("b"))
        assert order == ["a", "a", "b", "b"]
        assert len(queue.jobs) == disk.changes == 2
