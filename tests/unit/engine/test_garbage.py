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


def test_it_is_on_again_after_an_error():
    with pytest.raises(ValueError), uncollected():
        raise ValueError
    assert gc.isenabled()


def test_it_stays_off_where_it_was():
    gc.disable()
    with uncollected(), uncollected():
        pass
    assert not gc.isenabled()
