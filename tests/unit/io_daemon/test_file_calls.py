from __future__ import annotations

import asyncio
import errno
import threading
import time
from types import SimpleNamespace

import pytest

from millstream.adapters.native.transfers import StoppedError
from millstream.http_server.fields import Fields
from millstream.http_server.refusal import Refusal
from millstream.io_daemon import file_calls
from millstream.io_daemon.failures import refusal_of
from millstream.io_daemon.file_calls import FileCalls, Task


@pytest.fixture
async def calls(files, batches):
    calls = FileCalls(files, batches)
    yield calls
    calls.close()


async def call(calls, op, task=None, **fields):
    return await calls.operations[op](Fields(fields), task or Task())


async def refused(calls, op, **fields):
    with pytest.raises(Exception) as caught:
        await call(calls, op, **fields)
    refusal = refusal_of(caught.value)
    assert refusal is not None
    return refusal


async def test_every_method_of_a_file_system_can_be_called(calls, root):
    path = {"root": "r", "path": "d/é"}
    assert await call(calls, "stat", **path) == {"stat": None}
    assert await call(calls, "make_directory", root="r", path="d") == {}
    assert await call(calls, "allocate", **path, length=10, allocation="full") == {}
    assert await call(calls, "truncate", **path, length=3) == {}
    [size, mtime, is_directory] = (await call(calls, "stat", **path))["stat"]
    assert (size, is_directory) == (3, False)
    assert mtime == (root / "d" / "é").stat().st_mtime
    stats = await call(calls, "stat_many", root="r", paths=["d", "none"])
    assert stats["stats"][0][2] is True
    assert stats["stats"][1] is None
    synced = (await call(calls, "sync", root="r", paths=["out", "d/é", "none"]))["stats"]
    assert (synced[0]["error"], synced[0]["errno"]) == ("SymbolicLink", errno.ELOOP)
    assert synced[0]["path"] == "r/out"
    assert synced[1][0] == 3
    assert synced[2] is None
    assert await call(calls, "list", root="r", path="d") == {"names": ["é"]}
    moved = await call(calls, "transfer", root="r", to_root="r", transfers=[["d/é", "e/f", "e/v"]])
    assert moved == {"done": ["moved"]}
    copies = [["g/h", 5, [[0, 1, 2]]]]
    assert await call(calls, "copy_ranges", root="r", source="e/f", copies=copies) == {}
    assert (root / "g" / "h").stat().st_size == 5
    assert await call(calls, "delete", root="r", path="e", recursive=True) == {}
    assert await call(calls, "delete_many", root="r", paths=["g/h", "none"]) == {}
    assert await call(calls, "remove_empty_directories", root="r", paths=["g", "d"]) == {}
    assert (await call(calls, "list", root="r", path=""))["names"] == ["out"]
    assert (await call(calls, "free_space", root="r"))["bytes"] > 0
    assert (await call(calls, "identify", root="r"))["identity"]
    assert await call(calls, "release", root="r", paths=["a"]) == {}


async def test_a_transfer_tells_how_far_it_is(calls, root, monkeypatch):
    monkeypatch.setattr(file_calls, "PROGRESS_SECONDS", 0.0)
    for name in "ab":
        (root / name).write_bytes(bytes(10))
    told = []
    found = await call(
        calls,
        "transfer",
        Task(told.append),
        root="r",
        to_root="r",
        transfers=[["a", "d/a", "d/a.v"], ["none", "n", "v"], ["b", "d/b", "d/b.v"]],
    )
    assert found == {"done": ["moved", "absent", "moved"]}
    assert sum(told) == 20


async def test_what_was_done_before_a_failure_is_told(calls, root):
    (root / "a").write_bytes(b"x")
    (root / "b").write_bytes(b"x")
    (root / "taken").write_bytes(b"t")
    refusal = await refused(
        calls, "transfer", root="r", to_root="r", transfers=[["a", "c", "v"], ["b", "taken", "v"]]
    )
    assert (refusal.code, refusal.body()["done"]) == ("Exists", ["moved"])
    assert refusal.body()["path"] == "r/taken"


async def test_a_call_can_be_cancelled(calls, root):
    (root / "a").write_bytes(b"x")
    task = Task()
    task.stop()
    with pytest.raises(Refusal) as caught:
        await call(calls, "transfer", task, root="r", to_root="r", transfers=[["a", "b", "v"]])
    assert caught.value.code == "Stopped"
    assert (root / "a").exists()


@pytest.mark.parametrize(
    ("op", "fields", "code"),
    [
        ("stat", {"root": "r"}, "InvalidField"),
        ("stat", {"root": "r", "path": "a", "more": 1}, "InvalidField"),
        ("stat", {"root": "r", "path": 7}, "InvalidField"),
        ("stat", {"root": "x", "path": "a"}, "InvalidRoot"),
        ("stat", {"root": "r", "path": "../a"}, "BadPath"),
        ("stat", {"root": "r", "path": "out"}, "SymbolicLink"),
        ("list", {"root": "r", "path": "none"}, "NotFound"),
        ("list", {"root": "r", "path": "out"}, "SymbolicLink"),
        ("truncate", {"root": "r", "path": "a", "length": -1}, "InvalidField"),
        ("truncate", {"root": "r", "path": "a", "length": 1 << 63}, "InvalidField"),
        ("truncate", {"root": "r", "path": "a", "length": 1}, "NotFound"),
        ("delete", {"root": "r", "path": ""}, "BadPath"),
        ("transfer", {"root": "r", "to_root": "r", "transfers": [["a", "b"]]}, "InvalidField"),
        ("copy_ranges", {"root": "r", "source": "a", "copies": [["b", 1, [[1]]]]}, "InvalidField"),
        ("copy_ranges", {"root": "r", "source": "a", "copies": [["b", True, []]]}, "InvalidField"),
        ("allocate", {"root": "r", "path": "a", "length": 1, "allocation": "x"}, "InvalidField"),
    ],
)
async def test_what_is_refused(calls, op, fields, code):
    assert (await refused(calls, op, **fields)).code == code


async def test_nothing_is_transferred_through_a_link(calls, root):
    (root / "a").write_bytes(b"1")
    moves = [["a", "out/b", "v"]]
    refusal = await refused(calls, "transfer", root="r", to_root="r", transfers=moves)
    assert refusal.code == "SymbolicLink"
    assert (root / "a").read_bytes() == b"1"


async def test_what_is_looked_at_often_is_answered_off_the_loop(calls):
    looks = [call(calls, "stat_many", root="r", paths=["x"] * 100) for _ in range(20)]
    assert len(await asyncio.gather(*looks)) == 20


async def test_nobody_waits_for_a_transfer_at_the_end(calls, root, monkeypatch):
    begun, stopped = threading.Event(), threading.Event()

    def transfer(_root, _to_root, _transfers, _done, _moved, started):
        work = SimpleNamespace(stopped=False)
        started(work)
        begun.set()
        while not work.stopped:
            time.sleep(0.001)
        stopped.set()
        raise StoppedError

    monkeypatch.setattr(calls._files, "transfer", transfer)
    running = asyncio.ensure_future(
        call(calls, "transfer", root="r", to_root="r", transfers=[["a", "b", "v"]])
    )
    await asyncio.to_thread(begun.wait, 5)
    running.cancel()
    assert await asyncio.to_thread(stopped.wait, 5)
    stopped.clear()
    running = asyncio.ensure_future(
        call(calls, "transfer", root="r", to_root="r", transfers=[["a", "b", "v"]])
    )
    await asyncio.to_thread(begun.wait, 5)
    await asyncio.sleep(0.01)
    calls.close()
    assert await asyncio.to_thread(stopped.wait, 5)
    with pytest.raises(Refusal, match="cancelled"):
        await running
