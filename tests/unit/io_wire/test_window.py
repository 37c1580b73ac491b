from __future__ import annotations

from millstream.io_wire.window import (
    FIRST_WINDOW,
    MAX_GROWTH,
    MAX_WINDOW,
    Window,
    WindowRoom,
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def take_windows(window, clock, seconds, count=1):
    """Take whole windows, each in so many seconds; the credit that was given for them."""
    given = 0
    for _ in range(count):
        for _ in range(4):
            clock.now += seconds / 4
            given += window.taken(window.length // 4)
    return given


def test_credit_comes_back_a_quarter_at_a_time():
    window = Window(WindowRoom(Clock(), lambda: 0.0))
    quarter = FIRST_WINDOW // 4
    assert window.taken(quarter - 1) == 0
    assert window.taken(1) == quarter
    assert window.taken(3 * quarter) == 3 * quarter


def test_what_is_taken_slowly_keeps_its_window():
    clock = Clock()
    window = Window(WindowRoom(clock, lambda: 0.1))
    assert take_windows(window, clock, 1.0, 10) == 10 * FIRST_WINDOW
    assert window.length == FIRST_WINDOW


def test_what_is_taken_within_two_round_trips_gets_more():
    clock = Clock()
    room = WindowRoom(clock, lambda: 0.1)
    window = Window(room)
    take_windows(window, clock, 0.1, 20)
    assert window.length == MAX_WINDOW
    assert room.growth == MAX_WINDOW - FIRST_WINDOW


def test_growth_is_given_as_credit():
    clock = Clock()
    window = Window(WindowRoom(clock, lambda: 0.1))
    taken = given = 0
    for _ in range(200):
        clock.now += 0.01
        taken += 50_000
        given += window.taken(50_000)
    assert window.length > FIRST_WINDOW
    # What the other side may have on its way is the window, but for what was not given back yet.
    assert window.length - window.length // 4 <= FIRST_WINDOW + given - taken <= window.length


def test_all_together_have_a_bound():
    clock = Clock()
    room = WindowRoom(clock, lambda: 0.1)
    windows = [Window(room) for _ in range(20)]
    for window in windows:
        take_windows(window, clock, 0.1, 20)
    assert sum(window.length - FIRST_WINDOW for window in windows) == room.growth <= MAX_GROWTH
    for window in windows:
        window.close()
        window.close()
    assert room.growth == 0
