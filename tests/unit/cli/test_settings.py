from __future__ import annotations

import dataclasses

from millstream.cli.settings import engine_config
from millstream.core.config import SwarmConfig
from millstream.core.limits_config import LimitsConfig
from millstream.engine.config import (
    Encryption,
    EncryptionConfig,
    EngineConfig,
    NetworkConfig,
)
from millstream.interfaces.disk import Allocation, DiskConfig
from millstream.tracker.config import TrackerConfig

BASE = EngineConfig(
    network=NetworkConfig(listen_port=6881, max_connections=9),
    swarm=SwarmConfig(pex=False, max_failures=3),
    disk=DiskConfig(allocation=Allocation.FULL, workers=3),
    encryption=EncryptionConfig(policy=Encryption.REQUIRE, prefer_rc4=True),
    limits=LimitsConfig(upload=5000),
    trackers=TrackerConfig(allow_local=True, want=7),
    seed=1,
)


def test_no_options_leave_the_settings_as_they_are():
    assert engine_config() == EngineConfig()
    assert engine_config(base=BASE) == BASE


def test_options_are_over_the_settings_and_change_nothing_else():
    limits = LimitsConfig(download=4000)
    config = engine_config(
        base=BASE,
        port=0,
        preallocate=False,
        limits=limits,
        encryption="disable",
        allow_local=False,
        pex=True,
    )
    assert config == dataclasses.replace(
        BASE,
        network=dataclasses.replace(BASE.network, listen_port=0),
        disk=dataclasses.replace(BASE.disk, allocation=Allocation.SPARSE),
        limits=limits,
        encryption=dataclasses.replace(BASE.encryption, policy=Encryption.DISABLE),
        trackers=dataclasses.replace(BASE.trackers, allow_local=False),
        swarm=dataclasses.replace(BASE.swarm, pex=True),
    )


def test_files_are_preallocated_if_asked_for():
    assert engine_config(preallocate=True).disk.allocation is Allocation.FULL
