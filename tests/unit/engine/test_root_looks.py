import asyncio

from millstream.engine.root_looks import (
    CLOSE_PATIENCE,
    LOOK_PATIENCE,
    MAX_LOOKS,
    MAX_LOOKS_AT_ONCE,
    RootLooks,
)
from millstream.testing import in_virtual_time


class Disks:
    """Roots that take a second to look at; those whose name begins with `dead`, forever."""

    def __init__(self):
        self.begun = []
        self.busy = self.most = 0
        self.answers = asyncio.Event()

    async def look(self, token):
        self.begun.append(token)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await (self.answers.wait() if token.startswith("dead") else asyncio.sleep(1))
        finally:
            self.busy -= 1


def stage():
    disks = Disks()
    return disks, RootLooks(disks.look)


@in_virtual_time
class TestRootLooks:
    async def test_few_at_a_time_and_each_once(self):
        disks, looks = stage()
        ends = [looks.ask(token) for token in ("a", "b", "c", "d", "a", "c")]
        assert looks.waiting == 4 - MAX_LOOKS_AT_ONCE
        await asyncio.gather(*ends)
        assert disks.begun == ["a", "b", "c", "d"]
        assert disks.most == MAX_LOOKS_AT_ONCE
        assert "a" not in looks

    async def test_a_later_question_is_a_new_look(self):
        disks, looks = stage()
        await looks.ask("a")
        await looks.ask("a")
        assert disks.begun == ["a", "a"]

    async def test_urgent_ones_come_first(self):
        disks, looks = stage()
        ends = [looks.ask(token) for token in "abcd"]
        ends += [looks.ask("e", urgent=True), looks.ask("d", urgent=True), looks.ask("e")]
        await asyncio.gather(*ends)
        assert disks.begun == ["a", "b", "e", "d", "c"]

    async def test_dead_ones_hold_up_the_others_for_a_while_only(self):
        disks, looks = stage()
        looks.ask("dead1")
        looks.ask("dead2")
        alive = looks.ask("a")
        await asyncio.sleep(LOOK_PATIENCE - 1)
        assert looks.overdue(asyncio.get_running_loop().time()) == []
        assert disks.begun == ["dead1", "dead2"]
        await asyncio.sleep(1)
        assert looks.overdue(asyncio.get_running_loop().time()) == ["dead1", "dead2"]
        looks.begin()
        await alive
        disks.answers.set()
        await looks.close()

    async def test_dead_ones_do_not_pile_up(self):
        disks, looks = stage()
        for _ in range(10):
            for number in range(10):
                looks.ask(f"dead{number}")
            await asyncio.sleep(LOOK_PATIENCE)
            looks.begin()
        assert len(disks.begun) == disks.busy == MAX_LOOKS
        disks.answers.set()
        await asyncio.sleep(1)
        assert len(disks.begun) == 10
        assert disks.busy == 0

    async def test_closing_waits_a_moment_and_no_longer(self):
        disks, looks = stage()
        ended, waiting = looks.ask("a"), None
        dead = looks.ask("dead")
        waiting = looks.ask("b")
        await asyncio.sleep(0)
        await looks.close()
        assert asyncio.get_running_loop().time() == CLOSE_PATIENCE
        assert ended.done()
        assert not ended.cancelled()
        assert dead.done()
        assert waiting.cancelled()
        assert disks.busy == 0
        assert looks.ask("c").cancelled()
        assert disks.begun == ["a", "dead"]
