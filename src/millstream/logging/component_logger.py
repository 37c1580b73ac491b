"""A logger that knows of whom it speaks."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from millstream.logging.components import logger_name


class ComponentLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger of one component, bound to a torrent and a peer, to one of them or to none.

    It is used as any `logging.Logger`. What it is bound to is turned into text only when a record is
    made, so that a level that nobody listens to costs one comparison.

    Args:
        component: one of `millstream.logging.COMPONENTS`, or a name of your own.
        torrent: its `str` is the infohash in hex.
        peer: its `str` is `host:port`.
    """

    def __init__(
        self, component: str, *, torrent: object | None = None, peer: object | None = None
    ) -> None:
        super().__init__(logging.getLogger(logger_name(component)), {})
        self.component = component
        self.torrent = torrent
        self.peer = peer

    def bind(self, *, torrent: object | None = None, peer: object | None = None) -> ComponentLogger:
        """The same component's logger, speaking of this torrent or peer; None keeps what it had."""
        # Not by the constructor, which looks the logger up by its name, under a lock.
        bound = ComponentLogger.__new__(ComponentLogger)
        bound.__dict__.update(self.__dict__)
        if torrent is not None:
            bound.torrent = torrent
        if peer is not None:
            bound.peer = peer
        return bound

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the attributes of the record; called only for records that are made."""
        kwargs["extra"] = {
            **(kwargs.get("extra") or {}),
            "component": self.component,
            "torrent": None if self.torrent is None else str(self.torrent),
            "peer": None if self.peer is None else str(self.peer),
        }
        return msg, kwargs


def component_logger(
    component: str, *, torrent: object | None = None, peer: object | None = None
) -> ComponentLogger:
    """A logger of a component; see `ComponentLogger`."""
    return ComponentLogger(component, torrent=torrent, peer=peer)
