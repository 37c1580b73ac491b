"""The frames of `/io` but for sockets: hello, token, batches and calls; hostile clients above all."""

from __future__ import annotations

import asyncio
import hashlib
import random
import struct

import aiohttp
import pytest

from millstream.interfaces.disk import Extent, Outcome
from millstream.io_daemon import io_session
from millstream.io_wire.batches import (
    MAX_RECORDS,
    SpanRecord,
    WriteRecord,
    pack_spans,
    pack_writes,
)
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.envelope import MAX_MESSAGE, Opcode, encode_frame, pack_frames
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.results import (
    unpack_hash_results,
    unpack_read_results,
    unpack_write_results,
)

from .conftest import TOKEN
from .io_client import IoClient


def write(record_id, data, path, digest=None):
    extents = (Extent(path, 0, len(data)),)
    digest = digest or hashlib.sha1(data).digest()
    return WriteRecord("r", extents, memoryview(data), digest, record_id)


def writes(*records):
    return b"".join(pack_writes(records))


async def call(client, request=1, **fields):
    await client.send(Opcode.CALL, encode_call(fields), request)
    frame = await client.receive(Opcode.ANSWER)
    assert frame.request == request
    return parse_call(frame.payload)


# Hello and token.


async def test_what_both_can_do_is_in_force(url, client):
    assert client.server_hello == Hello(
        Feature.PACKED | Feature.CREDIT,
        MAX_MESSAGE,
        io_session.SEND_WINDOW,
        io_session.BATCH_WINDOW,
    )
    async with IoClient(url, TOKEN, features=Feature.CREDIT) as other:
        assert other.server_hello.features == Feature.CREDIT
        assert not other.packed


@pytest.mark.parametrize("payload", [b"\0" + TOKEN.encode() + b"\0ext\0id", b"\1" + TOKEN.encode()])
async def test_a_client_like_the_originals(url, payload):
    async with IoClient(url) as client:
        await client.send(Opcode.CLIENT_HELLO, b"", 3)
        frame = await client.receive(Opcode.SERVER_HELLO)
        assert (frame.request, bytes(frame.payload)) == (3, b"")
        await client.send(Opcode.AUTH, payload, 4)
        frame = await client.receive(Opcode.AUTH_RESULT)
        assert (frame.request, bytes(frame.payload)) == (4, b"\0")
        assert (await call(client, op="roots"))["ok"]


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "0", TOKEN.upper() + "é"])
async def test_a_wrong_token(url, token, daemon):
    async with IoClient(url) as client:
        await client.send(Opcode.CLIENT_HELLO)
        await client.receive(Opcode.SERVER_HELLO)
        await client.send(Opcode.AUTH, Auth(token).encode())
        result = AuthResult.parse((await client.receive(Opcode.AUTH_RESULT)).payload)
        assert not result.is_right
        await client.receive(Opcode.ERROR)
        assert await client.ended() == 1008


@pytest.mark.parametrize("opcode", [*Opcode, 0x99])
async def test_nothing_else_before_the_token(url, opcode, root):
    async with IoClient(url) as client:
        if opcode != Opcode.CLIENT_HELLO:
            payload = writes(write(b"1", b"x", "a"))
            await client.send(opcode, payload)
            await client.receive(Opcode.ERROR)
            assert await client.ended() == 1008
            return
        await client.send(opcode)
        await client.receive(Opcode.SERVER_HELLO)
        await client.send(opcode)  # once is enough
        await client.receive(Opcode.ERROR)
        assert await client.ended() == 1008


@pytest.mark.parametrize("payload", [b"\1\2\3", b"\0" * 15, Hello(max_message=1000).encode()])
async def test_a_hello_that_is_none(url, payload):
    async with IoClient(url) as client:
        await client.send(Opcode.CLIENT_HELLO, payload)
        await client.receive(Opcode.ERROR)
        assert await client.ended() == 1008


async def test_who_says_nothing_is_not_waited_for(url, monkeypatch):
    monkeypatch.setattr(io_session, "AUTH_TIME", 0.01)
    async with IoClient(url) as client:
        async with asyncio.timeout(5):
            message = await client.socket.receive()
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    async with IoClient(url, TOKEN) as client:
        await asyncio.sleep(0.02)
        assert (await call(client, op="roots"))["ok"]


# Frames that are none.


async def test_another_version(client):
    await client.send_raw(pack_frames([b"\2\x10\0\0\0\0\0\0"]))
    assert "version 2" in str((await client.receive(Opcode.ERROR)).payload, "utf-8")
    assert await client.ended() == 1008


async def test_an_unknown_opcode(client):
    await client.send(0x99, b"x", 7)
    assert (await client.receive(Opcode.ERROR)).request == 7
    assert (await call(client, op="roots"))["ok"]


@pytest.mark.parametrize("message", [b"\1", b"\xff\xff\xff\xff" + bytes(8), b"\7\0\0\0" + bytes(7)])
async def test_lengths_that_lie_end_it(client, message):
    await client.send_raw(pack_frames([encode_frame(Opcode.CALL, 1, b'{"op":"roots"}')]) + message)
    assert (await client.receive(Opcode.ERROR, Opcode.ANSWER)) is not None
    assert await client.ended() == 1008


async def test_a_short_frame_that_is_a_whole_message_does_not(url):
    async with IoClient(url, TOKEN, features=None) as client:
        await client.send_raw(b"\1\x10\0")
        await client.receive(Opcode.ERROR)
        assert (await call(client, op="roots"))["ok"]


async def test_text_is_no_message(client):
    await client.socket.send_str("hello")
    await client.receive(Opcode.ERROR)
    assert await client.ended() == 1003


async def test_a_message_that_is_too_long_is_not_buffered(url, daemon):
    """Its announced length is enough to refuse it."""
    async with IoClient(url, TOKEN) as client:
        transport = client.socket._response.connection.transport
        transport.write(b"\x82\xff" + struct.pack(">Q", MAX_MESSAGE + 1) + bytes(4))
        assert await client.ended() == 1009


async def test_whatever_comes_the_daemon_goes_on(url, root):
    rng = random.Random(5)
    harmless = [opcode for opcode in range(256) if opcode != Opcode.TCP_CONNECT]
    for packed in (None, 3):
        async with IoClient(url, TOKEN, features=packed) as client:
            for _ in range(300):
                payload = rng.choice([bytes, rng.randbytes])(rng.choice([0, 3, 4, 5, 9, 30, 300]))
                await client.send(rng.choice(harmless), payload, rng.getrandbits(32))
            assert await call_among_others(client, op="roots")
    assert {path.name for path in root.parent.rglob("*")} == {"root", "out", "outside", "secret"}


async def call_among_others(client, **fields):
    await client.send(Opcode.CALL, encode_call(fields), 77)
    while True:
        frame = await client.next()
        if frame.opcode == Opcode.ANSWER and frame.request == 77:
            return parse_call(frame.payload)


# Batches.


async def test_batches_are_answered_whole(client, root, daemon):
    many = [write(b"%d" % n, b"%d" % n * 100, f"d/é#?% {n}") for n in range(20)]
    many.append(write(b"bad", b"x", "bad", bytes(20)))
    await client.send(Opcode.WRITE_BATCH, writes(*many), 9)
    frame = await client.receive(Opcode.WRITE_RESULTS)
    assert frame.request == 9
    found = {result.id: result.outcome for result in unpack_write_results(frame.payload)}
    assert found.pop(b"bad") is Outcome.HASH_MISMATCH
    assert set(found.values()) == {Outcome.SUCCESS}
    assert (root / "d" / "é#?% 7").read_bytes() == b"7" * 100
    assert not (root / "bad").exists()
    spans = [SpanRecord("r", (Extent("d/é#?% 7", 0, 100),), 100, b"a")]
    await client.send(Opcode.READ_BATCH, pack_spans(spans), 10)
    frame = await client.receive(Opcode.READ_RESULTS)
    assert (frame.request, unpack_read_results(frame.payload)[0].data) == (10, b"7" * 100)
    await client.send(Opcode.HASH_BATCH, pack_spans(spans), 11)
    frame = await client.receive(Opcode.HASH_RESULTS)
    assert unpack_hash_results(frame.payload)[0].data == hashlib.sha1(b"7" * 100).digest()
    stats = daemon.stats()
    assert (stats["batches"], stats["jobs"]) == (3, 23)


async def test_writes_to_what_must_be_there(client, root):
    await client.send(Opcode.WRITE_EXISTING_BATCH, writes(write(b"1", b"x", "a")), 5)
    frame = await client.receive(Opcode.WRITE_RESULTS)
    assert frame.request == 5
    assert unpack_write_results(frame.payload)[0].outcome is Outcome.IO_ERROR
    assert not (root / "a").exists()


@pytest.mark.slow
async def test_ten_thousand_records(client, root):
    many = [write(b"%d" % n, b"x", f"{n % 10}") for n in range(MAX_RECORDS)]
    await client.send(Opcode.WRITE_BATCH, writes(*many))
    frame = await client.receive(Opcode.WRITE_RESULTS)
    results = unpack_write_results(frame.payload)
    assert {result.outcome for result in results} == {Outcome.SUCCESS}
    assert len({result.id for result in results}) == MAX_RECORDS
    one_more = (MAX_RECORDS + 1).to_bytes(4, "little") + writes(*many, *[])[4:]
    await client.send(Opcode.WRITE_BATCH, one_more + writes(write(b"last", b"x", "new"))[4:])
    results = unpack_write_results((await client.receive(Opcode.WRITE_RESULTS)).payload)
    assert {result.outcome for result in results} == {Outcome.INVALID_ARGS}
    assert not (root / "new").exists()


@pytest.mark.parametrize(
    "payload", [b"", b"\1", b"\xff\xff\xff\xff", writes(write(b"1", b"x", "a"))[:-1]]
)
@pytest.mark.parametrize("opcode", [Opcode.WRITE_BATCH, Opcode.READ_BATCH, Opcode.HASH_BATCH])
async def test_a_broken_batch_is_answered(client, opcode, payload, root):
    await client.send(opcode, payload, 5)
    frame = await client.receive(opcode + 1)
    assert frame.request == 5
    assert not (root / "a").exists()


@pytest.mark.slow
async def test_sockets_wait_for_no_batch_within_the_window(client, root):
    """A batch is carried out off the loop: a call that came after it is answered before it."""
    spans = [SpanRecord("r", (Extent("big", 0, 200 << 20),), 200 << 20, b"a")]
    with (root / "big").open("wb") as file:
        file.truncate(200 << 20)
    await client.send_frames(
        encode_frame(Opcode.HASH_BATCH, 1, pack_spans(spans)),
        encode_frame(Opcode.CALL, 2, b'{"op":"roots"}'),
    )
    assert (await client.receive(Opcode.ANSWER)).request == 2
    assert (await client.receive(Opcode.HASH_RESULTS)).request == 1


async def test_who_goes_beyond_the_window_has_to_wait(client, monkeypatch):
    monkeypatch.setattr(io_session, "BATCH_WINDOW", 1000)
    data = bytes(2000)
    for number in range(5):
        await client.send(Opcode.WRITE_BATCH, writes(write(b"%d" % number, data, "a")), number)
        await client.send(Opcode.CALL, b'{"op":"roots"}', 100 + number)
    opcodes = [(await client.next()).opcode for _ in range(10)]
    assert opcodes == [Opcode.WRITE_RESULTS, Opcode.ANSWER] * 5


# Calls.


async def test_calls_are_answered_with_what_went_wrong(client, root):
    assert await call(client, op="stat", root="r", path="none") == {"ok": True, "stat": None}
    refused = await call(client, 2, op="stat", root="r", path="out")
    assert refused["ok"] is False
    assert (refused["error"], refused["path"]) == ("SymbolicLink", "r/out")
    assert (await call(client, 3, op="stat", root="r", path="../x"))["error"] == "BadPath"
    assert (await call(client, 4, op="format"))["error"] == "NotFound"
    await client.send(Opcode.CALL, b"no json", 5)
    assert (await client.receive(Opcode.ERROR)).request == 5


async def test_a_transfer_tells_how_far_it_is(client, root):
    (root / "a").write_bytes(bytes(10))
    fields = {"op": "transfer", "root": "r", "to_root": "r", "transfers": [["a", "b", "v"]]}
    await client.send(Opcode.CALL, encode_call(fields), 6)
    told = [parse_call((await client.receive(Opcode.ANSWER)).payload) for _ in range(2)]
    assert told == [{"progress": 10}, {"ok": True, "done": ["moved"]}]


async def test_a_call_can_be_cancelled(client, root, monkeypatch):
    async def carry_out(_calls, _call, task):
        while not task._is_stopped:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        return {}

    monkeypatch.setattr("millstream.io_daemon.io_calls.IoCalls.carry_out", carry_out)
    await client.send(Opcode.CALL, b'{"op":"transfer"}', 6)
    await client.send(Opcode.CALL, b'{"op":"cancel","request":6}', 7)
    answered = {(await client.receive(Opcode.ANSWER)).request for _ in range(2)}
    assert answered == {6, 7}


async def test_so_many_calls_at_most(client, monkeypatch):
    monkeypatch.setattr(io_session, "MAX_CALLS", 0)
    assert (await call(client, op="roots"))["error"] == "Busy"


async def test_a_bug_is_answered_too(client, monkeypatch, caplog):
    async def carry_out(_calls, _call, _task):
        raise ZeroDivisionError

    monkeypatch.setattr("millstream.io_daemon.io_calls.IoCalls.carry_out", carry_out)
    assert (await call(client, op="roots"))["error"] == "InternalError"
    assert "ZeroDivisionError" in caplog.text


async def test_the_roots_changed(client, daemon):
    await daemon.reload()
    frame = await client.receive(Opcode.ROOTS_CHANGED)
    assert parse_call(frame.payload) == {"roots": [{"key": "r", "display_name": "R"}]}
