from __future__ import annotations

import math
import tomllib

import pytest

from millstream.engine.config import Encryption
from millstream.errors import ConfigError
from millstream.settings.catalogue import Kind, Setting, all_settings
from millstream.settings.values import default_words, from_text, from_toml, shown, to_toml

BY_KEY = {setting.key: setting for setting in all_settings()}


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("network.listen_port", 6881, 6881),
        ("network.listen_port", "none", None),
        ("network.listen_hosts", ["127.0.0.1"], ("127.0.0.1",)),
        ("network.connect_timeout", 5, 5.0),
        ("network.connect_timeout", 2.5, 2.5),
        ("swarm.pex", False, False),
        ("encryption.policy", "require", Encryption.REQUIRE),
        ("encryption.payload", "none", None),
        ("limits.schedule.days", [5, 6], frozenset({5, 6})),
        ("limits.upload", "2M", 2 << 20),
        ("limits.upload", "500 KiB/s", 512_000),
        ("disk.max_queued_bytes", "10 GiB", 10 << 30),
        ("network.peer_timeout", "2 min", 120.0),
        ("webhooks.timeout", "0.5s", 0.5),
    ],
)
def test_what_toml_gives(key, raw, value):
    read = from_toml(BY_KEY[key], raw)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("network.listen_port", 65536),
        ("network.listen_port", -1),
        ("network.listen_port", True),
        ("network.listen_port", 6881.0),
        ("network.listen_port", "6881"),
        ("network.connect_timeout", True),
        ("network.connect_timeout", math.nan),
        ("network.connect_timeout", math.inf),
        ("network.connect_timeout", "none"),
        ("network.listen_hosts", "127.0.0.1"),
        ("network.listen_hosts", [1]),
        ("swarm.pex", 1),
        ("encryption.policy", "perhaps"),
        ("encryption.policy", 1),
        ("limits.schedule.days", []),
        ("limits.schedule.days", [7]),
        ("limits.schedule.days", [True]),
        ("limits.upload", 1 << 63),
        ("disk.max_open_files", {}),
        ("disk.max_open_files", "2K"),
        ("limits.upload", "100"),
        ("limits.upload", "2 min"),
        ("network.peer_timeout", "2M bytes"),
        ("network.peer_timeout", "2 days"),
    ],
)
def test_what_does_not_fit_names_the_key_the_value_and_the_range(key, raw):
    setting = BY_KEY[key]
    with pytest.raises(ConfigError) as caught:
        from_toml(setting, raw)
    assert str(caught.value) == f"{key} is {shown(raw)}; it must be {setting.expected}"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("network.listen_port", " 6881 ", 6881),
        ("network.listen_port", "None", None),
        ("network.listen_hosts", "127.0.0.1, ::1", ("127.0.0.1", "::1")),
        ("network.connect_timeout", "2.5", 2.5),
        ("swarm.pex", "No", False),
        ("swarm.pex", "1", True),
        ("encryption.policy", "require", Encryption.REQUIRE),
        ("limits.schedule.days", "5,6", frozenset({5, 6})),
        ("limits.upload", "2M", 2 << 20),
        ("network.peer_timeout", "30", 30.0),
        ("network.peer_timeout", "30 s", 30.0),
    ],
)
def test_what_a_variable_gives(key, text, value):
    assert from_text(BY_KEY[key], text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("network.listen_port", "70000"),
        ("network.listen_port", "abc"),
        ("network.connect_timeout", "nan"),
        ("network.connect_timeout", "fast"),
        ("swarm.pex", "perhaps"),
        ("limits.schedule.days", "5,x"),
        ("seed", "9" * 5000),
    ],
)
def test_a_text_that_does_not_fit(key, text):
    with pytest.raises(ConfigError, match=f"{key} is .*; it must be "):
        from_text(BY_KEY[key], text)


def test_a_number_without_bounds_still_is_one_of_toml():
    setting = Setting(path=("x",), kind=Kind.NUMBER)
    assert from_toml(setting, 3) == 3.0
    with pytest.raises(ConfigError):
        from_toml(setting, 10**400)


def test_a_text_is_taken_as_it_is():
    setting = Setting(path=("x",), kind=Kind.TEXT)
    assert from_toml(setting, "none") == from_text(setting, "none") == "none"


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.key)
def test_a_default_is_written_so_that_it_is_read_again(setting):
    if setting.needed:
        return
    for text in (to_toml(setting.default), default_words(setting)):
        raw = tomllib.loads(f"x = {text}")["x"]
        assert from_toml(setting, raw) == setting.default


def test_a_wrong_secret_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        from_toml(BY_KEY["webhooks.secret"], 12345)
    assert str(caught.value) == "webhooks.secret is (hidden); it must be a text"


def test_wrong_values_are_shown_short():
    assert shown("a\nb") == '"a\\nb"'
    assert shown(True) == "true"
    assert shown({"a": 1}) == "a table"
    assert len(shown("x" * 1000)) < 70
    assert shown(1 << 100_000) == "a int too long to show"
