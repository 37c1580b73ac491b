"""The engine's settings, from the options of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream import EngineConfig, LimitsConfig


def engine_config(
    *,
    port: int | None,
    preallocate: bool = False,
    limits: LimitsConfig | None = None,
    encryption: str = "prefer",
    allow_local: bool = False,
    pex: bool = True,
) -> EngineConfig:
    """Settings for a command that runs an engine.

    Args:
        port: where to listen; None is any free port.
        preallocate: take the room of the files at once.
        limits: of the rates; None: unlimited.
        encryption: `prefer`, `require` or `disable`.
        allow_local: whether torrents may name trackers and web seeds at local addresses.
        pex: whether peers are exchanged with peers.
    """
    from millstream import (
        Allocation,
        DiskConfig,
        Encryption,
        EncryptionConfig,
        EngineConfig,
        LimitsConfig,
        NetworkConfig,
        SwarmConfig,
        TrackerConfig,
    )

    allocation = Allocation.FULL if preallocate else Allocation.SPARSE
    return EngineConfig(
        network=NetworkConfig(listen_port=port or 0),
        disk=DiskConfig(allocation=allocation),
        limits=limits or LimitsConfig(),
        encryption=EncryptionConfig(policy=Encryption(encryption)),
        trackers=TrackerConfig(allow_local=allow_local),
        swarm=SwarmConfig(pex=pex),
    )
