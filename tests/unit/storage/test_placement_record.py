import pytest

from millstream.protocol.file_selection import FileSelection
from millstream.storage.placement import Placement
from millstream.storage.placement_record import MAX_PATH_LENGTH, PlacementRecord
from millstream.testing.content import layout_of

RECORD = PlacementRecord(
    renames={0: "other/a", 3: "ü/\udcff"},
    in_parts=FileSelection.of([1]),
    suffixed=FileSelection.of([0, 2]),
    suffix=".part",
    parts_left=True,
    foreign=FileSelection.of([2]),
    moving_to="/mnt/\udcfe",
    moved_from="/old",
    renaming={2: "t/new"},
)


def make_placement():
    files = ("t/a", 100), ("t/b", 50), ("t/c", 0), ("t/d", 70)
    return Placement(layout_of(*files), "/root", ".parts")


def test_a_record_comes_back():
    assert PlacementRecord.decode(RECORD.encode()) == RECORD
    assert PlacementRecord().encode() == {}
    assert PlacementRecord.decode({}) == PlacementRecord()


@pytest.mark.parametrize("said", [None, 7, b"x", [], {b"later": 1}])
def test_what_is_none_has_nothing_to_say(said):
    assert PlacementRecord.decode(said) == PlacementRecord()


@pytest.mark.parametrize(
    ("key", "bad"),
    [(b"renames", 7), (b"renames", [7]), (b"renames", [[0, b""]]), (b"renames", [[-1, b"a"]]),
     (b"renames", [[0, b"a\0"]]), (b"renames", [[b"0", b"a"]]), (b"renaming", [[0, b"a", 1]]),
     (b"renames", [[1 << 62, b"a"]]), (b"renames", [[0, b"a" * (MAX_PATH_LENGTH + 1)]]),
     (b"in parts", b"x"), (b"in parts", b"\xff"), (b"in parts", 7), (b"suffixed", b"3-1"),
     (b"suffix", 7), (b"foreign", []), (b"moving to", b""), (b"moving to", b"/a\0b"),
     (b"moved from", 3), (b"parts left", b"1")],
)  # fmt: skip
def test_what_makes_no_sense_was_never_said(key, bad):
    good = PlacementRecord(moving_to="/new" if key != b"moving to" else None)
    assert PlacementRecord.decode({**good.encode(), key: bad}) == good


def test_a_placement_is_what_was_remembered_of_it():
    before = make_placement()
    before.rename(0, "x/a")
    before.put_in_parts([1])
    before.add_suffix([0, 3], ".part")
    record = PlacementRecord(moving_to="/new").with_placement(before)
    assert record.moving_to == "/new"
    after = make_placement()
    PlacementRecord.decode(record.encode()).restore(after)
    assert after.all_paths == before.all_paths == ("x/a.part", "t/c", "t/d.part", ".parts")
    assert (after.in_parts, after.suffix) == ({1}, ".part")
    assert after.renames == {0: "x/a"}


def test_a_plain_placement_leaves_nothing_of_what_was():
    assert RECORD.with_placement(make_placement()) == PlacementRecord(
        parts_left=True,
        foreign=RECORD.foreign,
        moving_to=RECORD.moving_to,
        moved_from=RECORD.moved_from,
        renaming=RECORD.renaming,
    )


@pytest.mark.parametrize(
    "record",
    [
        PlacementRecord(renames={0: "../out"}),
        PlacementRecord(renames={0: "t/b"}),
        PlacementRecord(renames={9: "t/x"}),
        PlacementRecord(in_parts=FileSelection.of([7])),
        PlacementRecord(suffixed=FileSelection.of([9]), suffix=".part"),
        PlacementRecord(suffixed=FileSelection.of([0]), suffix="/part"),
        PlacementRecord(suffixed=FileSelection.of([0])),
    ],
)
def test_what_does_not_fit_the_torrent_changes_nothing(record):
    placement = make_placement()
    record.restore(placement)
    assert placement.all_paths == make_placement().paths
