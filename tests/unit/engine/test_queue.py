from __future__ import annotations

import asyncio

import pytest

from millstream.core.queue_config import QueueConfig
from millstream.core.queue_order import QueueMove
from millstream.core.queueing import MIN_TURN
from millstream.core.torrent_state import TorrentState as State
from millstream.engine.queue import LOOK_INTERVAL, PLAN_INTERVAL, Queue
from millstream.errors import StorageError
from millstream.protocol.infohash import InfoHash
from millstream.testing.virtual_time import run_virtual

BEAT = 0.5
FAST = (1e6, 1e6)


class FakeStage:
    """A stage that obeys `has_turn`, as the real ones do; its check takes no time."""

    def __init__(self, member):
        self.member = member
        self.is_finished = False
        self.is_checked = False
        self.fails = False
        self._state = State.STOPPED

    @property
    def state(self):
        return self._state

    def become(self, state):
        if state is not self._state:
            self._state = state
            self.member.log.append(state)
            self.member.queue.changed()

    async def start(self):
        if self.state not in {State.STOPPED, State.QUEUED, State.ERROR}:
            return
        await asyncio.sleep(self.member.drain)
        if self.fails:
            raise StorageError("disk", "gone")
        if not self.is_checked:
            self.become(State.CHECKING)
            return
        self.go_on()

    def go_on(self):
        self.is_checked = True
        runs = State.SEEDING if self.is_finished else State.DOWNLOADING
        self.become(runs if self.member.has_turn else State.QUEUED)


class FakeMember:
    def __init__(self, number, queue):
        self.info_hash = InfoHash(number.to_bytes(20, "big"))
        self.queue = queue
        self.has_turn = True
        self.is_auto_managed = True
        self.is_forced = False
        self.goals_reached = False
        self.rates = FAST
        self.drain = 0.0
        self.log = []
        self.stage = FakeStage(self)

    @property
    def state(self):
        return self.stage.state

    def payload_rates(self, _now):
        return self.rates

    async def wait_turn(self):
        self.stage.become(State.QUEUED)
        await asyncio.sleep(self.drain)


class FakeEngine:
    """Torrents, their queue and its beat."""

    def __init__(self, **limits):
        self.members = {}
        self.queue = Queue(QueueConfig(**limits), self.members.get)

    async def add(self, *, finished=False, is_forced=False, is_auto_managed=True):
        member = FakeMember(len(self.members), self.queue)
        member.stage.is_finished = finished
        member.is_forced, member.is_auto_managed = is_forced, is_auto_managed
        self.members[member.info_hash] = member
        self.queue.entered(member)
        await self.start(member)
        return member

    async def start(self, member):
        await member.stage.start()
        if member.state is State.CHECKING:
            member.stage.go_on()

    async def run(self, seconds):
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            self.queue.beat(loop.time())
            await asyncio.sleep(BEAT)

    def states(self):
        letters = {State.DOWNLOADING: "D", State.SEEDING: "S", State.QUEUED: "q"}
        return "".join(letters.get(member.state, "-") for member in self.members.values())


async def made(*finished, **limits):
    engine = FakeEngine(**limits)
    for each in finished:
        await engine.add(finished=each)
    return engine


def virtual(story):
    """A test that runs in virtual time."""

    def test():
        run_virtual(story())

    test.__name__ = story.__name__
    return test


@virtual
async def test_without_limits_nothing_is_done():
    engine = await made(False, True, False)
    assert engine.states() == "DSD"
    await engine.run(10)
    assert [len(member.log) for member in engine.members.values()] == [2, 2, 2]
    assert not engine.queue._turns


@virtual
async def test_those_beyond_the_limits_wait_for_their_turn():
    engine = await made(False, False, True, True, False, active_downloads=2, active_seeds=1)
    assert engine.states() == "qqqqq"
    await engine.run(1)
    assert engine.states() == "DDSqq"


@virtual
async def test_when_one_is_complete_the_next_begins():
    engine = await made(False, False, False, active_downloads=1, active_seeds=1)
    await engine.run(1)
    first, second, _ = engine.members.values()
    for member, states in ((first, "SDq"), (second, "SqD")):
        member.stage.is_finished = True
        member.stage.become(State.SEEDING)
        await engine.run(1 + PLAN_INTERVAL)
        assert engine.states() == states
        # The first seed has had its turn, and the second is the one beyond the limit.
        await engine.run(MIN_TURN)
        assert engine.states() == states


@virtual
async def test_when_one_stops_or_fails_or_leaves_the_next_begins():
    engine = await made(False, False, False, False, active_downloads=1)
    await engine.run(1)
    members = list(engine.members.values())
    members[0].stage.become(State.STOPPED)
    await engine.run(2)
    assert engine.states() == "-Dqq"
    members[1].stage.become(State.ERROR)
    await engine.run(2)
    assert engine.states() == "--Dq"
    members[2].stage.become(State.STOPPED)
    del engine.members[members[2].info_hash]
    engine.queue.left(members[2].info_hash)
    await engine.run(2)
    assert engine.states() == "--D"
    assert engine.queue.order.position(members[3].info_hash) == 2


@virtual
async def test_who_is_started_again_waits_for_its_turn():
    engine = await made(False, False, active_downloads=1)
    await engine.run(1)
    first, second = engine.members.values()
    first.stage.become(State.STOPPED)
    await engine.run(2)
    await engine.start(first)
    assert engine.states() == "qD"
    # It is the first in the order, but the other has only just begun.
    await engine.run(MIN_TURN / 2)
    assert engine.states() == "qD"
    await engine.run(MIN_TURN)
    assert engine.states() == "Dq"
    await engine.run(10 * MIN_TURN)
    assert len(second.log) == 4


@virtual
async def test_each_turn_lasts_its_minute():
    engine = await made(False, False, active_downloads=1)
    first, second = engine.members.values()
    first.stage.become(State.STOPPED)
    await engine.run(100)
    assert engine.states() == "-D"
    second.stage.become(State.STOPPED)
    await engine.run(2)
    await engine.start(second)
    await engine.run(2)
    await engine.start(first)
    await engine.run(MIN_TURN - 5)
    assert engine.states() == "qD"
    await engine.run(10)
    assert engine.states() == "Dq"


@virtual
async def test_the_user_is_obeyed_at_once():
    engine = await made(False, False, False, active_downloads=1)
    await engine.run(1)
    last = list(engine.members)[2]
    engine.queue.move([last], QueueMove.TOP)
    await engine.run(BEAT)
    assert engine.states() == "qqD"
    engine.queue.place(last, 1)
    await engine.run(BEAT)
    assert engine.states() == "Dqq"
    engine.queue.arrange([last])
    await engine.run(BEAT)
    assert engine.states() == "qqD"


@virtual
async def test_limits_change_while_it_runs():
    engine = await made(False, False, False)
    await engine.run(1)
    engine.queue.configure(QueueConfig(active_downloads=1, active_checks=5))
    assert engine.queue.checks.limit == 5
    await engine.run(BEAT)
    assert engine.states() == "Dqq"
    engine.queue.configure(QueueConfig(active_downloads=0))
    await engine.run(BEAT)
    assert engine.states() == "qqq"
    engine.queue.configure(QueueConfig())
    await asyncio.sleep(0.1)
    assert engine.states() == "DDD"
    assert all(member.has_turn for member in engine.members.values())


@pytest.mark.parametrize("exempt", [{"is_forced": True}, {"is_auto_managed": False}])
def test_who_is_exempt_is_left_alone(exempt):
    async def story():
        engine = await made(active_downloads=1)
        member = await engine.add(**exempt)
        await engine.add()
        await engine.add()
        assert engine.states() == "Dqq"
        await engine.run(2)
        assert engine.states() == "DDq"
        member.stage.become(State.STOPPED)
        await engine.run(2)
        await engine.start(member)
        assert engine.states() == "DDq"

    run_virtual(story())


@virtual
async def test_who_is_forced_starts_and_who_is_no_longer_waits():
    engine = await made(False, False, active_downloads=1)
    await engine.run(1)
    _, second = engine.members.values()
    second.is_forced = True
    engine.queue.exemption_changed(second)
    await asyncio.sleep(0.1)
    assert engine.states() == "DD"
    await engine.run(2)
    second.is_forced = False
    engine.queue.exemption_changed(second)
    await engine.run(BEAT)
    assert engine.states() == "Dq"


@virtual
async def test_the_slow_make_room_after_a_while_and_lose_it_again():
    engine = await made(False, False, False, active_downloads=1, slow_after=60)
    first, second, third = engine.members.values()
    first.rates = (2047, 1e9)
    await engine.run(59)
    assert engine.states() == "Dqq"
    await engine.run(2 * LOOK_INTERVAL)
    assert engine.states() == "DDq"
    await engine.run(MIN_TURN)
    first.rates = FAST
    await engine.run(2 * LOOK_INTERVAL)
    assert engine.states() == "Dqq"
    assert second.log.count(State.DOWNLOADING) == 1
    assert State.DOWNLOADING not in third.log


@virtual
async def test_a_slow_download_that_is_complete_has_time_to_get_going_as_a_seed():
    engine = await made(False, True, active_seeds=1, slow_after=60)
    first, second = engine.members.values()
    engine.queue.place(first.info_hash, 0)
    first.rates = (0, 0)
    await engine.run(100)
    assert engine.states() == "DS"
    second.stage.become(State.STOPPED)
    first.stage.is_finished = True
    first.stage.become(State.SEEDING)
    await engine.start(second)
    await engine.run(50)
    assert engine.states() == "Sq"
    await engine.run(20)
    assert engine.states() == "SS"


@virtual
async def test_the_slow_count_if_that_is_wanted():
    engine = await made(False, False, active_downloads=1, count_slow=True)
    next(iter(engine.members.values())).rates = (0, 0)
    await engine.run(300)
    assert engine.states() == "Dq"


@virtual
async def test_a_turn_lasts_through_a_check():
    engine = await made(False, False, active_downloads=1)
    await engine.run(1)
    first = next(iter(engine.members.values()))
    first.stage.become(State.CHECKING)
    await engine.run(5)
    first.stage.go_on()
    await engine.run(5)
    assert engine.states() == "Dq"
    assert first.log[-2:] == [State.CHECKING, State.DOWNLOADING]


@virtual
async def test_a_check_before_the_first_turn_takes_no_place():
    engine = await made(active_downloads=1)
    first = FakeMember(0, engine.queue)
    engine.members[first.info_hash] = first
    engine.queue.entered(first)
    await first.stage.start()
    await engine.add()
    await engine.run(2)
    assert (first.state, engine.states()) == (State.CHECKING, "-D")
    first.stage.go_on()
    assert engine.states() == "qD"


@virtual
async def test_who_comes_to_rest_slowly_is_not_disturbed():
    engine = await made(False, False, active_downloads=1)
    await engine.run(1)
    first, second = engine.members.values()
    first.drain = second.drain = 3.0
    engine.queue.move([second.info_hash], QueueMove.TOP)
    await engine.run(1)
    assert engine.states() == "qq"
    engine.queue.move([first.info_hash], QueueMove.TOP)  # second thoughts
    await engine.run(20)
    assert engine.states() == "Dq"


@virtual
async def test_who_is_stopped_while_it_gets_its_turn_stays_stopped():
    engine = await made(False, active_downloads=1)
    first = next(iter(engine.members.values()))
    engine.queue.beat(0.0)
    first.stage.become(State.STOPPED)  # before the task ran
    await engine.run(5)
    assert engine.states() == "-"
    assert not first.has_turn


@virtual
async def test_whoever_runs_without_a_turn_is_put_right():
    engine = await made(False, False, active_downloads=1)
    await engine.run(1)
    second = list(engine.members.values())[1]
    second.stage.become(State.DOWNLOADING)
    await engine.run(2)
    assert engine.states() == "Dq"


@virtual
async def test_who_cannot_start_is_told_of_and_hinders_nobody():
    engine = await made(False, False, active_downloads=2)
    next(iter(engine.members.values())).stage.fails = True
    await engine.run(2)
    assert engine.states() == "qD"
    await engine.queue.close()


@virtual
async def test_who_does_not_do_as_it_is_told_is_told_no_more():
    engine = await made(False, active_downloads=1)
    first = next(iter(engine.members.values()))
    calls = []

    async def start():
        calls.append(engine.states())

    first.stage.start = start
    await engine.run(10)
    assert calls == ["q"]


@virtual
async def test_it_plans_at_most_once_a_second_and_only_after_a_change():
    engine = await made(False, False, active_downloads=1)
    plans = []
    engine.queue._plan, plan = lambda now: (plans.append(now), plan(now)), engine.queue._plan
    await engine.run(5)
    assert plans == [0.0, PLAN_INTERVAL]  # the second for what the first one changed
    await engine.run(100)
    assert len(plans) == 2
    for _ in range(10):
        engine.queue.changed()
        await engine.run(BEAT)
    assert 5 <= len(plans) - 2 <= 6


@virtual
async def test_closing_waits_for_those_who_come_to_rest_and_starts_nobody():
    engine = await made(False, False, False, active_downloads=1)
    await engine.run(1)
    first, second, _ = engine.members.values()
    second.drain = 3.0
    engine.queue.move([second.info_hash], QueueMove.TOP)
    engine.queue.beat(asyncio.get_running_loop().time())
    await engine.queue.close()
    assert engine.states() == "qDq"
    second.stage.become(State.STOPPED)
    await engine.run(5)
    assert engine.states() == "q-q"
    assert first.has_turn is False
