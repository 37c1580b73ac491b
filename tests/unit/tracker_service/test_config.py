from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.tracker_service.config import TrackerServiceConfig


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"port": -1}, "tracker.port is -1"),
        ({"port": 65536}, "tracker.port is 65536"),
        ({"max_connections": 0}, "tracker.max_connections is 0"),
        ({"connection_time": 0.5}, "tracker.connection_time is 0.5"),
        ({"hosts": ()}, "tracker.hosts is empty"),
        ({"http": False, "udp": False}, "answers nobody"),
    ],
)
def test_settings_have_ranges(settings, complaint):
    with pytest.raises(ConfigError, match=complaint):
        TrackerServiceConfig(**settings)


def test_claims_are_not_believed_by_default():
    config = TrackerServiceConfig()
    assert not config.allow_ip
    assert not config.trust_forwarded
