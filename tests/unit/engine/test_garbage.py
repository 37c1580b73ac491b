from __future__ import annotations

import gc

import pytest

from millstream.engine.garbage import uncollected


@pytest.fixture(autouse=True)
def _leave_it_on():
    yield
    gc.enable()


def test_nothing_is_collected_within():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_is_old_afterwards():
    with uncollected():
        made = [[] for _ in range(100)]
    old = {id(each) for each in gc.get_objects(generation=2)}
    assert {id(each) for each in made} <= old
    assert not gc.get_freeze_count()


def test_what_others_froze_stays_frozen():
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        with uncollected():
            pass
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()


def test_it_is_on_again_after_an_error():
    with pytest.raises(ValueError), uncollected():
        raise ValueError
    assert gc.isenabled()


def test_it_stays_off_where_it_was():
    gc.disable()
    with uncollected(), uncollected():
        pass
    assert not gc.isenabled()
