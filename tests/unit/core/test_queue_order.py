from __future__ import annotations

import pytest

from millstream.core.queue_order import QueueMove, QueueOrder

UP, DOWN, TOP, BOTTOM = QueueMove.UP, QueueMove.DOWN, QueueMove.TOP, QueueMove.BOTTOM


def order_of(keys):
    order = QueueOrder()
    for key in keys:
        order.add(key)
    return order


def test_newcomers_are_the_last():
    order = order_of("abc")
    order.add("a")  # it is there already
    assert "".join(order) == "abc"
    assert [order.position(key) for key in "abc"] == [0, 1, 2]
    assert len(order) == 3
    assert "c" in order
    assert "d" not in order


def test_those_behind_move_up_when_one_goes():
    order = order_of("abc")
    order.remove("b")
    assert "".join(order) == "ac"
    assert order.position("c") == 1
    assert "b" not in order


@pytest.mark.parametrize(
    ("chosen", "where", "expected"),
    [
        ("c", UP, "acbde"),
        ("ce", UP, "acbed"),
        ("ab", UP, "abcde"),
        ("ac", UP, "acbde"),
        ("bcd", UP, "bcdae"),
        ("c", DOWN, "abdce"),
        ("de", DOWN, "abcde"),
        ("ce", DOWN, "abdce"),
        ("bcd", DOWN, "aebcd"),
        ("eb", TOP, "beacd"),
        ("da", BOTTOM, "bcead"),
        ("", TOP, "abcde"),
        ("abcde", BOTTOM, "abcde"),
    ],
)
def test_moves(chosen, where, expected):
    order = order_of("abcde")
    assert order.move(chosen, where) is (expected != "abcde")
    assert "".join(order) == expected
    assert [order.position(key) for key in order] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("position", "expected"), [(0, "cabd"), (1, "acbd"), (3, "abdc"), (99, "abdc"), (-5, "cabd")]
)
def test_a_place_of_its_own(position, expected):
    order = order_of("abcd")
    assert order.place("c", position)
    assert "".join(order) == expected
    assert order.position("c") == expected.index("c")


def test_its_own_place_is_no_change():
    assert not order_of("abcd").place("c", 2)


def test_an_order_of_old():
    order = order_of("abcd")
    assert order.arrange("dxbd")
    assert "".join(order) == "dbac"
    assert order.position("a") == 2
    assert not order.arrange("db")


@pytest.mark.parametrize(
    "change",
    [
        lambda order: order.remove("x"),
        lambda order: order.position("x"),
        lambda order: order.place("x", 0),
        lambda order: order.move("ax", TOP),
    ],
)
def test_a_stranger_has_no_place(change):
    order = order_of("abc")
    with pytest.raises(KeyError):
        change(order)
    assert "".join(order) == "abc"
