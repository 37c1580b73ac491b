from __future__ import annotations

import pytest

from millstream.tracker.interval import (
    DEFAULT_INTERVAL,
    MAX_INTERVAL,
    MAX_MIN_INTERVAL,
    sane_interval,
    sane_min_interval,
)


@pytest.mark.parametrize("nonsense", [None, 0, -1, -(10**19), b"60", b"", [], {}, [1800]])
def test_nonsense_is_the_default(nonsense):
    assert sane_interval(nonsense) == DEFAULT_INTERVAL
    assert sane_min_interval(nonsense) == 0


def test_bounds():
    assert sane_interval(1) == 1
    assert sane_interval(900) == 900
    assert sane_interval(10**19) == MAX_INTERVAL
    assert sane_min_interval(60) == 60
    assert sane_min_interval(10**19) == MAX_MIN_INTERVAL
