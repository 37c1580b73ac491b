from __future__ import annotations

import asyncio

import pytest

from millstream.io_daemon import outbox
from millstream.io_daemon.outbox import JOINED_LENGTH, LONG_LENGTH, MAX_GATHERED_LENGTH, Outbox
from millstream.io_wire.envelope import split_message
from millstream.testing.virtual_time import run_virtual


def frames(message, *, packed):
    return [
        (frame.opcode, frame.request, bytes(frame.payload))
        for frame in split_message(memoryview(message), packed=packed)
    ]


async def sent_by(put, *, packed):
    messages = []

    async def send(message):
        messages.append(message)

    box = Outbox(send)
    box.packed = packed
    sending = asyncio.ensure_future(box.run())
    put(box)
    box.close()
    await sending
    return messages


def test_a_frame_a_message_unless_more_was_agreed_on():
    def put(box):
        box.put(1, 2, b"a", b"b")
        box.put(3, 0)

    messages = run_virtual(sent_by(put, packed=False))
    assert [frames(message, packed=False) for message in messages] == [
        [(1, 2, b"ab")],
        [(3, 0, b"")],
    ]


def test_frames_are_gathered_into_messages():
    def put(box):
        for number in range(100):
            box.put(1, number, bytes(1000))

    messages = run_virtual(sent_by(put, packed=True))
    assert len(messages) == 2
    assert max(map(len, messages)) <= JOINED_LENGTH
    found = [frame for message in messages for frame in frames(message, packed=True)]
    assert [request for _, request, _ in found] == list(range(100))


def test_a_long_frame_goes_alone():
    def put(box):
        box.put(1, 0, b"x")
        box.put(2, 0, bytes(JOINED_LENGTH))
        box.put(3, 0, b"y")

    messages = run_virtual(sent_by(put, packed=True))
    assert [len(frames(message, packed=True)) for message in messages] == [1, 1, 1]


async def sent_now(put, *, is_free=True, waits=False):
    """What `send_now` and `send` were given, in their order."""
    sent = []

    async def send(message):
        sent.append(("later", bytes(message)))

    def send_now(parts):
        if is_free:
            sent.append(("now", b"".join(parts)))
        return is_free

    box = Outbox(send, send_now=send_now)
    box.packed = True
    sending = asyncio.ensure_future(box.run())
    put(box)
    assert bool(box.waiting_bytes) is (waits or not is_free)
    box.close()
    await sending
    return [(when, frames(message, packed=True)) for when, message in sent]


@pytest.mark.parametrize("is_free", [True, False])
def test_a_long_frame_goes_at_once_if_it_can_with_what_waits_before_it(is_free):
    def put(box):
        box.put(1, 0, b"x")
        box.put(2, 0, bytes(LONG_LENGTH))

    sent = run_virtual(sent_now(put, is_free=is_free))
    expected = [(1, 0, b"x"), (2, 0, bytes(LONG_LENGTH))]
    assert sent == [("now" if is_free else "later", expected)]


def test_nothing_is_put_before_a_very_long_frame():
    def put(box):
        box.put(1, 0, b"x")
        box.put(2, 0, bytes(MAX_GATHERED_LENGTH))

    sent = run_virtual(sent_now(put, waits=True))
    assert sent == [("later", [(1, 0, b"x")]), ("later", [(2, 0, bytes(MAX_GATHERED_LENGTH))])]


def test_a_long_frame_does_not_overtake_what_is_being_sent():
    order = []

    async def send(message):
        order.append(frames(message, packed=True)[0][0])
        if len(order) == 1:
            box.put(2, 0, bytes(LONG_LENGTH))

    box = Outbox(send, send_now=lambda _parts: order.append("now"))
    box.packed = True
    box.put(1, 0, b"x")

    async def run():
        sending = asyncio.ensure_future(box.run())
        await asyncio.sleep(0.1)
        box.close()
        await sending

    run_virtual(run())
    assert order == [1, 2]


def test_what_is_borrowed_is_copied():
    def put(box):
        data = bytearray(b"abc")
        box.put(1, 0, memoryview(data))
        data[:] = b"xyz"

    [message] = run_virtual(sent_by(put, packed=True))
    assert frames(message, packed=True) == [(1, 0, b"abc")]


def test_it_says_when_too_much_waits_and_when_there_is_room(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_WAITING_BYTES", 100)
    monkeypatch.setattr(outbox, "RESUME_BELOW", 50)

    async def story():
        changes, allowed = [], asyncio.Semaphore(0)

        async def send(_message):
            await allowed.acquire()

        box = Outbox(send, lambda: changes.append(box.is_full))
        sending = asyncio.ensure_future(box.run())
        for _ in range(5):
            box.put(1, 0, bytes(22))  # 30 with its header
        told = [box.is_full]
        for _ in range(5):
            allowed.release()
            await asyncio.sleep(1)
            told.append(box.is_full)
        box.close()
        await sending
        return changes, told

    assert run_virtual(story()) == ([True, False], [True, True, True, True, False, False])


def test_a_connection_that_is_lost_ends_it():
    async def story():
        async def send(_message):
            raise ConnectionResetError

        box = Outbox(send)
        sending = asyncio.ensure_future(box.run())
        box.put(1, 0)
        with pytest.raises(ConnectionResetError):
            await sending
        box.put(1, 0)
        return box.waiting_bytes

    assert run_virtual(story()) == 8
