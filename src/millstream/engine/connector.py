"""Connecting to peers: within the limits, some at a time, never the same twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from millstream.core.config import SwarmConfig
from millstream.core.connect_rate import ConnectRate
from millstream.core.geometry import ConnectionId
from millstream.core.swarm import Swarm
from millstream.engine.config import NetworkConfig
from millstream.engine.wanting import Wanting
from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, ConnectionHandler, Network
from millstream.protocol.compact import PeerAddress


class Seeker(Protocol):
    """A torrent that looks for peers."""

    @property
    def swarm(self) -> Swarm:
        """The peers it knows of."""

    def wake(self) -> None:
        """An attempt ended, or nobody was to be tried: look what is next, soon."""

    @property
    def links(self) -> Collection[ConnectionId]:
        """The connections that belong to it, those that came to it included."""

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""

    @property
    def wants_seeds(self) -> bool:
        """Whether peers that have everything are of any use."""

    def make_room(self, newcomer: PeerAddress | None) -> bool:
        """Close the connection of a peer that is worth less than a newcomer, if there is one.

        None is a newcomer of whom nothing is known: for it only a peer of no use goes. See
        `core.turnover.replaceable`.
        """


class OpenLink(ConnectionHandler, Protocol):
    """A connection that was made; `engine.link.Link` is one."""

    @property
    def id(self) -> ConnectionId:
        """Its number."""

    @property
    def is_closed(self) -> bool:
        """Whether it is gone."""

    def close(self, reason: str) -> None:
        """Drop the connection."""


S = TypeVar("S", bound=Seeker)


class _Effort(Generic[S]):
    """What is under way for one torrent.

    Attributes:
        served: the number of its latest attempt, of all there were; who has the lowest is next.
        attempts: how many connections are being made.
        opening: connections whose handshake is not done, so that they are not among its links.
    """

    __slots__ = ("attempts", "opening", "seeker", "served")

    def __init__(self, seeker: S, served: int) -> None:
        self.seeker = seeker
        self.served = served
        self.attempts = 0
        self.opening: dict[ConnectionId, OpenLink] = {}

    @property
    def connections(self) -> int:
        """All that the torrent has and is about to have."""
        links = self.seeker.links
        for identity, link in list(self.opening.items()):
            if link.is_closed or identity in links:
                del self.opening[identity]
        return len(links) + len(self.opening) + self.attempts


class _Attempt(Generic[S]):
    """A connection that is being made."""

    __slots__ = ("address", "effort", "task")

    def __init__(self, effort: _Effort[S], address: PeerAddress) -> None:
        self.effort = effort
        self.address = address
        self.task: asyncio.Task[None] | None = None


class Connector(Generic[S]):
    """Opens connections for all torrents, and says who may come in.

    Every connection counts, whoever opened it, and every attempt. Downloads are served before seeds,
    as `engine.wanting` says, and among either the one that has the fewest, and among equals the one
    that waited longest.

    Args:
        network: where.
        config: the limits over all torrents.
        open_count: how many links the engine has.
        make_link: makes the link of a new connection of a torrent.
        swarm_config: the limits of each torrent.
        unreachable: told of every attempt from which no connection came, and why.
    """

    def __init__(
        self,
        network: Network,
        config: NetworkConfig,
        open_count: Callable[[], int],
        make_link: Callable[[Connection, S], OpenLink],
        swarm_config: SwarmConfig | None = None,
        unreachable: Callable[[S, PeerAddress, Exception], None] | None = None,
    ) -> None:
        self._network = network
        self._config = config
        self._most_per_torrent = (swarm_config or SwarmConfig()).max_connections_per_torrent
        self._open_count = open_count
        self._make_link = make_link
        self._unreachable = unreachable
        self._rate = ConnectRate(config.max_connect_rate)
        self._own_limits: dict[S, int] = {}
        self._efforts: dict[S, _Effort[S]] = {}
        self._wanting: Wanting[S] = Wanting()
        self._attempts: dict[_Attempt[S], None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._served = 0
        self._scheduled: asyncio.Handle | None = None
        self._waiting: asyncio.TimerHandle | None = None

    # Connecting.

    def connect_due(self, seeker: S) -> None:
        """Try the torrent's due peers soon, as many as the limits allow."""
        now = asyncio.get_running_loop().time()
        if seeker.swarm.next_due(seeds=seeker.wants_seeds) <= now:
            self._wanting.add(seeker)
            self._wake()

    def is_waiting(self, seeker: S) -> bool:
        """Whether the torrent's due peers are going to be tried without being asked for again."""
        return seeker in self._wanting

    def room_freed(self) -> None:
        """A connection is gone, of whomever."""
        self._wake()

    def cancel(self, seeker: S) -> None:
        """The torrent stops: abandon its attempts, and connections whose handshake is not done."""
        self._wanting.discard(seeker)
        effort = self._efforts.pop(seeker, None)
        if effort is None:
            return
        for attempt in [attempt for attempt in self._attempts if attempt.effort is effort]:
            self._abandon(attempt)
        for link in list(effort.opening.values()):
            link.close("torrent is stopped")

    async def close(self) -> None:
        """Abandon all attempts."""
        self._wanting.clear()
        for handle in (self._scheduled, self._waiting):
            if handle is not None:
                handle.cancel()
        self._scheduled = self._waiting = None
        for attempt in list(self._attempts):
            self._abandon(attempt)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Limits.

    def connection_count(self, seeker: S) -> int:
        """How many connections a torrent has, attempts included."""
        effort = self._efforts.get(seeker)
        return len(seeker.links) if effort is None else effort.connections

    def limit(self, seeker: S) -> int:
        """How many connections a torrent can have as things are: for its turnover."""
        room = max(0, self._room)
        return min(self._most(seeker), self.connection_count(seeker) + room)

    def set_limit(self, seeker: S, most: int | None) -> None:
        """Let a torrent have so many connections, attempts included; None: as all others."""
        if most is None:
            self._own_limits.pop(seeker, None)
        else:
            self._own_limits[seeker] = most

    def _most(self, seeker: S) -> int:
        return self._own_limits.get(seeker, self._most_per_torrent)

    def may_accept(self, seekers: Iterable[S] = ()) -> bool:
        """Whether a connection that came may stay until its handshake says which torrent it is for.

        When there are as many as there may be, an attempt is given up for it: this peer is there,
        and whoever we try perhaps is not. Failing that, the torrent that has the most connections
        makes room, if it has a peer of no use.

        Args:
            seekers: the torrents that may have to make room.
        """
        if self._room > 0:
            return True
        if self._attempts:
            self._abandon(next(iter(self._attempts)))
        else:
            fullest = max(seekers, key=lambda seeker: len(seeker.links), default=None)
            if fullest is not None:
                fullest.make_room(None)
        return self._room > 0

    def may_join(self, seeker: S, newcomer: PeerAddress) -> bool:
        """Whether a peer that came to us may belong to a torrent, which its handshake named.

        When the torrent has as many as it may have, an attempt of its is given up, or else it may
        have a worse peer to make room.

        Args:
            seeker: the torrent, which does not count the newcomer among its links yet.
            newcomer: where the peer came from, or where it listens if that is known.
        """
        effort = self._effort(seeker)
        if effort.connections < self._most(seeker):
            return True
        oldest = next((attempt for attempt in self._attempts if attempt.effort is effort), None)
        if oldest is not None:
            self._abandon(oldest)
        else:
            seeker.make_room(newcomer)
        return effort.connections < self._most(seeker)

    @property
    def _room(self) -> int:
        """How many more connections there may be over all torrents."""
        return self._config.max_connections - self._open_count() - len(self._attempts)

    # The rounds in which attempts are given out.

    def _wake(self) -> None:
        """Give out attempts soon, once all torrents had their say in this tick."""
        if self._scheduled is None and self._wanting:
            self._scheduled = asyncio.get_running_loop().call_soon(self._give_out)

    def _give_out(self) -> None:
        self._scheduled = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._may_attempt:
            return
        downloads, seeds = map(self._turns, self._wanting.in_round())
        while (downloads or seeds) and self._may_attempt:
            if not self._rate.available(now):
                self._wait(loop, self._rate.wait(now))
                return
            for_seed = not downloads or (bool(seeds) and self._wanting.is_seeds_turn)
            turns = seeds if for_seed else downloads
            connections, _, effort = heappop(turns)
            seeker = effort.seeker
            due: list[PeerAddress] = []
            if seeker.is_active and connections < self._most(seeker):
                due = seeker.swarm.due(now, 1, seeds=seeker.wants_seeds)
            self._wanting.discard(seeker)
            if not due:
                seeker.wake()
                continue
            self._rate.take()
            self._wanting.served(seed=for_seed)
            self._served += 1
            effort.served = self._served
            self._wanting.add(seeker)  # behind the others
            self._begin(effort, due[0])
            heappush(turns, (connections + 1, effort.served, effort))
        # Whoever is left over has its turn when an attempt or a connection ends.
        if self._may_attempt:
            self._wake()

    def _turns(self, seekers: Iterable[S]) -> list[tuple[int, int, _Effort[S]]]:
        efforts = map(self._effort, seekers)
        turns = [(effort.connections, effort.served, effort) for effort in efforts]
        heapify(turns)
        return turns

    @property
    def _may_attempt(self) -> bool:
        return self._room > 0 and len(self._attempts) < self._config.max_half_open

    def _wait(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        if self._waiting is None:
            self._waiting = loop.call_later(seconds, self._waited)

    def _waited(self) -> None:
        self._waiting = None
        self._wake()

    def _effort(self, seeker: S) -> _Effort[S]:
        effort = self._efforts.get(seeker)
        if effort is None:
            self._served += 1
            effort = self._efforts[seeker] = _Effort(seeker, self._served)
        return effort

    # One attempt.

    def _begin(self, effort: _Effort[S], address: PeerAddress) -> None:
        attempt = _Attempt(effort, address)
        effort.attempts += 1
        self._attempts[attempt] = None
        attempt.task = asyncio.get_running_loop().create_task(self._try(attempt))
        self._tasks.add(attempt.task)
        attempt.task.add_done_callback(self._tasks.discard)

    def _end(self, attempt: _Attempt[S]) -> bool:
        """An attempt counts no longer; False if it was over before."""
        if attempt not in self._attempts:
            return False
        del self._attempts[attempt]
        attempt.effort.attempts -= 1
        attempt.effort.seeker.wake()
        self._wake()
        return True

    def _abandon(self, attempt: _Attempt[S]) -> None:
        if self._end(attempt):
            attempt.effort.seeker.swarm.put_back(attempt.address)
        if attempt.task is not None:
            attempt.task.cancel()

    async def _try(self, attempt: _Attempt[S]) -> None:
        swarm, address = attempt.effort.seeker.swarm, attempt.address
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                await self._network.connect(address, partial(self._connected, attempt))
        except (NetworkError, TimeoutError) as error:
            if self._end(attempt):
                swarm.lost(address, asyncio.get_running_loop().time(), useful=False)
                if self._unreachable is not None:
                    self._unreachable(attempt.effort.seeker, address, error)
        finally:
            if self._end(attempt):
                swarm.put_back(address)

    def _connected(self, attempt: _Attempt[S], connection: Connection) -> OpenLink:
        """The connection is there: from now on its link is counted, no longer the attempt."""
        abandoned = not self._end(attempt)
        effort = attempt.effort
        link = self._make_link(connection, effort.seeker)
        effort.opening[link.id] = link
        if abandoned:  # and too late: a network need not be able to cancel at every point
            link.close("the attempt was abandoned")
        return link
