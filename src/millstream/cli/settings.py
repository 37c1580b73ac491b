"""The engine's settings, from the options of a command over those of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream import EngineConfig, LimitsConfig


def engine_config(
    *,
    base: EngineConfig | None = None,
    port: int | None = None,
    preallocate: bool | None = None,
    limits: LimitsConfig | None = None,
    encryption: str | None = None,
    allow_local: bool | None = None,
    pex: bool | None = None,
) -> EngineConfig:
    """Settings for a command that runs an engine. What is None stays as it is in `base`.

    Args:
        base: the settings under the options; None: the defaults.
        port: where to listen; 0 is any free port.
        preallocate: take the room of the files at once.
        limits: of the rates.
        encryption: `prefer`, `require` or `disable`.
        allow_local: whether torrents may name trackers and web seeds at local addresses.
        pex: whether peers are exchanged with peers.
    """
    from dataclasses import replace

    from millstream import Allocation, Encryption, EngineConfig

    config = base or EngineConfig()
    if port is not None:
        config = replace(config, network=replace(config.network, listen_port=port))
    if preallocate is not None:
        allocation = Allocation.FULL if preallocate else Allocation.SPARSE
        config = replace(config, disk=replace(config.disk, allocation=allocation))
    if limits is not None:
        config = replace(config, limits=limits)
    if encryption is not None:
        policy = Encryption(encryption)
        config = replace(config, encryption=replace(config.encryption, policy=policy))
    if allow_local is not None:
        config = replace(config, trackers=replace(config.trackers, allow_local=allow_local))
    if pex is not None:
        config = replace(config, swarm=replace(config.swarm, pex=pex))
    return config
