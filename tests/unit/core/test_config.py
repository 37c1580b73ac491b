from __future__ import annotations

import pytest

from millstream.core.config import TransferConfig
from millstream.errors import ConfigError


def test_the_defaults_are_valid():
    assert TransferConfig() == TransferConfig()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("max_buffered_bytes", 1 << 20, 1 << 40),
        ("request_queue_time", 0.5, 60),
        ("max_request_depth", 1, 2000),
        ("request_timeout", 1, 600),
        ("upload_slots", 0, 1000),
        ("max_peer_requests", 1, 10_000),
    ],
)
def test_ranges_are_as_documented(name, low, high):
    for value in (low, high):
        assert getattr(TransferConfig(**{name: value}), name) == value
    for value in (low - 1, high + 1, float("nan")):
        with pytest.raises(ConfigError, match=f"transfer.{name}"):
            TransferConfig(**{name: value})
