"""One torrent at its trackers: the tasks that carry out what `tracker.announcer` decides."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from millstream.engine.announce_turns import AnnounceTurns
from millstream.engine.journal import Journal
from millstream.engine.udp_trackers import UdpTrackers
from millstream.errors import MillstreamError, TrackerError
from millstream.interfaces.http import HttpClient, HttpRequest
from millstream.interfaces.network import Network
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, AnnounceResponse
from millstream.tracker.announcer import Announce, Announcer, TrackerStatus
from millstream.tracker.config import TrackerConfig
from millstream.tracker.http_announce import announce_url, parse_announce

# Announces of one torrent at a time; libtorrent's `max_concurrent_http_announces` is 50 for all.
MAX_CONCURRENT_ANNOUNCES = 20

_NOTHING_YET = (0, 0)


class Announcing:
    """Announces a torrent while it is active.

    Args:
        info_hash: the torrent.
        tiers: its trackers' URLs (BEP 12).
        peer_id: ours.
        key: ours for as long as the engine runs; proves who we are when our address changes.
        port: says where we accept peers; None if we do not.
        counters: says the payload bytes uploaded and downloaded so far, and the bytes left; `left`
            is above zero while the metadata is not known.
        http: for HTTP trackers; None if there is none.
        network: for UDP trackers.
        rng: for the order of trackers, jitter and transaction ids.
        config: the settings.
        deliver: takes the peers of an answer.
        allow_local: whether trackers may be at addresses that are not global, even if the settings
            say no: for a torrent that the user gave together with such peers.
        external_ip: takes our address as a tracker sees it (BEP 24); trackers may lie.
        families: 4, 6 or both: what this host has.
        udp: shared by all torrents; None makes one for this torrent.
        journal: where what happens goes; None makes one.
        turns: says when a torrent may announce, of all; None makes them for this one.
    """

    __slots__ = (
        *("_allow_local", "_announcer", "_base", "_config", "_counters", "_deliver"),
        *("_external_ip", "_farewell", "_has_turn", "_http", "_info_hash", "_is_running"),
        *("_journal", "_key", "_owns_udp", "_peer_id", "_port", "_room", "_start_again"),
        *("_tasks", "_timer", "_turns", "_udp"),
    )

    def __init__(
        self,
        *,
        info_hash: InfoHash,
        tiers: Sequence[Sequence[str]],
        peer_id: bytes,
        key: int,
        port: Callable[[], int | None],
        counters: Callable[[], tuple[int, int, int]],
        http: HttpClient | None,
        network: Network,
        rng: random.Random,
        config: TrackerConfig,
        deliver: Callable[[list[PeerAddress]], None],
        allow_local: bool = False,
        external_ip: Callable[[str], None] | None = None,
        families: Sequence[int] = (4, 6),
        udp: UdpTrackers | None = None,
        journal: Journal | None = None,
        turns: AnnounceTurns | None = None,
    ) -> None:
        self._info_hash = info_hash
        self._journal = journal or Journal(info_hash)
        self._peer_id = peer_id
        self._key = key
        self._port = port
        self._counters = counters
        self._http = http
        self._config = replace(config, http=False) if http is None and config.http else config
        self._deliver = deliver
        self._allow_local = allow_local or config.allow_local
        self._external_ip = external_ip
        self._udp = udp or UdpTrackers(network, rng, config)
        self._owns_udp = udp is None
        self._announcer = Announcer(tiers, rng, self._config, families)
        self._base = _NOTHING_YET
        self._tasks: dict[asyncio.Task[None], Announce] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._room: asyncio.Semaphore | None = None
        self._turns = turns or AnnounceTurns()
        self._has_turn = False
        self._is_running = False
        self._start_again = False
        self._farewell: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it announces."""
        return self._is_running

    def start(self) -> None:
        """Begin to announce, if that was not begun; while `stop` is under way, after it."""
        if self._farewell is not None:
            self._start_again = True
        elif not self._is_running:
            self._is_running = True
            uploaded, downloaded, _ = self._counters()
            self._base = (uploaded, downloaded) if uploaded or downloaded else _NOTHING_YET
            self._announcer.start(asyncio.get_running_loop().time())
            self.proceed()

    def completed(self) -> None:
        """The last piece was downloaded: tell the trackers. Only if it was while announcing."""
        self._announcer.completed(asyncio.get_running_loop().time())
        self.proceed()

    def reannounce(self) -> None:
        """The user wants an announce, as soon as each tracker's `min interval` allows."""
        self._announcer.reannounce(asyncio.get_running_loop().time())
        self.proceed()

    def seek_peers(self) -> None:
        """Peers are few: announce earlier than regularly, within bounds. May be called often."""
        self._announcer.seek_peers()
        self.proceed()

    @property
    def wants_peers(self) -> bool:
        """Whether trackers are asked to name peers; False for a torrent that has no room for any."""
        return self._announcer.wants_peers

    @wants_peers.setter
    def wants_peers(self, value: bool) -> None:
        self._announcer.wants_peers = value

    def trackers(self) -> list[TrackerStatus]:
        """All trackers, in the order in which they are tried."""
        return self._announcer.trackers(asyncio.get_running_loop().time())

    async def stop(self, deadline: float | None = None) -> None:
        """Announce no more, and tell it to the trackers that know of us.

        Args:
            deadline: seconds that this may take; None for the settings'.
        """
        self._start_again = False
        if self._farewell is None:
            seconds = self._config.stop_deadline if deadline is None else deadline
            self._farewell = asyncio.get_running_loop().create_task(self._say_farewell(seconds))
        # Others may wait for it as well: who gives up must not end it for them.
        await asyncio.shield(self._farewell)

    async def _say_farewell(self, seconds: float) -> None:
        try:
            self._is_running = False
            self._turns.leave(self)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            loop = asyncio.get_running_loop()
            deadline = loop.time() + seconds
            # The program may end with its download, and then nobody else tells of this copy. Half of
            # the time is for that, so that a tracker that does not answer costs the others nothing.
            completed = {
                task
                for task, announce in self._tasks.items()
                if announce.event is AnnounceEvent.COMPLETED
            }
            await _cancel(set(self._tasks) - completed)
            if completed:
                await asyncio.wait(completed, timeout=seconds / 2)
                await _cancel(completed)
            farewells = {
                loop.create_task(self._say_stopped(announce))
                for announce in self._announcer.stop()
                if deadline > loop.time()
            }
            try:
                if farewells:
                    await asyncio.wait(farewells, timeout=deadline - loop.time())
            finally:
                await _cancel(farewells)
            if self._owns_udp:
                self._udp.close()
        finally:
            self._farewell = None
        if self._start_again:
            self.start()

    async def _say_stopped(self, announce: Announce) -> None:
        # A tracker that does not hear it will notice when we do not come back.
        with contextlib.suppress(MillstreamError):
            await self._ask(announce)

    def proceed(self) -> None:
        """Begin what is due, if it is this torrent's turn, and wake up for what comes next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_running:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._announcer.next_due() <= now:
            if not self._has_turn and not self._turns.take(self):
                return  # it is called again
            self._has_turn = True
            for announce in self._announcer.due(now):
                task = loop.create_task(self._announce(announce))
                self._tasks[task] = announce
                task.add_done_callback(self._ended)
            if not self._tasks:
                self._give_turn_back()
        next_due = self._announcer.next_due()
        if next_due < math.inf:
            self._timer = loop.call_at(next_due, self.proceed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not self._tasks:
            self._give_turn_back()

    def _give_turn_back(self) -> None:
        self._has_turn = False
        self._turns.give_back()

    async def _announce(self, announce: Announce) -> None:
        loop = asyncio.get_running_loop()
        try:
            response = await self._ask(announce)
        except MillstreamError as error:
            retry_in = error.retry_in if isinstance(error, TrackerError) else None
            self._announcer.failed(announce.endpoint, str(error), loop.time(), retry_in)
            self._journal.tracker_failed(announce.endpoint.url, error)
        else:
            self._announcer.succeeded(announce.endpoint, response, loop.time())
            self._journal.tracker_answered(announce.endpoint.url, response)
            if response.external_ip is not None and self._external_ip is not None:
                self._external_ip(response.external_ip)
            if response.peers:
                self._deliver(list(response.peers))
        self.proceed()

    async def _ask(self, announce: Announce) -> AnnounceResponse:
        if self._room is None:
            self._room = asyncio.Semaphore(MAX_CONCURRENT_ANNOUNCES)
        async with self._room:
            uploaded, downloaded, left = self._counters()
            request = AnnounceRequest(
                info_hash=self._info_hash,
                peer_id=self._peer_id,
                port=self._port() or 0,
                uploaded=max(0, uploaded - self._base[0]),
                downloaded=max(0, downloaded - self._base[1]),
                left=left,
                event=announce.event,
                key=self._key,
                want=announce.want,
                tracker_id=announce.tracker_id,
            )
            url, family = announce.endpoint.url, announce.endpoint.family
            if url[:4].lower() == "udp:":
                return await self._udp.announce(
                    url, request, family=family, allow_local=self._allow_local
                )
            if self._http is None:
                raise TrackerError("HTTP trackers are turned off")
            response = await self._http.get(
                HttpRequest(
                    url=announce_url(url, request),
                    timeout=self._config.announce_timeout,
                    max_length=self._config.max_response_length,
                    allow_local=self._allow_local,
                    family=family,
                )
            )
            return parse_announce(response.body, response.status)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    if tasks:
        await asyncio.wait(set(tasks))
