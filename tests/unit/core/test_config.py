from __future__ import annotations

import pytest

from millstream.core.config import SwarmConfig, TransferConfig
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
        ("allowed_fast_set", 0, 100),
        ("max_peer_requests", 1, 10_000),
    ],
)
def test_ranges_are_as_documented(name, low, high):
    for value in (low, high):
        assert getattr(TransferConfig(**{name: value}), name) == value
    for value in (low - 1, high + 1, float("nan")):
        with pytest.raises(ConfigError, match=f"transfer.{name}"):
            TransferConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("max_connections_per_torrent", 1, 1_000_000),
        ("max_known_peers", 1, 100_000),
        ("max_failures", 1, 100),
        ("min_reconnect_time", 1, 3600),
        ("turnover_share", 0, 1),
        ("turnover_interval", 10, 86_400),
        ("turnover_cutoff", 0, 1),
    ],
)
def test_ranges_of_the_swarm_are_as_documented(name, low, high):
    for value in (low, high):
        assert getattr(SwarmConfig(**{name: value}), name) == value
    for value in (low - 1, high + 1, float("nan")):
        with pytest.raises(ConfigError, match=f"swarm.{name}"):
            SwarmConfig(**{name: value})
