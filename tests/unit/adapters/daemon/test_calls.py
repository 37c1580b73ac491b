from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.calls import DaemonCalls, RefusedCallError
from millstream.errors import NetworkError
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.envelope import Opcode


@pytest.fixture
def calls(daemon):
    return DaemonCalls(daemon)


async def asking(daemon, coroutine):
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    _, opcode, payload = daemon.asked[-1]
    assert opcode is Opcode.CALL
    return task, parse_call(memoryview(payload))


async def test_a_call_and_its_answer(daemon, calls):
    task, call = await asking(daemon, calls.call("stat", root="f", path="é"))
    assert call == {"op": "stat", "root": "f", "path": "é"}
    daemon.answer(Opcode.ANSWER, encode_call({"ok": True, "stat": None}))
    assert (await task)["stat"] is None


async def test_a_refusal(daemon, calls):
    task, _ = await asking(daemon, calls.call("stat"))
    said = {"ok": False, "error": "DiskFull", "message": "f/a: no room", "path": "f/a", "errno": 28}
    daemon.answer(Opcode.ANSWER, encode_call(said))
    with pytest.raises(RefusedCallError, match="no room") as caught:
        await task
    assert (caught.value.path, caught.value.errno) == ("f/a", 28)
    assert caught.value.answer["error"] == "DiskFull"


@pytest.mark.parametrize("said", [{}, {"ok": False}, {"errno": 0}, {"errno": "x", "path": None}])
async def test_a_refusal_that_says_little(daemon, calls, said):
    task, _ = await asking(daemon, calls.call("stat"))
    daemon.answer(Opcode.ANSWER, encode_call(said))
    with pytest.raises(RefusedCallError) as caught:
        await task
    assert (caught.value.path, caught.value.errno) == ("", None)


async def test_progress(daemon, calls):
    told = []
    task, _ = await asking(daemon, calls.call("transfer", told.append))
    daemon.answer(Opcode.ANSWER, encode_call({"progress": 10}))
    daemon.answer(Opcode.ANSWER, encode_call({"progress": 5}))
    daemon.answer(Opcode.ANSWER, encode_call({"ok": True, "done": []}))
    await task
    assert told == [10, 5]


async def test_a_cancelled_call_waits_until_it_has_stopped(daemon, calls):
    task, _ = await asking(daemon, calls.call("transfer"))
    task.cancel()
    await asyncio.sleep(0)
    ((opcode, payload),) = daemon.puts
    assert opcode is Opcode.CALL
    assert parse_call(memoryview(payload)) == {"op": "cancel", "request": 1}
    await asyncio.sleep(0)
    assert not task.done()
    daemon.answer(Opcode.ANSWER, encode_call({"ok": False, "error": "Stopped"}))
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff"])
async def test_an_answer_without_sense(daemon, calls, payload):
    task, _ = await asking(daemon, calls.call("stat"))
    daemon.answer(Opcode.ANSWER, payload)
    with pytest.raises(NetworkError, match="answer is none"):
        await task


async def test_no_daemon(daemon, calls):
    task, _ = await asking(daemon, calls.call("stat"))
    daemon.go()
    with pytest.raises(NetworkError, match="away"):
        await task
    with pytest.raises(NetworkError, match="away"):
        await calls.call("stat")


async def test_telling(daemon, calls):
    calls.tell("cancel", request=3)
    ((opcode, payload),) = daemon.puts
    assert opcode is Opcode.CALL
    assert parse_call(memoryview(payload)) == {"op": "cancel", "request": 3}
