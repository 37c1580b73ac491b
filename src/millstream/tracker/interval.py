"""How often a tracker wants announces, and how much of that we believe.

A tracker that says 0 must not be flooded, and one that says a century must not silence us.
"""

from __future__ import annotations

# What trackers ask for most often, and what stands in for nonsense; libtorrent's default too.
DEFAULT_INTERVAL = 1800

# The least that is a number of seconds; the announcer has its own, higher limit.
MIN_INTERVAL = 1

# Once a day is as good as never for a peer; trackers in use ask for at most two hours.
MAX_INTERVAL = 86_400

# `min interval` also holds when the user asks for an announce: nobody waits longer than an hour.
MAX_MIN_INTERVAL = 3600


def sane_interval(value: object) -> int:
    """Bound a tracker's `interval`; what is no positive integer becomes the default. Seconds."""
    if not isinstance(value, int) or value <= 0:
        return DEFAULT_INTERVAL
    return max(MIN_INTERVAL, min(value, MAX_INTERVAL))


def sane_min_interval(value: object) -> int:
    """Bound a tracker's `min interval`; 0 for none, which is also what nonsense becomes. Seconds."""
    if not isinstance(value, int) or value <= 0:
        return 0
    return min(value, MAX_MIN_INTERVAL)
