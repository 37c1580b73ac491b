"""The engine's settings, from the options of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream import EngineConfig
    from millstream.core.limits_config import LimitsConfig


def engine_config(
    *, port: int | None, preallocate: bool = False, limits: LimitsConfig | None = None
) -> EngineConfig:
    """Settings for a command that runs an engine.

    Args:
        port: where to listen; None is any free port.
        preallocate: take the room of the files at once.
        limits: of the rates; None: unlimited.
    """
    from millstream import Allocation, DiskConfig, EngineConfig, NetworkConfig
    from millstream.core.limits_config import LimitsConfig

    allocation = Allocation.FULL if preallocate else Allocation.SPARSE
    return EngineConfig(
        network=NetworkConfig(listen_port=port or 0),
        disk=DiskConfig(allocation=allocation),
        limits=limits or LimitsConfig(),
    )
