from __future__ import annotations

import math

import pytest

from millstream.core.queue_config import QueueConfig
from millstream.errors import ConfigError


def test_nothing_is_limited_by_itself_but_checks():
    config = QueueConfig()
    assert not config.is_limited
    assert config.active_checks == 2


@pytest.mark.parametrize("name", ["active_downloads", "active_seeds", "active_total"])
def test_one_limit_is_enough(name):
    assert QueueConfig(**{name: 0}).is_limited
    with pytest.raises(ConfigError, match=rf"queue\.{name} is -1; it must be 0 or more"):
        QueueConfig(**{name: -1})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("active_checks", 0),
        ("active_checks", 65),
        ("slow_download_rate", -1),
        ("slow_upload_rate", -1),
        ("slow_after", 0.5),
        ("slow_after", math.nan),
    ],
)
def test_what_is_out_of_range_is_named(name, wrong):
    with pytest.raises(ConfigError, match=rf"queue\.{name} is "):
        QueueConfig(**{name: wrong})
