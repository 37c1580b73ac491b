from __future__ import annotations

import pytest

from millstream.tracker.connection_id import ConnectionIds

IDS = ConnectionIds(b"s" * 32)


@pytest.mark.parametrize("now", [0.0, 59.9, 60.0, 12345.6])
def test_an_id_is_good_for_two_minutes_and_for_three_at_most(now):
    given = IDS.issue("192.0.2.1", now)
    assert 0 <= given < 1 << 64
    for later in (0, 60, 119.9, 120):
        assert IDS.is_valid(given, "192.0.2.1", now + later)
    assert not IDS.is_valid(given, "192.0.2.1", now + 180)


def test_an_id_is_good_for_one_address_and_one_tracker():
    given = IDS.issue("192.0.2.1", 0.0)
    assert not IDS.is_valid(given, "192.0.2.2", 0.0)
    assert not IDS.is_valid(given, "2001:db8::1", 0.0)
    assert not ConnectionIds(b"t" * 32).is_valid(given, "192.0.2.1", 0.0)


@pytest.mark.parametrize("guess", [0, 1, 0x41727101980, (1 << 64) - 1])
def test_guesses_are_wrong(guess):
    assert not IDS.is_valid(guess, "192.0.2.1", 0.0)


def test_ids_change():
    assert len({IDS.issue("192.0.2.1", 60.0 * minute) for minute in range(100)}) == 100
