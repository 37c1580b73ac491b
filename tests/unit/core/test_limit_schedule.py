import pytest

from millstream.core.limit_schedule import LimitSchedule
from millstream.errors import ConfigError

MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6
WEEKDAYS = frozenset(range(5))


def at(hour, minute=0):
    return hour * 60 + minute


OFFICE = LimitSchedule(begin=at(9), end=at(17, 30), days=WEEKDAYS)
NIGHT = LimitSchedule(begin=at(22), end=at(6), days=frozenset({FRIDAY, SUNDAY}))
WHOLE = LimitSchedule(begin=at(8), end=at(8), days=frozenset({SATURDAY}))


@pytest.mark.parametrize(
    ("schedule", "weekday", "minute", "on"),
    [
        (OFFICE, MONDAY, at(8, 59), False),
        (OFFICE, MONDAY, at(9), True),
        (OFFICE, FRIDAY, at(17, 29), True),
        (OFFICE, FRIDAY, at(17, 30), False),
        (OFFICE, SATURDAY, at(12), False),
        (NIGHT, FRIDAY, at(21, 59), False),
        (NIGHT, FRIDAY, at(22), True),
        (NIGHT, SATURDAY, at(5, 59), True),
        (NIGHT, SATURDAY, at(6), False),
        (NIGHT, SATURDAY, at(23), False),
        (NIGHT, MONDAY, at(0), True),  # began on Sunday
        (NIGHT, FRIDAY, at(0), False),
        (WHOLE, SATURDAY, at(7, 59), False),
        (WHOLE, SATURDAY, at(8), True),
        (WHOLE, SUNDAY, at(7, 59), True),
        (WHOLE, SUNDAY, at(8), False),
        (LimitSchedule(begin=5, end=5), MONDAY, 4, True),
    ],
)
def test_it_is_on_in_its_span(schedule, weekday, minute, on):
    assert schedule.is_on(weekday, minute) is on


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"begin": -1, "end": 5}, "schedule.begin is -1"),
        ({"begin": 5, "end": 1440}, "schedule.end is 1440"),
        ({"begin": 5, "end": 6, "days": frozenset()}, "schedule.days"),
        ({"begin": 5, "end": 6, "days": frozenset({7})}, "schedule.days"),
    ],
)
def test_what_is_no_time_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LimitSchedule(**settings)
