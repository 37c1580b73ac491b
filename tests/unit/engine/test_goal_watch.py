from __future__ import annotations

from dataclasses import dataclass, field

from millstream.core.activity import Activity
from millstream.core.goals import Goal, Goals
from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.core.torrent import BEAT
from millstream.core.torrent_state import TorrentState
from millstream.engine.goal_watch import LOOK_INTERVAL, GoalWatch
from millstream.protocol.infohash import InfoHash

SEEDING = TorrentState.SEEDING


@dataclass
class FakeStatus:
    uploaded: int = 0
    downloaded: int = 1000
    bytes_done: int = 1000


@dataclass
class FakeStage:
    state: TorrentState = TorrentState.STOPPED
    seen: int = 0
    told: FakeStatus = field(default_factory=FakeStatus)

    def status(self):
        self.seen += 1
        return self.told


@dataclass
class FakeMember:
    number: int = 0
    goals: Goals | None = None
    is_forced: bool = False
    goals_reached: bool = False
    stage: FakeStage = field(default_factory=FakeStage)
    activity: Activity = field(default_factory=Activity)

    @property
    def info_hash(self):
        return InfoHash(self.number.to_bytes(20, "big"))


class Watched:
    """A watch over some seeds, and the clock."""

    def __init__(self, *members, config=None):
        self.members = list(members)
        self.now = 0.0
        self.told = []
        self.watch = GoalWatch(config or GoalsConfig(), lambda: self.members, self._reached)
        for member in self.members:
            self.enter(member, SEEDING)

    def _reached(self, member, found, action):
        self.told.append((member.number, found.goal, action, self.now))
        if action is GoalAction.STOP:
            self.enter(member, TorrentState.STOPPED)

    def enter(self, member, state):
        member.stage.state = state
        member.activity.state_changed(state, self.now)

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now += BEAT
            self.watch.beat(self.now)


def test_without_goals_nobody_is_looked_at():
    watched = Watched(FakeMember())
    watched.run(60)
    assert watched.members[0].stage.seen == 0


def test_a_seed_that_reached_the_common_ratio_is_told_of_once():
    watched = Watched(FakeMember(1), FakeMember(2), config=GoalsConfig(ratio=2))
    watched.run(60)
    assert watched.told == []
    watched.members[0].stage.told.uploaded = 2000
    watched.run(60)
    [(number, goal, action, when)] = watched.told
    assert (number, goal, action) == (1, Goal.RATIO, GoalAction.STOP)
    assert when <= 60 + LOOK_INTERVAL + BEAT
    assert watched.members[0].goals_reached
    assert not watched.members[1].goals_reached


def test_who_is_started_again_goes_on_until_there_are_new_goals():
    watched = Watched(FakeMember(), config=GoalsConfig(seed_time=30))
    watched.run(60)
    assert len(watched.told) == 1
    watched.enter(watched.members[0], SEEDING)
    watched.run(600)
    watched.watch.configure(GoalsConfig(seed_time=30))  # nothing new
    watched.run(60)
    assert len(watched.told) == 1
    watched.watch.configure(GoalsConfig(seed_time=60))
    watched.run(20)
    assert len(watched.told) == 2


def test_own_goals_come_first():
    never = FakeMember(1, Goals(seed_time=None))
    other = FakeMember(2, Goals(seed_time=100, action=GoalAction.REMOVE_DATA))
    usual = FakeMember(3, Goals())
    watched = Watched(never, other, usual, config=GoalsConfig(seed_time=30))
    watched.run(300)
    assert [(number, action) for number, _, action, _ in watched.told] == [
        (3, GoalAction.STOP),
        (2, GoalAction.REMOVE_DATA),
    ]
    assert 100 <= watched.told[1][3] <= 100 + LOOK_INTERVAL + BEAT


def test_own_goals_hold_where_there_are_no_common_ones():
    watched = Watched(FakeMember(1, Goals(seed_time=30)), FakeMember(2))
    watched.run(60)
    assert [number for number, *_ in watched.told] == [1]
    assert watched.members[1].stage.seen == 0


def test_who_is_forced_or_does_not_seed_has_nothing_to_reach():
    forced = FakeMember(is_forced=True)
    others = [FakeMember() for _ in TorrentState if _ is not SEEDING]
    watched = Watched(forced, *others, config=GoalsConfig(ratio=0))
    for member, state in zip(others, set(TorrentState) - {SEEDING}, strict=True):
        watched.enter(member, state)
    watched.run(60)
    assert watched.told == []


def test_idle_time_begins_anew_with_every_upload():
    watched = Watched(FakeMember(), config=GoalsConfig(idle_time=60))
    for _ in range(10):
        watched.members[0].stage.told.uploaded += 1
        watched.run(40)
    assert watched.told == []
    watched.run(60)
    [(_, goal, _, when)] = watched.told
    assert goal is Goal.IDLE_TIME
    assert when >= 360 + 60


def test_ten_thousand_are_looked_at_in_small_parts():
    watched = Watched(*[FakeMember(number) for number in range(200)], config=GoalsConfig(ratio=1))
    seen = []
    while sum(seen) < 200:
        before = sum(member.stage.seen for member in watched.members)
        watched.run(BEAT)
        seen.append(sum(member.stage.seen for member in watched.members) - before)
    assert set(seen) == {10}
    assert {member.stage.seen for member in watched.members} == {1}


def test_who_stopped_since_is_passed_over():
    watched = Watched(*[FakeMember(number) for number in range(40)], config=GoalsConfig(ratio=1))
    watched.run(BEAT)
    for member in watched.members:
        watched.enter(member, TorrentState.STOPPED)
    seen = sum(member.stage.seen for member in watched.members)
    watched.run(LOOK_INTERVAL)
    assert sum(member.stage.seen for member in watched.members) == seen
