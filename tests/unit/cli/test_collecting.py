from __future__ import annotations

import gc

import pytest

from millstream.cli.collecting import NEW_OBJECTS, seldom_collected


def test_new_objects_are_looked_at_when_there_are_many():
    _, *others = gc.get_threshold()
    with seldom_collected():
        assert gc.get_threshold() == (NEW_OBJECTS, *others)


def test_afterwards_it_is_as_before():
    before = gc.get_threshold()
    with pytest.raises(ValueError), seldom_collected():
        raise ValueError
    assert gc.get_threshold() == before
