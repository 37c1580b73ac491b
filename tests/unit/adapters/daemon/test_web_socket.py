from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from tests.far_end import FarEnd

from millstream.adapters.daemon import web_socket
from millstream.adapters.daemon.web_socket import RECEIVE_BUFFER_LENGTH, WebSocket
from millstream.io_wire.web_frames import BINARY, frame_header
from millstream.testing import conformance_waiting as waiting

MAX_MESSAGE = 4 << 20


def server_frame(payload, opcode=2, first=None):
    first = 0x80 | opcode if first is None else first
    length = len(payload)
    if length < 126:
        return bytes([first, length]) + payload
    if length < 1 << 16:
        return bytes([first, 126]) + struct.pack(">H", length) + payload
    return bytes([first, 127]) + struct.pack(">Q", length) + payload


class Ends(FarEnd):
    """A WebSocket, and the raw other end."""

    def __init__(self, early=b""):
        super().__init__()
        self.messages = []
        self.lost = []
        self.drained = 0
        self.socket = WebSocket(
            self.near, self._received, self._drained, self.lost.append, MAX_MESSAGE, early
        )

    def _received(self, view):
        self.messages.append(bytes(view))
        view[:] = bytes(len(view))

    def _drained(self):
        self.drained += 1


@pytest.fixture
async def ends():
    ends = Ends()
    yield ends
    ends.socket.close()
    await asyncio.sleep(0)
    ends.far.close()


async def until(condition):
    await waiting.until(condition, "it happened")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
async def test_messages_of_all_lengths_come(ends, length):
    message = bytes(index % 251 for index in range(length))
    await ends.say(server_frame(message) + server_frame(b"next"))
    await until(lambda: len(ends.messages) == 2)
    assert ends.messages == [message, b"next"]


async def test_many_messages_byte_by_byte(ends):
    for byte in server_frame(b"abc") + server_frame(b"") + server_frame(bytes(130)):
        await ends.say(bytes([byte]))
        await asyncio.sleep(0)
    await until(lambda: len(ends.messages) == 3)
    assert ends.messages == [b"abc", b"", bytes(130)]


async def test_a_message_longer_than_the_buffer(ends):
    message = bytes(range(256)) * (RECEIVE_BUFFER_LENGTH // 256 + 10)
    await ends.say(server_frame(b"before") + server_frame(message) + server_frame(b"after"))
    await until(lambda: len(ends.messages) == 3)
    assert ends.messages == [b"before", message, b"after"]


async def test_messages_at_every_place_of_the_buffer(ends):
    sizes = [RECEIVE_BUFFER_LENGTH // 2 - 5, 100_000, RECEIVE_BUFFER_LENGTH // 2] * 3
    messages = [bytes([number]) * size for number, size in enumerate(sizes)]
    for message in messages:
        await ends.say(server_frame(message))
    await until(lambda: len(ends.messages) == len(messages))
    assert ends.messages == messages


async def test_what_came_behind_the_handshake():
    ends = Ends(server_frame(b"early"))
    await until(lambda: bool(ends.messages))
    assert ends.messages == [b"early"]
    ends.socket.close()
    await asyncio.sleep(0)
    ends.far.close()


async def test_messages_go_out_masked_with_zeros(ends):
    ends.socket.send([b"one ", bytearray(b""), memoryview(b"two")])
    assert not ends.socket.is_sending
    assert await ends.hear(13) == b"\x82\x87\0\0\0\0one two"


async def test_what_the_kernel_does_not_take_waits(ends):
    data = bytes(range(256)) * 40_000
    ends.socket.send([data, b"end"])
    assert ends.socket.is_sending
    heard = await ends.hear(14 + len(data) + 3)
    assert heard == frame_header(BINARY, len(data) + 3, bytes(4)) + data + b"end"
    await until(lambda: ends.drained == 1)
    assert not ends.socket.is_sending


async def test_more_buffers_than_one_send_takes(ends):
    parts = [b"%04d" % number for number in range(3000)]
    ends.socket.send(parts)
    assert (await ends.hear(8 + 12_000))[8:] == b"".join(parts)


async def test_pings_are_answered(ends):
    await ends.say(server_frame(b"are you there", 9))
    assert await ends.hear(6 + 13) == b"\x8a\x8d\0\0\0\0are you there"


async def test_a_goodbye_ends_it(ends):
    await ends.say(server_frame(b"\x03\xe9the io-daemon ends", 8))
    await until(lambda: bool(ends.lost))
    assert "the io-daemon ends" in str(ends.lost[0])


async def test_so_does_the_end_of_the_connection(ends):
    ends.far.shutdown(socket.SHUT_RDWR)
    await until(lambda: bool(ends.lost))
    assert "closed" in str(ends.lost[0])


@pytest.mark.parametrize(
    "frame",
    [
        b"\x02\x01x",  # not final
        b"\x80\x01x",  # the rest of a message that did not begin
        b"\x81\x01x",  # text
        b"\xc2\x01x",  # compressed
        b"\x83\x01x",  # unknown
        b"\x82\x81\0\0\0\0x",  # masked
        b"\x89\x7e\0\x80",  # a long ping
        b"\x82\x7f" + struct.pack(">Q", MAX_MESSAGE + 1),
        b"\x82\x7f" + b"\xff" * 8,
    ],
)
async def test_what_cannot_be_taken_ends_it(ends, frame):
    await ends.say(server_frame(b"good") + frame + bytes(200))
    await until(lambda: bool(ends.lost))
    assert ends.messages == [b"good"]
    ends.socket.send([b"nothing"])
    await asyncio.sleep(0)
    assert len(ends.lost) == 1


async def test_closing_says_goodbye_and_is_told_once(ends):
    ends.socket.close()
    ends.socket.close()
    assert not ends.lost, "not from within"
    await asyncio.sleep(0)
    assert len(ends.lost) == 1
    assert await ends.hear(100) == b"\x88\x82\0\0\0\0\x03\xe8"


async def test_silence_is_asked_about_and_then_ends_it(monkeypatch):
    monkeypatch.setattr(web_socket, "PING_SECONDS", 0.001)
    ends = Ends()
    assert await ends.hear(6) == b"\x89\x80\0\0\0\0"
    await until(lambda: bool(ends.lost))
    assert "silent" in str(ends.lost[0])
    ends.far.close()
