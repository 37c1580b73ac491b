import pytest

from millstream.core.limits_config import MIN_RATE, LimitsConfig
from millstream.errors import ConfigError

RATES = (
    "download",
    "upload",
    "alternative_download",
    "alternative_upload",
    "torrent_download",
    "torrent_upload",
)


def test_nothing_is_limited_by_itself():
    config = LimitsConfig()
    assert all(getattr(config, name) is None for name in RATES)
    assert config.schedule is None


@pytest.mark.parametrize("name", RATES)
def test_a_rate_too_low_is_refused_by_its_name(name):
    LimitsConfig(**{name: MIN_RATE})
    for rate in (MIN_RATE - 1, 0, -1):
        with pytest.raises(ConfigError, match=rf"limits\.{name} is {rate}; it must be 1024"):
            LimitsConfig(**{name: rate})
