from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.rpc.config import ControlConfig

TOKEN = "t" * 16


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_needs_no_token(host):
    assert ControlConfig(host=host).is_loopback


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "2001:db8::1"])
def test_anything_else_needs_one(host):
    with pytest.raises(ConfigError, match=r"control\.token must be set"):
        ControlConfig(host=host)
    assert not ControlConfig(host=host, token=TOKEN).is_loopback


@pytest.mark.parametrize("token", ["", "t" * 15, "t" * 1025, "t" * 16 + " t", "é" * 16, "t\n" * 9])
def test_a_token_is_long_and_fits_into_a_header(token):
    with pytest.raises(ConfigError, match="16 to 1024 ASCII"):
        ControlConfig(token=token)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"port": -1}, r"control\.port is -1; it must be 0 to 65535"),
        ({"port": 65536}, "0 to 65535"),
        ({"host": "localhost"}, "must be an IPv4 or IPv6 address"),
        ({"host": ""}, "must be an IPv4 or IPv6 address"),
    ],
)
def test_errors_name_the_setting(values, words):
    with pytest.raises(ConfigError, match=words):
        ControlConfig(**values)
