from __future__ import annotations

import random

import pytest
from fakes import pieces

from millstream.core.availability import Availability
from millstream.core.file_priority import PiecePriorities
from millstream.core.need import Need
from millstream.core.piece_picker import PiecePicker


def setup_picker(availability: str, *, seed: int = 1, sequential: bool = False) -> PiecePicker:
    """A picker over pieces that so many peers have, written as digits: `"1232 "`."""
    count = len(availability)
    found = Availability(count)
    wanted = [int(mark) if mark != " " else 0 for mark in availability]
    for peer in range(max(wanted)):
        found.add(pieces("".join("*" if has > peer else " " for has in wanted)))
    need = Need(count)
    need.sequential = sequential
    return PiecePicker(need, found, random.Random(seed))


def prefer(picker: PiecePicker, classes: tuple[int, ...]) -> None:
    """Want the pieces of these classes, the best first."""
    picker._need.prefer(PiecePriorities(sum(classes), classes))


@pytest.mark.parametrize(
    ("availability", "candidates", "picked"),
    [
        ("3213 ", "*****", [4]),
        ("32131", "**** ", [2]),
        ("32431", "**** ", [1]),
        ("32131", "*  * ", None),
        ("2221", "*** ", None),
        ("9128", "*  *", [3]),
    ],
)
def test_rarest_first(availability, candidates, picked):
    found = setup_picker(availability).pick(pieces(candidates), 1)
    assert len(found) == 1
    assert candidates[found[0]] == "*"
    if picked is not None:
        assert found == picked


def test_the_rarest_come_first_then_the_less_rare():
    picked = setup_picker("3122 4").pick(pieces("******"), 6)
    assert picked[:2] == [4, 1]
    assert set(picked[2:4]) == {2, 3}
    assert picked[4:] == [0, 5]


def test_among_equals_a_random_one():
    first = [setup_picker("22122", seed=seed).pick(pieces("** **"), 1)[0] for seed in range(50)]
    assert set(first) == {0, 1, 3, 4}
    again = [setup_picker("22122", seed=seed).pick(pieces("** **"), 1)[0] for seed in range(50)]
    assert first == again


def test_sequential_is_in_order_whatever_is_rare():
    picker = setup_picker("3213 1", sequential=True)
    assert picker.pick(pieces("******"), 3) == [0, 1, 2]
    assert picker.pick(pieces("   * *"), 3) == [3, 5]


@pytest.mark.parametrize("sequential", [False, True])
def test_nothing_is_picked_from_nothing(sequential):
    picker = setup_picker("123", sequential=sequential)
    assert picker.pick(0, 5) == []
    assert picker.pick(pieces("***"), 0) == []


@pytest.mark.parametrize("sequential", [False, True])
def test_no_more_than_there_are(sequential):
    picker = setup_picker("1231", sequential=sequential)
    assert sorted(picker.pick(pieces("* **"), 9)) == [0, 2, 3]


def test_a_run_goes_on_where_the_latest_ended():
    picker = setup_picker("1" * 12)
    assert picker.pick_run(pieces("************"), 4, 5) == [5, 6, 7, 8]


def test_a_run_that_can_go_no_further_begins_elsewhere():
    picker = setup_picker("1" * 12)
    picked = picker.pick_run(pieces("       **  *"), 5, 7)
    assert picked == [7, 8, 11]
    picked = picker.pick_run(pieces("*      *  * "), 2, 7)
    assert picked in ([7, 0], [7, 10])


def test_a_run_begins_with_what_is_rare():
    assert setup_picker("333133").pick_run(pieces("******"), 3, 6) == [3, 4, 5]


def test_a_run_is_no_longer_than_what_there_is():
    picker = setup_picker("1111")
    assert sorted(picker.pick_run(pieces("* **"), 9, 4)) == [0, 2, 3]
    assert picker.pick_run(0, 9, 0) == []


# Classes.


@pytest.mark.parametrize("sequential", [False, True])
def test_the_best_class_comes_first_however_rare_the_others_are(sequential):
    picker = setup_picker("1193132", sequential=sequential)
    prefer(picker, (pieces("  *   *"), pieces("   *   "), pieces("**  ** ")))
    picked = picker.pick(pieces("*******"), 7)
    assert set(picked[:2]) == {2, 6}
    assert picked[2] == 3
    assert set(picked[3:]) == {0, 1, 4, 5}
    assert picker.pick(pieces("** ****"), 1) == [6]
    assert picker.pick(pieces("** *** "), 1) == [3]


def test_in_a_class_the_rarest_come_first():
    picker = setup_picker("2131 1")
    prefer(picker, (pieces("* *   "), pieces(" * ***")))
    assert picker.pick(pieces("***** "), 3) == [0, 2, 4]


def test_in_a_class_order_is_kept():
    picker = setup_picker("2131 1", sequential=True)
    prefer(picker, (pieces("  * * "), pieces("** * *")))
    assert picker.pick(pieces("******"), 5) == [2, 4, 0, 1, 3]


@pytest.mark.parametrize("classes", [(), (pieces("****"),), (pieces("*  *"),)])
def test_one_class_decides_nothing(classes):
    picker = setup_picker("2132")
    prefer(picker, classes)
    assert picker.pick(pieces("****"), 4) == setup_picker("2132").pick(pieces("****"), 4)
    assert picker.foremost(pieces("** *")) == pieces("** *")


def test_what_is_of_no_class_comes_last():
    picker = setup_picker("1222")
    prefer(picker, (pieces("  * "), pieces("   *")))
    assert picker.pick(pieces("* **"), 9) == [2, 3, 0]
    assert picker.pick(pieces("*   "), 9) == [0]
    assert picker.pick_run(pieces("*   "), 9, 2) == [0]


def test_classes_change_at_any_time():
    picker = setup_picker("1111", sequential=True)
    prefer(picker, (pieces("   *"), pieces("*** ")))
    assert picker.pick(pieces("****"), 1) == [3]
    prefer(picker, (pieces(" *  "), pieces("* **")))
    assert picker.pick(pieces("****"), 1) == [1]
    prefer(picker, (pieces("****"),))
    assert picker.pick(pieces("****"), 1) == [0]


def test_a_run_does_not_leave_its_class_before_its_time():
    picker = setup_picker("1" * 8)
    prefer(picker, (pieces("   **  *"), pieces("***  ** ")))
    assert picker.pick_run(pieces("********"), 2, 3) == [3, 4]
    assert picker.pick_run(pieces("********"), 3, 3) == [3, 4, 7]
    # A run that was in the worse class goes on in the better one.
    assert picker.pick_run(pieces("***    *"), 2, 1)[0] == 7
    picked = picker.pick_run(pieces("*** *** "), 3, 4)
    assert picked == [4, 5, 6]


def test_the_foremost_are_of_the_best_class_there_is():
    picker = setup_picker("1111")
    prefer(picker, (pieces("  **"), pieces("**  ")))
    assert picker.foremost(pieces(" ** ")) == pieces("  * ")
    assert picker.foremost(pieces(" *  ")) == pieces(" *  ")
    assert picker.foremost(0) == 0
