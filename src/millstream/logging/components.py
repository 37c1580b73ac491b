"""The parts of Millstream that log, and from which level on each is heard."""

from __future__ import annotations

import logging
from types import MappingProxyType

from millstream.errors import ConfigError

ROOT = "millstream"
"""The logger above all components."""

COMPONENTS = MappingProxyType(
    {
        "engine": "the engine starts, listens and ends; torrents come and go",
        "torrent": "a torrent's state, and why it is not moving",
        "peer": "connections made, refused and lost, and why; bans",
        "tracker": "announces and how they were answered",
        "metadata": "a magnet's metadata, found or refused",
        "web_seed": "web seeds that fail or are banned",
        "disk": "faults of the disk, and downloads that wait for it",
        "store": "what is kept from one run to the next",
        "rpc": "control from outside",
        "service": "watch folders, scripts, webhooks, and settings read again",
        "tracker_service": "Millstream's own tracker",
        "io_daemon": "the daemon that lends sockets and files to sandboxed engines",
        "native_host": "what a browser's extension asks for through native messaging",
    }
)
"""Every component's name, and what it tells."""

LEVELS = MappingProxyType(
    {
        "DEBUG": logging.DEBUG,
        "INFO": logging.INFO,
        "WARNING": logging.WARNING,
        "ERROR": logging.ERROR,
        "CRITICAL": logging.CRITICAL,
    }
)


def logger_name(component: str) -> str:
    """The standard logger of a component."""
    return f"{ROOT}.{component}"


def parse_level(level: str | int) -> int:
    """A level by its name, in either case, or its number. Raises ConfigError for no such name."""
    if isinstance(level, int):
        return level
    # As the standard library, whose "warn" JSTorrent's clients say, too.
    number = logging.WARNING if level.upper() == "WARN" else LEVELS.get(level.upper())
    if number is None:
        names = ", ".join(name.lower() for name in LEVELS)
        raise ConfigError(f"{level!r} is no log level; these are: {names}")
    return number


def set_level(level: str | int | None, component: str | None = None) -> None:
    """Be heard from a level on.

    Args:
        level: name or number; None: as the component above says, in the end the program's root.
        component: which part; None for all that have no level of their own.

    Raises:
        ConfigError: there is no such level or component.
    """
    number = logging.NOTSET if level is None else parse_level(level)
    if component is not None and component not in COMPONENTS:
        raise ConfigError(f"{component!r} is no log component; these are: {', '.join(COMPONENTS)}")
    name = ROOT if component is None else logger_name(component)
    logging.getLogger(name).setLevel(number)


def get_levels() -> dict[str, str]:
    """The level from which on each component is heard, by name."""
    return {
        component: logging.getLevelName(
            logging.getLogger(logger_name(component)).getEffectiveLevel()
        )
        for component in COMPONENTS
    }
