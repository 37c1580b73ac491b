from __future__ import annotations

import dataclasses

import pytest

from millstream.errors import ConfigError
from millstream.tracker.config import TrackerConfig


def test_the_defaults_are_in_range_and_documented():
    for field in dataclasses.fields(TrackerConfig()):
        assert f"{field.name}:" in (TrackerConfig.__doc__ or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("announce_timeout", 0.5),
        ("udp_timeout", 3601),
        ("udp_retransmit", 0),
        ("stop_deadline", -1),
        ("max_response_length", 1023),
        ("want", 1001),
        ("shortest_interval", 0),
        ("early_interval", float("inf")),
        ("announce_timeout", float("nan")),
    ],
)
def test_out_of_range(name, value):
    with pytest.raises(ConfigError, match=f"trackers.{name}"):
        TrackerConfig(**{name: value})
