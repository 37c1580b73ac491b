from __future__ import annotations

import pytest

from millstream.core.limit_schedule import LimitSchedule
from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError, StorageError
from millstream.settings.catalogue import all_settings
from millstream.settings.loading import load, load_settings

PORT = "MILLSTREAM_NETWORK_LISTEN_PORT"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        "[network]\nlisten_port = 1\nmax_connections = 9\n"
        "[limits]\nschedule = {begin = 60, end = 120, days = [6]}\n"
    )
    return path


def test_nothing_set_is_the_defaults(tmp_path):
    assert load_settings(environ={"XDG_CONFIG_HOME": str(tmp_path)}) == EngineConfig()


def test_the_tests_read_the_settings_of_nobody():
    assert load_settings() == EngineConfig()


def test_the_environment_is_over_the_file(file):
    config = load_settings(file, {PORT: "2"})
    assert (config.network.listen_port, config.network.max_connections) == (2, 9)
    assert config.limits.schedule == LimitSchedule(begin=60, end=120, days=frozenset({6}))


def test_the_environment_names_the_file(file):
    assert load_settings(environ={"MILLSTREAM_CONFIG": str(file)}).network.listen_port == 1
    with pytest.raises(StorageError):
        load_settings(environ={"MILLSTREAM_CONFIG": f"{file}.other"})


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(StorageError):
        load_settings(tmp_path / "none.toml", {})


def test_who_gave_what(file):
    loaded = load(file, {PORT: "2"})
    sources = {setting.key: loaded.source_of(setting) for setting in all_settings()}
    assert loaded.path == file
    assert sources["network.listen_port"] == PORT
    assert sources["network.max_connections"] == str(file)
    assert sources["network.peer_timeout"] == "default"


def test_values_that_do_not_go_together_name_their_sources(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={"HOME": str(tmp_path), "MILLSTREAM_LIMITS_SCHEDULE_END": "5"})
    assert str(caught.value) == "MILLSTREAM_LIMITS_SCHEDULE_END: limits.schedule lacks begin"
