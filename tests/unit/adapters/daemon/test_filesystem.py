from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon import filesystem as module
from millstream.adapters.daemon.filesystem import DaemonFileSystem
from millstream.errors import RootUnavailableError, StorageError
from millstream.interfaces.disk import Allocation, Extent, Outcome
from millstream.interfaces.filesystem import FileStat, RangeCopy, Transfer, Transferred
from millstream.io_wire.batches import unpack_spans
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.results import Fault, Result, pack_read_results


@pytest.fixture
def files(daemon):
    return DaemonFileSystem(daemon)


class Failure:
    """Equals a StorageError that says this."""

    def __init__(self, text, number):
        self.said = text, number

    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, StorageError) and (str(other), other.errno) == self.said


class Asking:
    """Something in progress; `answer` answers its calls one after the other."""

    def __init__(self, daemon, coroutine):
        self.daemon = daemon
        self.task = asyncio.ensure_future(coroutine)

    async def call(self):
        for _ in range(10):
            await asyncio.sleep(0)
        _, opcode, payload = self.daemon.asked[0]
        assert opcode is Opcode.CALL
        return parse_call(memoryview(payload))

    async def answer(self, **fields):
        call = await self.call()
        self.daemon.answer(Opcode.ANSWER, encode_call({"ok": True} | fields))
        return call

    async def refuse(self, **fields):
        return await self.answer(ok=False, **fields)


@pytest.mark.parametrize(
    ("ask", "call", "answer", "value"),
    [
        (
            lambda f: f.stat("f/sub", "a"),
            {"op": "stat", "root": "f", "path": "sub/a"},
            {"stat": [5, 1.5, False]},
            FileStat(5, 1.5, is_directory=False),
        ),
        (
            lambda f: f.stat("f", ""),
            {"op": "stat", "root": "f", "path": ""},
            {"stat": None},
            None,
        ),
        (
            lambda f: f.stat_many("f/sub", ["a", "b"]),
            {"op": "stat_many", "root": "f", "paths": ["sub/a", "sub/b"]},
            {"stats": [None, [0, 0, True]]},
            [None, FileStat(0, 0.0, is_directory=True)],
        ),
        (
            lambda f: f.sync("f", ["a"]),
            {"op": "sync", "root": "f", "paths": ["a"]},
            {"stats": [None]},
            [None],
        ),
        (
            lambda f: f.sync("f", ["a", "b"]),
            {"op": "sync", "root": "f", "paths": ["a", "b"]},
            {
                "stats": [
                    {"ok": False, "message": "f/a: no", "path": "f/a", "errno": 5},
                    [1, 0, False],
                ]
            },
            [Failure("f/a: no", 5), FileStat(1, 0.0, is_directory=False)],
        ),
        (
            lambda f: f.list("f", "a"),
            {"op": "list", "root": "f", "path": "a"},
            {"names": ["x", "y"]},
            ["x", "y"],
        ),
        (
            lambda f: f.make_directory("f/sub", ""),
            {"op": "make_directory", "root": "f", "path": "sub"},
            {},
            None,
        ),
        (
            lambda f: f.allocate("f", "a", 5, Allocation.FULL),
            {"op": "allocate", "root": "f", "path": "a", "length": 5, "allocation": "full"},
            {},
            None,
        ),
        (
            lambda f: f.truncate("f", "a", 5),
            {"op": "truncate", "root": "f", "path": "a", "length": 5},
            {},
            None,
        ),
        (lambda f: f.delete("f", "a"), {"op": "delete", "root": "f", "path": "a"}, {}, None),
        (
            lambda f: f.delete_many("f/sub", ["a"]),
            {"op": "delete_many", "root": "f", "paths": ["sub/a"]},
            {},
            None,
        ),
        (
            lambda f: f.remove_empty_directories("f", ["a"]),
            {"op": "remove_empty_directories", "root": "f", "paths": ["a"]},
            {},
            None,
        ),
        (
            lambda f: f.copy_ranges("f/sub", "p", [RangeCopy("t", 9, ((0, 1, 2),))]),
            {
                "op": "copy_ranges",
                "root": "f",
                "source": "sub/p",
                "copies": [["sub/t", 9, [[0, 1, 2]]]],
            },
            {},
            None,
        ),
        (
            lambda f: f.identify("f/sub"),
            {"op": "identify", "root": "f", "path": "sub"},
            {"identity": "1:2"},
            "1:2",
        ),
        (
            lambda f: f.identify("f"),
            {"op": "identify", "root": "f", "path": ""},
            {"identity": None},
            None,
        ),
        (
            lambda f: f.same_disk("f/a", "g/b"),
            {"op": "same_disk", "root": "f", "path": "a", "other": "g", "other_path": "b"},
            {"same": True},
            True,
        ),
        (
            lambda f: f.free_space("f"),
            {"op": "free_space", "root": "f", "path": ""},
            {"bytes": 99},
            99,
        ),
    ],
)
async def test_every_call(daemon, files, ask, call, answer, value):
    asking = Asking(daemon, ask(files))
    assert await asking.answer(**answer) == call
    assert await asking.task == value


async def test_a_transfer_below_two_roots(daemon, files):
    done = []
    moves = [Transfer("a", "b", "b.moving")]
    asking = Asking(daemon, files.transfer("f/x", "g/y", moves, done))
    call = await asking.answer(done=["moved"])
    assert call["transfers"] == [["x/a", "y/b", "y/b.moving"]]
    assert (call["root"], call["to_root"]) == ("f", "g")
    await asking.task
    assert done == [Transferred.MOVED]


async def test_a_transfer_that_fails_tells_what_was_done(daemon, files):
    done = []
    asking = Asking(daemon, files.transfer("f", "f", [Transfer("a", "b", "c")] * 2, done))
    await asking.refuse(done=["copied"], message="f/b: it is there", path="f/b", errno=17)
    with pytest.raises(StorageError) as caught:
        await asking.task
    assert (caught.value.path, caught.value.cause, caught.value.errno) == (
        "f/b",
        "it is there",
        17,
    )
    assert done == [Transferred.COPIED]


async def test_an_error_without_a_path_has_the_roots(daemon, files):
    asking = Asking(daemon, files.list("f/sub", "a"))
    await asking.refuse(message="there is no root 'f'")
    with pytest.raises(StorageError) as caught:
        await asking.task
    assert (caught.value.path, caught.value.errno) == ("f/sub", None)


async def test_many_paths_go_in_several_calls(daemon, files, monkeypatch):
    monkeypatch.setattr(module, "MAX_PATHS", 2)
    asking = Asking(daemon, files.stat_many("f", list("abcde")))
    calls = [await asking.answer(stats=[None] * count) for count in (2, 2, 1)]
    assert [call["paths"] for call in calls] == [["a", "b"], ["c", "d"], ["e"]]
    assert await asking.task == [None] * 5
    assert await files.stat_many("f", []) == []


async def test_all_are_deleted_before_the_first_failure_is_raised(daemon, files, monkeypatch):
    monkeypatch.setattr(module, "MAX_PATHS", 1)
    asking = Asking(daemon, files.delete_many("f", ["a", "b", "c"]))
    await asking.refuse(message="first")
    await asking.refuse(message="second")
    await asking.answer()
    with pytest.raises(StorageError, match="first"):
        await asking.task


async def test_what_may_be_done_twice_is(daemon, files):
    asking = Asking(daemon, files.stat("f", "a"))
    await asking.call()
    daemon.is_up = False
    request, _, _ = daemon.asked.pop()
    daemon.is_up = True
    request.failed(daemon.why)
    await asking.answer(stat=None)
    assert await asking.task is None


async def test_but_nothing_is_moved_twice(daemon, files):
    asking = Asking(daemon, files.transfer("f", "f", [Transfer("a", "b", "c")], []))
    await asking.call()
    daemon.refuse("gone")
    with pytest.raises(RootUnavailableError, match="gone"):
        await asking.task


async def test_nor_flushed_as_a_failure_is_told_only_once(daemon, files):
    asking = Asking(daemon, files.sync("f", ["a"]))
    await asking.call()
    daemon.refuse("gone")
    with pytest.raises(RootUnavailableError, match="gone"):
        await asking.task
    assert not daemon.asked


async def test_a_failure_at_no_file_in_particular(daemon, files):
    asking = Asking(daemon, files.sync("f", ["a"]))
    await asking.answer(stats=[{"ok": False, "message": "no", "errno": 0}])
    [found] = await asking.task
    assert isinstance(found, StorageError)
    assert "no" in str(found)


async def test_without_a_daemon_the_root_is_away(daemon, files):
    daemon.go()
    for asked in (files.stat("f", "a"), files.identify("f"), files.load("f/a", 10)):
        with pytest.raises(RootUnavailableError, match="away"):
            await asked


def read_of(daemon):
    _, opcode, payload = daemon.asked[0]
    assert opcode is Opcode.READ_BATCH
    (record,) = unpack_spans(memoryview(payload)).records
    return record


def give(daemon, *results):
    daemon.answer(Opcode.READ_RESULTS, b"".join(pack_read_results(results)))


async def test_a_file_is_loaded_in_steps(daemon, files, monkeypatch):
    monkeypatch.setattr(module, "LOAD_STEP", 4)
    asking = Asking(daemon, files.load("f/sub//a", 6))
    assert (await asking.answer(stat=[9, 0, False]))["path"] == "sub/a"
    for offset, data in ((0, b"0123"), (4, b"45")):
        for _ in range(10):
            await asyncio.sleep(0)
        record = read_of(daemon)
        assert (record.root, record.extents) == ("f", (Extent("sub/a", offset, len(data)),))
        give(daemon, Result(record.id, Outcome.SUCCESS, data=data))
    assert await asking.task == b"012345"


@pytest.mark.parametrize(("stat", "words"), [(None, "No such file"), ([0, 0, True], "directory")])
async def test_what_cannot_be_loaded(daemon, files, stat, words):
    asking = Asking(daemon, files.load("f/a", 6))
    await asking.answer(stat=stat)
    with pytest.raises(StorageError, match=words) as caught:
        await asking.task
    assert caught.value.path == "f/a"


async def test_a_file_that_cannot_be_read(daemon, files):
    asking = Asking(daemon, files.load("f/a", 6))
    await asking.answer(stat=[9, 0, False])
    for _ in range(10):
        await asyncio.sleep(0)
    fault = Fault(Outcome.IO_ERROR, 5, "a", "Input/output error")
    give(daemon, Result(b"0", Outcome.IO_ERROR, fault=fault))
    with pytest.raises(StorageError) as caught:
        await asking.task
    assert (caught.value.path, caught.value.errno) == ("f/a", 5)


def test_roots(files):
    assert files.root("f//sub/") == "f/sub"
