import asyncio
import errno

import pytest

from millstream.adapters.memory.filesystem import MemoryFileSystem
from millstream.engine.flushing import Flush, Flushing
from millstream.errors import RootUnavailableError, StorageError
from millstream.testing.failing_files import FailingFiles

ROOT, OTHER = "/one", "/two"


class CountedFiles(FailingFiles):
    """Remembers the errands."""

    errands = ()

    async def sync(self, root, paths):
        self.errands += (("sync", root, *paths),)
        return await super().sync(root, paths)

    async def stat_many(self, root, paths):
        self.errands += (("stat", root, *paths),)
        return await super().stat_many(root, paths)


class Keeper:
    def __init__(self, *to_sync, root=ROOT, looks=(), due=0.0):
        self.flush_due = due
        self.is_on_its_way = False
        self.results = []
        self._flush = Flush(
            root, range(len(to_sync)), range(len(looks)), to_sync, looks, 0b1, checks=1, changes=2
        )

    def begin_flush(self):
        self.flush_due = None
        return None if self.is_on_its_way else self._flush

    def flushed(self, flush, stats):
        assert flush is self._flush
        self.results.append([None if stat is None else stat.size for stat in stats])

    def flush_failed(self, flush, error):
        assert flush is self._flush
        self.results.append(error)


@pytest.fixture
def memory():
    memory = MemoryFileSystem()
    for root in (ROOT, OTHER):
        for size, name in enumerate("abcd", 1):
            memory.write_file(root, name, bytes(size))
    return memory


@pytest.fixture
def files(memory):
    return CountedFiles(memory)


@pytest.fixture
def told():
    return []


@pytest.fixture
def flushing(files, told):
    return Flushing(files, told.append, lambda: told.append("idle"))


async def test_all_files_below_a_root_are_one_errand(flushing, files, told):
    keepers = [
        Keeper("a", "b", looks=("c",)),
        Keeper("d", root=OTHER),
        Keeper("none", looks=("a", "none")),
        Keeper(),
    ]
    await flushing.flush(keepers)
    assert files.errands == (
        ("sync", ROOT, "a", "b", "none"),
        ("stat", ROOT, "c", "a", "none"),
        ("sync", OTHER, "d"),
    )
    assert [keeper.results for keeper in keepers] == [[[1, 2, 3]], [[4]], [[None, 1, None]], [[]]]
    assert told == keepers


async def test_what_is_on_its_way_elsewhere_waits(flushing, files, told):
    keeper = Keeper("a")
    keeper.is_on_its_way = True
    await flushing.flush([keeper])
    assert keeper.results == []
    assert files.errands == ()
    assert told == [keeper]


async def test_one_that_fails_keeps_no_other_from_it_and_is_not_asked_again(
    flushing, files, memory
):
    memory.fail("b", errno.EIO, reads=False, writes=True)
    keepers = [Keeper("a"), Keeper("b", looks=("c",)), Keeper("c")]
    await flushing.flush(keepers)
    assert [keepers[0].results, keepers[2].results] == [[[1]], [[3]]]
    (error,) = keepers[1].results
    assert error.errno == errno.EIO
    assert error.path == f"{ROOT}/b"
    assert [errand for errand in files.errands if "b" in errand] == [("sync", ROOT, "a", "b", "c")]


async def test_one_that_cannot_be_looked_at_keeps_no_other_from_it(flushing, memory):
    memory.fail("b", errno.EACCES, reads=True, writes=False)
    keepers = [Keeper(looks=("a",)), Keeper(looks=("b",)), Keeper(looks=("c",))]
    await flushing.flush(keepers)
    assert [keepers[0].results, keepers[2].results] == [[[1]], [[3]]]
    (error,) = keepers[1].results
    assert error.errno == errno.EACCES


async def test_of_a_shared_file_all_hear_that_it_could_not_be_flushed(flushing, files, monkeypatch):
    async def sync(root, paths):
        # As the system does: it tells of a failure once.
        return [StorageError(path, "lost", errno.EIO) for path in paths[:1]] + [None] * len(
            paths[1:]
        )

    monkeypatch.setattr(files, "sync", sync)
    keepers = [Keeper("a", "b"), Keeper("c", "a"), Keeper("c")]
    await flushing.flush(keepers)
    assert [keeper.results[0] for keeper in keepers[:2]] == [Told("lost"), Told("lost")]
    assert keepers[2].results == [[None]]


class Told:
    """Equals a StorageError that says this."""

    __hash__ = None

    def __init__(self, why):
        self.why = why

    def __eq__(self, other):
        return isinstance(other, StorageError) and self.why in str(other)


async def test_one_of_many_files_that_cannot_be_looked_at_costs_few_errands(
    flushing, files, memory
):
    memory.fail("b", errno.EACCES, reads=True, writes=False)
    many = [f"file {number}" for number in range(500)]
    keepers = [Keeper(looks=["a", *many]), Keeper(looks=["b", *many])]
    await flushing.flush(keepers)
    assert [len(errand) - 2 for errand in files.errands] == [1002, 501, 501]
    assert keepers[0].results == [[1, *[None] * 500]]
    assert isinstance(keepers[1].results[0], StorageError)


async def test_a_root_that_is_away_is_asked_for_once(memory, told):
    class FilesAway(CountedFiles):
        async def stat_many(self, root, paths):
            await super().stat_many(root, paths)
            raise RootUnavailableError(root, root, "the daemon is away")

    files, keepers = FilesAway(memory), [Keeper(looks=("a", "b")) for _ in range(100)]
    await Flushing(files, told.append, lambda: None).flush(keepers)
    assert len(files.errands) == 1
    assert all(isinstance(keeper.results[0], RootUnavailableError) for keeper in keepers)
    assert told == keepers


async def test_an_errand_that_fails_as_a_whole_fails_for_all(memory, told):
    keepers = [Keeper("a"), Keeper("b")]
    await Flushing(FailingFiles(memory, 0), told.append, lambda: None).flush(keepers)
    assert [type(result) for keeper in keepers for result in keeper.results] == [StorageError] * 2
    assert told == keepers


async def test_in_the_background_what_is_due_is_flushed(flushing, told):
    due, later, never = Keeper("a"), Keeper("b", due=5.0), Keeper("c", due=None)
    assert list(flushing.begin(4.0, [due, later, never])) == [due]
    assert flushing.is_running
    assert flushing.begin(6.0, [later]) == {}
    await flushing.wait()
    assert not flushing.is_running
    assert told == [due, "idle"]
    assert [due.results, later.results, never.results] == [[[1]], [], []]
    assert flushing.begin(4.0, [later, never]) == {}
    await flushing.wait()
    assert told == [due, "idle"]


async def test_waiting_has_an_end(memory, told):
    asked, answered = asyncio.Event(), asyncio.Event()

    class SlowFiles(FailingFiles):
        async def sync(self, root, paths):
            asked.set()
            await answered.wait()
            return await super().sync(root, paths)

    flushing = Flushing(SlowFiles(memory), told.append, lambda: None)
    flushing.begin(0.0, [Keeper("a")])
    await asked.wait()
    await flushing.wait(0.001)
    assert flushing.is_running
    answered.set()
    await flushing.wait()
    assert not flushing.is_running


async def test_many_are_flushed_in_several_errands(flushing, files, told):
    keepers = [Keeper(f"file {number}") for number in range(250)]
    await flushing.flush(keepers)
    assert [len(errand) - 2 for errand in files.errands] == [100, 100, 50]
    assert told == keepers


async def test_an_internal_error_is_no_flush_that_went_well(memory, told, caplog):
    class WrongFiles(FailingFiles):
        async def sync(self, root, paths):
            if root == ROOT:
                raise ZeroDivisionError
            return await super().sync(root, paths)

    keepers = [Keeper("a"), Keeper("b", root=OTHER)]
    await Flushing(WrongFiles(memory), told.append, lambda: None).flush(keepers)
    assert isinstance(keepers[0].results[0], StorageError)
    assert keepers[1].results == [[2]]
    assert told == keepers
    assert "ZeroDivisionError" in caplog.text
