from __future__ import annotations

import pytest

from millstream.errors import NetworkError
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.file_calls import FileCalls, Task
from millstream.io_daemon.io_calls import IoCalls


class Resolver:
    async def resolve(self, host):
        if host == "none.example":
            raise NetworkError("no such host")
        return ["192.0.2.1"]


@pytest.fixture
async def calls(files, batches):
    on_files = FileCalls(files, batches)
    yield IoCalls(on_files, Resolver(), lambda: [{"key": "r"}], lambda: {"jobs": 7})
    on_files.close()


async def test_what_goes_beyond_files(calls):
    assert await calls.carry_out({"op": "stat", "root": "r", "path": "x"}, Task()) == {"stat": None}
    assert await calls.carry_out({"op": "resolve", "host": "a.example"}, Task()) == {
        "addresses": ["192.0.2.1"]
    }
    assert await calls.carry_out({"op": "roots"}, Task()) == {"roots": [{"key": "r"}]}
    assert await calls.carry_out({"op": "stats"}, Task()) == {"stats": {"jobs": 7}}
    found = await calls.carry_out({"op": "interfaces"}, Task())
    assert "127.0.0.1" in {each["address"] for each in found["interfaces"]}


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"op": 7},
        {"op": "format"},
        {"op": "stats", "more": 1},
        {"op": "resolve"},
        {"op": "resolve", "host": "x" * 256},
    ],
)
async def test_what_is_refused(calls, call):
    with pytest.raises(Refusal):
        await calls.carry_out(call, Task())


async def test_a_name_without_an_address(calls):
    with pytest.raises(NetworkError):
        await calls.carry_out({"op": "resolve", "host": "none.example"}, Task())
