"""How the torrents of an engine reach trackers, and what is the same in all that they tell them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from millstream.engine.announce_turns import AnnounceTurns
from millstream.engine.listener import Listeners
from millstream.engine.udp_trackers import UdpTrackers
from millstream.interfaces.http import HttpClient
from millstream.interfaces.platform import Platform
from millstream.tracker.config import TrackerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerAccess:
    """One for each engine.

    Attributes:
        peer_id: ours.
        key: ours for as long as the engine runs; proves who we are when our address changes.
        port: says where we accept peers; None if we do not.
        families: says which of 4 and 6 this host has.
        http: for HTTP trackers; None if there is none.
        udp: for UDP trackers.
        turns: says when a torrent may announce, of all.
        rng: for the order of trackers, jitter and transaction ids.
        config: the settings.
    """

    peer_id: bytes
    key: int
    port: Callable[[], int | None]
    families: Callable[[], Sequence[int]]
    http: HttpClient | None
    udp: UdpTrackers
    turns: AnnounceTurns
    rng: random.Random
    config: TrackerConfig

    @classmethod
    def make(
        cls,
        peer_id: bytes,
        listeners: Listeners,
        platform: Platform,
        rng: random.Random,
        config: TrackerConfig,
    ) -> Self:
        """An engine's, with a key, a line and UDP sockets of its own."""
        return cls(
            peer_id=peer_id,
            key=rng.getrandbits(32),
            port=lambda: listeners.port,
            families=listeners.families,
            http=platform.http,
            udp=UdpTrackers(platform.network, rng, config),
            turns=AnnounceTurns(),
            rng=rng,
            config=config,
        )

    def close(self) -> None:
        """Nobody announces any more."""
        self.turns.close()
        self.udp.close()

    @property
    def possible(self) -> TrackerConfig:
        """The settings as far as they can be followed: without HTTP, HTTP trackers are turned off."""
        if self.http is None and self.config.http:
            return replace(self.config, http=False)
        return self.config
