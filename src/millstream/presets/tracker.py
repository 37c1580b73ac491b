"""A tracker on this machine's own sockets."""

from __future__ import annotations

from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.service import TrackerService


def create_tracker(config: TrackerServiceConfig | None = None) -> TrackerService:
    """Create a tracker for `async with`, inside a running event loop.

    Args:
        config: the settings; None for the defaults: every address of the machine, port 6969.
    """
    return TrackerService(config)
