from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from millstream.config_ranges import check_ranges
from millstream.errors import ConfigError


@dataclass
class Config:
    slots: int | None = None
    rate: float = 1.0
    most: int = 5


RANGES = {"slots": (0, 9), "rate": (0.5, 2), "most": (4, math.inf)}


@pytest.mark.parametrize(
    "config", [Config(), Config(0, 0.5, 4), Config(9, 2, 10**9), Config(most=4)]
)
def test_within(config):
    check_ranges("test", config, RANGES)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(slots=10), "test.slots is 10; it must be 0 to 9"),
        (Config(slots=-1), "test.slots is -1; it must be 0 to 9"),
        (Config(rate=math.nan), "test.rate is nan; it must be 0.5 to 2"),
        (Config(most=3), "test.most is 3; it must be 4 or more"),
    ],
)
def test_without(config, message):
    with pytest.raises(ConfigError) as error:
        check_ranges("test", config, RANGES)
    assert str(error.value) == message


def test_none_only_where_it_may_be():
    with pytest.raises(TypeError):
        check_ranges("test", Config(rate=None), RANGES)
