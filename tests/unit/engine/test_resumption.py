from dataclasses import replace

import pytest

from millstream.engine.resumption import LAST_WRITES, dated, judge, plan_check, record_of
from millstream.interfaces.filesystem import FileStat
from millstream.protocol.bitfield import piece_set
from millstream.storage.claims import Claims, FileRecord
from millstream.storage.placement import Placement
from millstream.testing.content import layout_of

PIECE = 10
# Pieces: a 0-2 (2 shared with b), b 2-4, nothing, pad 4-4, d 5-5.
LAYOUT = layout_of(
    ("t/a", 25), ("t/b", 20), ("t/empty", 0), (None, 5), ("t/d", 10), piece_length=PIECE
)
NOW = 1000.0
TAKEN = 1000 * 10**9
STATS = [
    FileStat(25, NOW - 9, False),
    FileStat(20, NOW - 8, False),
    FileStat(0, NOW - 7, False),
    None,
    FileStat(10, NOW - 6, False),
]
CLAIMS = Claims(
    piece_count=6,
    flushed=piece_set(range(6), 6),
    files=tuple(record_of(stat) for stat in STATS),
    taken_at=TAKEN,
)


def pieces(*members):
    return piece_set(members, 6)


def but(number, stat):
    return [stat if index == number else old for index, old in enumerate(STATS)]


def test_files_as_they_were_are_believed():
    plan = judge(CLAIMS, LAYOUT, STATS)
    assert (plan.trusted, plan.doubtful) == (pieces(*range(6)), 0)
    assert plan.unknown_files == frozenset()


def but_record(number, record):
    return tuple(record if index == number else old for index, old in enumerate(CLAIMS.files))


@pytest.mark.parametrize("stat", [FileStat(20, NOW, False), FileStat(21, NOW - 8, False)])
def test_every_piece_of_a_changed_file_is_read(stat):
    plan = judge(replace(CLAIMS, flushed=pieces(0, 1, 2, 5)), LAYOUT, but(1, stat))
    assert (plan.trusted, plan.doubtful) == (pieces(0, 1, 5), pieces(2, 3, 4))
    assert plan.unknown_files == {1}


@pytest.mark.parametrize("stat", [None, FileStat(0, NOW - 8, True)])
def test_no_piece_of_a_file_that_is_gone_is_there(stat):
    plan = judge(CLAIMS, LAYOUT, but(1, stat))
    assert (plan.trusted, plan.doubtful) == (pieces(0, 1, 5), 0)


def test_a_file_that_came_is_read():
    claims = replace(CLAIMS, flushed=0, files=(None,) * 5)
    plan = judge(claims, LAYOUT, [None, None, None, None, STATS[4]])
    assert (plan.trusted, plan.doubtful) == (0, pieces(5))


def test_what_was_not_flushed_is_read_and_nothing_else():
    claims = replace(CLAIMS, flushed=pieces(0, 1), written=pieces(3, 5))
    plan = judge(claims, LAYOUT, STATS)
    assert (plan.trusted, plan.doubtful) == (pieces(0, 1), pieces(3, 5))


def test_a_file_that_we_were_writing_is_believed_as_far_as_it_was_flushed():
    claims = replace(CLAIMS, flushed=pieces(0, 1, 2, 5), written=pieces(3), running=True)
    late = FileStat(20, NOW + LAST_WRITES / 1e9, False)
    plan = judge(claims, LAYOUT, but(1, late))
    assert (plan.trusted, plan.doubtful) == (pieces(0, 1, 2, 5), pieces(3))
    assert plan.unknown_files == {1}
    # One that we had just made, too.
    plan = judge(replace(claims, files=but_record(1, None)), LAYOUT, but(1, late))
    assert (plan.trusted, plan.doubtful) == (pieces(0, 1, 2, 5), pieces(3))


@pytest.mark.parametrize(
    ("claims", "stat"),
    [
        ({"running": False}, FileStat(20, NOW, False)),
        ({}, FileStat(20, NOW + LAST_WRITES / 1e9 + 1, False)),
        ({}, FileStat(19, NOW, False)),
        ({"flushed": pieces(*range(6))}, FileStat(20, NOW, False)),  # it lacked nothing
    ],
)
def test_a_change_that_was_not_ours_is_read(claims, stat):
    said = {"flushed": pieces(0, 1, 2, 5), "written": pieces(3), "running": True} | claims
    plan = judge(replace(CLAIMS, **said), LAYOUT, but(1, stat))
    assert plan.doubtful == pieces(2, 3, 4)
    assert plan.trusted == pieces(0, 1, 5)


async def test_claims_about_another_torrent_are_none():
    for odd in (replace(CLAIMS, piece_count=7), replace(CLAIMS, files=CLAIMS.files[:-1])):
        assert await plan_check(odd, Placement(LAYOUT, "root", ".parts"), None, 6) is None


def test_a_record_is_size_and_nanoseconds():
    assert record_of(FileStat(5, 1.5, False)) == FileRecord(5, 1_500_000_000)
    assert record_of(None) is record_of(FileStat(5, 1.5, True)) is None


RUNNING = replace(CLAIMS, running=True, flushed=0, written=pieces(0, 1))


@pytest.mark.parametrize("ahead", [0, LAST_WRITES, -(10**18)])
def test_claims_of_the_past_are_used_as_they_are(ahead):
    claims = replace(RUNNING, taken_at=TAKEN + ahead)
    assert dated(claims, TAKEN / 1e9) is claims


@pytest.mark.parametrize("ahead", [LAST_WRITES + 10**9, 10**18])
def test_a_change_before_a_word_of_the_future_is_read(ahead):
    claims = replace(RUNNING, taken_at=TAKEN + ahead)
    late = but(1, FileStat(20, NOW + 1, False))
    # It would count as ours, and what was flushed of it as right.
    assert judge(replace(claims, flushed=pieces(3)), LAYOUT, late).doubtful == pieces(0, 1)
    sure = dated(replace(claims, flushed=pieces(3)), NOW)
    assert judge(sure, LAYOUT, late).doubtful == pieces(0, 1, 2, 3, 4)
    quiet = replace(claims, running=False)
    assert dated(quiet, NOW) is quiet
