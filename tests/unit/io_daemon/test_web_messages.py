from __future__ import annotations

import random
import struct

import pytest

from millstream.io_daemon import web_messages
from millstream.io_daemon.web_messages import (
    LEAST_MEMORY,
    LENT_LENGTH,
    RECEIVE_BUFFER_LENGTH,
    MessageReader,
    RefusedFrameError,
    SpareMemory,
    unmask,
)
from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    UNSUPPORTED,
    frame_header,
)

MAX_MESSAGE = 1 << 20
MASK = b"\x01\x80\xff\x55"


def client_frame(payload, opcode=BINARY, mask=MASK, *, final=True, reserved=0):
    """As browsers send it."""
    header = bytearray(frame_header(opcode, len(payload)))
    header[0] = (0x80 if final else 0) | reserved | opcode
    header[1] |= 0x80
    masked = bytearray(payload)
    unmask(memoryview(masked), mask)
    return bytes(header) + mask + masked


class Received:
    """What a reader took; the memory of long messages is held."""

    def __init__(self, max_message=MAX_MESSAGE):
        self.taken = []
        self.kept = []
        self.reader = MessageReader(self._take, max_message)

    def _take(self, opcode, payload, memory):
        self.taken.append((opcode, bytes(payload)))
        if memory is not None:
            memory.hold()
            self.kept.append((payload, bytes(payload), memory))

    def feed(self, data, step=RECEIVE_BUFFER_LENGTH):
        view = memoryview(data)
        while view:
            room = self.reader.room()
            assert len(room)
            length = min(len(room), len(view), step)
            room[:length] = view[:length]
            self.reader.filled(length)
            view = view[length:]
        # What may be kept is nobody else's.
        assert all(payload == copy for payload, copy, _ in self.kept)


@pytest.mark.parametrize(
    "length", [0, 1, 125, 126, LENT_LENGTH - 1, LENT_LENGTH, LENT_LENGTH + 1, 1 << 16, 300_000]
)
@pytest.mark.parametrize("step", [7919, RECEIVE_BUFFER_LENGTH])
def test_messages_of_all_lengths_in_all_parts(length, step):
    received = Received()
    payloads = [random.Random(n).randbytes(length) for n in range(3)]
    received.feed(b"".join(map(client_frame, payloads)), step)
    assert received.taken == [(BINARY, payload) for payload in payloads]
    assert len(received.kept) == (3 if length > LENT_LENGTH else 0)


def test_byte_by_byte():
    received = Received()
    payloads = [b"a" * 200, b"", b"b"]
    received.feed(b"".join(map(client_frame, payloads)), 1)
    assert received.taken == [(BINARY, payload) for payload in payloads]


def test_the_buffer_goes_round():
    """Messages begin everywhere in it."""
    received = Received()
    payloads = [bytes([n % 256]) * 999 * (n % 60) for n in range(200)]
    received.feed(b"".join(map(client_frame, payloads)), 50_000)
    assert [payload for _, payload in received.taken] == payloads


def test_no_mask_is_a_mask_of_zeros():
    received = Received()
    received.feed(client_frame(b"data", mask=bytes(4)))
    assert received.taken == [(BINARY, b"data")]


def test_parts_of_a_message_with_a_ping_between():
    received = Received()
    long = bytes(range(256)) * 400
    received.feed(
        client_frame(b"a", final=False)
        + client_frame(long, CONTINUATION, final=False)
        + client_frame(b"?", PING)
        + client_frame(b"", CONTINUATION)
        + client_frame(b"next")
    )
    assert received.taken == [(PING, b"?"), (BINARY, b"a" + long), (BINARY, b"next")]
    assert len(received.kept) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(b"a", TEXT), UNSUPPORTED),
        (client_frame(b"a", 3), PROTOCOL_ERROR),
        (client_frame(b"a", 0xB), PROTOCOL_ERROR),
        (client_frame(b"a", CONTINUATION), PROTOCOL_ERROR),
        (client_frame(b"a", final=False) + client_frame(b"b"), PROTOCOL_ERROR),
        (client_frame(b"a", reserved=0x40), PROTOCOL_ERROR),
        (frame_header(BINARY, 1) + b"no mask", PROTOCOL_ERROR),
        (client_frame(bytes(126), PING), PROTOCOL_ERROR),
        (client_frame(b"a", CLOSE, final=False), PROTOCOL_ERROR),
        (b"\x82\xff" + struct.pack(">Q", MAX_MESSAGE + 1) + MASK, TOO_BIG),
        (b"\x82\xff" + b"\xff" * 8 + MASK, TOO_BIG),
        (
            client_frame(bytes(MAX_MESSAGE), final=False) + client_frame(b"a", CONTINUATION),
            TOO_BIG,
        ),
    ],
)
def test_frames_that_are_refused(data, code):
    received = Received()
    with pytest.raises(RefusedFrameError) as raised:
        received.feed(client_frame(b"before", PONG) + data)
    assert raised.value.code == code
    assert received.taken == [(PONG, b"before")]


def test_memory_that_nobody_holds_is_used_again():
    received = Received()
    long = client_frame(bytes(LENT_LENGTH + 1))
    received.feed(long * 2)
    (first, _, memory), (second, _, other) = received.kept
    assert first.obj is not second.obj
    memory.hold()
    memory.let_go()
    received.feed(long)
    third = received.kept[2][0].obj
    assert third is not first.obj
    assert third is not second.obj
    memory.let_go()
    other.let_go()
    received.kept.clear()
    received.feed(long * 2)
    # The one that was used last comes first.
    assert received.kept[0][0].obj is second.obj
    assert received.kept[1][0].obj is first.obj


def test_so_much_memory_is_kept_at_most(monkeypatch):
    monkeypatch.setattr(web_messages, "MAX_SPARE", 2 * LEAST_MEMORY)
    spare = SpareMemory()
    taken = [spare.take(LEAST_MEMORY) for _ in range(5)]
    for memory in taken:
        memory.hold()
        memory.let_go()
    assert spare.length == 2 * LEAST_MEMORY
    assert [spare.take(1) for _ in range(2)] == [taken[1], taken[0]]
    assert spare.length == 0
    assert spare.take(1) not in taken


@pytest.mark.parametrize("length", [1, LEAST_MEMORY, LEAST_MEMORY + 1, 1 << 20, 4 << 20, 50 << 20])
def test_memory_is_long_enough_and_not_much_longer(length):
    found = len(SpareMemory().take(length).view)
    assert length <= found <= max(2 * length, LEAST_MEMORY)


def test_who_pauses_gets_nothing_until_it_reads():
    received = Received()
    received.reader.is_paused = True
    received.feed(client_frame(b"a") + client_frame(b"b"))
    assert received.taken == []
    received.reader.is_paused = False
    received.reader.read()
    assert [payload for _, payload in received.taken] == [b"a", b"b"]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 16 << 10, (16 << 10) + 3])
def test_masks(length):
    data = random.Random(length).randbytes(length)
    masked = bytearray(data)
    unmask(memoryview(masked), MASK)
    assert masked == bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))
