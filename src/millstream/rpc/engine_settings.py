"""The `config` of `POST /engine/start`: JSTorrent's keys as settings of this engine."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from millstream import Encryption, EngineConfig
from millstream.core.limits_config import MIN_RATE
from millstream.errors import ConfigError
from millstream.http_server.fields import Fields
from millstream.rpc.refusals import Refusal

# `allow` is JSTorrent's "accept, but do not begin"; the nearest here makes plain connections to
# whoever refuses encrypted ones.
ENCRYPTION_POLICIES = {
    "disabled": Encryption.DISABLE,
    "allow": Encryption.PREFER,
    "prefer": Encryption.PREFER,
    "required": Encryption.REQUIRE,
}

LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# Accepted for JSTorrent's clients, and without a counterpart here; the answer names them.
WITHOUT_EFFECT = ("dhtEnabled", "upnpEnabled", "daemonOpsBurst")

MAX_RATE = 1 << 40


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is started with.

    Attributes:
        config: its settings.
        save_path: where torrents are stored that are added without a path; None: as the server's.
        log_level: of `logging`; None leaves it.
        ignored: keys that were given and have no effect.
    """

    config: EngineConfig
    save_path: str | None = None
    log_level: int | None = None
    ignored: tuple[str, ...] = ()


def parse_engine_settings(fields: Fields, base: EngineConfig | None = None) -> EngineSettings:
    """Read the keys that docs/control.md lists; those left out stay as in `base`.

    Raises:
        Refusal: a key is unknown, or its value has a wrong type or is out of its range.
    """
    config = base or EngineConfig()
    network, transfer, swarm, limits = (
        config.network,
        config.transfer,
        config.swarm,
        config.limits,
    )
    save_path = fields.path("downloadPath")
    if (port := fields.integer("port", 0, 65535)) is not None:
        network = replace(network, listen_port=port)
    if (most := fields.integer("maxConnections", 1, 1_000_000)) is not None:
        network = replace(network, max_connections=most)
    if (rate := fields.number("daemonOpsPerSecond", 0.1, 10_000)) is not None:
        network = replace(network, max_connect_rate=rate)
    if (most := fields.integer("maxPeers", 1, 1_000_000)) is not None:
        swarm = replace(swarm, max_connections_per_torrent=most)
    if (pex := fields.flag("pexEnabled")) is not None:
        swarm = replace(swarm, pex=pex)
    if (slots := fields.integer("maxUploadSlots", 0, 1000)) is not None:
        transfer = replace(transfer, upload_slots=slots)
    encryption = config.encryption
    if (policy := fields.choice("encryptionPolicy", tuple(ENCRYPTION_POLICIES))) is not None:
        encryption = replace(encryption, policy=ENCRYPTION_POLICIES[policy])
    trackers = config.trackers
    if (local := fields.flag("allowLocal")) is not None:
        trackers = replace(trackers, allow_local=local)
    if fields.has("downloadSpeedLimit"):
        limits = replace(limits, download=read_rate(fields, "downloadSpeedLimit"))
    if fields.has("uploadSpeedLimit"):
        limits = replace(limits, upload=read_rate(fields, "uploadSpeedLimit"))
    log_level = _log_level(fields)
    ignored = tuple([key for key in WITHOUT_EFFECT if fields.has(key)])
    for key in ignored:
        fields.discard(key)
    fields.finish()
    try:
        config = replace(
            config,
            network=network,
            transfer=transfer,
            swarm=swarm,
            limits=limits,
            encryption=encryption,
            trackers=trackers,
        )
    except ConfigError as error:
        raise Refusal(400, "InvalidSetting", str(error)) from error
    return EngineSettings(config, save_path, log_level, ignored)


def read_rate(fields: Fields, key: str) -> int | None:
    """A limit in bytes a second; null and 0 are no limit. Raises Refusal."""
    rate = fields.integer(key, 0, MAX_RATE)
    if rate and rate < MIN_RATE:
        raise Refusal(
            400,
            "InvalidField",
            f"{fields.name(key)} is {rate}; it must be {MIN_RATE} bytes a second or more, "
            "or 0 for no limit",
            fields.name(key),
        )
    return rate or None


def _log_level(fields: Fields) -> int | None:
    """`logging` is a level, or an object with a `level`, as JSTorrent's clients send it."""
    if fields.is_object("logging"):
        within = fields.required(fields.fields, "logging")
        level = within.choice("level", tuple(LOG_LEVELS))
        within.discard("components")
        within.finish()
    else:
        level = fields.choice("logging", tuple(LOG_LEVELS))
    return None if level is None else LOG_LEVELS[level]
