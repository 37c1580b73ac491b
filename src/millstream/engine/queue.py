"""The queue: gives torrents their turns, and lets the others wait.

`core.queueing` decides. A torrent without a turn is QUEUED where it would otherwise run; its stage
sees to that, whatever leads there: an add, a start, the end of a check. Without limits everybody has
a turn, and nothing is done here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from millstream.core.queue_config import QueueConfig
from millstream.core.queue_order import QueueMove, QueueOrder
from millstream.core.queueing import QueueEntry, QueueKind, Turn, plan
from millstream.core.torrent_state import TorrentState
from millstream.engine.check_turns import CheckTurns
from millstream.errors import MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash

# Seconds between two plans; libtorrent's `trigger_auto_manage` waits as long.
PLAN_INTERVAL = 1.0

# Seconds between two looks at who is slow. `QueueConfig.slow_after` is much longer by default.
LOOK_INTERVAL = 5.0

_LOG = component_logger("torrent")


class QueuedStage(Protocol):
    """What the queue asks of a torrent's stage."""

    @property
    def state(self) -> TorrentState:
        """What it is doing."""

    @property
    def is_finished(self) -> bool:
        """Whether every wanted piece is verified, as far as is known."""

    async def start(self) -> None:
        """Run, if the torrent has a turn."""


class QueueMember(Protocol):
    """A torrent as the queue sees it; `engine.membership.Membership` is one.

    Attributes:
        has_turn: whether it may run. The queue sets it, and the torrent obeys: without a turn it
            goes to QUEUED where it would fetch its metadata, download or seed.
        is_auto_managed: whether the queue decides when it runs.
        is_forced: whether it runs without regard to limits and goals.
        goals_reached: whether it has seeded enough.
    """

    has_turn: bool
    is_auto_managed: bool
    is_forced: bool
    goals_reached: bool

    @property
    def info_hash(self) -> InfoHash:
        """Its name."""

    @property
    def stage(self) -> QueuedStage:
        """What it is at the moment."""

    def payload_rates(self, now: float) -> tuple[float, float]:
        """Bytes a second, down and up."""

    async def wait_turn(self) -> None:
        """Become QUEUED at once, then come to rest and tell it to the trackers."""


class Queue:
    """The queue of an engine.

    Args:
        config: the limits to begin with.
        find: gives a torrent of the engine.

    Attributes:
        config: the limits; `configure` changes them.
        order: of all torrents; only looked at from outside.
        checks: the turns of those that read their files.
        moved: called when the user changed the order.
    """

    def __init__(self, config: QueueConfig, find: Callable[[InfoHash], QueueMember | None]) -> None:
        self.config = config
        self.order: QueueOrder[InfoHash] = QueueOrder()
        self.checks = CheckTurns(config.active_checks, self.order.position)
        self.moved: Callable[[], None] = _nobody_cares
        self._find = find
        self._turns: dict[InfoHash, Turn] = {}
        self._transitions: dict[QueueMember, asyncio.Task[None]] = {}
        self._is_due = self._at_once = self._is_closed = False
        self._next_plan = self._next_look = -math.inf
        self._again_at = math.inf

    # What happens to the torrents.

    def entered(self, member: QueueMember) -> None:
        """A torrent comes, as the last; call it before it starts."""
        self.order.add(member.info_hash)
        member.has_turn = not self.config.is_limited or _is_exempt(member)
        self.changed()

    def left(self, torrent: InfoHash) -> None:
        """A torrent went; call it when it is at rest."""
        if torrent in self.order:
            self.order.remove(torrent)
        self._turns.pop(torrent, None)
        self.changed()

    def changed(self) -> None:
        """A torrent's state is another one; costs nothing."""
        self._is_due = True

    def exemption_changed(self, member: QueueMember) -> None:
        """A torrent was forced, or is managed again ...: the user waits for what comes of it."""
        if _is_exempt(member):
            member.has_turn = True
            self._settle(member)
        self._changed_by_user()

    # What the user wants.

    def configure(self, config: QueueConfig) -> None:
        """Change the limits."""
        if config == self.config:
            return
        self.config = config
        self.checks.limit = config.active_checks
        if not config.is_limited:
            self._turns.clear()
            for member in self._members():
                member.has_turn = True
                self._settle(member)
        self._changed_by_user()

    def move(self, torrents: Iterable[InfoHash], where: QueueMove) -> None:
        """Change the order. Raises KeyError for a torrent that is not here."""
        if self.order.move(torrents, where):
            self._reordered()

    def place(self, torrent: InfoHash, position: int) -> None:
        """Move one to a position, from 0. Raises KeyError for a torrent that is not here."""
        if self.order.place(torrent, position):
            self._reordered()

    def arrange(self, torrents: Iterable[InfoHash]) -> None:
        """Restore an order; torrents that are not in it stay behind those that are."""
        if self.order.arrange(torrents):
            self._reordered()

    def _reordered(self) -> None:
        self.moved()
        self._changed_by_user()

    def _changed_by_user(self) -> None:
        self._is_due = self._at_once = True
        self._next_plan = -math.inf

    # Turns.

    def beat(self, now: float) -> None:
        """Give and take turns if something changed; call it once or twice a second."""
        if not self.config.is_limited or self._is_closed:
            return
        if not self.config.count_slow and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            self._look(now)
        if (self._is_due or now >= self._again_at) and now >= self._next_plan:
            self._next_plan = now + PLAN_INTERVAL
            self._plan(now)

    async def close(self) -> None:
        """Give no more turns, whoever goes, and see those through that come or go just now."""
        self._is_closed = True
        while self._transitions:
            await asyncio.gather(*self._transitions.values())

    def _look(self, now: float) -> None:
        for torrent, turn in self._turns.items():
            member = self._find(torrent)
            if member is not None:
                self._is_due |= turn.observe(*member.payload_rates(now), self.config, now)

    def _plan(self, now: float) -> None:
        made = plan(list(self._entries(now)), self.config, now, at_once=self._at_once)
        self._is_due = self._at_once = False
        self._again_at = made.again_at
        for torrent in made.stops:
            del self._turns[torrent]
            self._set_turn(torrent, has_turn=False)
        for torrent in made.starts:
            self._set_turn(torrent, has_turn=True)

    def _set_turn(self, torrent: InfoHash, *, has_turn: bool) -> None:
        member = self._find(torrent)
        if member is not None:
            member.has_turn = has_turn
            self._settle(member)

    def _members(self) -> Iterator[QueueMember]:
        for torrent in self.order:
            member = self._find(torrent)
            if member is not None:
                yield member

    def _entries(self, now: float) -> Iterator[QueueEntry[InfoHash]]:
        """Those that run or wait. Others lose their turn without a word."""
        for member in self._members():
            stage = member.stage
            state = stage.state
            is_exempt = member.is_forced or not member.is_auto_managed
            # Most wait, where there are many: they cost the least.
            if state is not TorrentState.QUEUED and not is_exempt:
                if not _takes_turns(state, has_turn=member.has_turn):
                    member.has_turn = False
                    self._turns.pop(member.info_hash, None)
                    continue
                self._settle(member)
            kind = QueueKind.SEED if stage.is_finished else QueueKind.DOWNLOAD
            turn = self._turn(member, kind, now) if member.has_turn else None
            yield QueueEntry(member.info_hash, kind, turn, is_exempt, member.goals_reached)

    def _turn(self, member: QueueMember, kind: QueueKind, now: float) -> Turn:
        if _is_exempt(member):  # a turn for good, whatever it does with it
            self._turns.pop(member.info_hash, None)
            return Turn(kind, now)
        turn = self._turns.get(member.info_hash)
        if turn is None:
            turn = self._turns[member.info_hash] = Turn(kind, now)
        elif turn.kind is not kind:
            turn.become(kind, now)
        return turn

    def _settle(self, member: QueueMember) -> None:
        """Let a torrent run or wait, in the background."""
        if not self._is_closed and member not in self._transitions and _is_wrong(member):
            task = asyncio.get_running_loop().create_task(self._follow(member))
            self._transitions[member] = task

    async def _follow(self, member: QueueMember) -> None:
        """Do what its turn says, as often as that changes meanwhile."""
        try:
            while _is_wrong(member):
                before = member.stage.state
                if member.has_turn:
                    await member.stage.start()
                else:
                    await member.wait_turn()
                if member.stage.state is before:
                    break
        except MillstreamError as error:
            _LOG.bind(torrent=member.info_hash).warning("its turn failed: %s", error)
        finally:
            del self._transitions[member]


def _nobody_cares() -> None:
    """The order is not remembered."""


def _is_exempt(member: QueueMember) -> bool:
    return member.is_forced or not member.is_auto_managed


def _takes_turns(state: TorrentState, *, has_turn: bool) -> bool:
    """Whether a torrent runs, or will: one that is checked in its turn has it still afterwards."""
    return has_turn if state is TorrentState.CHECKING else _runs(state)


def _is_wrong(member: QueueMember) -> bool:
    """Whether a torrent waits though it has a turn, or runs though it has none."""
    state = member.stage.state
    return state is TorrentState.QUEUED if member.has_turn else _runs(state)


def _runs(state: TorrentState) -> bool:
    return (
        state is TorrentState.DOWNLOADING
        or state is TorrentState.SEEDING
        or state is TorrentState.FETCHING_METADATA
    )
