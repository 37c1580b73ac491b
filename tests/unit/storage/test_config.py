import pytest

from millstream.errors import ConfigError
from millstream.storage.config import StorageConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("check_interval", 0.5),
        ("check_interval", 3601),
        ("min_free_space", -1),
        ("file_check_interval", 4),
        ("file_check_interval", 86401),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"storage.{name} is {value}"):
        StorageConfig(**{name: value})


def test_the_ends_of_the_ranges_are_fine():
    config = StorageConfig(check_interval=1, min_free_space=0, file_check_interval=86400)
    assert config.require_room
