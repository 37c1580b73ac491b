from __future__ import annotations

import logging

import pytest

from millstream import Encryption, EngineConfig, LimitsConfig
from millstream.http_server.fields import Fields
from millstream.rpc.engine_settings import parse_engine_settings
from millstream.rpc.refusals import Refusal


def read(base=None, **keys):
    return parse_engine_settings(Fields(keys, "config."), base)


def test_nothing_is_the_defaults():
    settings = read()
    assert settings.config == EngineConfig()
    assert (settings.save_path, settings.log_level, settings.ignored) == (None, None, ())


def test_every_key_is_obeyed():
    settings = read(
        downloadPath="/srv",
        port=7000,
        maxConnections=50,
        maxPeers=20,
        maxUploadSlots=4,
        encryptionPolicy="required",
        daemonOpsPerSecond=2,
        downloadSpeedLimit=1 << 20,
        uploadSpeedLimit=0,
        pexEnabled=False,
        allowLocal=True,
        logging="warn",
    )
    config = settings.config
    assert settings.save_path == "/srv"
    assert (config.network.listen_port, config.network.max_connections) == (7000, 50)
    assert config.network.max_connect_rate == 2
    assert (config.swarm.max_connections_per_torrent, config.swarm.pex) == (20, False)
    assert config.transfer.upload_slots == 4
    assert config.encryption.policy is Encryption.REQUIRE
    assert (config.limits.download, config.limits.upload) == (1 << 20, None)
    assert config.trackers.allow_local
    assert settings.log_level == logging.WARNING


def test_keys_without_effect_are_told():
    assert read(dhtEnabled=True, daemonOpsBurst=2).ignored == ("dhtEnabled", "daemonOpsBurst")


def test_what_is_left_out_stays_as_it_was():
    base = EngineConfig(limits=LimitsConfig(download=5000, upload=6000))
    limits = read(base, uploadSpeedLimit=0).config.limits
    assert (limits.download, limits.upload) == (5000, None)


@pytest.mark.parametrize(
    "value", ["debug", {"level": "debug"}, {"level": "debug", "components": {}}]
)
def test_logging_is_a_level_or_an_object_with_one(value):
    assert read(logging=value).log_level == logging.DEBUG


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("disabled", Encryption.DISABLE),
        ("allow", Encryption.PREFER),
        ("prefer", Encryption.PREFER),
    ],
)
def test_encryption_policies(policy, wanted):
    assert read(encryptionPolicy=policy).config.encryption.policy is wanted


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"port": "7000"}, "config.port"),
        ({"port": 70000}, "config.port"),
        ({"port": True}, "config.port"),
        ({"downloadPath": "here"}, "config.downloadPath"),
        ({"maxPeers": 0}, "config.maxPeers"),
        ({"encryptionPolicy": "maybe"}, "config.encryptionPolicy"),
        ({"uploadSpeedLimit": 5}, "config.uploadSpeedLimit"),
        ({"logging": 7}, "config.logging"),
        ({"logging": {"level": "loud"}}, "config.logging.level"),
        ({"maxPears": 7}, "config.maxPears"),
    ],
)
def test_errors_name_the_key(keys, field):
    with pytest.raises(Refusal) as caught:
        read(**keys)
    assert (caught.value.status, caught.value.field) == (400, field)
