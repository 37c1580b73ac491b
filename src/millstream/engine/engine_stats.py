"""What an engine does, in numbers."""

from __future__ import annotations

from collections.abc import Collection

from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.engine.tick_meter import TickMeter, TickStats


def tick_stats(meter: TickMeter, members: Collection[Membership], now: float) -> TickStats:
    """How long the ticks of the last seconds took, and what there is to do in them."""
    count, total, longest = meter.window(now)
    stages = [member.stage for member in members]
    return TickStats(
        count=count,
        total=total,
        longest=longest,
        active_pieces=sum(
            len(stage.machine.active) for stage in stages if isinstance(stage, TorrentSession)
        ),
        connected_peers=sum(len(member.links) for member in members),
        active_torrents=sum(stage.is_active for stage in stages),
    )
