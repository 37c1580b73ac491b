"""One torrent at its trackers: the tasks that carry out what `tracker.announcer` decides."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence
from typing import Protocol

from millstream.engine.journal import Journal
from millstream.engine.tracker_access import TrackerAccess
from millstream.errors import MillstreamError, TrackerError
from millstream.interfaces.http import HttpRequest
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, AnnounceResponse
from millstream.tracker.announcer import Announce, Announcer, TrackerStatus
from millstream.tracker.http_announce import announce_url, parse_announce

# Announces of one torrent at a time; libtorrent's `max_concurrent_http_announces` is 50 for all.
MAX_CONCURRENT_ANNOUNCES = 20

_NOTHING_YET = (0, 0)


class AnnouncedTorrent(Protocol):
    """The torrent that is announced: `engine.membership`.

    Attributes:
        journal: where what happens goes.
    """

    journal: Journal

    @property
    def info_hash(self) -> InfoHash:
        """Its name in the network."""

    @property
    def progress_told(self) -> tuple[int, int, int]:
        """The payload bytes uploaded and downloaded so far, and the bytes left.

        `left` is above zero while the metadata is not known.
        """

    @property
    def wants_seeds(self) -> bool:
        """Whether peers that have everything are of any use: whether it downloads."""

    def tracker_named(self, peers: Sequence[PeerAddress]) -> None:
        """A tracker named peers."""

    def external_ip_told(self, host: str) -> None:
        """A tracker said what our address is (BEP 24); it may lie."""


class Unannounced:
    """In place of `Announcing` where a torrent has no trackers; one does for all of them."""

    __slots__ = ()

    is_running = False
    wants_peers = True

    def start(self) -> None:
        """There is nobody to tell."""

    def completed(self) -> None:
        """There is nobody to tell."""

    def reannounce(self) -> None:
        """There is nobody to ask."""

    def seek_peers(self) -> None:
        """There is nobody to ask."""

    def note_room(self, *, has_room: bool) -> None:
        """Nobody names any."""

    def trackers(self) -> list[TrackerStatus]:
        """There are none."""
        return []

    async def stop(self) -> None:
        """There is nobody to tell."""


UNANNOUNCED = Unannounced()


class Announcing:
    """Announces a torrent while it is active.

    Args:
        torrent: which, and who is told what comes of it.
        tiers: its trackers' URLs (BEP 12).
        access: the way to them, and what is the same for all torrents.
        allow_local: whether trackers may be at addresses that are not global, even if the settings
            say no: for a torrent that the user gave together with such peers.
    """

    __slots__ = (
        *("_access", "_allow_local", "_announcer", "_base", "_farewell", "_has_turn"),
        *("_is_running", "_room", "_start_again", "_tasks", "_timer", "_torrent"),
    )

    def __init__(
        self,
        torrent: AnnouncedTorrent,
        tiers: Sequence[Sequence[str]],
        access: TrackerAccess,
        *,
        allow_local: bool = False,
    ) -> None:
        self._torrent = torrent
        self._access = access
        self._allow_local = allow_local or access.config.allow_local
        self._announcer = Announcer(tiers, access.rng, access.possible, access.families())
        self._base = _NOTHING_YET
        self._tasks: dict[asyncio.Task[None], Announce] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._room: asyncio.Semaphore | None = None
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
            uploaded, downloaded, _ = self._torrent.progress_told
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

    def note_room(self, *, has_room: bool) -> None:
        """Say whether there is room for peers that trackers might name. May be called often."""
        self._announcer.wants_peers = has_room

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
            seconds = self._access.config.stop_deadline if deadline is None else deadline
            self._farewell = asyncio.get_running_loop().create_task(self._say_farewell(seconds))
        # Others may wait for it as well: who gives up must not end it for them.
        await asyncio.shield(self._farewell)

    async def _say_farewell(self, seconds: float) -> None:
        try:
            self._is_running = False
            self._access.turns.leave(self)
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
            needs_peers = self._torrent.wants_seeds
            if not self._has_turn and not self._access.turns.take(self, needs_peers=needs_peers):
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
        self._access.turns.give_back()

    async def _announce(self, announce: Announce) -> None:
        loop = asyncio.get_running_loop()
        try:
            response = await self._ask(announce)
        except MillstreamError as error:
            retry_in = error.retry_in if isinstance(error, TrackerError) else None
            self._announcer.failed(announce.endpoint, str(error), loop.time(), retry_in)
            self._torrent.journal.tracker_failed(announce.endpoint.url, error)
        else:
            self._announcer.succeeded(announce.endpoint, response, loop.time())
            self._torrent.journal.tracker_answered(announce.endpoint.url, response)
            if response.external_ip is not None:
                self._torrent.external_ip_told(response.external_ip)
            if response.peers:
                self._torrent.tracker_named(response.peers)
        self.proceed()

    async def _ask(self, announce: Announce) -> AnnounceResponse:
        if self._room is None:
            self._room = asyncio.Semaphore(MAX_CONCURRENT_ANNOUNCES)
        async with self._room:
            access = self._access
            uploaded, downloaded, left = self._torrent.progress_told
            request = AnnounceRequest(
                info_hash=self._torrent.info_hash,
                peer_id=access.peer_id,
                port=access.port() or 0,
                uploaded=max(0, uploaded - self._base[0]),
                downloaded=max(0, downloaded - self._base[1]),
                left=left,
                event=announce.event,
                key=access.key,
                want=announce.want,
                tracker_id=announce.tracker_id,
            )
            url, family = announce.endpoint.url, announce.endpoint.family
            if url[:4].lower() == "udp:":
                return await access.udp.announce(
                    url, request, family=family, allow_local=self._allow_local
                )
            if access.http is None:
                raise TrackerError("HTTP trackers are turned off")
            response = await access.http.get(
                HttpRequest(
                    url=announce_url(url, request),
                    timeout=access.config.announce_timeout,
                    max_length=access.config.max_response_length,
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
