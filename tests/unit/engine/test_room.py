import errno

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.engine.room import FULL_RETRY, RoomGauge, check_room, room_needed
from millstream.errors import NoSpaceError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat
from millstream.protocol.bitfield import piece_set
from millstream.storage.roots import StorageRoot
from millstream.testing import in_virtual_time
from millstream.testing.content import layout_of

ROOT = StorageRoot("1", "Films", "/r")


class TestGauge:
    def test_full_below_and_roomy_at_twice_as_much(self):
        gauge = RoomGauge(100)
        assert not gauge.measure(100, 0.0)
        assert not gauge.is_full
        assert gauge.measure(99, 1.0)
        assert (gauge.is_full, gauge.free, gauge.needed) == (True, 99, 200)
        assert not gauge.measure(199, 2.0)
        assert gauge.is_full
        assert gauge.measure(200, 3.0)
        assert not gauge.is_full

    def test_time_alone_makes_no_room(self):
        gauge = RoomGauge(100)
        gauge.measure(99, 0.0)
        assert not gauge.measure(150, 1e9)

    def test_a_refused_write_says_more_than_the_figure(self):
        gauge = RoomGauge(100)
        gauge.measure(5000, 0.0)
        assert gauge.refuse(10.0)
        assert (gauge.is_full, gauge.needed) == (True, 5200)
        assert not gauge.refuse(11.0)
        assert not gauge.measure(5199, 12.0)
        assert gauge.measure(5200, 13.0)

    def test_a_figure_from_before_the_refusal_is_forgotten(self):
        """A fast disk fills between two looks."""
        gauge = RoomGauge(100)
        gauge.measure(10**10, 0.0)
        gauge.refuse(9.0)
        assert not gauge.measure(0, 9.1)
        assert gauge.needed == 200
        assert not gauge.measure(199, 20.0)
        assert gauge.measure(200, 30.0)

    def test_a_refused_write_is_tried_again_after_a_while(self):
        gauge = RoomGauge(100)
        gauge.measure(5000, 0.0)
        gauge.refuse(10.0)
        assert not gauge.measure(5000, 9.0 + FULL_RETRY)
        assert not gauge.measure(99, 10.0 + FULL_RETRY)
        assert gauge.measure(5000, 10.0 + FULL_RETRY)

    def test_without_a_limit_it_is_full_only_when_a_write_says_so(self):
        gauge = RoomGauge(0)
        assert not gauge.measure(0, 0.0)
        assert gauge.refuse(0.0)
        assert not gauge.measure(0, 1.0)
        assert gauge.measure(1, 2.0)


LAYOUT = layout_of(("t/a", 25), (None, 5), ("t/b", 15))


class TestNeeded:
    @pytest.mark.parametrize(
        ("have", "wanted", "needed"),
        [([], range(5), 45), ([0, 4], range(5), 30), ([0], [4], 5), ([0, 1], [0, 1], 0)],
    )
    def test_sparse_files_take_what_is_missing(self, have, wanted, needed):
        pieces = (piece_set(have, 5), piece_set(wanted, 5))
        assert room_needed(LAYOUT, have=pieces[0], wanted=pieces[1]) == needed

    @pytest.mark.parametrize(
        ("files", "sizes", "needed"),
        [
            ([0, 1, 2], [], 40),
            ([0], [None, None, None], 25),
            ([0, 2], [20, None, 15], 5),
            ([0], [99, None, None], 0),
        ],
    )
    def test_whole_files_take_what_they_lack(self, files, sizes, needed):
        stats = [None if size is None else FileStat(size, 0.0, False) for size in sizes]
        found = room_needed(
            LAYOUT,
            have=0,
            wanted=31,
            allocation=Allocation.FULL,
            files=files,
            stats=stats,
        )
        assert found == needed


@in_virtual_time
class TestCheck:
    async def test_what_fits_is_fine(self):
        files = MemoryFileSystem(capacity=1000)
        await check_room(files, ROOT, 900, 100)
        await check_room(files, ROOT, 0, 10_000)

    async def test_what_does_not_fit_is_refused_with_all_figures(self):
        files = MemoryFileSystem(capacity=1_000_000)
        with pytest.raises(NoSpaceError) as raised:
            await check_room(files, ROOT, 1_000_000, 1)
        error = raised.value
        assert (error.label, error.path) == ("Films", "/r")
        assert (error.needed, error.free, error.errno) == (1_000_001, 1_000_000, errno.ENOSPC)
        assert str(error) == (
            "/r: the storage root 'Films' needs 1,000,001 free bytes and has 1,000,000"
        )
