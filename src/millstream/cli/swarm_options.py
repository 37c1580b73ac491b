"""The options by which a command reaches a torrent's swarm, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream.cli.options import check_urls, parse_limits, parse_peers
from millstream.cli.settings import engine_config

if TYPE_CHECKING:
    from millstream import EngineConfig, PeerAddress

ANNOUNCE_SCHEMES = ("http", "https", "udp")


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """What the user said of the swarm.

    Attributes:
        peers: to connect to.
        trackers: to ask, besides the torrent's own.
        config: everything else.
    """

    peers: Sequence[PeerAddress]
    trackers: Sequence[str]
    config: EngineConfig


def read_swarm_options(
    *,
    peer: Sequence[str] | None = None,
    tracker: Sequence[str] | None = None,
    port: int | None = None,
    limit_down: str | None = None,
    limit_up: str | None = None,
    encryption: str | None = None,
    allow_local: bool | None = None,
    no_pex: bool | None = None,
    preallocate: bool | None = None,
) -> SwarmOptions:
    """Read the options as they were given, over the user's settings; None was not given.

    Raises:
        typer.BadParameter: one makes no sense.
        ConfigError: a setting in the user's file or environment makes none.
        StorageError: the user's file cannot be read.
    """
    from millstream.settings.loading import load_settings

    settings = load_settings()
    return SwarmOptions(
        parse_peers(peer),
        check_urls(tracker, "--tracker", ANNOUNCE_SCHEMES),
        engine_config(
            base=settings,
            port=port,
            preallocate=preallocate,
            limits=parse_limits(limit_down, limit_up, settings.limits),
            encryption=encryption,
            allow_local=allow_local,
            pex=None if no_pex is None else not no_pex,
        ),
    )
